//! Why a room could not be joined.

use std::fmt;

use super::Refusal;

/// Why a room could not be joined.
#[derive(Debug)]
pub enum JoinError {
    /// The client's own SIP engine did not start, or ended.
    Engine(String),
    /// No SIP server answered.
    Unreachable,
    /// The INVITE was refused.
    Refused {
        /// The SIP status.
        status: u16,
        /// The reason phrase.
        reason: String,
        /// The text of the Warning header fields.
        warning: Option<String>,
    },
    /// The INVITE was accepted with a session description that cannot be used.
    Answer(String),
    /// The switch could not be reached.
    Connection(std::io::Error),
    /// The switch did not accept the session.
    Session(Refusal),
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Engine(reason) => write!(f, "the SIP client could not run: {reason}"),
            Self::Unreachable => f.write_str("the SIP server does not answer"),
            Self::Refused {
                status,
                reason,
                warning,
            } => {
                write!(f, "the room was not joined: {status} {reason}")?;
                match (warning, status) {
                    (Some(text), _) => write!(f, ". The server says: {text}"),
                    (None, 404) => f.write_str(". The server knows no room of this address"),
                    (None, 408 | 480 | 503) => f.write_str(". Try again later"),
                    (None, _) => Ok(()),
                }
            }
            Self::Answer(reason) => {
                write!(
                    f,
                    "the server's session description cannot be used: {reason}"
                )
            }
            Self::Connection(error) => write!(f, "the switch could not be reached: {error}"),
            Self::Session(refusal) => {
                write!(f, "the switch did not accept the session: {refusal}")
            }
        }
    }
}

impl std::error::Error for JoinError {}
