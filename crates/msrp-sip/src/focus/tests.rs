//! Scripted dialogues with the focus: a stand-in for the SIP engine, a stand-in for the media
//! engine, and a clock that the test turns.

mod ad_hoc;
mod events;
mod files;
mod group;
mod group_change;
mod large;
mod leaving;
mod names;
mod pager;
mod referral;
mod refresh;
mod refusals;
mod reoffer;
mod walk;
mod world;
