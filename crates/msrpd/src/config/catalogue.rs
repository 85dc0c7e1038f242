//! Every key, declared once: what the reader accepts and what `docs/config.md` says.

mod default;
mod document;
mod limits;
mod msrp;
mod node;
mod operation;
mod relay;
mod rooms;
mod sip;

use super::Config;

pub use document::document;

/// One key.
pub struct Key {
    /// The full key; keys of an array of tables are written without an index.
    pub path: &'static str,
    /// Type and unit.
    pub kind: &'static str,
    /// How the default reads in TOML; `None` for a key that has none.
    pub default: fn(&Config) -> Option<String>,
    /// What it does.
    pub effect: &'static str,
    /// What happens at the limit, or with a value that is refused.
    pub limit: &'static str,
}

/// The names directly below a table, in the order of the catalogue.
pub(super) fn children(table: &str) -> Vec<&'static str> {
    let mut names = Vec::new();
    for key in keys() {
        let below = match table {
            "" => Some(key.path),
            _ => key
                .path
                .strip_prefix(table)
                .and_then(|p| p.strip_prefix('.')),
        };
        let name = below.and_then(|path| path.split('.').next());
        if let Some(name) = name.filter(|name| !names.contains(name)) {
            names.push(name);
        }
    }
    names
}

/// Whether a key or a table of this name is declared.
pub(super) fn is_known(path: &str) -> bool {
    let is_below = |key: &str| {
        key.strip_prefix(path)
            .is_some_and(|rest| rest.starts_with('.'))
    };
    keys().any(|key| key.path == path || is_below(key.path))
}

/// Every key, in the order of the document.
pub fn keys() -> impl Iterator<Item = &'static Key> {
    TABLES.iter().copied().flatten()
}

const TABLES: &[&[Key]] = &[
    node::KEYS,
    msrp::KEYS,
    sip::KEYS,
    rooms::KEYS,
    relay::KEYS,
    limits::KEYS,
    operation::KEYS,
];
