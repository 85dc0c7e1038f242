//! What is wrong, and where.

use std::fmt;

/// One fault in a file of the workspace, worded for the person who will mend it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Problem {
    /// The file, relative to the root of the workspace, with `/` between its parts.
    pub(crate) path: String,
    /// The line, counted from 1; 0 means the file as a whole.
    pub(crate) line: usize,
    /// One full sentence.
    pub(crate) sentence: String,
}

impl Problem {
    /// A fault in one line.
    pub(crate) fn at(path: &str, line: usize, sentence: impl Into<String>) -> Self {
        Self {
            path: path.to_owned(),
            line,
            sentence: sentence.into(),
        }
    }

    /// A fault of the file as a whole.
    pub(crate) fn of_file(path: &str, sentence: impl Into<String>) -> Self {
        Self::at(path, 0, sentence)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.path, self.sentence),
            line => write!(f, "{}:{line}: {}", self.path, self.sentence),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problem_display_names_the_line_only_where_there_is_one() {
        assert_eq!(
            Problem::at("a.rs", 7, "It is so.").to_string(),
            "a.rs:7: It is so."
        );
        assert_eq!(
            Problem::of_file("a.rs", "It is so.").to_string(),
            "a.rs: It is so."
        );
    }
}
