//! What is wrong with a configuration file, and where.

use std::fmt;
use std::path::{Path, PathBuf};

/// A refused configuration file. Prints as `FILE:LINE:COLUMN: KEY: what was expected`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// The file.
    pub file: PathBuf,
    /// Line and column, both from 1; the column counts characters. `None` when the file could not
    /// be read.
    pub place: Option<(usize, usize)>,
    /// The full key, for example `limits.stall_s`; empty when the text is not TOML.
    pub key: String,
    /// What was expected, and what stood there.
    pub expected: String,
}

impl ConfigError {
    /// An error at this octet of the text.
    pub(super) fn at(file: &Path, text: &str, offset: usize, key: &str, expected: &str) -> Self {
        Self {
            file: file.to_owned(),
            place: Some(place(text, offset)),
            key: key.to_owned(),
            expected: expected.to_owned(),
        }
    }

    pub(super) fn unreadable(file: &Path, error: &std::io::Error) -> Self {
        Self {
            file: file.to_owned(),
            place: None,
            key: String::new(),
            expected: format!("cannot be read: {error}"),
        }
    }
}

/// Line and column of an octet, both from 1.
fn place(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let start = before.rfind('\n').map_or(0, |at| at + 1);
    (line, before[start..].chars().count() + 1)
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let Some((line, column)) = self.place {
            write!(f, ":{line}:{column}")?;
        }
        if !self.key.is_empty() {
            write!(f, ": {}", self.key)?;
        }
        write!(f, ": {}", self.expected)
    }
}

impl std::error::Error for ConfigError {}
