//! What threads share: the standard library's types, or in the check of interleavings their stand-ins.
//!
//! `loom` runs a test once for every order in which its threads can go on, and for every value that a load may return by the
//! memory model. For that it must see each access, so whatever is shared between threads in this crate comes from here.

#[cfg(not(all(test, loom)))]
pub(crate) use std::sync::{
    Arc, RwLock,
    atomic::{AtomicBool, AtomicU64, Ordering, fence},
};

#[cfg(all(test, loom))]
pub(crate) use loom::sync::{
    Arc, RwLock,
    atomic::{AtomicBool, AtomicU64, Ordering, fence},
};

#[cfg(not(all(test, loom)))]
pub(crate) use crate::eventfd::EventFd;
#[cfg(all(test, loom))]
pub(crate) use crate::interleavings::EventFd;
