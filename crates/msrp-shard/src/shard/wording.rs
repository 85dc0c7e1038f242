//! What session descriptions of ours say, once for all sessions that say the same.
//!
//! Two descriptions of a node differ in our URI and in the `o=` line, and seldom in more. Both are
//! kept with the session anyway. So a session keeps a wording, with marks where these stand, and
//! shares it. Looked up when a session begins, changes or ends.

use std::collections::HashSet;
use std::rc::Rc;

use msrp_wire::MsrpUriBuf;

/// Stands where our URI does. No control character comes from a peer's description into ours.
const OWN: &str = "\u{1}";
/// Stands for id and version of the `o=` line.
const ORIGIN: &str = "\u{2}";

/// The wordings in use.
#[derive(Debug, Default)]
pub(super) struct Wordings(HashSet<Rc<str>>);

/// Id and version of the `o=` line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) id: u64,
    pub(super) version: u64,
}

impl Origin {
    fn text(self) -> String {
        format!(" {} {} ", self.id, self.version)
    }
}

impl Wordings {
    /// The wording of a description.
    pub(super) fn keep(&mut self, sdp: &str, own: &MsrpUriBuf, origin: Origin) -> Rc<str> {
        let wording = sdp
            .replacen(own.as_str(), OWN, 1)
            .replacen(&origin.text(), ORIGIN, 1);
        if let Some(known) = self.0.get(wording.as_str()) {
            return Rc::clone(known);
        }
        let wording: Rc<str> = wording.into();
        self.0.insert(Rc::clone(&wording));
        wording
    }

    /// A session is done with a wording; nobody keeps it after the last one.
    pub(super) fn forget(&mut self, wording: &Rc<str>) {
        // One is the set's, one is this.
        if Rc::strong_count(wording) <= 2 {
            self.0.remove(wording);
        }
    }
}

/// The description that had this wording.
pub(super) fn description(wording: &str, own: &MsrpUriBuf, origin: Origin) -> String {
    wording
        .replacen(ORIGIN, &origin.text(), 1)
        .replacen(OWN, own.as_str(), 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sdp(own: &str, id: u64) -> (String, MsrpUriBuf, Origin) {
        let sdp =
            format!("v=0\r\no=- {id} 1 IN IP4 h\r\nm=message 1 TCP/MSRP *\r\na=path:{own}\r\n");
        let origin = Origin { id, version: 1 };
        (sdp, MsrpUriBuf::parse(own.as_bytes()).unwrap(), origin)
    }

    #[test]
    fn wording_of_two_sessions_is_one_and_gives_each_its_description() {
        let mut wordings = Wordings::default();
        let (first, own, origin) = sdp("msrp://h:1/one;tcp", 11);
        let (second, other_own, other_origin) = sdp("msrp://h:1/another;tcp", 2);
        let wording = wordings.keep(&first, &own, origin);
        let other = wordings.keep(&second, &other_own, other_origin);
        assert!(Rc::ptr_eq(&wording, &other));
        assert_eq!(description(&wording, &own, origin), first);
        assert_eq!(description(&other, &other_own, other_origin), second);
        wordings.forget(&wording);
        drop(wording);
        assert_eq!(wordings.0.len(), 1);
        wordings.forget(&other);
        assert!(wordings.0.is_empty());
    }
}
