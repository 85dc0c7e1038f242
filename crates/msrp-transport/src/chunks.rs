//! Where one MSRP message ends and the next begins, in octets that we have composed ourselves.

use memchr::memmem;

/// Cuts whole messages apart. What is no message comes as one last part.
///
/// A start line names the transaction id, and the message ends with the line of seven hyphens and that
/// id. Ids are drawn so that they do not occur in the body.
pub(crate) fn messages(mut octets: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (message, rest) = match length(octets) {
            Some(length) => octets.split_at_checked(length)?,
            None => (octets, &[][..]),
        };
        octets = rest;
        (!message.is_empty()).then_some(message)
    })
}

/// The length of the first message.
fn length(octets: &[u8]) -> Option<usize> {
    let id = octets.strip_prefix(b"MSRP ")?;
    let id = id.split(|octet| *octet == b' ').next()?;
    let mut end_line = b"-------".to_vec();
    end_line.extend_from_slice(id);
    let at = memmem::find(octets, &end_line)?;
    // The continuation flag and the end of the line.
    let end = at.checked_add(end_line.len())?.checked_add(3)?;
    (end <= octets.len()).then_some(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_side_by_side_are_cut_where_each_ends() {
        let all = [
            "MSRP abcd1234 200 OK\r\nTo-Path: a\r\nFrom-Path: b\r\n-------abcd1234$\r\n",
            "MSRP efgh5678 SEND\r\nTo-Path: a\r\n\r\nMSRP abcd1234 -------abcd1234$\r\n-------efgh5678+\r\n",
            "MSRP ijkl9012 REPORT\r\nTo-Path: a\r\n-------ijkl9012$\r\n",
        ];
        let joined = all.concat();
        let cut: Vec<&[u8]> = messages(joined.as_bytes()).collect();
        assert_eq!(cut, all.map(str::as_bytes));
        assert_eq!(messages(b"").count(), 0);
    }

    #[test]
    fn octets_that_are_no_message_stay_in_one_part() {
        for octets in [
            &b"GET /"[..],
            b"MSRP abcd1234 SEND\r\nTo-Path: a\r\n",
            b"MSRP ",
        ] {
            assert_eq!(messages(octets).collect::<Vec<_>>(), [octets]);
        }
    }
}
