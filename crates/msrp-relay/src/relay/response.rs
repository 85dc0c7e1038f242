//! Responses that come in.

use msrp_wire::{ContinuationFlag, MsrpUri, ResponseHead, StatusCode, encode};

use super::Relay;
use super::route::moved_paths;
use crate::connection::ConnectionId;
use crate::ledger::count;
use crate::outgoing::{Awaited, BackWay, Failure, PieceEnd};
use crate::users::Users;

impl<U: Users> Relay<U> {
    /// A response. One that is not for this relay or belongs to nothing is dropped.
    ///
    /// # Spec
    /// RFC 4976 s.6.4.3.
    pub fn handle_response(&mut self, id: ConnectionId, head: &ResponseHead<'_>) {
        let is_ours = self.is_answer(id, head);
        let pending = is_ours
            .then(|| self.take_pending(id, head.transaction_id))
            .flatten();
        match pending.map(|pending| pending.awaited) {
            Some(Awaited::Piece(transit)) if head.status.is_success() => {
                self.piece_ended(transit, PieceEnd::Delivered)
            }
            Some(Awaited::Piece(transit)) => {
                let failure = Failure {
                    status: head.status,
                    is_refusal: true,
                };
                self.piece_ended(transit, PieceEnd::Failed(failure));
            }
            Some(Awaited::Request(back)) => self.respond_back(head, &back),
            None => count(&mut self.sums.responses_dropped),
        }
        self.check_invariants_in_debug();
    }

    /// Whether a response is for this relay: it mostly goes to the very URI that the request came from, and to it alone.
    fn is_answer(&self, id: ConnectionId, head: &ResponseHead<'_>) -> bool {
        let pending = self.pending.get(&(id, head.transaction_id));
        let route = pending.and_then(|pending| match &pending.awaited {
            Awaited::Piece(key) => self.transits.get(*key).map(|transit| &transit.route),
            Awaited::Request(back) => Some(&back.route),
        });
        let answers_to = route.map(|route| &*route.answers_to);
        if answers_to.is_some() && head.to_path_text() == answers_to {
            return true;
        }
        let to = head.to_path().map(|to| to.first());
        to.is_some_and(|to| answers_to == Some(to.raw()) || self.config.is_own(&to))
    }

    fn respond_back(&mut self, head: &ResponseHead<'_>, back: &BackWay) {
        let (Some(to), Some(from)) = (head.to_path(), head.from_path()) else {
            return count(&mut self.sums.responses_dropped);
        };
        let own: Vec<MsrpUri<'_>> = to
            .iter()
            .take_while(|uri| self.config.is_own(uri))
            .collect();
        let Some((_, from_path)) = moved_paths(&to, &from, &own) else {
            return count(&mut self.sums.responses_dropped);
        };
        if !self.connections.contains_key(&back.connection) {
            return count(&mut self.sums.responses_dropped);
        }
        let mut octets = Vec::new();
        let comment = head.comment.map(String::from_utf8_lossy);
        encode::status_line(&mut octets, back.id, head.status, comment.as_deref());
        encode::paths(&mut octets, &back.route.from_path, &from_path);
        encode::lines_behind_paths(&mut octets, head.headers());
        encode::end_line(&mut octets, back.id, ContinuationFlag::Last);
        count(&mut self.sums.responses_forwarded);
        self.write(back.connection, octets);
        if head.status == StatusCode::UNAUTHORIZED && back.has_credentials && !is_stale(head) {
            self.note_auth_failure(back.connection);
        }
    }
}

/// Whether a challenge says that only the nonce was old.
fn is_stale(head: &ResponseHead<'_>) -> bool {
    let mut challenges = head
        .headers()
        .filter(|line| line.name.eq_ignore_ascii_case(b"WWW-Authenticate"));
    challenges.any(|line| {
        let value = line.value.to_ascii_lowercase();
        memmem(&value, b"stale=true") || memmem(&value, b"stale=\"true\"")
    })
}

fn memmem(text: &[u8], word: &[u8]) -> bool {
    text.windows(word.len()).any(|window| window == word)
}
