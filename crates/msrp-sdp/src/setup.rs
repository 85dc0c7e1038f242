//! Who opens the connection.
//!
//! ```text
//! offer     absent   actpass  active   passive  holdconn
//! answer    passive  passive  passive  active   passive      AMB-66
//! ```

/// The role in opening the connection, seen from the side that wrote the description.
///
/// # Spec
/// RFC 4145 s.4, RFC 6135 s.4.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Setup {
    /// Opens the connection.
    Active,
    /// Waits for the connection.
    Passive,
    /// Either; the answer decides.
    ActPass,
    /// No connection for now. MSRP does not use it: it is never sent, and a received one counts as absent.
    HoldConn,
}

impl Setup {
    /// The role that the token names, without regard to case.
    #[must_use]
    pub fn from_token(token: &str) -> Option<Self> {
        [Self::Active, Self::Passive, Self::ActPass, Self::HoldConn]
            .into_iter()
            .find(|setup| setup.token().eq_ignore_ascii_case(token))
    }

    /// The token as the attribute has it.
    #[must_use]
    pub fn token(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Passive => "passive",
            Self::ActPass => "actpass",
            Self::HoldConn => "holdconn",
        }
    }
}

/// The role that a reachable server answers with.
///
/// # Spec
/// RFC 6135 s.4.2.2, RFC 4975 s.5.4, AMB-66; MSRP-6135-4.2.2-06 to -08.
#[must_use]
pub fn answer_setup(offered: Option<Setup>) -> Setup {
    match offered {
        Some(Setup::Passive) => Setup::Active,
        Some(Setup::Active | Setup::ActPass | Setup::HoldConn) | None => Setup::Passive,
    }
}

/// Whether the side that made the offer opens the connection, given the role in the answer.
///
/// An answer without a role, or with one that an answer cannot have, leaves the connection to the offerer.
///
/// # Spec
/// RFC 4975 s.5.4, AMB-66.
#[must_use]
pub fn offerer_connects(answered: Option<Setup>) -> bool {
    match answered {
        Some(Setup::Active) => false,
        Some(Setup::Passive | Setup::ActPass | Setup::HoldConn) | None => true,
    }
}
