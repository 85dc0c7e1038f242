//! SIP user agents and the controlling function; a client of msrp-control.
//!
//! Never touches MSRP octets, and never reaches the engine other than by `msrp-control`.
#![forbid(unsafe_code)]

pub mod ua;

pub mod address;
pub mod conference_view;
pub mod focus;
pub mod groups;
pub mod limits;
pub mod multipart;
pub mod replaces;
pub mod resource_lists;
pub mod service;
pub mod ua_rsipstack;
mod xml;

pub use xml::XmlError;
