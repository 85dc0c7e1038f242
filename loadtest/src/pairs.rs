//! Pairs: two participants who write to each other, through a relay or a back-to-back user agent, without a room.
//!
//! A pair comes from a list in a file, or it is made over a relay from its URI and the names of users. To the rest of a
//! run it is a room of two, and messages have the wrapper of rooms.
//!
//! ```json
//! [{"legs": [
//!   {"local_uri": "msrp://192.0.2.7:9/abcdefgh;tcp", "remote_path": "msrp://192.0.2.1:2855/k3jd8s;tcp",
//!    "connect": "192.0.2.1:2855"},
//!   {"local_uri": "msrp://192.0.2.7:9/ijklmnop;tcp", "remote_path": "msrp://192.0.2.1:2855/p0w4zz;tcp",
//!    "connect": "192.0.2.1:2855"}]}]
//! ```

use std::net::{SocketAddr, ToSocketAddrs as _};
use std::path::Path;
use std::sync::Arc;

use msrp_wire::{MsrpPathBuf, MsrpUriBuf, Scheme};
use serde::Deserialize;

use crate::authorization::RelayUser;
use crate::local_uri;
use crate::sessions::{Binding, Leg, Session};

/// Two sessions that belong together.
pub type Pair = [Session; 2];

/// A pair as it stands in a file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    legs: [Leg; 2],
}

/// Reads a list of pairs.
///
/// # Errors
/// A sentence: the file cannot be read, is not such a list, or has an illegal URI.
pub fn read(file: &Path) -> Result<Vec<Pair>, String> {
    let text = std::fs::read_to_string(file).map_err(|e| format!("{}: {e}", file.display()))?;
    parse(&text).map_err(|e| format!("{}: {e}", file.display()))
}

fn parse(text: &str) -> Result<Vec<Pair>, String> {
    let entries: Vec<Entry> = serde_json::from_str(text).map_err(|e| e.to_string())?;
    let pairs = entries.into_iter().enumerate().map(|(index, entry)| {
        let [one, two] = entry.legs.map(|leg| leg.session());
        let named = |leg, e| format!("pair {index}, leg {leg}: {e}");
        Ok([one.map_err(|e| named(0, e))?, two.map_err(|e| named(1, e))?])
    });
    pairs.collect()
}

/// Makes pairs of clients of one relay. Users are taken in turn, from the first one again when there are too few.
///
/// # Errors
/// A sentence: the URI or the file is wrong, or the relay has no address.
pub fn over_relay(relay: &str, users: &Path, count: u32) -> Result<Vec<Pair>, String> {
    let uri = MsrpUriBuf::parse(relay).map_err(|e| format!("--relay {relay}: {e}"))?;
    let connect = address(&uri).map_err(|e| format!("--relay {relay}: {e}"))?;
    let own = local_uri::own_address(connect).map_err(|e| format!("--relay {relay}: {e}"))?;
    let text = std::fs::read_to_string(users);
    let text = text.map_err(|e| format!("--relay-users {}: {e}", users.display()))?;
    let users =
        parse_users(&text).map_err(|e| format!("--relay-users {}: {e}", users.display()))?;
    let mut users = users.iter().cycle();
    let mut session = || {
        let user = users.next().map(Arc::clone);
        Ok::<_, String>(Session {
            local: local_uri::draw(own)?,
            remote: MsrpPathBuf::join([uri.as_uri()]).map_err(|e| e.to_string())?,
            connect,
            binding: Binding::Auth(user.ok_or("there is no user")?, uri.clone()),
        })
    };
    (0..count).map(|_| Ok([session()?, session()?])).collect()
}

/// What stands in To-Path of one of two clients of relays: its own Use-Path, then what the other one's description would
/// say, which is that one's Use-Path from its end and its own URI.
///
/// # Errors
/// A sentence: the way has too many hops.
///
/// # Spec
/// RFC 4976 s.5.1.
pub fn way(
    own: &MsrpPathBuf,
    theirs: &MsrpPathBuf,
    peer: &MsrpUriBuf,
) -> Result<MsrpPathBuf, String> {
    let (Some(own), Some(theirs)) = (own.as_path(), theirs.as_path()) else {
        return Err("a Use-Path is not legal".to_owned());
    };
    let mut back: Vec<_> = theirs.iter().collect();
    back.reverse();
    let uris = own.iter().chain(back).chain([peer.as_uri()]);
    MsrpPathBuf::join(uris).map_err(|e| format!("the way over the relays: {e}"))
}

