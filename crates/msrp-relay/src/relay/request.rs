//! Requests that are forwarded when they are complete: all but SEND.

use std::rc::Rc;

use msrp_wire::limits::NON_SEND_BODY_OCTETS_MAX;
use msrp_wire::{ContinuationFlag, Method, RequestHead, TransactionId, encode, end_line_occurs};

use super::Relay;
use crate::connection::{ConnectionId, Inbound, OpenRequest};
use crate::known_route::KnownRoute;
use crate::ledger::count;
use crate::outgoing::{Awaited, BackWay, Outgoing};
use crate::refused::Refused;
use crate::users::Users;

impl<U: Users> Relay<U> {
    pub(super) fn begin_request(
        &mut self,
        id: ConnectionId,
        head: &RequestHead<'_>,
        route: Rc<KnownRoute>,
    ) {
        // The way was found just now, so it is there.
        if !self.has_room(route.way, 0) {
            return self.refuse(id, head, Refused::Full);
        }
        let mut lines = Vec::new();
        encode::lines_behind_paths(&mut lines, head.headers());
        let request = OpenRequest {
            id: head.transaction_id,
            method: head.method,
            route,
            lines,
            body: head.has_body.then(Vec::new),
            has_credentials: head.method == Method::Auth
                && head.headers().value("Authorization").is_some(),
        };
        self.put_inbound(id, Inbound::Whole(Box::new(request)));
    }

    pub(super) fn request_octets(
        &mut self,
        id: ConnectionId,
        mut request: Box<OpenRequest>,
        octets: &[u8],
    ) {
        let body = request.body.get_or_insert_default();
        if body.len().saturating_add(octets.len()) > NON_SEND_BODY_OCTETS_MAX {
            return self.request_fails(id, &request, Refused::Body);
        }
        body.extend_from_slice(octets);
        self.put_inbound(id, Inbound::Whole(request));
    }

    /// # Spec
    /// RFC 4976 s.6.4.2.
    pub(super) fn request_ends(
        &mut self,
        id: ConnectionId,
        request: &OpenRequest,
        flag: ContinuationFlag,
    ) {
        match flag {
            ContinuationFlag::Last => {}
            ContinuationFlag::More => return self.request_fails(id, request, Refused::Body),
            ContinuationFlag::Abort => return,
        }
        let body = request.body.as_deref().unwrap_or_default();
        let octets = request.lines.len().saturating_add(body.len());
        if !self.has_room(request.route.way, octets) {
            return self.request_fails(id, request, Refused::Full);
        }
        let (tid, octets) = self.compose(request);
        count(&mut self.sums.requests_forwarded);
        self.note_accepted(id);
        let awaited = (request.method != Method::Report).then(|| {
            Awaited::Request(Box::new(BackWay {
                connection: id,
                id: request.id,
                route: Rc::clone(&request.route),
                has_credentials: request.has_credentials,
            }))
        });
        self.send_on(
            request.route.way,
            Outgoing::Frame {
                id: tid,
                octets: octets.into(),
                awaited,
            },
        );
    }

    /// The request as it leaves.
    fn compose(&mut self, request: &OpenRequest) -> (TransactionId, Vec<u8>) {
        let body = request.body.as_deref().unwrap_or_default();
        // All octets are fixed; only now the id is drawn.
        let mut tid = self.ids.transaction_id();
        while end_line_occurs(std::iter::once(body), tid) {
            tid = self.ids.transaction_id();
        }
        let mut octets = Vec::new();
        encode::start_line(&mut octets, tid, &request.method);
        octets.extend_from_slice(&request.route.paths);
        octets.extend_from_slice(&request.lines);
        if request.body.is_some() {
            encode::blank_line(&mut octets);
            octets.extend_from_slice(body);
            encode::body_end(&mut octets, tid, ContinuationFlag::Last);
        } else {
            encode::end_line(&mut octets, tid, ContinuationFlag::Last);
        }
        (tid, octets)
    }

    fn request_fails(&mut self, id: ConnectionId, request: &OpenRequest, refused: Refused) {
        self.note_refused(id);
        if request.method == Method::Report {
            return count(&mut self.sums.reports_dropped);
        }
        let mut octets = Vec::new();
        let status = refused.status();
        let phrase = Some(status.phrase());
        encode::response(
            &mut octets,
            request.id,
            status,
            phrase,
            &request.route.from_path,
            &request.route.via,
        );
        self.write(id, octets);
    }
}
