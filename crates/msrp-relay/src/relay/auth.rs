//! AUTH that ends here: a URI for who may relay.

use msrp_session::Timestamp;
use msrp_wire::{Ident, MsrpPathBuf, MsrpUriBuf, RequestHead, StatusCode, Transport};
use smallvec::SmallVec;

use super::{CloseReason, Relay, Timer};
use crate::authenticator::Verdict;
use crate::connection::{ConnectionFacts, ConnectionId};
use crate::handle::{Handle, Owner};
use crate::ledger::count;
use crate::limits::{FAILURES_PER_CONNECTION_MAX, HANDLES_MAX, HANDLES_PER_CONNECTION_MAX};
use crate::refused::Refused;
use crate::users::Users;

/// What the Expires of an AUTH asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lifetime {
    Granted(u32),
    TooShort,
    TooLong,
    Malformed,
}

impl<U: Users> Relay<U> {
    /// # Spec
    /// RFC 4976 s.6.3.
    pub(super) fn auth(&mut self, now: Timestamp, id: ConnectionId, head: &RequestHead<'_>) {
        let Some(facts) = self.connections.get(&id).map(|c| c.facts.clone()) else {
            return;
        };
        let Some(owner) = owner_of(id, &facts, head) else {
            return self.refuse(id, head, Refused::NotTrusted);
        };
        let authorization = head.headers().value("Authorization");
        let last = head.to_path.last();
        let verdict = self
            .authenticator
            .check(now, facts.source, authorization, last.as_str());
        match verdict {
            Verdict::Admitted(info) => self.admit(now, id, head, owner, &info),
            Verdict::Challenge {
                values: [first, second],
                is_failure,
            } => {
                let fields = [
                    ("WWW-Authenticate", &*first),
                    ("WWW-Authenticate", &*second),
                ];
                self.respond(id, head, StatusCode::UNAUTHORIZED, &fields);
                if is_failure {
                    self.note_auth_failure(id);
                }
            }
            Verdict::Refused(status) => {
                self.respond(id, head, status, &[]);
                self.note_auth_failure(id);
            }
        }
    }

    /// Counts wrong credentials against a client; a relay's connection is spared.
    ///
    /// # Spec
    /// RFC 4976 s.6.3, last paragraph.
    pub(super) fn note_auth_failure(&mut self, id: ConnectionId) {
        self.note_refused(id);
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        connection.auth_failures = connection.auth_failures.saturating_add(1);
        let is_client = connection.facts.relay.is_none() && connection.hop.is_none();
        if is_client && connection.auth_failures >= FAILURES_PER_CONNECTION_MAX {
            self.close(id, CloseReason::AuthFailures);
        }
    }

    fn admit(
        &mut self,
        now: Timestamp,
        id: ConnectionId,
        head: &RequestHead<'_>,
        owner: Owner,
        info: &str,
    ) {
        let (min, max, _) = self.config.expires_s;
        let seconds = match self.lifetime(head) {
            Lifetime::Granted(seconds) => seconds,
            Lifetime::TooShort => {
                let fields = [("Min-Expires", &*min.to_string())];
                return self.respond(id, head, StatusCode::OUT_OF_BOUNDS, &fields);
            }
            Lifetime::TooLong => {
                let fields = [("Max-Expires", &*max.to_string())];
                return self.respond(id, head, StatusCode::OUT_OF_BOUNDS, &fields);
            }
            Lifetime::Malformed => return self.respond(id, head, StatusCode::BAD_REQUEST, &[]),
        };
        let expires = now.after(u64::from(seconds).saturating_mul(SECOND_NS));
        let Some(uri) = self.give_handle(id, head, owner, expires) else {
            return self.refuse(id, head, Refused::Full);
        };
        self.note_accepted(id);
        let relays = head.from_path.len().saturating_sub(1);
        let mut use_path: Vec<&str> = Vec::with_capacity(relays.saturating_add(1));
        let from: SmallVec<[_; 4]> = head.from_path.iter().take(relays).collect();
        use_path.extend(from.iter().rev().map(|uri| uri.as_str()));
        use_path.push(uri.as_str());
        let fields = [
            ("Use-Path", &*use_path.join(" ")),
            ("Authentication-Info", info),
            ("Expires", &*seconds.to_string()),
        ];
        self.respond(id, head, StatusCode::OK, &fields);
    }

