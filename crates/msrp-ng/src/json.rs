//! The same values in JSON. Truth values are the numbers 1 and 0, and null is left out.

use serde_json::{Map, Number, Value as Json};

use crate::limits::{DEPTH_MAX, VALUES_MAX};
use crate::value::Value;

/// Reads one value. `None` when the octets are no JSON, or are deeper or more than is read.
pub(crate) fn decode(octets: &[u8]) -> Option<Value> {
    let json: Json = serde_json::from_slice(octets).ok()?;
    let mut values_left = VALUES_MAX;
    read(json, DEPTH_MAX, &mut values_left)
}

/// Writes a value. Octets that are no UTF-8 are replaced.
pub(crate) fn encode(value: &Value) -> Vec<u8> {
    written(value).to_string().into_bytes()
}

fn read(json: Json, depth_left: usize, values_left: &mut usize) -> Option<Value> {
    *values_left = values_left.checked_sub(1)?;
    Some(match json {
        Json::Null => Value::Text(Vec::new()),
        Json::Bool(is_true) => Value::Integer(i64::from(is_true)),
        Json::Number(number) => Value::Integer(number.as_i64()?),
        Json::String(text) => text.into(),
        Json::Array(values) => {
            let depth_left = depth_left.checked_sub(1)?;
            let values = values.into_iter();
            let values = values.map(|value| read(value, depth_left, values_left));
            Value::List(values.collect::<Option<_>>()?)
        }
        Json::Object(entries) => {
            let depth_left = depth_left.checked_sub(1)?;
            let entries = entries.into_iter();
            let entries = entries.map(|(name, value)| {
                Some((name.into_bytes(), read(value, depth_left, values_left)?))
            });
            Value::Dictionary(entries.collect::<Option<_>>()?)
        }
    })
}

fn written(value: &Value) -> Json {
    match value {
        Value::Integer(number) => Json::Number(Number::from(*number)),
        Value::Text(octets) => Json::String(String::from_utf8_lossy(octets).into_owned()),
        Value::List(values) => Json::Array(values.iter().map(written).collect()),
        Value::Dictionary(entries) => {
            let name = |name: &[u8]| String::from_utf8_lossy(name).into_owned();
            let entries = entries.iter().map(|(n, value)| (name(n), written(value)));
            Json::Object(entries.collect::<Map<_, _>>())
        }
    }
}
