//! Who may use the relay.

use std::collections::BTreeMap;
use std::fmt;

use crate::digest::{Algorithm, Ha1};

/// Knows the users. Never sees a password.
pub trait Users {
    /// The stored hash of a user; `None` when there is no such user, or no hash of this algorithm.
    fn ha1(&self, realm: &str, user: &str, algorithm: Algorithm) -> Option<Ha1>;

    /// Whether a user who has shown the right credentials may use the relay now; if not, the answer is 403.
    fn may_relay(&self, realm: &str, user: &str) -> bool {
        let _ = (realm, user);
        true
    }
}

/// Users from lines `user:realm:algorithm:HA1`, with `#` in front of comments. A user name may have colons, a realm not.
#[derive(Debug, Clone, Default)]
pub struct UserList {
    users: BTreeMap<(Box<str>, Box<str>, Algorithm), Ha1>,
}

/// A line of a user list that cannot be read. Never shows the line itself, which has a hash in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UserLineError {
    /// The number of the line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub reason: UserLineFault,
}

/// What is wrong with a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserLineFault {
    /// Not four fields with colons between them, or an empty one.
    Fields,
    /// Neither `SHA-256` nor `MD5`.
    Algorithm,
    /// Not the hexadecimal digits of a hash of that algorithm.
    Hash,
    /// The same user, realm and algorithm stand in an earlier line.
    Twice,
}

impl UserList {
    /// Reads the text of a users file.
    ///
    /// # Errors
    /// [`UserLineError`] for the first wrong line; the operator's fault. Nobody is let in by half a file.
    pub fn parse(text: &str) -> Result<Self, UserLineError> {
        let mut list = Self::default();
        for (index, line) in text.lines().enumerate() {
            let line_text = line.trim();
            if !line_text.is_empty() && !line_text.starts_with('#') {
                list.add(line_text).map_err(|reason| UserLineError {
                    line: index.saturating_add(1),
                    reason,
                })?;
            }
        }
        Ok(list)
    }

    /// How many lines with a user it has.
    #[must_use]
    pub fn lines_count(&self) -> usize {
        self.users.len()
    }

    fn add(&mut self, line: &str) -> Result<(), UserLineFault> {
        let mut fields = line.rsplitn(4, ':');
        let mut field = || fields.next().filter(|field| !field.is_empty());
        let (Some(digits), Some(algorithm), Some(realm), Some(user)) =
            (field(), field(), field(), field())
        else {
            return Err(UserLineFault::Fields);
        };
        let algorithm = Algorithm::parse(algorithm).ok_or(UserLineFault::Algorithm)?;
        let ha1 = Ha1::parse(algorithm, digits).ok_or(UserLineFault::Hash)?;
        match self
            .users
            .insert((realm.into(), user.into(), algorithm), ha1)
        {
            None => Ok(()),
            Some(_) => Err(UserLineFault::Twice),
        }
    }
}

impl Users for UserList {
    fn ha1(&self, realm: &str, user: &str, algorithm: Algorithm) -> Option<Ha1> {
        self.users
            .get(&(realm.into(), user.into(), algorithm))
            .cloned()
    }
}

impl fmt::Display for UserLineFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fields => "write user:realm:algorithm:HA1",
            Self::Algorithm => "write SHA-256 or MD5 as the algorithm",
            Self::Hash => "write HA1 as 64 hexadecimal digits for SHA-256 or 32 for MD5",
            Self::Twice => "remove it, an earlier line has this user, realm and algorithm",
        })
    }
}

impl fmt::Display for UserLineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.reason)
    }
}

impl std::error::Error for UserLineError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_list_of_good_lines_knows_its_users() {
        let md5 = "a".repeat(32);
        let sha = "b".repeat(64);
        let text =
            format!("# who\n\nalice:r:MD5:{md5}\r\n alice:r:sha-256:{sha}\nsip:bob:r:MD5:{md5}\n");
        let list = UserList::parse(&text).unwrap();
        assert_eq!(
            list.ha1("r", "alice", Algorithm::Md5),
            Ha1::parse(Algorithm::Md5, &md5)
        );
        assert!(list.ha1("r", "alice", Algorithm::Sha256).is_some());
        assert!(list.ha1("r", "sip:bob", Algorithm::Md5).is_some());
        assert!(list.ha1("r", "sip:bob", Algorithm::Sha256).is_none());
        assert!(list.ha1("s", "alice", Algorithm::Md5).is_none());
        assert_eq!(list.lines_count(), 3);
    }

    #[test]
    fn user_list_with_a_wrong_line_says_which_and_what_to_write() {
        let md5 = "a".repeat(32);
        let cases = [
            ("alice:r:MD5".to_owned(), UserLineFault::Fields),
            (format!(":r:MD5:{md5}"), UserLineFault::Fields),
            (format!("alice:r:SHA-1:{md5}"), UserLineFault::Algorithm),
            ("alice:r:MD5:secret".to_owned(), UserLineFault::Hash),
            (format!("bob:r:MD5:{md5}"), UserLineFault::Twice),
        ];
        for (line, reason) in cases {
            let text = format!("bob:r:MD5:{md5}\n{line}\n");
            let error = UserList::parse(&text).unwrap_err();
            assert_eq!(error, UserLineError { line: 2, reason }, "{line}");
            let told = error.to_string();
            assert_eq!(told, format!("line 2: {reason}"));
            assert!(told.len() > "line 2: ".len() && !told.contains("secret"));
        }
    }
}
