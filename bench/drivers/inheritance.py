"""Lets unrelated processes share an object that only descendants of one process can share.

The first process that requests the object starts an *ancestor*, which makes it. A process that requests it hands its input
and output to the ancestor, and the ancestor forks a *worker* that uses them. The process itself only represents the worker:
if one of them exits or is killed, so does the other. The ancestor ends with the last worker.
"""

import errno
import fcntl
import hashlib
import os
import select
import signal
import socket
import time
import traceback

# The time that an ancestor waits for the first request, in s.
REQUEST_TIMEOUT = 10
STANDARD = [0, 1, 2]


def join(name, make, work):
    """Runs `work` with the object of `make`, one for all processes that join under `name`, and ends this process."""
    # In the abstract namespace, so that no file remains.
    address = b"\0process-rwlock-bench-" + hashlib.sha256(name.encode()).hexdigest().encode()
    while not handed_over(address):
        found(address, make, work)
        time.sleep(0.001)  # it may not listen yet
    os._exit(0)  # without finalizing the object, which the ancestor uses


def handed_over(address):
    """Lets a worker do the work of this process. Returns False if there is no ancestor."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as worker:
        try:
            worker.connect(address)
            socket.send_fds(worker, [b"work"], STANDARD)
            if not worker.recv(1):
                return False
        except (ConnectionRefusedError, ConnectionResetError, BrokenPipeError):
            return False
        # Only the worker keeps them open, so that the reader of the output sees its end.
        null = os.open(os.devnull, os.O_RDWR)
        for descriptor in STANDARD:
            os.dup2(null, descriptor)
        worker.recv(1)  # returns when the worker has ended
        return True


def found(address, make, work):
    """Starts the ancestor, unless another process was faster."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with listener:
        try:
            listener.bind(address)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            return
        what = make()
        listener.listen(128)
        if os.fork() == 0:
            try:
                be_ancestor(listener, what, work)
            finally:
                os._exit(0)  # as above


def be_ancestor(listener, what, work):
    os.setsid()
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in STANDARD:
        os.dup2(null, descriptor)
    workers = {}
    came = False
    while workers or not came:
        ready, _, _ = select.select([listener, *workers], [], [], None if workers else REQUEST_TIMEOUT)
        if not ready:
            return
        for descriptor in ready:
            if descriptor is listener:
                came = True
                client, _ = listener.accept()
                pid = os.fork()
                if pid == 0:
                    be_worker(listener, client, what, work)
                client.close()
                workers[os.pidfd_open(pid)] = pid
            else:
                os.waitpid(workers.pop(descriptor), 0)
                os.close(descriptor)


def be_worker(listener, client, what, work):
    code = 1
    try:
        listener.close()
        # The kernel kills the worker when the other end is closed.
        fcntl.fcntl(client, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(client, fcntl.F_SETSIG, signal.SIGKILL)
        _, descriptors, _, _ = socket.recv_fds(client, 16, len(STANDARD))
        for own, given in zip(STANDARD, descriptors, strict=True):
            os.dup2(given, own)
            os.close(given)
        fcntl.fcntl(client, fcntl.F_SETFL, fcntl.fcntl(client, fcntl.F_GETFL) | os.O_ASYNC)
        client.send(b"!")
        work(what)
        code = 0
    except Exception:
        traceback.print_exc()
    finally:
        os._exit(code)

