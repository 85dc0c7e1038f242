//! Commands about rooms that deliver messages, as the shards understand them.

use msrp_control::{ControlError, Delivery, ErrorCode};
use msrp_wire::StatusCode;

pub(super) fn delivery_of(delivery: Delivery) -> msrp_switch::Delivery {
    msrp_switch::Delivery {
        late_octets_max: delivery.late_octets_max,
        late_ns: delivery.late_ms.saturating_mul(NS_PER_MS),
        is_single: delivery.is_single,
        takes_bare: delivery.takes_bare,
    }
}

pub(super) fn status_of(status: u16) -> Result<StatusCode, ControlError> {
    StatusCode::new(status).ok_or_else(|| {
        let detail = format!("a status has three digits, and {status} has not");
        ControlError::new(ErrorCode::MalformedContent, detail)
    })
}

const NS_PER_MS: u64 = 1_000_000;
