//! Why io_uring cannot be had, in a sentence for the operator.

use std::io;

/// What was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Making the ring.
    Setup,
    /// Registering the incremental buffer ring.
    Buffers,
}

/// An error with the sentence as its message and the kernel's error class.
pub(super) fn refusal(step: Step, error: &io::Error) -> io::Error {
    let cause = match (step, error.raw_os_error()) {
        (Step::Setup, Some(libc::EPERM)) => {
            "io_uring_setup was refused (EPERM: seccomp or kernel.io_uring_disabled)".to_owned()
        }
        (Step::Setup, Some(libc::ENOSYS)) => {
            "io_uring_setup is missing (ENOSYS: built without it, or hidden by seccomp)".to_owned()
        }
        (Step::Setup, Some(libc::EINVAL)) => {
            "io_uring_setup knows not all flags (EINVAL: before Linux 6.1)".to_owned()
        }
        (Step::Setup, _) => format!("io_uring_setup failed ({error})"),
        (Step::Buffers, Some(libc::EINVAL)) => {
            "incremental buffer rings are missing (EINVAL: before Linux 6.12)".to_owned()
        }
        (Step::Buffers, _) => format!("the buffer ring could not be registered ({error})"),
    };
    io::Error::new(error.kind(), cause)
}

/// Refuses kernels that may show completions in another order than they filled the buffers.
///
/// A place in an incremental buffer follows from the order of completions ([`super::buffer_ring`]). Before Linux 6.15 the
/// last completion of a multishot receive could be shown after later ones of other connections: octets would go to the
/// wrong connection. Kernels with buffers out of their order are on record (6.13.11 to 6.14.11: issue 1423 of liburing).
/// Older ones with a repair carried back are refused too, since nothing tells them apart.
pub(super) fn check_order(release: &str) -> io::Result<()> {
    let mut numbers = release
        .split(|letter: char| !letter.is_ascii_digit())
        .map(|part| part.parse::<u32>().ok());
    let version = (numbers.next().flatten(), numbers.next().flatten());
    if version >= (Some(6), Some(15)) {
        return Ok(());
    }
    let cause = format!("Linux {release} does not promise the order of completions (needs 6.15)");
    Err(io::Error::new(io::ErrorKind::Unsupported, cause))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernel_release_before_6_15_is_refused() {
        for refused in [
            "6.12.41+deb13-amd64",
            "6.14.11",
            "5.15.0-91-generic",
            "",
            "x",
            "6",
        ] {
            assert!(check_order(refused).is_err(), "{refused}");
        }
        for accepted in ["6.15.0", "6.18.44-fc-v669", "7.0.1", "6.15-rc7", "10.1"] {
            assert!(check_order(accepted).is_ok(), "{accepted}");
        }
    }

    #[test]
    fn refusal_names_the_likely_cause() {
        let error = refusal(Step::Setup, &io::Error::from_raw_os_error(libc::EPERM));
        assert!(error.to_string().contains("seccomp"));
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
        let error = refusal(Step::Buffers, &io::Error::from_raw_os_error(libc::EINVAL));
        assert!(error.to_string().contains("6.12"));
        assert!(
            refusal(Step::Setup, &io::Error::from_raw_os_error(libc::ENOMEM))
                .to_string()
                .contains("failed")
        );
    }
}
