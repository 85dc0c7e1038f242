//! Datagrams of the ng dialect.

use msrp_ng::limits::{DEPTH_MAX, VALUES_MAX};
use msrp_ng::{Request, Value, bencode};

/// What is worth inserting.
pub(crate) const WORDS: &[&str] = &[
    "d",
    "l",
    "e",
    "i0e",
    "i-1e",
    "0:",
    "4:ping",
    "7:command",
    "5:offer",
    "7:call-id",
    "3:sdp",
    "99999999:",
    "i9223372036854775808e",
    "{\"command\":\"list\"}",
    "5:flagsl5:fatale",
    "10:rtpp_flags",
    "to-tag=",
];

/// The input is what stands behind a cookie.
pub fn ng(input: &[u8]) {
    if let Ok(value) = bencode::decode(input) {
        let mut left = VALUES_MAX;
        check(&value, DEPTH_MAX, &mut left);
        let written = bencode::encode(&value);
        assert!(written.len() <= input.len(), "only zeros in front are lost");
        assert_eq!(bencode::decode(&written), Ok(value));
    }
    match Request::parse(input) {
        Ok((request, encoding)) => {
            let _ = request.options.config();
            let limit = u64::try_from(request.limit).unwrap_or_default();
            let written = encoding.encode(&Value::dictionary([("limit", limit.into())]));
            assert!(!written.is_empty());
        }
        Err((error, encoding)) => assert!(!encoding.encode(&error.answer()).is_empty()),
    }
}

/// Depth and count are bounded.
fn check(value: &Value, depth_left: usize, values_left: &mut usize) {
    *values_left = values_left
        .checked_sub(1)
        .unwrap_or_else(|| panic!("too many values"));
    let inner = || {
        depth_left
            .checked_sub(1)
            .unwrap_or_else(|| panic!("too deep"))
    };
    match value {
        Value::Integer(_) | Value::Text(_) => {}
        Value::List(values) => {
            let depth = inner();
            values
                .iter()
                .for_each(|value| check(value, depth, values_left));
        }
        Value::Dictionary(entries) => {
            let depth = inner();
            entries
                .iter()
                .for_each(|(_, value)| check(value, depth, values_left));
        }
    }
}
