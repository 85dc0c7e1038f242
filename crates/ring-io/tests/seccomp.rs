//! A seccomp filter that forbids io_uring, as containers have it: epoll takes over and says why.
#![allow(
    unsafe_code,
    reason = "installing a system call filter has no safe interface"
)]
#![expect(clippy::unwrap_used, reason = "test code")]
#![expect(
    clippy::cast_possible_truncation,
    reason = "instruction codes and call numbers are small"
)]
#![expect(
    clippy::cast_sign_loss,
    reason = "instruction codes and call numbers are not negative"
)]

use std::io;
use std::thread;
use std::time::Duration;

use ring_io::{Config, Event, Kind, Uring, Want, open};

/// Makes io_uring_setup fail for this thread and the threads it starts.
fn forbid_io_uring(errno: i32) {
    let instruction = |code: u32, jump_false, value| libc::sock_filter {
        code: code as u16,
        jt: 0,
        jf: jump_false,
        k: value,
    };
    let mut filter = [
        // The call's number is the first word of what the filter looks at.
        instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0),
        instruction(
            libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K,
            1,
            libc::SYS_io_uring_setup as u32,
        ),
        instruction(
            libc::BPF_RET | libc::BPF_K,
            0,
            libc::SECCOMP_RET_ERRNO | errno as u32,
        ),
        instruction(libc::BPF_RET | libc::BPF_K, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog {
        len: filter.len() as u16,
        filter: filter.as_mut_ptr(),
    };
    // SAFETY: this option takes no pointers.
    let result = unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
    assert_eq!(result, 0);
    // SAFETY: `program` points to a valid filter; both outlive the call, which copies them.
    let result = unsafe {
        libc::prctl(
            libc::PR_SET_SECCOMP,
            libc::SECCOMP_MODE_FILTER,
            &raw const program,
        )
    };
    assert_eq!(result, 0, "{}", io::Error::last_os_error());
}

fn refused(errno: i32, reason: &'static str) {
    let testing = thread::spawn(move || {
        forbid_io_uring(errno);
        let (mut io, choice) = open(Want::Auto, &Config::default()).unwrap();
        assert_eq!(choice.backend, Kind::Epoll);
        assert!(
            choice.reason.starts_with("epoll: ") && choice.reason.contains(reason),
            "{}",
            choice.reason
        );
        io.waker().wake();
        let mut events = Vec::new();
        io.wait(Some(Duration::from_secs(5)), &mut events).unwrap();
        assert!(matches!(events[..], [Event::Woken]));

        let error = open(Want::Uring, &Config::default()).err().unwrap();
        assert!(error.to_string().contains(reason), "{error}");
    });
    testing.join().unwrap();
}

#[test]
fn forbidden_io_uring_falls_back_to_epoll_with_the_reason() {
    // An old kernel is refused before the call is tried; then the filter has nothing to show.
    if Uring::open(&Config::default())
        .is_err_and(|error| error.to_string().contains("order of completions"))
    {
        return;
    }
    refused(libc::EPERM, "io_uring_setup was refused (EPERM");
    refused(libc::ENOSYS, "io_uring_setup is missing (ENOSYS");
}
