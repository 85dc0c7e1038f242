//! Defects that the tests must catch.
//!
//! An oracle that cannot fail shows nothing. With the feature `planted-defects` a switch can be told
//! to have one of these defects; a test runs the suite against each and wants it to fail. Without the
//! feature the questions are `false` at compile time.

/// One way to be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(
    not(feature = "planted-defects"),
    expect(unreachable_pub, reason = "exported with the feature only")
)]
pub enum Defect {
    /// A message also goes to somebody for whom it is not.
    WrongRecipient,
    /// A message does not go to the last of its recipients.
    LostLeg,
    /// A later chunk may take the place of the wrapper that was checked.
    UncheckedFrom,
    /// The last octet of a piece is another one.
    AlteredBody,
    /// The Message-ID of a hidden sender's client is kept.
    LeakedAlias,
    /// A final report does not name the last of the recipients.
    LostReportLeg,
    /// A Message-ID is kept although a recipient gets another message under it.
    ReusedId,
}

#[cfg(feature = "planted-defects")]
impl Defect {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::WrongRecipient,
        Self::LostLeg,
        Self::UncheckedFrom,
        Self::AlteredBody,
        Self::LeakedAlias,
        Self::LostReportLeg,
        Self::ReusedId,
    ];
}

/// The defect that a switch has.
#[derive(Debug, Default)]
pub(crate) struct Planted {
    #[cfg(feature = "planted-defects")]
    defect: Option<Defect>,
}

impl Planted {
    #[cfg(feature = "planted-defects")]
    pub(crate) fn plant(&mut self, defect: Defect) {
        self.defect = Some(defect);
    }

    /// Whether the switch has this defect.
    #[cfg(feature = "planted-defects")]
    pub(crate) fn is(&self, defect: Defect) -> bool {
        self.defect == Some(defect)
    }

    /// Whether the switch has this defect: never.
    #[cfg(not(feature = "planted-defects"))]
    #[inline]
    pub(crate) fn is(&self, _defect: Defect) -> bool {
        false
    }
}

#[cfg(all(feature = "planted-defects", not(debug_assertions)))]
compile_error!("the feature `planted-defects` is for tests: it must not be in a release build");
