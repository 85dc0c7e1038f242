//! Answers to the last cookies: a datagram that comes again is answered again and not carried out again.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;

use crate::limits::{ANSWER_AGE_MS_MAX, ANSWERS_MAX, ANSWERS_OCTETS_MAX};

/// A cookie belongs to who sent it.
type Key = (SocketAddr, Vec<u8>);

/// The answers that are kept.
#[derive(Debug, Default)]
pub(crate) struct Cookies {
    answers: HashMap<Key, Vec<u8>>,
    /// In the order in which they came, with the moment in milliseconds.
    order: VecDeque<(u64, Key)>,
    octets: usize,
}

impl Cookies {
    /// The answer that this cookie was given.
    pub(crate) fn answer(&mut self, now_ms: u64, from: SocketAddr, cookie: &[u8]) -> Option<&[u8]> {
        self.forget_old(now_ms);
        let answer = self.answers.get(&(from, cookie.to_vec()))?;
        Some(answer)
    }

    /// Keeps an answer.
    pub(crate) fn keep(&mut self, now_ms: u64, from: SocketAddr, cookie: &[u8], answer: &[u8]) {
        let key = (from, cookie.to_vec());
        self.octets = self.octets.saturating_add(answer.len());
        if let Some(old) = self.answers.insert(key.clone(), answer.to_vec()) {
            self.octets = self.octets.saturating_sub(old.len());
            return;
        }
        self.order.push_back((now_ms, key));
        while self.order.len() > ANSWERS_MAX || self.octets > ANSWERS_OCTETS_MAX {
            if !self.forget_oldest() {
                break;
            }
        }
    }

    fn forget_old(&mut self, now_ms: u64) {
        while let Some((kept_ms, _)) = self.order.front()
            && now_ms.saturating_sub(*kept_ms) > ANSWER_AGE_MS_MAX
        {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) -> bool {
        let Some((_, key)) = self.order.pop_front() else {
            return false;
        };
        let old = self.answers.remove(&key).unwrap_or_default();
        self.octets = self.octets.saturating_sub(old.len());
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_keep_answers_for_a_while_and_not_too_many() {
        let from: SocketAddr = "127.0.0.1:1".parse().unwrap();
        let other: SocketAddr = "127.0.0.1:2".parse().unwrap();
        let mut cookies = Cookies::default();
        cookies.keep(0, from, b"1", b"one");
        assert_eq!(
            cookies.answer(ANSWER_AGE_MS_MAX, from, b"1"),
            Some(&b"one"[..])
        );
        assert_eq!(cookies.answer(0, other, b"1"), None);
        assert_eq!(cookies.answer(ANSWER_AGE_MS_MAX + 1, from, b"1"), None);
        for n in 0..=ANSWERS_MAX {
            cookies.keep(0, from, n.to_string().as_bytes(), b"x");
        }
        assert_eq!(cookies.answer(0, from, b"0"), None);
        assert_eq!(cookies.answer(0, from, b"1"), Some(&b"x"[..]));
        let large = vec![0; ANSWERS_OCTETS_MAX];
        cookies.keep(0, from, b"large", &large);
        assert_eq!(cookies.answers.len(), 1);
        assert_eq!(cookies.octets, ANSWERS_OCTETS_MAX);
    }
}
