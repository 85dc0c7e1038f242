//! Defects that the simulation must find.
//!
//! An oracle that cannot fail shows nothing. With the feature `planted-defects` a shard can be told to have one of these
//! defects: it does the wrong thing at every third occasion. Without the feature the questions are `false` at compile
//! time.

macro_rules! defects {
    ($($(#[$doc:meta])* $defect:ident,)*) => {
        /// One way to be wrong.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[cfg_attr(
            not(feature = "planted-defects"),
            expect(dead_code, reason = "most of them are asked for with the feature only")
        )]
        pub(crate) enum Defect { $($(#[$doc])* $defect,)* }

        #[cfg(feature = "planted-defects")]
        impl Defect {
            /// All of them.
            pub(crate) const ALL: &[(Self, &str)] = &[$((Self::$defect, stringify!($defect)),)*];
        }
    };
}

defects! {
    /// A request is not answered.
    AnswerForgotten,
    /// A request is answered twice.
    AnswerTwice,
    /// An answer has another transaction id.
    AnswerToNobody,
    /// A refused message is answered with 200.
    RefusalAsSuccess,
    /// An accepted message is answered with 403.
    SuccessAsRefusal,
    /// A piece does not go to the last of its recipients.
    CopyForgotten,
    /// A piece goes to its last recipient twice.
    CopyTwice,
    /// A piece goes to somebody who got the one before it.
    CopyToStranger,
    /// A piece goes to its first recipient after the next one.
    CopyLate,
    /// A piece is lost.
    PieceForgotten,
    /// The first octet of a piece is another one.
    BodyAltered,
    /// The last octet of a piece is missing.
    BodyCut,
    /// A piece says that it begins one octet later.
    RangeShifted,
    /// A piece says that the message is one octet longer.
    TotalWrong,
    /// The last piece says that more follows.
    LastAsMore,
    /// A message that was given up ends as if it were complete.
    AbortAsLast,
    /// Nobody is told that a message was given up.
    AbortForgotten,
    /// A final report is lost.
    ReportForgotten,
    /// A final report comes twice.
    ReportTwice,
    /// A final report goes to somebody who got a piece.
    ReportToStranger,
    /// A final report says that everybody has the message.
    ReportRosy,
    /// A message of the room itself is lost, such as the one that tells a participant what it missed.
    NoticeForgotten,
    /// What a send did not take is forgotten.
    ShortSendForgotten,
    /// What a send took is sent again.
    ShortSendRepeated,
    /// Nobody asks when a socket takes more.
    WritabilityForgotten,
    /// What was queued for a connection is not sent.
    DirtyForgotten,
    /// A copy that was written is not settled.
    SettlingForgotten,
    /// The carrier does not tell that it has written something.
    LentForgotten,
    /// What comes for a session without connection is lost.
    EarlyForgotten,
    /// A copy that ends for want of room does not end with `#`.
    EndForgotten,
    /// A copy that ends for want of room is not counted as missed.
    MissedForgotten,
    /// A sender that waited for a slow recipient is not read again.
    SenderForgotten,
    /// A recipient is shed after a second without progress.
    StallTooSoon,
    /// An octet that arrived is lost.
    OctetForgotten,
    /// The end of a stream is not noticed.
    CloseForgotten,
    /// A connection that was half-closed is not timed.
    LingerForgotten,
    /// A connection that names no session is not timed.
    NamingForgotten,
    /// A connection goes to another shard without the octets of its request.
    HandOverCut,
    /// What another shard tells is lost.
    CrossingForgotten,
    /// A room that was closed stays.
    RoomKept,
    /// A leg whose session has ended stays in the switch.
    LegKept,
    /// A connection whose session has ended stays.
    ConnectionKept,
    /// An answer of 200 counts as a refusal.
    SuccessMisread,
    /// Requests that nobody answers are waited for without end.
    ExpiryForgotten,
    /// A decoder in the middle of a frame is taken for one between frames.
    DecoderMixed,
    /// The answer to an offer does not let the participant in.
    JoinForgotten,
    /// A piece that the relay wants written is lost.
    RelayedForgotten,
    /// What the relay writes beside pieces is lost.
    RelayFrameForgotten,
    /// The relay takes an error of a next hop for a success.
    RelayErrorMisread,
    /// The relay does not hear that a connection has ended.
    RelayClosedForgotten,
    /// The controller does not hear of a nickname.
    NicknameForgotten,
    /// A nickname that is refused is answered as if it were given.
    NicknameRosy,
    /// What is under way does not end when a session is made anew.
    RestartForgotten,
    /// The connection of a session that was made anew stays.
    OldConnectionKept,
    /// The controller does not hear of the rooms of a shard that has failed. Struck at every failure.
    FailureUntold,
    /// A shard does not notice that another one has failed. Struck at every failure.
    FailureUnnoticed,
}

/// The defect that a shard has.
#[derive(Debug, Clone, Default)]
pub(crate) struct Planted {
    #[cfg(feature = "planted-defects")]
    pub(crate) defect: Option<Defect>,
    #[cfg(feature = "planted-defects")]
    pub(crate) occasions: std::sync::Arc<std::sync::atomic::AtomicU64>,
}

impl Planted {
    /// Whether the shard does wrong at this occasion.
    #[cfg(feature = "planted-defects")]
    pub(crate) fn strikes(&self, defect: Defect) -> bool {
        use std::sync::atomic::Ordering;
        // Shards seldom fail.
        let is_rare = matches!(defect, Defect::FailureUntold | Defect::FailureUnnoticed);
        let occasion = || self.occasions.fetch_add(1, Ordering::Relaxed) % OCCASIONS;
        self.defect == Some(defect) && (is_rare || occasion() == OCCASIONS - 1)
    }

    /// Whether the shard does wrong at this occasion: never.
    #[cfg(not(feature = "planted-defects"))]
    #[inline]
    pub(crate) fn strikes(&self, _defect: Defect) -> bool {
        false
    }
}

/// At how many occasions a defect does harm once.
#[cfg(feature = "planted-defects")]
const OCCASIONS: u64 = 3;

#[cfg(all(feature = "planted-defects", not(debug_assertions)))]
compile_error!("the feature `planted-defects` is for tests: it must not be in a release build");