fn address(uri: &MsrpUriBuf) -> Result<SocketAddr, String> {
    let uri = uri.as_uri();
    if uri.scheme() != Scheme::Msrp {
        return Err("TLS is not there: give a URI with msrp".to_owned());
    }
    let host = uri.host().to_string();
    let host = host.trim_matches(['[', ']']);
    let port = uri.port().unwrap_or(MSRP_PORT);
    let mut addresses = (host, port).to_socket_addrs().map_err(|e| e.to_string())?;
    addresses.next().ok_or_else(|| "no address".to_owned())
}

/// One `name:password` a line; empty lines and those that begin with `#` do not count.
fn parse_users(text: &str) -> Result<Vec<Arc<RelayUser>>, String> {
    let lines = text.lines().enumerate();
    let lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    let users = lines.map(|(index, line)| {
        let legal = line.split_once(':').filter(|(name, password)| {
            !name.is_empty() && !format!("{name}{password}").chars().any(char::is_control)
        });
        let (name, password) =
            legal.ok_or_else(|| format!("line {} is not name:password", index + 1))?;
        Ok(Arc::new(RelayUser {
            name: name.to_owned(),
            password: password.to_owned(),
        }))
    });
    let users: Vec<_> = users.collect::<Result<_, String>>()?;
    if users.is_empty() {
        return Err("there is no user".to_owned());
    }
    Ok(users)
}

/// Where relays listen when their URI does not say. Source: RFC 4975 s.15.4.
const MSRP_PORT: u16 = 2855;

#[cfg(test)]
mod tests {
    use super::*;

    fn leg(local: &str) -> String {
        format!(
            r#"{{"local_uri": "{local}", "remote_path": "msrp://127.0.0.1:2855/k3;tcp", "connect": "127.0.0.1:2855"}}"#
        )
    }

    #[test]
    fn list_of_pairs_is_read() {
        let [one, two] = ["msrp://h:9/a1b2;tcp", "msrp://h:9/c3d4;tcp"];
        let text = format!(r#"[{{"legs": [{}, {}]}}]"#, leg(one), leg(two));
        let pairs = parse(&text).unwrap();
        assert_eq!(pairs.len(), 1);
        assert_eq!(pairs[0][1].local.as_str(), two);
    }

    #[test]
    fn list_of_pairs_that_is_wrong_names_the_place() {
        let text = format!(
            r#"[{{"legs": [{}, {}]}}]"#,
            leg("msrp://h:9/a;tcp"),
            leg("sip:x")
        );
        let error = parse(&text).unwrap_err();
        assert!(error.starts_with("pair 0, leg 1: local_uri"), "{error}");
        let alone = format!(r#"[{{"legs": [{}]}}]"#, leg("msrp://h:9/a;tcp"));
        assert!(parse(&alone).is_err());
    }

    #[test]
    fn way_over_relays_is_that_of_the_standard() {
        let path = |text: &str| MsrpPathBuf::parse(text).unwrap();
        let uri = |name: &str| format!("msrp://{name}.example.com:1/t;tcp");
        let [b, c, d, e, f] = ["b", "c", "d", "e", "f"].map(uri);
        // "B C" is what A got, "E D" what F got; F's description says "D E F".
        let own = path(&format!("{b} {c}"));
        let theirs = path(&format!("{e} {d}"));
        let peer = MsrpUriBuf::parse(&f).unwrap();
        let way = way(&own, &theirs, &peer).unwrap();
        assert_eq!(way.raw(), format!("{b} {c} {d} {e} {f}").as_bytes());
    }

    #[test]
    fn users_are_read_and_wrong_lines_are_named() {
        let users = parse_users("# two\nalice:a:b\n\nbob:\n").unwrap();
        let users: Vec<_> = users
            .iter()
            .map(|u| (u.name.as_str(), u.password.as_str()))
            .collect();
        assert_eq!(users, [("alice", "a:b"), ("bob", "")]);
        assert!(parse_users("alice:x\nbob").unwrap_err().contains("line 2"));
        assert!(parse_users("#\n").is_err());
    }

    #[test]
    fn relay_with_tls_is_refused_with_what_to_do() {
        let uri = MsrpUriBuf::parse("msrps://127.0.0.1:2855;tcp").unwrap();
        assert!(address(&uri).unwrap_err().contains("msrp"));
        let uri = MsrpUriBuf::parse("msrp://127.0.0.1:77;tcp").unwrap();
        assert_eq!(address(&uri).unwrap(), "127.0.0.1:77".parse().unwrap());
    }
}
