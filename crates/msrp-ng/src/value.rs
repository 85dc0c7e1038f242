//! What requests and answers are made of, whatever their encoding.

/// One value. A text is a run of octets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A whole number.
    Integer(i64),
    /// Octets.
    Text(Vec<u8>),
    /// Values in order.
    List(Vec<Self>),
    /// Values with names, in the order in which they came. Of several with one name the first counts.
    Dictionary(Vec<(Vec<u8>, Self)>),
}

impl Value {
    /// A dictionary from names that the program chooses.
    #[must_use]
    pub fn dictionary<const N: usize>(entries: [(&str, Self); N]) -> Self {
        let entries = entries.map(|(name, value)| (name.as_bytes().to_vec(), value));
        Self::Dictionary(entries.into())
    }

    /// The value of this name; `None` in anything but a dictionary.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Dictionary(entries) => entries
                .iter()
                .find(|(known, _)| known == name.as_bytes())
                .map(|(_, value)| value),
            Self::Integer(_) | Self::Text(_) | Self::List(_) => None,
        }
    }

    /// The text, when it is one in UTF-8.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(octets) => std::str::from_utf8(octets).ok(),
            Self::Integer(_) | Self::List(_) | Self::Dictionary(_) => None,
        }
    }

    /// The number; a text of digits counts too.
    #[must_use]
    pub fn number(&self) -> Option<u64> {
        match self {
            Self::Integer(number) => u64::try_from(*number).ok(),
            Self::Text(_) => self.text()?.parse().ok(),
            Self::List(_) | Self::Dictionary(_) => None,
        }
    }

    /// The texts of a list; a single text is a list of one.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        let list = match self {
            Self::List(values) => values.as_slice(),
            Self::Text(_) => std::slice::from_ref(self),
            Self::Integer(_) | Self::Dictionary(_) => &[],
        };
        list.iter().filter_map(Self::text)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.as_bytes().to_vec())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text.into_bytes())
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Integer(i64::try_from(number).unwrap_or(i64::MAX))
    }
}
