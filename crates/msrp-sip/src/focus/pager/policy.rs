//! What the operator decided about pager mode.

use crate::address::Uri;

/// The operator's decisions about MESSAGEs to several recipients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PagerPolicy {
    /// Addresses beside the conference factories to which a MESSAGE with a list may go.
    pub exploder: Vec<Uri>,
    /// Whether a MESSAGE may bring its own list of recipients.
    pub lists: bool,
    /// Most recipients of one MESSAGE.
    pub recipients_max: usize,
    /// Most MESSAGEs that are sent in a second, of all kinds together; at least 1.
    pub messages_per_s: u32,
    /// Whether recipients are shown the other recipients that the list marks `to` and `cc`.
    pub recipient_history: bool,
    /// Timer Ts2: how long delivery notifications are gathered, in seconds. 0: each goes at once.
    pub notification_wait_s: u64,
    /// How often Ts2 starts again while notifications are outstanding.
    pub notification_restarts: u32,
    /// Timer Ts1: how long users have to answer a message of the server that wants an answer, in
    /// seconds. 0: they are not waited for.
    pub answer_wait_s: u64,
    /// Whether a user who did not answer in time is not served until it does.
    pub block_unanswered: bool,
}

impl Default for PagerPolicy {
    /// # Spec
    /// AMB-48, AMB-51.
    fn default() -> Self {
        Self {
            exploder: Vec::new(),
            lists: true,
            recipients_max: 1000,
            messages_per_s: 500,
            recipient_history: true,
            notification_wait_s: 30,
            notification_restarts: 3,
            answer_wait_s: 0,
            block_unanswered: false,
        }
    }
}
