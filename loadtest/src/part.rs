//! The part of a run that one machine of several has.
//!
//! Whole rooms are dealt out, one to each machine in turn. When there are fewer rooms than machines, the participants of
//! each room are dealt out instead. Every machine reads the same list with the same options, and has a part of its own.

use std::str::FromStr;

/// Part `index` (from 0) of `of`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    index: usize,
    of: usize,
}

impl FromStr for Part {
    type Err = String;

    /// Reads `I/N` with I from 1 to N.
    fn from_str(text: &str) -> Result<Self, String> {
        let numbers = text.split_once('/').map(|(i, n)| (i.parse(), n.parse()));
        match numbers {
            Some((Ok(index), Ok(of))) if (1..=of).contains(&index) => Ok(Self {
                index: index - 1,
                of,
            }),
            _ => Err("a part is I/N with I from 1 to N, for example 1/3".to_owned()),
        }
    }
}

impl Part {
    /// What this part has of rooms with their participants. Rooms of which it has nobody are left out.
    #[must_use]
    pub fn of_rooms<T>(self, rooms: Vec<(String, Vec<T>)>) -> Vec<(String, Vec<T>)> {
        if rooms.len() >= self.of {
            return self.of_list(rooms);
        }
        let rooms = rooms.into_iter();
        let shares = rooms.map(|(uri, all)| (uri, self.of_list(all)));
        shares.filter(|(_, mine)| !mine.is_empty()).collect()
    }

    /// What this part has of a list.
    #[must_use]
    pub fn of_list<T>(self, list: Vec<T>) -> Vec<T> {
        list.into_iter().skip(self.index).step_by(self.of).collect()
    }

    /// Another seed for each part: machines that draw the same schedule would send in step.
    #[must_use]
    pub fn seed(self, seed: u64) -> u64 {
        seed ^ crate::pattern::mix(self.index as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rooms(count: usize) -> Vec<(String, Vec<u32>)> {
        (0..count)
            .map(|room| (format!("sip:{room}@x"), (0..7).collect()))
            .collect()
    }

    fn parts(of: usize) -> impl Iterator<Item = Part> {
        (1..=of).map(move |index| format!("{index}/{of}").parse().unwrap())
    }

    #[test]
    fn parts_together_are_the_whole_and_share_nothing() {
        for (count, of) in [(1, 3), (2, 3), (3, 3), (7, 3), (5, 1)] {
            let mut all: Vec<(String, u32)> = Vec::new();
            for part in parts(of) {
                for (uri, participants) in part.of_rooms(rooms(count)) {
                    all.extend(participants.into_iter().map(|p| (uri.clone(), p)));
                }
            }
            all.sort();
            let mut whole: Vec<(String, u32)> = Vec::new();
            for (uri, participants) in rooms(count) {
                whole.extend(participants.into_iter().map(|p| (uri.clone(), p)));
            }
            whole.sort();
            assert_eq!(all, whole, "{count} rooms in {of} parts");
        }
    }

    #[test]
    fn rooms_stay_whole_where_there_are_enough() {
        for part in parts(3) {
            for (_, participants) in part.of_rooms(rooms(4)) {
                assert_eq!(participants.len(), 7);
            }
        }
    }

    #[test]
    fn part_that_is_none_is_refused_with_what_is_one() {
        for text in ["0/3", "4/3", "1", "a/b", "1/0", "-1/3"] {
            let error = text.parse::<Part>().unwrap_err();
            assert!(error.contains("1/3"), "{text}: {error}");
        }
    }

    #[test]
    fn parts_draw_different_schedules() {
        let seeds: std::collections::BTreeSet<u64> = parts(5).map(|p| p.seed(1)).collect();
        assert_eq!(seeds.len(), 5);
    }
}
