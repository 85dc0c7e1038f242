//! The choice of the backend.

use std::io;

use crate::{Choice, Config, Epoll, Io, Kind, Uring, Want};

/// Opens the backend that is wanted and possible.
///
/// Call it on the thread that will use it.
///
/// # Errors
/// [`Want::Uring`] that cannot be had: the message is the reason, of the kernel's error class. Otherwise a size in `config`
/// that is out of range, or no descriptor or memory is left.
pub fn open(want: Want, config: &Config) -> io::Result<(Box<dyn Io>, Choice)> {
    match want {
        Want::Uring => uring(config, "as configured"),
        Want::Epoll => epoll(config, "as configured"),
        Want::Auto => match uring(config, "the kernel has all that is needed") {
            Ok(opened) => Ok(opened),
            Err(error) => epoll(config, &error.to_string()),
        },
    }
}

fn uring(config: &Config, cause: &str) -> io::Result<(Box<dyn Io>, Choice)> {
    let io = Uring::open(config)?;
    Ok((
        Box::new(io),
        Choice {
            backend: Kind::Uring,
            reason: format!("io_uring: {cause}"),
        },
    ))
}

fn epoll(config: &Config, cause: &str) -> io::Result<(Box<dyn Io>, Choice)> {
    let io = Epoll::open(config)?;
    Ok((
        Box::new(io),
        Choice {
            backend: Kind::Epoll,
            reason: format!("epoll: {cause}"),
        },
    ))
}
