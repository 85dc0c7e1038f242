//! What msrpd tells the service manager: the protocol of `sd_notify(3)`.
//!
//! Without `NOTIFY_SOCKET` in the environment nobody is told, and nothing else changes.

use std::env;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::Path;
use std::time::Duration;

/// It serves from now on.
pub fn ready() {
    tell("READY=1");
}

/// It reads its configuration anew; [`ready`] says when that is over.
pub fn reloading() {
    match monotonic_us() {
        Some(us) => tell(&format!("RELOADING=1\nMONOTONIC_USEC={us}")),
        None => tell("RELOADING=1"),
    }
}

/// It is going down.
pub fn stopping() {
    tell("STOPPING=1");
}

/// It is alive.
pub fn alive() {
    tell("WATCHDOG=1");
}

/// What a person reads in the status of the service.
pub fn status(text: &str) {
    tell(&format!("STATUS={}", text.replace('\n', " ")));
}

/// How often the service manager has to hear of [`alive`]: half of the time after which it takes the
/// process for dead. `None` when it does not watch this process.
#[must_use]
pub fn watchdog() -> Option<Duration> {
    let of = |name| env::var(name).ok();
    watchdog_of(of("WATCHDOG_USEC"), of("WATCHDOG_PID"), std::process::id())
}

fn watchdog_of(us: Option<String>, watched: Option<String>, own: u32) -> Option<Duration> {
    let us: u64 = us?.parse().ok()?;
    let is_ours = watched.is_none_or(|pid| pid.parse() == Ok(own));
    (is_ours && us > 0).then(|| Duration::from_micros(us / 2))
}

fn tell(state: &str) {
    let Some(name) = env::var_os("NOTIFY_SOCKET") else {
        return;
    };
    if let Err(error) = send(name.as_bytes(), state) {
        tracing::warn!(%error, "the service manager could not be told");
    }
}

fn send(name: &[u8], state: &str) -> std::io::Result<()> {
    // A name that begins with @ is one of the abstract name space.
    let address = match name {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        name => SocketAddr::from_pathname(Path::new(std::ffi::OsStr::from_bytes(name)))?,
    };
    UnixDatagram::unbound()?.send_to_addr(state.as_bytes(), &address)?;
    Ok(())
}

/// The monotonic clock of the kernel, microseconds, as the uptime tells it to a hundredth second.
fn monotonic_us() -> Option<u64> {
    let uptime = std::fs::read_to_string("/proc/uptime").ok()?;
    let (seconds, hundredths) = uptime.split(' ').next()?.split_once('.')?;
    let seconds: u64 = seconds.parse().ok()?;
    let hundredths: u64 = hundredths.parse().ok()?;
    Some(seconds * 1_000_000 + hundredths * 10_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn watchdog_of_another_process_is_not_ours() {
        let some = |text: &str| Some(text.to_owned());
        let half = Some(Duration::from_secs(5));
        assert_eq!(watchdog_of(some("10000000"), None, 7), half);
        assert_eq!(watchdog_of(some("10000000"), some("7"), 7), half);
        assert_eq!(watchdog_of(some("10000000"), some("8"), 7), None);
        assert_eq!(watchdog_of(some("0"), None, 7), None);
        assert_eq!(watchdog_of(some("soon"), None, 7), None);
        assert_eq!(watchdog_of(None, None, 7), None);
    }

    #[test]
    fn state_goes_to_a_path_and_to_an_abstract_name() {
        let path = env::temp_dir().join(format!("msrpd-notify-{}", std::process::id()));
        let by_path = UnixDatagram::bind(&path).unwrap();
        let name = format!("msrpd-notify-{}", std::process::id());
        let abstract_name = SocketAddr::from_abstract_name(&name).unwrap();
        let by_name = UnixDatagram::bind_addr(&abstract_name).unwrap();
        send(path.as_os_str().as_bytes(), "READY=1").unwrap();
        send(format!("@{name}").as_bytes(), "STOPPING=1").unwrap();
        for (socket, expected) in [(by_path, "READY=1"), (by_name, "STOPPING=1")] {
            let mut octets = [0; 64];
            let count = socket.recv(&mut octets).unwrap();
            assert_eq!(&octets[..count], expected.as_bytes());
        }
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn monotonic_clock_is_readable() {
        assert!(monotonic_us().is_some_and(|us| us > 0));
    }
}
