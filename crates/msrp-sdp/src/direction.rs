//! The direction of SEND requests with content.

/// Who may send, seen from the side that wrote the description. Absent means [`SendRecv`](Self::SendRecv).
///
/// Only SEND requests that carry a message are meant. REPORTs and notifications about messages are not.
///
/// # Spec
/// RFC 4975 s.8.9, RFC 3264 s.5.1, s.6.1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Sends and receives.
    #[default]
    SendRecv,
    /// Only sends.
    SendOnly,
    /// Only receives.
    RecvOnly,
    /// Neither.
    Inactive,
}

impl Direction {
    /// The direction that allows exactly this.
    #[must_use]
    pub fn from_rights(may_send: bool, may_receive: bool) -> Self {
        match (may_send, may_receive) {
            (true, true) => Self::SendRecv,
            (true, false) => Self::SendOnly,
            (false, true) => Self::RecvOnly,
            (false, false) => Self::Inactive,
        }
    }

    /// The direction whose attribute has this name, without regard to case.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [
            Self::SendRecv,
            Self::SendOnly,
            Self::RecvOnly,
            Self::Inactive,
        ]
        .into_iter()
        .find(|direction| direction.name().eq_ignore_ascii_case(name))
    }

    /// The name of the attribute.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::SendRecv => "sendrecv",
            Self::SendOnly => "sendonly",
            Self::RecvOnly => "recvonly",
            Self::Inactive => "inactive",
        }
    }

    /// Whether the side that wrote it may send.
    #[must_use]
    pub fn may_send(self) -> bool {
        matches!(self, Self::SendRecv | Self::SendOnly)
    }

    /// Whether the side that wrote it may receive.
    #[must_use]
    pub fn may_receive(self) -> bool {
        matches!(self, Self::SendRecv | Self::RecvOnly)
    }

    /// The same direction seen from the other side.
    #[must_use]
    pub fn reverse(self) -> Self {
        Self::from_rights(self.may_receive(), self.may_send())
    }

    /// What both allow. `wanted.within(offered.reverse())` is what an answer may say.
    #[must_use]
    pub fn within(self, other: Self) -> Self {
        Self::from_rights(
            self.may_send() && other.may_send(),
            self.may_receive() && other.may_receive(),
        )
    }
}
