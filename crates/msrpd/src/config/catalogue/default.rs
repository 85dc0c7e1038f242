//! How defaults read in TOML.

use msrp_sip::focus::AdHocRight;
use ring_io::Want;

use crate::config::Config;

pub(super) fn quoted(text: &str) -> Option<String> {
    Some(format!("\"{text}\""))
}

pub(super) fn quoted_list<T: ToString>(values: &[T]) -> Option<String> {
    let values: Vec<_> = values
        .iter()
        .map(|v| format!("\"{}\"", v.to_string()))
        .collect();
    Some(format!("[{}]", values.join(", ")))
}

pub(super) fn backend(config: &Config) -> Option<String> {
    quoted(match config.io.backend {
        Want::Auto => "auto",
        Want::Uring => "uring",
        Want::Epoll => "epoll",
    })
}

pub(super) fn right(right: AdHocRight) -> Option<String> {
    quoted(match right {
        AdHocRight::Originator => "originator",
        AdHocRight::Participants => "participants",
    })
}

pub(super) fn none(_: &Config) -> Option<String> {
    None
}

pub(super) fn number(value: impl ToString + Copy) -> Option<String> {
    Some(value.to_string())
}
