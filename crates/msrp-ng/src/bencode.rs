//! Bencode: numbers, runs of octets, lists and dictionaries.
//!
//! ```text
//!   i-42e    4:text    l4:texti1ee    d4:name5:valuee
//! ```
//! The input is untrusted: depth and count are bounded before anything is allocated for them, and a length is believed
//! only as far as there are octets.

use crate::limits::{DEPTH_MAX, VALUES_MAX};
use crate::value::Value;

/// Why octets are no bencode. The peer's fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BencodeError {
    /// They end in the middle of a value.
    Incomplete,
    /// An octet that cannot stand where it does.
    Unexpected,
    /// A number that is none, or too large.
    BadNumber,
    /// More nesting or more values than are read.
    TooLarge,
    /// There is more behind the value.
    Trailing,
}

/// Reads one value that takes up all of the octets.
///
/// # Errors
/// [`BencodeError`]; nothing of the input is used then.
pub fn decode(octets: &[u8]) -> Result<Value, BencodeError> {
    let mut reader = Reader {
        rest: octets,
        values_left: VALUES_MAX,
    };
    let value = reader.value(DEPTH_MAX)?;
    if reader.rest.is_empty() {
        Ok(value)
    } else {
        Err(BencodeError::Trailing)
    }
}

/// Writes a value. Dictionaries keep their order.
#[must_use]
pub fn encode(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    write(&mut out, value);
    out
}

fn write(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Integer(number) => out.extend_from_slice(format!("i{number}e").as_bytes()),
        Value::Text(octets) => write_text(out, octets),
        Value::List(values) => {
            out.push(b'l');
            for value in values {
                write(out, value);
            }
            out.push(b'e');
        }
        Value::Dictionary(entries) => {
            out.push(b'd');
            for (name, value) in entries {
                write_text(out, name);
                write(out, value);
            }
            out.push(b'e');
        }
    }
}

fn write_text(out: &mut Vec<u8>, octets: &[u8]) {
    out.extend_from_slice(format!("{}:", octets.len()).as_bytes());
    out.extend_from_slice(octets);
}

struct Reader<'a> {
    rest: &'a [u8],
    values_left: usize,
}

impl<'a> Reader<'a> {
    fn value(&mut self, depth_left: usize) -> Result<Value, BencodeError> {
        self.values_left = self
            .values_left
            .checked_sub(1)
            .ok_or(BencodeError::TooLarge)?;
        match self.peek()? {
            b'i' => self.integer(),
            b'l' => self.list(depth_left),
            b'd' => self.dictionary(depth_left),
            b'0'..=b'9' => Ok(Value::Text(self.text()?.to_vec())),
            _ => Err(BencodeError::Unexpected),
        }
    }

    fn list(&mut self, depth_left: usize) -> Result<Value, BencodeError> {
        let depth_left = depth_left.checked_sub(1).ok_or(BencodeError::TooLarge)?;
        self.skip();
        let mut values = Vec::new();
        while self.peek()? != b'e' {
            values.push(self.value(depth_left)?);
        }
        self.skip();
        Ok(Value::List(values))
    }

    fn dictionary(&mut self, depth_left: usize) -> Result<Value, BencodeError> {
        let depth_left = depth_left.checked_sub(1).ok_or(BencodeError::TooLarge)?;
        self.skip();
        let mut entries = Vec::new();
        while self.peek()? != b'e' {
            let name = self.text()?.to_vec();
            entries.push((name, self.value(depth_left)?));
        }
        self.skip();
        Ok(Value::Dictionary(entries))
    }

    fn integer(&mut self) -> Result<Value, BencodeError> {
        self.skip();
        let digits = self.until(b'e', INTEGER_OCTETS_MAX)?;
        let number = std::str::from_utf8(digits).map_err(|_| BencodeError::BadNumber)?;
        let number = number.parse().map_err(|_| BencodeError::BadNumber)?;
        Ok(Value::Integer(number))
    }

