//! Who takes part.

/// A group of this node.
pub const FRIENDS: &str = "sip:friends@localhost";
/// The conference factory of this node.
pub const FACTORY: &str = "sip:conference-factory@localhost";

/// A person.
pub const ALICE: &str = "sip:alice@example.com";
/// A person.
pub const BOB: &str = "sip:bob@example.com";
/// A person.
pub const CAROL: &str = "sip:carol@example.com";
/// A person.
pub const DAVE: &str = "sip:dave@example.com";

/// One of many persons.
#[must_use]
pub fn person(number: usize) -> String {
    format!("sip:person{number}@example.com")
}
