"""Gives processes that have nothing to do with each other what only relatives can share.

The first of them that asks for something starts an *ancestor*, which makes it. Whoever asks hands the ancestor his input and
output, and the ancestor forks a *worker* that works there instead of him. He himself only stands for the worker: it is killed
when he is, and he ends when it does. The ancestor ends with the last worker.
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

# How long an ancestor waits for somebody to come.
PATIENCE = 10
STANDARD = [0, 1, 2]


def join(name, make, work):
    """Has `work` done with what `make` makes, the same for all that join under `name`, and ends this process."""
    # In the abstract namespace, where nothing is left of it.
    address = b"\0process-rwlock-bench-" + hashlib.sha256(name.encode()).hexdigest().encode()
    while not handed_over(address):
        found(address, make, work)
        time.sleep(0.001)  # it may not listen yet
    os._exit(0)  # without an end for what has been made: the ancestor has it


def handed_over(address):
    """Lets a worker do this process's work to the end. False if there is no ancestor."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as worker:
        try:
            worker.connect(address)
            socket.send_fds(worker, [b"work"], STANDARD)
            if not worker.recv(1):
                return False
        except (ConnectionRefusedError, ConnectionResetError, BrokenPipeError):
            return False
        # The worker alone has them, so that who reads the output sees its end.
        null = os.open(os.devnull, os.O_RDWR)
        for descriptor in STANDARD:
            os.dup2(null, descriptor)
        worker.recv(1)  # nothing comes, until it has ended
        return True


def found(address, make, work):
    """Starts the ancestor, unless somebody else was faster."""
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
        ready, _, _ = select.select([listener, *workers], [], [], None if workers else PATIENCE)
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

