//! Which octets of a message have arrived.

use msrp_session::Coverage;
use msrp_session::limits::COVERAGE_RANGES_MAX;

use crate::input::Input;

/// Ranges of a message of 512 octets, beside a flag for each octet; then ranges of any size.
pub fn coverage(octets: &[u8]) {
    let mut input = Input::new(octets);
    let mut coverage = Coverage::new();
    let mut naive = [false; OCTETS];
    while !input.is_empty() {
        let choice = input.octet();
        if choice == u8::MAX {
            return check_large(&mut input);
        }
        // Two octets apart most of the time, so that many ranges stay separate.
        let start = usize::from(input.octet()) * 2 % OCTETS;
        let len = usize::from(choice) % 9 * usize::from(choice / 64 + 1);
        let end = (start + len).min(OCTETS);
        let mut after = naive;
        after[start..end].fill(true);
        let added = coverage.add(start as u64, (end - start) as u64);
        if added.is_ok() {
            naive = after;
        } else {
            assert_eq!(ranges(&naive), COVERAGE_RANGES_MAX);
            assert!(ranges(&after) > COVERAGE_RANGES_MAX);
        }
        check(&coverage, &naive);
    }
}

fn check(coverage: &Coverage, naive: &[bool; OCTETS]) {
    let count = naive.iter().filter(|is_there| **is_there).count();
    assert_eq!(coverage.octets(), count as u64);
    let end = naive.iter().rposition(|is_there| *is_there);
    assert_eq!(coverage.end(), end.map_or(0, |last| last as u64 + 1));
    let first_hole = naive.iter().position(|is_there| !is_there);
    let whole = first_hole.unwrap_or(OCTETS);
    for total in [0, 1, whole, whole + 1, OCTETS] {
        assert_eq!(coverage.covers(total as u64), total <= whole, "{total}");
    }
    assert!(ranges(naive) <= COVERAGE_RANGES_MAX);
}

fn ranges(naive: &[bool; OCTETS]) -> usize {
    let starts = naive.windows(2).filter(|pair| !pair[0] && pair[1]).count();
    starts + usize::from(naive[0])
}

/// Any numbers: sums do not wrap.
fn check_large(input: &mut Input<'_>) {
    let mut coverage = Coverage::new();
    let mut highest = 0;
    while !input.is_empty() {
        let (start, octets) = (input.long(), input.long());
        let before = coverage.clone();
        let end = start.saturating_add(octets);
        match coverage.add(start, octets) {
            Ok(()) if end > start => highest = highest.max(end),
            Ok(()) => assert_eq!(coverage, before),
            Err(_) => assert_eq!(coverage, before),
        }
        assert!(coverage.octets() >= before.octets());
        assert_eq!(coverage.end(), highest);
    }
}

/// Octets of the message that is looked at octet by octet.
const OCTETS: usize = 512;
