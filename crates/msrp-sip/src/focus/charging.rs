//! By what the accounts of a session are known to the network that charges for it.
//!
//! # Spec
//! RFC 3261 s.20.8 (Call-ID); RFC 7315 s.4.6 (P-Charging-Vector).

use std::sync::Arc;

use msrp_control::Charging;

use crate::ua::Headers;

/// Reads what a message of a trusted neighbour says. What is too long, or not of visible
/// characters, is left out.
pub(crate) fn read(headers: &Headers) -> Option<Arc<Charging>> {
    let call_id = headers.first("Call-ID").map(|id| id.trim().to_owned());
    let vectors = headers.all("P-Charging-Vector");
    let charging_id = vectors.flat_map(icid).next();
    let legal = |charging: &Charging| charging.is_legal();
    let call_id = Charging {
        call_id,
        charging_id: None,
    };
    let charging_id = Charging {
        call_id: None,
        charging_id,
    };
    let call_id = Some(call_id).filter(legal).and_then(|c| c.call_id);
    let charging_id = Some(charging_id).filter(legal).and_then(|c| c.charging_id);
    Charging {
        call_id,
        charging_id,
    }
    .shared()
}

/// The value of `icid-value`, without quotation marks.
fn icid(vector: &str) -> Option<String> {
    vector.split(';').find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        let is_it = name.trim().eq_ignore_ascii_case("icid-value");
        let value = value.trim().trim_matches('"');
        (is_it && !value.is_empty()).then(|| value.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(headers: &[(&str, &str)]) -> Option<Arc<Charging>> {
        let headers = headers
            .iter()
            .fold(Headers::new(), |all, (name, value)| all.with(*name, value));
        read(&headers)
    }

    #[test]
    fn charging_ids_are_read_from_call_id_and_charging_vector() {
        let vector = "orig-ioi=home1.net; ICID-value=\"AyretyU0dm+6O2IrT5tAFrbHLso=023551024\"";
        let charging = of(&[("Call-ID", "c1@host"), ("P-Charging-Vector", vector)]).unwrap();
        assert_eq!(charging.call_id.as_deref(), Some("c1@host"));
        let icid = "AyretyU0dm+6O2IrT5tAFrbHLso=023551024";
        assert_eq!(charging.charging_id.as_deref(), Some(icid));
        let bare = of(&[("P-Charging-Vector", "icid-value=1234;orig-ioi=x")]).unwrap();
        assert_eq!(bare.charging_id.as_deref(), Some("1234"));
    }

    #[test]
    fn charging_id_that_is_too_long_or_not_visible_is_left_out() {
        let long = format!("icid-value={}", "x".repeat(257));
        for vector in [
            long.as_str(),
            "icid-value=\"a b\"",
            "icid-value=",
            "orig-ioi=x",
        ] {
            let charging = of(&[("Call-ID", "c"), ("P-Charging-Vector", vector)]).unwrap();
            assert_eq!(charging.call_id.as_deref(), Some("c"), "{vector}");
            assert_eq!(charging.charging_id, None, "{vector}");
        }
        assert_eq!(of(&[]), None);
    }
}