    fn lifetime(&self, head: &RequestHead<'_>) -> Lifetime {
        let (min, max, default) = self.config.expires_s;
        let Some(value) = head.headers().value("Expires") else {
            return Lifetime::Granted(default);
        };
        let is_number = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
        let number = std::str::from_utf8(value).ok().filter(|_| is_number);
        match number.map(str::parse::<u32>) {
            None => Lifetime::Malformed,
            Some(Ok(seconds)) if seconds < min => Lifetime::TooShort,
            Some(Ok(seconds)) if seconds <= max => Lifetime::Granted(seconds),
            Some(Ok(_) | Err(_)) => Lifetime::TooLong,
        }
    }

    /// The URI of this path: the same one again while it is valid, with a new time. `None` at a bound.
    fn give_handle(
        &mut self,
        id: ConnectionId,
        head: &RequestHead<'_>,
        owner: Owner,
        expires: Timestamp,
    ) -> Option<MsrpUriBuf> {
        let path = head.from_path.to_buf();
        if let Some(session) = self.handles.of_path(&owner, &path) {
            let handle = self.handles.get_mut(session)?;
            let before = std::mem::replace(&mut handle.expires, expires);
            self.timers.remove(&(before, Timer::Handle(session)));
            self.timers.insert((expires, Timer::Handle(session)));
            return Some(handle.uri.clone());
        }
        let owned = self.connections.get(&id).map_or(0, |c| c.owned.len());
        if self.handles.len() >= HANDLES_MAX || owned >= HANDLES_PER_CONNECTION_MAX {
            return None;
        }
        self.new_handle(id, path, owner, expires)
    }

    fn new_handle(
        &mut self,
        id: ConnectionId,
        path: MsrpPathBuf,
        owner: Owner,
        expires: Timestamp,
    ) -> Option<MsrpUriBuf> {
        let random = Ident::from_random(self.ids.bits());
        let session = format!("{}{random}", self.config.handle_prefix);
        let session = Ident::parse(session.as_bytes()).ok()?;
        let own = self.config.advertised.as_uri();
        let uri = MsrpUriBuf::compose(
            own.scheme(),
            own.host(),
            own.port(),
            Some(session.as_str()),
            Transport::Tcp,
        )
        .ok()?;
        if matches!(owner, Owner::Client(_)) {
            self.connections.get_mut(&id)?.owned.insert(session);
        }
        let handle = Handle {
            uri: uri.clone(),
            owner,
            path,
            expires,
            peers: SmallVec::new(),
        };
        self.handles.insert(session, handle);
        self.timers.insert((expires, Timer::Handle(session)));
        count(&mut self.sums.handles_given);
        Some(uri)
    }

    /// From now on the URI leads nowhere.
    pub(super) fn drop_handle(&mut self, session: Ident) {
        let Some(handle) = self.handles.remove(session) else {
            return;
        };
        self.version = self.version.wrapping_add(1);
        self.timers
            .remove(&(handle.expires, Timer::Handle(session)));
        if let Owner::Client(owner) = handle.owner
            && let Some(connection) = self.connections.get_mut(&owner)
        {
            connection.owned.remove(&session);
        }
        for (_, peer) in handle.peers {
            if let Some(connection) = self.connections.get_mut(&peer) {
                connection.bound.remove(&session);
            }
        }
    }
}

/// To whom the URI will lead; `None` when the connection is not what the request claims.
fn owner_of(id: ConnectionId, facts: &ConnectionFacts, head: &RequestHead<'_>) -> Option<Owner> {
    match &facts.relay {
        Some(name) => {
            let is_it = head
                .from_path
                .first()
                .host()
                .same_as(msrp_wire::Host::Name(name));
            is_it.then(|| Owner::Relay(name.to_ascii_lowercase().into()))
        }
        None => (head.from_path.len() == 1).then_some(Owner::Client(id)),
    }
}

const SECOND_NS: u64 = 1_000_000_000;
