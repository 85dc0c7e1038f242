//! Why a WebSocket closes, as both sides say it.

/// The number in a Close frame.
///
/// # Spec
/// RFC 6455 s.7.4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CloseCode(u16);

impl CloseCode {
    /// What was to be done is done.
    pub const NORMAL: Self = Self(1000);
    /// The node goes down.
    pub const GOING_AWAY: Self = Self(1001);
    /// The peer broke the protocol.
    pub const PROTOCOL_ERROR: Self = Self(1002);
    /// A message was too long.
    pub const TOO_LONG: Self = Self(1009);

    /// A number that may stand in a frame. `None` for one that may not.
    pub(super) fn from_wire(number: u16) -> Option<Self> {
        let is_legal = matches!(number, 1000..=1003 | 1007..=1014 | 3000..=4999);
        is_legal.then_some(Self(number))
    }

    /// The number.
    #[must_use]
    pub fn number(self) -> u16 {
        self.0
    }
}
