//! Where in its life a node is.

/// Where in its life a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Not every listener is up.
    Starting,
    /// Every listener is up.
    Ready,
    /// It ends its sessions and takes no new ones.
    Stopping,
}
