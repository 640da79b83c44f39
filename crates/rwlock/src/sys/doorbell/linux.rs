//! Linux: a datagram socket with an abstract address. It leaves no file behind, and its name is
//! free again when its process has died. Source: unix(7).

use std::io;
use std::mem::{offset_of, size_of};
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};
use std::sync::atomic::AtomicI32;
use std::sync::atomic::Ordering::Relaxed;

pub(super) struct Socket(OwnedFd);

impl Socket {
    pub fn open(name: u64, secret: u32) -> io::Result<Self> {
        let socket = Self(socket()?);
        // Before the socket has an address, so that every message is filtered.
        socket.admit_only(secret)?;
        let (address, length) = address_of(name);
        // SAFETY: `address` is valid for reads of `length` bytes.
        if unsafe { libc::bind(socket.descriptor(), (&raw const address).cast(), length) } == -1 {
            return Err(io::Error::last_os_error());
        }
        Ok(socket)
    }

    /// Lets the kernel drop every message, at its sender, that does not begin with `secret`, and
    /// cut what is too long.
    fn admit_only(&self, secret: u32) -> io::Result<()> {
        let step = |code, jt, jf, k| libc::sock_filter { code: code as u16, jt, jf, k };
        let mut steps = [
            // The first four bytes, in network byte order. A shorter datagram is dropped.
            step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0),
            step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 1, secret),
            step(libc::BPF_RET | libc::BPF_K, 0, 0, size_of::<u64>() as u32),
            step(libc::BPF_RET | libc::BPF_K, 0, 0, 0),
        ];
        let program = libc::sock_fprog { len: steps.len() as u16, filter: steps.as_mut_ptr() };
        // SAFETY: `program` and the steps that it points to are valid for reads during the call.
        let result = unsafe {
            libc::setsockopt(
                self.descriptor(),
                libc::SOL_SOCKET,
                libc::SO_ATTACH_FILTER,
                (&raw const program).cast(),
                size_of::<libc::sock_fprog>() as libc::socklen_t,
            )
        };
        if result == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    pub fn descriptor(&self) -> RawFd {
        self.0.as_raw_fd()
    }

    pub fn receive(&self) -> Option<u64> {
        loop {
            let mut key = [0; size_of::<u64>()];
            // SAFETY: `key` is valid for writes of its length.
            let length = unsafe { libc::recv(self.descriptor(), key.as_mut_ptr().cast(), key.len(), 0) };
            match length {
                -1 => return None,
                8 => return Some(u64::from_be_bytes(key)),
                _ => {} // only a sender without the secret sends less
            }
        }
    }
}

/// The socket from which this process sends to all doorbells. It is kept, because creating one for
/// each ring would cost more than the ring.
fn sender() -> Option<RawFd> {
    // Not a `OnceLock`: a forked child would wait for a thread that it does not have.
    static SENDER: AtomicI32 = AtomicI32::new(-1);
    let sender = SENDER.load(Relaxed);
    if sender != -1 {
        return Some(sender);
    }
    let made = socket().ok()?;
    match SENDER.compare_exchange(-1, made.as_raw_fd(), Relaxed, Relaxed) {
        Ok(_) => Some(made.into_raw_fd()),
        Err(other) => Some(other),
    }
}

/// Returns whether the ring has arrived. Never waits.
#[inline(never)] // for `verify/machine-code`, which reads what stands before it
pub(crate) fn send(name: u64, key: u64) -> bool {
    let Some(sender) = sender() else { return false };
    let (address, length) = address_of(name);
    let key = key.to_be_bytes();
    // SAFETY: `key` and `address` are valid for reads of the lengths given.
    let sent = unsafe {
        libc::sendto(
            sender,
            key.as_ptr().cast(),
            key.len(),
            libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL,
            (&raw const address).cast(),
            length,
        )
    };
    sent == key.len() as isize
}

fn socket() -> io::Result<OwnedFd> {
    // SAFETY: no memory is involved.
    let socket = unsafe { libc::socket(libc::AF_UNIX, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK, 0) };
    if socket == -1 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: just opened, and not owned by anything else.
    Ok(unsafe { OwnedFd::from_raw_fd(socket) })
}

/// `@process-rwlock-` and the name in hexadecimal digits, so that people recognize the socket.
fn address_of(name: u64) -> (libc::sockaddr_un, libc::socklen_t) {
    const PREFIX: &[u8] = b"\0process-rwlock-";
    const DIGITS: &[u8] = b"0123456789abcdef";
    // SAFETY: plain old data; all zero is a valid value of it.
    let mut address: libc::sockaddr_un = unsafe { std::mem::zeroed() };
    address.sun_family = libc::AF_UNIX as libc::sa_family_t;
    let digits = (0..16).rev().map(|digit| DIGITS[(name >> (4 * digit)) as usize & 0xf]);
    let path = PREFIX.iter().copied().chain(digits);
    for (byte, value) in address.sun_path.iter_mut().zip(path) {
        *byte = value as libc::c_char;
    }
    (address, (offset_of!(libc::sockaddr_un, sun_path) + PREFIX.len() + 16) as libc::socklen_t)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::doorbell::Doorbell;

    fn received(doorbell: &Doorbell) -> Vec<u32> {
        std::iter::from_fn(|| doorbell.next_ring()).collect()
    }

    fn send_bytes(name: u64, bytes: &[u8]) -> isize {
        let (address, length) = address_of(name);
        // SAFETY: `bytes` and `address` are valid for reads of the lengths given.
        unsafe {
            libc::sendto(
                sender().unwrap(),
                bytes.as_ptr().cast(),
                bytes.len(),
                libc::MSG_DONTWAIT,
                (&raw const address).cast(),
                length,
            )
        }
    }

    #[test]
    fn it_hears_who_knows_the_secret_and_nobody_else() {
        let [doorbell, other] = std::array::from_fn(|_| Doorbell::open().unwrap());
        assert!(send(doorbell.name, doorbell.key(7)) && send(doorbell.name, doorbell.key(u32::MAX)));
        assert_eq!(received(&doorbell), [7, u32::MAX]);
        assert_eq!(received(&other), []);
        // A forged ring is dropped: its sender gets no error, and the receiver does not wake.
        assert!(send(doorbell.name, other.key(7)));
        for bytes in [&[][..], &[0; 1], &doorbell.secret.to_le_bytes(), &[0; 8], &[0xff; 4096]] {
            send_bytes(doorbell.name, bytes);
        }
        let mut poll = libc::pollfd { fd: doorbell.descriptor(), events: libc::POLLIN, revents: 0 };
        // SAFETY: `poll` is valid for reads and writes.
        assert_eq!(unsafe { libc::poll(&raw mut poll, 1, 0) }, 0);
        // A ring that is too long or too short is used as far as possible.
        let mut long = doorbell.key(9).to_be_bytes().to_vec();
        long.resize(4096, 0xff);
        send_bytes(doorbell.name, &long);
        send_bytes(doorbell.name, &doorbell.secret.to_be_bytes());
        assert_eq!(received(&doorbell), [9]);
    }

    #[test]
    fn a_ring_that_finds_no_room_or_nobody_is_known_not_to_have_arrived() {
        let doorbell = Doorbell::open().unwrap();
        let (name, key) = (doorbell.name, doorbell.key(1));
        let heard = (0..100_000).take_while(|_| send(name, key)).count();
        assert!((1..100_000).contains(&heard), "{heard} rings, and nobody came to the door");
        assert_eq!(received(&doorbell).len(), heard);
        assert!(send(name, key));
        drop(doorbell);
        assert!(!send(name, key));
    }
}
