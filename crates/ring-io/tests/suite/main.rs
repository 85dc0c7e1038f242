//! One suite for both backends, over real loopback sockets.
//!
//! Each test is a function of a [`rig::Backend`]; the list at the end makes one `#[test]` of it per backend. Where the
//! environment refuses io_uring, `probe_decides_whether_the_uring_half_runs` says so on standard error (not captured), and
//! the uring half ends at once; it ends so only for the refusals that the probe knows. Set `RING_IO_REQUIRE_URING=1` to
//! fail instead.
#![expect(clippy::unwrap_used, reason = "test code")]
#![expect(
    clippy::cast_possible_truncation,
    reason = "patterns are made of low octets"
)]

mod buffers;
mod rig;
mod sends;
mod sockets;
mod wakes;

use std::io::Write;

use rig::{Backend, uring_refusal};
use ring_io::{Config, Kind, Want, open};

#[test]
fn probe_decides_whether_the_uring_half_runs() {
    let line = match uring_refusal() {
        None => "ring-io suite: both halves run, io_uring and epoll\n".to_owned(),
        Some(reason) => format!("ring-io suite: THE URING HALF DID NOT RUN: {reason}\n"),
    };
    std::io::stderr().write_all(line.as_bytes()).unwrap();
    assert!(
        uring_refusal().is_none() || std::env::var_os("RING_IO_REQUIRE_URING").is_none(),
        "{line}"
    );
}

#[test]
fn auto_takes_what_is_there_and_says_why() {
    let (_io, choice) = open(Want::Auto, &Config::default()).unwrap();
    match uring_refusal() {
        None => {
            assert_eq!(choice.backend, Kind::Uring);
            assert!(choice.reason.starts_with("io_uring: "), "{}", choice.reason);
        }
        Some(reason) => {
            assert_eq!(choice.backend, Kind::Epoll);
            assert_eq!(choice.reason, format!("epoll: {reason}"));
        }
    }
}

#[test]
fn epoll_forced_is_epoll() {
    let (_io, choice) = open(Want::Epoll, &Config::default()).unwrap();
    assert_eq!(choice.backend, Kind::Epoll);
    assert_eq!(choice.reason, "epoll: as configured");
}

#[test]
fn sizes_out_of_range_are_refused() {
    for (slots, slot_octets) in [(0, 4096), (32_769, 4096), (4, 511), (4, (1 << 30) + 1)] {
        let config = Config {
            slots,
            slot_octets,
            ..Config::default()
        };
        for want in [Want::Auto, Want::Epoll] {
            let error = open(want, &config).err().unwrap();
            assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
        }
    }
}

macro_rules! on_both_backends {
    ($($module:ident: $($name:ident),+;)+) => {
        mod epoll {
            $($(#[test] fn $name() { super::$module::$name(super::Backend::EPOLL); })+)+
        }
        mod uring {
            $($(#[test] fn $name() {
                if super::uring_refusal().is_none() {
                    super::$module::$name(super::Backend::URING);
                }
            })+)+
        }
    };
}

on_both_backends! {
    sockets:
        echo_returns_every_octet,
        accepted_peer_address_is_the_peers,
        connect_to_a_listener_connects_and_receives,
        connect_to_nobody_fails_once,
        peer_close_is_reported_once_and_sending_goes_on,
        peer_reset_fails_the_connection_once,
        shutdown_ends_the_stream_after_the_sent_octets,
        paused_connection_receives_nothing_until_resumed,
        read_once_delivers_one_receive,
        detach_after_once_hands_over_without_a_lost_octet,
        detach_while_receiving_is_refused,
        closed_index_reused_gets_no_stale_events,
        stale_keys_are_harmless,
        closed_listener_accepts_no_more,
        many_connections_are_byte_exact,
        dropped_backend_closes_its_sockets;
    sends:
        parts_of_many_sends_arrive_in_order,
        one_batch_serves_many_connections,
        full_socket_blocks_then_turns_writable,
        send_to_a_broken_connection_fails,
        misfit_operations_fail_alone,
        parts_beyond_the_kernels_bound_are_left_over,
        receives_during_a_batch_are_kept;
    buffers:
        octets_outlive_the_backend,
        held_slots_pause_receiving_and_returned_slots_resume_it,
        slot_returned_by_another_thread_ends_the_wait,
        starved_wait_does_not_spin,
        tiny_slots_keep_streams_apart,
        closed_connection_while_starved_is_forgotten;
    wakes:
        wakes_coalesce_into_one_event,
        no_wake_is_lost,
        wait_without_events_ends_at_its_timeout;
}
