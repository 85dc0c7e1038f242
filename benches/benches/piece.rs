//! What putting a piece together costs, once for all its recipients.
#![expect(clippy::unwrap_used, reason = "a bench stops where its input is wrong")]

use std::hint::black_box;
use std::rc::Rc;

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use msrp_session::{IdSource, Piece, PieceBody, PieceFields};
use msrp_wire::{
    ByteRange, ContentTypeBuf, ContinuationFlag, FailureReport, MessageId, RelayedHeadersBuf,
    SuccessReport,
};

fn piece(c: &mut Criterion) {
    let fields = PieceFields {
        message_id: MessageId::parse(b"87652491ab").unwrap(),
        byte_range: ByteRange {
            start: 1,
            end: Some(200),
            total: Some(200),
        },
        success_report: SuccessReport::No,
        failure_report: FailureReport::Partial,
        relayed: Rc::new(RelayedHeadersBuf::default()),
        content_type: Rc::new(ContentTypeBuf::parse("message/cpim").unwrap()),
        flag: ContinuationFlag::Last,
    };
    let mut ids = IdSource::from_seed([7; 32]);
    let mut group = c.benchmark_group("piece");
    for octets in [200, 4096, 65_536] {
        let body = PieceBody::from_iter([Bytes::from(vec![b'x'; octets])]);
        group.throughput(Throughput::Bytes(octets as u64));
        group.bench_function(format!("compose_{octets}"), |b| {
            b.iter(|| Piece::compose(&fields, black_box(body.clone()), || ids.transaction_id()));
        });
    }
    group.finish();
}

criterion_group!(benches, piece);
criterion_main!(benches);
