//! MSRP sessions: who sits where, and how to get there.
//!
//! A session comes from a SIP dialog or from a list in a file; behind this type nobody knows which.
//!
//! ```json
//! [{"room": "sip:demo@localhost", "identity": "sip:load0@localhost",
//!   "local_uri": "msrp://127.0.0.1:9/abcdefgh;tcp", "remote_path": "msrp://127.0.0.1:2855/k3jd8s;tcp",
//!   "connect": "127.0.0.1:2855"}]
//! ```

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use msrp_wire::{MsrpPathBuf, MsrpUriBuf};
use serde::Deserialize;

use crate::authorization::RelayUser;

/// One session, ready to be bound by its first request.
#[derive(Debug, Clone)]
pub struct Session {
    /// Our URI.
    pub local: MsrpUriBuf,
    /// What stands in To-Path.
    pub remote: MsrpPathBuf,
    /// Where to connect to.
    pub connect: SocketAddr,
    /// How it is bound.
    pub binding: Binding,
}

/// How a session is bound to its connection.
#[derive(Debug, Clone)]
pub enum Binding {
    /// By a SEND without a body.
    Send,
    /// By AUTH to this relay; the way to the peer is known afterwards.
    Auth(Arc<RelayUser>, MsrpUriBuf),
}

impl Session {
    /// The first URI of the way: what has to be the same for a connection to be used by two sessions. Scheme, authority
    /// and transport count, the session-id does not.
    #[must_use]
    pub fn next_hop(&self) -> String {
        let path = self.remote.as_path();
        let first = path.map(|path| path.first());
        first.map_or(String::new(), |uri| {
            format!(
                "{}://{};{}",
                uri.scheme(),
                uri.authority(),
                uri.transport().as_str()
            )
        })
    }
}

/// A participant of a session list.
#[derive(Debug, Clone)]
pub struct Listed {
    /// The room's URI.
    pub room: String,
    /// The participant's URI.
    pub identity: String,
    /// Its session.
    pub session: Session,
}

/// One entry as it stands in a file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    room: String,
    identity: String,
    local_uri: String,
    remote_path: String,
    connect: SocketAddr,
}

/// What a file says of one session.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Leg {
    local_uri: String,
    remote_path: String,
    connect: SocketAddr,
}

impl Leg {
    /// The session, bound by a SEND.
    ///
    /// # Errors
    /// A sentence: which URI is illegal.
    pub(crate) fn session(self) -> Result<Session, String> {
        let local = MsrpUriBuf::parse(&self.local_uri).map_err(|e| format!("local_uri: {e}"))?;
        let remote =
            MsrpPathBuf::parse(&self.remote_path).map_err(|e| format!("remote_path: {e}"))?;
        Ok(Session {
            local,
            remote,
            connect: self.connect,
            binding: Binding::Send,
        })
    }
}

/// Reads a session list. Participants of one room come out together, in the order of the file.
///
/// # Errors
/// A sentence: the file cannot be read, is not such a list, or has an illegal URI.
pub fn read(file: &Path) -> Result<Vec<Listed>, String> {
    let text = std::fs::read_to_string(file).map_err(|e| format!("{}: {e}", file.display()))?;
    parse(&text).map_err(|e| format!("{}: {e}", file.display()))
}

fn parse(text: &str) -> Result<Vec<Listed>, String> {
    let entries: Vec<Entry> = serde_json::from_str(text).map_err(|e| e.to_string())?;
    let mut rooms: BTreeMap<String, Vec<Listed>> = BTreeMap::new();
    for (index, entry) in entries.into_iter().enumerate() {
        let listed = listed(entry).map_err(|e| format!("entry {index}: {e}"))?;
        rooms.entry(listed.room.clone()).or_default().push(listed);
    }
    Ok(rooms.into_values().flatten().collect())
}

fn listed(entry: Entry) -> Result<Listed, String> {
    let leg = Leg {
        local_uri: entry.local_uri,
        remote_path: entry.remote_path,
        connect: entry.connect,
    };
    Ok(Listed {
        room: entry.room,
        identity: entry.identity,
        session: leg.session()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(room: &str, identity: &str, local: &str) -> String {
        format!(
            r#"{{"room": "{room}", "identity": "{identity}", "local_uri": "{local}",
                "remote_path": "msrp://127.0.0.1:2855/k3;tcp", "connect": "127.0.0.1:2855"}}"#
        )
    }

    #[test]
    fn list_is_read_and_sorted_by_room() {
        let local = "msrp://127.0.0.1:9/abcd;tcp";
        let entries = [
            entry("sip:b@x", "sip:1@x", local),
            entry("sip:a@x", "sip:2@x", local),
            entry("sip:b@x", "sip:3@x", local),
        ];
        let list = parse(&format!("[{}]", entries.join(","))).unwrap();
        let names: Vec<_> = list.iter().map(|l| l.identity.as_str()).collect();
        assert_eq!(names, ["sip:2@x", "sip:1@x", "sip:3@x"]);
        assert_eq!(list[0].session.local.as_str(), local);
    }

    #[test]
    fn list_that_is_wrong_names_the_place() {
        let wrong = parse(&format!("[{}]", entry("sip:b@x", "sip:1@x", "sip:x"))).unwrap_err();
        assert!(wrong.starts_with("entry 0: local_uri"), "{wrong}");
        assert!(parse("[{}]").unwrap_err().contains("room"));
        assert!(parse(r#"[{"room": "x", "more": 1}]"#).is_err());
    }
}
