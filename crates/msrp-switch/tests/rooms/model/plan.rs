//! Random rooms and random traffic.

use msrp_switch::Addressing;
use msrp_switch::limits::HOLD_NS;
use msrp_wire::FailureReport;
use proptest::prelude::*;

#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(super) failure_report: FailureReport,
    pub(super) room_max: usize,
    pub(super) private_messages: bool,
    pub(super) addressing: Addressing,
    pub(super) says_428: bool,
    pub(super) guests: Vec<GuestPlan>,
    pub(super) messages: Vec<MessagePlan>,
    pub(super) steps: Vec<Step>,
    /// For each message and guest: what the guest does with its copy.
    pub(super) fates: Vec<u8>,
}

#[derive(Debug, Clone)]
pub(super) struct GuestPlan {
    /// Guests of the same name share their address.
    pub(super) name: usize,
    pub(super) takes: Takes,
    pub(super) max_size: Option<usize>,
    pub(super) may_send: bool,
    pub(super) may_receive: bool,
    pub(super) is_early: bool,
    /// Takes part under an alias of its own.
    pub(super) is_hidden: bool,
    pub(super) may_send_private: bool,
    pub(super) shows_release: bool,
    pub(super) declares_private: bool,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Takes {
    Everything,
    Text,
    Images,
    NoCpim,
}

#[derive(Debug, Clone)]
pub(super) struct MessagePlan {
    pub(super) sender: usize,
    pub(super) id: usize,
    pub(super) from: From,
    pub(super) to: Vec<To>,
    pub(super) is_image: bool,
    pub(super) form: Form,
    pub(super) octets: usize,
    pub(super) announced: Announced,
    pub(super) cuts: Vec<u16>,
    pub(super) is_reversed: bool,
    pub(super) ending: Ending,
    pub(super) success: bool,
    pub(super) failure: FailureReport,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum From {
    Sender,
    Name(usize),
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum To {
    Room,
    Name(usize),
    /// The alias of a guest, by its place.
    Alias(usize),
    Nobody,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Form {
    Good,
    NotCpim,
    Malformed,
    WithoutFrom,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Announced {
    No,
    Exact,
    TooMuch,
    TooLittle,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Ending {
    Last,
    Abort,
    Never,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Step {
    Speak {
        who: usize,
        message: usize,
        octets: usize,
    },
    EndTurn,
    Pass(u64),
    /// A turn ends and the hold time passes: all but one octet of each open chunk has left then.
    Quiet,
    Join(usize),
    Leave(usize),
    SettleNext,
}

pub(super) const GUESTS_MAX: usize = 6;
pub(super) const MESSAGES_MAX: usize = 8;

pub(crate) fn plan() -> impl Strategy<Value = Plan> {
    let settings = (
        prop_oneof![Just(FailureReport::Partial), Just(FailureReport::Yes)],
        prop_oneof![4 => Just(1_000_000_usize), 1 => Just(3000_usize), 1 => Just(300_usize)],
        proptest::bool::weighted(0.8),
        prop_oneof![3 => Just(Addressing::Oma), 1 => Just(Addressing::Rfc7701)],
        any::<bool>(),
    );
    (
        settings,
        proptest::collection::vec(guest_plan(), 2..=GUESTS_MAX),
        proptest::collection::vec(message_plan(), 1..=MESSAGES_MAX),
        proptest::collection::vec(step(), 0..120),
        proptest::collection::vec(0_u8..18, GUESTS_MAX * MESSAGES_MAX),
    )
        .prop_map(|(settings, guests, messages, steps, fates)| Plan {
            failure_report: settings.0,
            room_max: settings.1,
            private_messages: settings.2,
            addressing: settings.3,
            says_428: settings.4,
            guests,
            messages,
            steps,
            fates,
        })
}

fn guest_plan() -> impl Strategy<Value = GuestPlan> {
    let takes = prop_oneof![
        6 => Just(Takes::Everything),
        2 => Just(Takes::Text),
        1 => Just(Takes::Images),
        1 => Just(Takes::NoCpim),
    ];
    let max_size = prop_oneof![4 => Just(None), 2 => (100_usize..3000).prop_map(Some)];
    let likely = || proptest::bool::weighted(0.9);
    let private = (likely(), any::<bool>(), any::<bool>());
    let hidden = proptest::bool::weighted(0.2);
    let may = (likely(), likely(), likely());
    (0_usize..4, takes, max_size, may, hidden, private).prop_map(
        |(name, takes, max_size, may, is_hidden, private)| GuestPlan {
            name,
            takes,
            max_size,
            may_send: may.0,
            may_receive: may.1,
            is_early: may.2,
            is_hidden,
            may_send_private: private.0,
            shows_release: private.1,
            declares_private: private.2,
        },
    )
}

fn message_plan() -> impl Strategy<Value = MessagePlan> {
    let to = prop_oneof![
        3 => Just(To::Room),
        3 => (0_usize..4).prop_map(To::Name),
        1 => (0..GUESTS_MAX).prop_map(To::Alias),
        1 => Just(To::Nobody),
    ];
    let addressing = (
        prop_oneof![12 => Just(From::Sender), 1 => (0_usize..4).prop_map(From::Name)],
        prop_oneof![4 => Just(vec![To::Room]), 2 => proptest::collection::vec(to, 1..4)],
        proptest::bool::weighted(0.2),
        prop_oneof![
            20 => Just(Form::Good),
            1 => Just(Form::NotCpim),
            1 => Just(Form::Malformed),
            1 => Just(Form::WithoutFrom),
        ],
    );
    let shape = (
        prop_oneof![6 => 0_usize..200, 3 => 0_usize..6000, 1 => 60_000_usize..150_000],
        prop_oneof![
            4 => Just(Announced::No),
            4 => Just(Announced::Exact),
            1 => Just(Announced::TooMuch),
            1 => Just(Announced::TooLittle),
        ],
        proptest::collection::vec(any::<u16>(), 0..5),
        proptest::bool::weighted(0.2),
        prop_oneof![8 => Just(Ending::Last), 1 => Just(Ending::Abort), 1 => Just(Ending::Never)],
    );
    let reports = (
        any::<bool>(),
        prop_oneof![
            3 => Just(FailureReport::Yes),
            1 => Just(FailureReport::Partial),
            1 => Just(FailureReport::No),
        ],
    );
    (0..GUESTS_MAX, 0_usize..2, addressing, shape, reports).prop_map(
        |(sender, id, (from, to, is_image, form), shape, (success, failure))| MessagePlan {
            sender,
            id,
            from,
            to,
            is_image,
            form,
            octets: shape.0,
            announced: shape.1,
            cuts: shape.2,
            is_reversed: shape.3,
            ending: shape.4,
            success,
            failure,
        },
    )
}

fn step() -> impl Strategy<Value = Step> {
    let octets = prop_oneof![1 => 1_usize..60, 3 => 60_usize..700, 2 => 700_usize..100_000];
    prop_oneof![
        12 => (0..GUESTS_MAX, 0..MESSAGES_MAX, octets)
            .prop_map(|(who, message, octets)| Step::Speak { who, message, octets }),
        3 => Just(Step::EndTurn),
        1 => (0..2 * HOLD_NS).prop_map(Step::Pass),
        1 => Just(Step::Quiet),
        1 => (0..GUESTS_MAX).prop_map(Step::Join),
        1 => (0..GUESTS_MAX).prop_map(Step::Leave),
        3 => Just(Step::SettleNext),
    ]
}
