//! What can go wrong between msrpctl and a node, and what to do about it.

use std::fmt;
use std::process::ExitCode;

use serde_json::{Value, json};

/// Why a command was not carried out. Each kind has a status of its own, so that scripts can tell
/// them apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    /// Nobody answers there.
    Unreachable { place: String, reason: String },
    /// What answers there is no msrpd, or the answer broke off.
    Strange { place: String, what: String },
    /// msrpd refused.
    Refused(Refusal),
    /// Something on this machine, a file for example.
    Local(String),
}

/// A refusal of msrpd.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) code: String,
    pub(super) detail: String,
}

impl Refusal {
    /// Reads a problem document; what is none is shown as it is.
    pub(super) fn read(status: u16, body: &str) -> Self {
        let document: Value = serde_json::from_str(body).unwrap_or_default();
        let text = |name: &str| document.get(name).and_then(Value::as_str);
        let detail = text("detail").unwrap_or(body.trim());
        Self {
            status,
            code: text("code").unwrap_or("unknown").to_owned(),
            detail: detail.to_owned(),
        }
    }
}

impl Fault {
    /// The exit status.
    pub(super) fn status(&self) -> u8 {
        match self {
            Self::Local(_) => FAILED,
            Self::Unreachable { .. } | Self::Strange { .. } => UNREACHABLE,
            Self::Refused(refusal) => match (refusal.status, refusal.code.as_str()) {
                (401 | 403, _) => NOT_ALLOWED,
                (_, "no_such_room" | "no_such_participant") => NOT_FOUND,
                _ => FAILED,
            },
        }
    }

    /// Says what went wrong on stderr, as one JSON object when JSON is wanted.
    pub(super) fn tell(&self, is_json: bool) -> ExitCode {
        if is_json {
            eprintln!("{}", self.document());
        } else {
            eprintln!("{self}");
        }
        ExitCode::from(self.status())
    }

    fn document(&self) -> Value {
        let (code, status) = match self {
            Self::Unreachable { .. } => ("unreachable", None),
            Self::Strange { .. } => ("strange_answer", None),
            Self::Refused(refusal) => (refusal.code.as_str(), Some(refusal.status)),
            Self::Local(_) => ("failed", None),
        };
        json!({ "error": { "code": code, "status": status, "detail": self.to_string() } })
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable { place, reason } => write!(
                f,
                "msrpd does not answer at {place}: {reason}\n\
                 Is it running? Name the place that admin.bind or admin.socket of its configuration \
                 gives, with --admin ADDRESS:PORT or --socket PATH."
            ),
            Self::Strange { place, what } => write!(
                f,
                "what answers at {place} is not the admin server of msrpd: {what}\n\
                 Name the place that admin.bind gives, with --admin ADDRESS:PORT, and with --ca FILE the authority of \
                 its certificate when it has one (admin.cert)."
            ),
            Self::Refused(refusal) => write!(f, "{refusal}"),
            Self::Local(sentence) => f.write_str(sentence),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (status, code, detail) = (self.status, &self.code, &self.detail);
        write!(f, "refused: {detail} ({status} {code})")?;
        match (self.status, code.as_str()) {
            (401, _) => f.write_str(
                "\nName a file with a token by --token-file FILE or MSRPCTL_TOKEN_FILE, or use \
                 --socket PATH as the user of msrpd or as root.",
            ),
            (_, "no_such_room") => f.write_str("\nmsrpctl rooms shows the rooms that run."),
            (_, "no_such_participant") => {
                f.write_str("\nmsrpctl participants ROOM shows who is there.")
            }
            (404 | 405, "no_such_path" | "method_not_allowed" | "unknown") => f.write_str(
                "\nThis msrpd does not know the command; use the msrpctl of its version.",
            ),
            (503, "draining") => f.write_str("\nmsrpctl undrain lets it take new rooms again."),
            _ => Ok(()),
        }
    }
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// A command was refused, or something on this machine failed.
pub(super) const FAILED: u8 = 1;
/// The command line cannot be carried out as it is.
pub(super) const WRONG_USE: u8 = 2;
/// No msrpd answers.
pub(super) const UNREACHABLE: u8 = 3;
/// A token is missing, unknown, or lacks a scope.
pub(super) const NOT_ALLOWED: u8 = 4;
/// There is no such room or participant.
pub(super) const NOT_FOUND: u8 = 5;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fault_status_tells_the_kinds_apart() {
        let refused = |status| Fault::from(Refusal::read(status, "")).status();
        assert_eq!(refused(401), NOT_ALLOWED);
        assert_eq!(refused(403), NOT_ALLOWED);
        // Something else is missing than a room or a participant.
        assert_eq!(refused(404), FAILED);
        assert_eq!(refused(409), FAILED);
        assert_eq!(refused(503), FAILED);
    }

    #[test]
    fn refusal_problem_document_is_shown_with_what_helps() {
        let body = r#"{"status":404,"code":"no_such_room","detail":"No room of this id runs."}"#;
        let fault = Fault::from(Refusal::read(404, body));
        assert_eq!(
            fault.to_string(),
            "refused: No room of this id runs. (404 no_such_room)\n\
             msrpctl rooms shows the rooms that run."
        );
        assert_eq!(fault.status(), NOT_FOUND);
        let document = fault.document();
        assert_eq!(document["error"]["code"], "no_such_room");
        assert_eq!(document["error"]["status"], 404);
    }
}
