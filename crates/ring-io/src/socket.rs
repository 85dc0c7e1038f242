//! The system calls on sockets that the standard library does not offer.

use std::io::{self, IoSlice};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use crate::{Config, Errno, SendOutcome, limits};

/// Opens a listener that may share its address with the listeners of other threads: the kernel spreads the
/// connections over them.
///
/// Non-blocking, close-on-exec, `SO_REUSEADDR`, `SO_REUSEPORT`. Only sockets of the same user can share.
///
/// # Errors
/// The address is taken or not ours, or no descriptor is left.
pub fn bind_reuseport(addr: SocketAddr) -> io::Result<TcpListener> {
    let socket = open(addr)?;
    set_option(socket.as_raw_fd(), libc::SO_REUSEADDR, 1)?;
    set_option(socket.as_raw_fd(), libc::SO_REUSEPORT, 1)?;
    let (address, octets) = address(addr);
    // SAFETY: `address` holds `octets` readable octets of a socket address and outlives the call.
    check(unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), octets) })?;
    // SAFETY: listen takes no pointers.
    check(unsafe { libc::listen(socket.as_raw_fd(), limits::LISTEN_BACKLOG) })?;
    Ok(TcpListener::from(socket))
}

/// A new non-blocking TCP socket of the address's family.
fn open(addr: SocketAddr) -> io::Result<OwnedFd> {
    let family = if addr.is_ipv4() {
        libc::AF_INET
    } else {
        libc::AF_INET6
    };
    let kind = libc::SOCK_STREAM | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    // SAFETY: socket takes no pointers.
    let fd = check(unsafe { libc::socket(family, kind, 0) })?;
    // SAFETY: the kernel just made this descriptor for us; nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// How far a connection attempt came at once.
pub(crate) enum Attempt {
    /// The socket turns writable when it has ended.
    Pending,
    /// It ended inside the call.
    Ended(Result<(), Errno>),
}

/// Starts a connection.
pub(crate) fn connect(addr: SocketAddr) -> io::Result<(TcpStream, Attempt)> {
    let socket = open(addr)?;
    let (address, octets) = address(addr);
    // SAFETY: `address` holds `octets` readable octets of a socket address and outlives the call.
    let result =
        check(unsafe { libc::connect(socket.as_raw_fd(), (&raw const address).cast(), octets) });
    let attempt = match result {
        Ok(_) => Attempt::Ended(Ok(())),
        Err(error) if matches!(error.raw_os_error(), Some(libc::EINPROGRESS | libc::EINTR)) => {
            Attempt::Pending
        }
        Err(error) => Attempt::Ended(Err(Errno::of(&error))),
    };
    Ok((TcpStream::from(socket), attempt))
}

/// Sets the options of every connection.
///
/// They make it faster or smaller, not possible, so a socket that does not know one is used as it is.
pub(crate) fn tune(stream: &TcpStream, config: &Config) {
    if config.nodelay {
        let _ = stream.set_nodelay(true);
    }
    let options = [
        (libc::SOL_SOCKET, libc::SO_SNDBUF, config.sndbuf_octets),
        (
            libc::IPPROTO_TCP,
            libc::TCP_NOTSENT_LOWAT,
            config.notsent_octets,
        ),
    ];
    for (level, name, octets) in options {
        if let Some(octets) = octets {
            let octets = i32::try_from(octets).unwrap_or(i32::MAX);
            let _ = set_option_of(stream.as_raw_fd(), level, name, octets);
        }
    }
}

/// Closes a connection with a reset: its kernel and ours forget it at once, however many come.
pub fn reset(stream: OwnedFd) {
    let linger = libc::linger {
        l_onoff: 1,
        l_linger: 0,
    };
    let _ = set_option(stream.as_raw_fd(), libc::SO_LINGER, linger);
    drop(stream);
}

/// Octets that were given to the kernel and that the peer's kernel has not acknowledged; 0 when it cannot tell.
pub(crate) fn unacknowledged(fd: RawFd) -> usize {
    let mut octets: libc::c_int = 0;
    // SAFETY: TIOCOUTQ writes one int, to which the pointer leads.
    let result = unsafe { libc::ioctl(fd, libc::TIOCOUTQ, &raw mut octets) };
    if result < 0 {
        0
    } else {
        usize::try_from(octets).unwrap_or(0)
    }
}

/// Sends once, without waiting.
pub(crate) fn send(fd: RawFd, parts: &[IoSlice<'_>]) -> SendOutcome {
    let header = message(parts);
    // SAFETY: the header points to `parts`, which is borrowed for the whole call; sendmsg only reads.
    let sent = unsafe { libc::sendmsg(fd, &raw const header, SEND_FLAGS) };
    match usize::try_from(sent) {
        Ok(octets) => SendOutcome::Sent(octets),
        Err(_) => outcome(Errno::of(&io::Error::last_os_error())),
    }
}

/// What a failed send means.
pub(crate) fn outcome(error: Errno) -> SendOutcome {
    match error.number() {
        libc::EAGAIN | libc::EINTR => SendOutcome::WouldBlock,
        _ => SendOutcome::Failed(error),
    }
}

/// The header of one send. Borrows nothing in its type: the caller keeps `parts` until the send has ended.
pub(crate) fn message(parts: &[IoSlice<'_>]) -> libc::msghdr {
    let parts = &parts[..parts.len().min(limits::SEND_PARTS_MAX)];
    // SAFETY: all-zero is a valid msghdr: no name, no parts, no control octets.
    let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
    // `IoSlice` is guaranteed to have the layout of `iovec`.
    header.msg_iov = parts.as_ptr().cast_mut().cast();
    header.msg_iovlen = parts.len() as _;
    header
}

/// Receives once, without waiting.
///
/// # Safety
/// `room` must be valid for writes of `octets`, and nobody may read or write there during the call.
pub(crate) unsafe fn receive(fd: RawFd, room: *mut u8, octets: usize) -> io::Result<usize> {
    // SAFETY: the caller vouches for the room.
    let received = unsafe { libc::recv(fd, room.cast(), octets, libc::MSG_DONTWAIT) };
    usize::try_from(received).map_err(|_| io::Error::last_os_error())
}

fn set_option<T>(fd: RawFd, name: i32, value: T) -> io::Result<()> {
    set_option_of(fd, libc::SOL_SOCKET, name, value)
}

/// `value` is what the kernel expects of this option: an int, or a structure of C.
#[expect(clippy::needless_pass_by_value, reason = "ints, mostly")]
fn set_option_of<T>(fd: RawFd, level: i32, name: i32, value: T) -> io::Result<()> {
    let octets = libc::socklen_t::try_from(size_of::<T>()).map_err(io::Error::other)?;
    // SAFETY: `value` is readable, of the stated size, and outlives the call.
    check(unsafe { libc::setsockopt(fd, level, name, (&raw const value).cast(), octets) }).map(drop)
}

/// Turns the -1 of a system call into its error.
pub(crate) fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}

/// A socket address as the kernel wants it, of either family.
#[repr(C)]
union Address {
    v4: libc::sockaddr_in,
    v6: libc::sockaddr_in6,
}

/// The kernel's form of an address, and how many of its octets count.
#[expect(
    clippy::cast_possible_truncation,
    reason = "address families and structure sizes are small constants"
)]
fn address(addr: SocketAddr) -> (Address, libc::socklen_t) {
    match addr {
        SocketAddr::V4(addr) => {
            let v4 = libc::sockaddr_in {
                sin_family: libc::AF_INET as libc::sa_family_t,
                sin_port: addr.port().to_be(),
                sin_addr: libc::in_addr {
                    s_addr: u32::from_ne_bytes(addr.ip().octets()),
                },
                sin_zero: [0; 8],
            };
            (
                Address { v4 },
                size_of::<libc::sockaddr_in>() as libc::socklen_t,
            )
        }
        SocketAddr::V6(addr) => {
            let v6 = libc::sockaddr_in6 {
                sin6_family: libc::AF_INET6 as libc::sa_family_t,
                sin6_port: addr.port().to_be(),
                sin6_flowinfo: addr.flowinfo(),
                sin6_addr: libc::in6_addr {
                    s6_addr: addr.ip().octets(),
                },
                sin6_scope_id: addr.scope_id(),
            };
            (
                Address { v6 },
                size_of::<libc::sockaddr_in6>() as libc::socklen_t,
            )
        }
    }
}

/// How every send is made: it takes what the kernel has room for, at once, and never raises SIGPIPE.
pub(crate) const SEND_FLAGS: i32 = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
