//! One value of the file with its key and its place, and the typed ways to read it.

use std::path::Path;

use toml::Spanned;
use toml::de::{DeInteger, DeTable, DeValue};

use super::{ConfigError, catalogue};

/// The file that is being read.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    pub(super) file: &'a Path,
    pub(super) text: &'a str,
}

/// A value with its full key and its place.
#[derive(Clone)]
pub(super) struct Item<'a> {
    source: Source<'a>,
    key: String,
    offset: usize,
    value: &'a DeValue<'a>,
}

/// A table whose keys are all known.
pub(super) struct Table<'a> {
    source: Source<'a>,
    key: String,
    offset: usize,
    entries: &'a DeTable<'a>,
}

impl<'a> Table<'a> {
    /// The whole file.
    pub(super) fn root(
        source: Source<'a>,
        root: &'a Spanned<DeTable<'a>>,
    ) -> Result<Self, ConfigError> {
        Self::new(source, String::new(), 0, root.get_ref())
    }

    fn new(
        source: Source<'a>,
        key: String,
        offset: usize,
        entries: &'a DeTable<'a>,
    ) -> Result<Self, ConfigError> {
        let known = catalogue::children(&key);
        let unknown = entries
            .keys()
            .filter(|name| !known.contains(&name.get_ref().as_ref()))
            .min_by_key(|name| name.span().start);
        if let Some(name) = unknown {
            let key = join(&key, name.get_ref());
            let expected = format!("unknown key, expected one of: {}", known.join(", "));
            let offset = name.span().start;
            return Err(ConfigError::at(
                source.file,
                source.text,
                offset,
                &key,
                &expected,
            ));
        }
        Ok(Self {
            source,
            key,
            offset,
            entries,
        })
    }

    /// The value of a key, if it stands there.
    pub(super) fn get(&self, name: &str) -> Option<Item<'a>> {
        let key = join(&self.key, name);
        debug_assert!(catalogue::is_known(&key), "{key} is not in the catalogue");
        let value = self.entries.get(name)?;
        Some(Item {
            source: self.source,
            key,
            offset: value.span().start,
            value: value.get_ref(),
        })
    }

    /// The value of a key that must stand there.
    pub(super) fn need(&self, name: &str, expected: &str) -> Result<Item<'a>, ConfigError> {
        self.get(name).ok_or_else(|| {
            let key = join(&self.key, name);
            let expected = format!("missing key, expected {expected}");
            ConfigError::at(
                self.source.file,
                self.source.text,
                self.offset,
                &key,
                &expected,
            )
        })
    }

    /// A table below this one, if it stands there.
    pub(super) fn table(&self, name: &str) -> Result<Option<Self>, ConfigError> {
        self.get(name).map(|item| item.table()).transpose()
    }
}

impl<'a> Item<'a> {
    /// A table whose keys are all known.
    pub(super) fn table(&self) -> Result<Table<'a>, ConfigError> {
        match self.value {
            DeValue::Table(entries) => {
                Table::new(self.source, self.key.clone(), self.offset, entries)
            }
            _ => Err(self.wrong("a table")),
        }
    }

    /// An array; `what` names it in the message.
    pub(super) fn list(&self, what: &str) -> Result<Vec<Self>, ConfigError> {
        let DeValue::Array(values) = self.value else {
            return Err(self.wrong(what));
        };
        let item = |value: &'a Spanned<DeValue<'a>>| Item {
            source: self.source,
            key: self.key.clone(),
            offset: value.span().start,
            value: value.get_ref(),
        };
        Ok(values.iter().map(item).collect())
    }

    /// A string.
    pub(super) fn text(&self, what: &str) -> Result<&'a str, ConfigError> {
        match self.value {
            DeValue::String(text) => Ok(text.as_ref()),
            _ => Err(self.wrong(what)),
        }
    }

    /// A string that `parse` accepts.
    pub(super) fn parsed<T>(
        &self,
        what: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, ConfigError> {
        parse(self.text(what)?).ok_or_else(|| self.wrong(what))
    }

    /// A truth value.
    pub(super) fn boolean(&self) -> Result<bool, ConfigError> {
        match self.value {
            DeValue::Boolean(value) => Ok(*value),
            _ => Err(self.wrong("true or false")),
        }
    }

    /// A whole number of this range.
    pub(super) fn number<T>(&self, min: T, max: T) -> Result<T, ConfigError>
    where
        T: TryFrom<i128> + PartialOrd + Copy + std::fmt::Display,
    {
        let value = match self.value {
            DeValue::Integer(number) => integer(number),
            _ => None,
        };
        value
            .and_then(|v| T::try_from(v).ok())
            .filter(|v| *v >= min && *v <= max)
            .ok_or_else(|| self.wrong(&format!("a whole number from {min} to {max}")))
    }

    /// An error that says what was expected and what stands there.
    pub(super) fn wrong(&self, expected: &str) -> ConfigError {
        self.refuse(&format!("expected {expected}, found {}", self.found()))
    }

    /// An error at this value.
    pub(super) fn refuse(&self, sentence: &str) -> ConfigError {
        ConfigError::at(
            self.source.file,
            self.source.text,
            self.offset,
            &self.key,
            sentence,
        )
    }

    fn found(&self) -> String {
        match self.value {
            DeValue::String(text) => format!("{text:?}"),
            DeValue::Integer(number) => number.to_string(),
            DeValue::Float(number) => number.to_string(),
            DeValue::Boolean(value) => value.to_string(),
            DeValue::Datetime(value) => value.to_string(),
            DeValue::Array(_) => "an array".to_owned(),
            DeValue::Table(_) => "a table".to_owned(),
        }
    }
}

fn integer(number: &DeInteger<'_>) -> Option<i128> {
    i128::from_str_radix(number.as_str(), number.radix()).ok()
}

fn join(table: &str, name: &str) -> String {
    if table.is_empty() {
        name.to_owned()
    } else {
        format!("{table}.{name}")
    }
}