    fn text(&mut self) -> Result<&'a [u8], BencodeError> {
        let digits = self.until(b':', LENGTH_OCTETS_MAX)?;
        if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
            return Err(BencodeError::BadNumber);
        }
        let length = std::str::from_utf8(digits).map_err(|_| BencodeError::BadNumber)?;
        let length = length.parse().map_err(|_| BencodeError::BadNumber)?;
        let split = self.rest.split_at_checked(length);
        let (text, rest) = split.ok_or(BencodeError::Incomplete)?;
        self.rest = rest;
        Ok(text)
    }

    /// The octets before the next `end`, which is skipped.
    fn until(&mut self, end: u8, octets_max: usize) -> Result<&'a [u8], BencodeError> {
        let position = self
            .rest
            .iter()
            .take(octets_max.saturating_add(1))
            .position(|octet| *octet == end);
        let Some(position) = position else {
            let is_short = self.rest.len() <= octets_max;
            return Err(if is_short {
                BencodeError::Incomplete
            } else {
                BencodeError::BadNumber
            });
        };
        let (before, rest) = self.rest.split_at(position);
        self.rest = rest;
        self.skip();
        Ok(before)
    }

    fn peek(&self) -> Result<u8, BencodeError> {
        self.rest.first().copied().ok_or(BencodeError::Incomplete)
    }

    fn skip(&mut self) {
        self.rest = self.rest.get(1..).unwrap_or_default();
    }
}

/// Digits of an `i64` with its sign.
const INTEGER_OCTETS_MAX: usize = 20;

/// Digits of a length: more than a datagram has octets.
const LENGTH_OCTETS_MAX: usize = 9;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn bencode_values_are_read() {
        let read = decode(b"d7:command4:ping4:listli-3e2:abe3:subd1:xi0eee").unwrap();
        assert_eq!(read.get("command").unwrap().text(), Some("ping"));
        let list = Value::List(vec![Value::Integer(-3), "ab".into()]);
        assert_eq!(read.get("list"), Some(&list));
        let sub = read.get("sub").unwrap();
        assert_eq!(sub.get("x").unwrap().number(), Some(0));
        assert_eq!(
            encode(&read),
            b"d7:command4:ping4:listli-3e2:abe3:subd1:xi0eee"
        );
    }

    #[test]
    fn bencode_that_is_none_is_refused() {
        let deep = [vec![b'l'; DEPTH_MAX + 1], vec![b'e'; DEPTH_MAX + 1]].concat();
        let many = [b"l".to_vec(), b"0:".repeat(VALUES_MAX), b"e".to_vec()].concat();
        let table: [(&[u8], BencodeError); 13] = [
            (b"", BencodeError::Incomplete),
            (b"d", BencodeError::Incomplete),
            (b"l", BencodeError::Incomplete),
            (b"i1", BencodeError::Incomplete),
            (b"5:abc", BencodeError::Incomplete),
            (b"x", BencodeError::Unexpected),
            (b"di1ee", BencodeError::Incomplete),
            (b"i1-e", BencodeError::BadNumber),
            (b"i99999999999999999999e", BencodeError::BadNumber),
            (b"9999999999:", BencodeError::BadNumber),
            (b"0:0:", BencodeError::Trailing),
            (&deep, BencodeError::TooLarge),
            (&many, BencodeError::TooLarge),
        ];
        for (octets, error) in table {
            assert_eq!(decode(octets), Err(error), "{}", octets.escape_ascii());
        }
    }

    fn value() -> impl Strategy<Value = Value> {
        let octets = || proptest::collection::vec(any::<u8>(), 0..12);
        let leaf = prop_oneof![
            any::<i64>().prop_map(Value::Integer),
            octets().prop_map(Value::Text)
        ];
        leaf.prop_recursive(4, 40, 6, move |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::List),
                proptest::collection::vec((octets(), inner), 0..6).prop_map(Value::Dictionary),
            ]
        })
    }

    proptest! {
        #[test]
        fn bencode_that_is_written_is_read_back_and_no_part_of_it_is(value in value()) {
            let octets = encode(&value);
            prop_assert_eq!(decode(&octets), Ok(value));
            for end in 0..octets.len() {
                prop_assert!(decode(&octets[..end]).is_err());
            }
        }
    }
}
