//! Rust source cut into lines of code and comments.
//!
//! A `// covers:` inside a string is no claim, and a `]` inside a string ends no attribute. So the
//! text is read once by a scanner that knows strings, characters and comments, and nothing else of
//! the language. It follows this drawing for every character:
//!
//! ```text
//!            +-- // --> LineComment -- end of line --+
//!            +-- /* --> BlockComment(depth) -- */ ---+
//!   Code ----+-- " ---> Text -------------- " -------+---> Code
//!            +-- r#" -> RawText(hashes) --- "# ------+
//!            +-- ' ---> a character is stepped over; a lifetime stays code
//! ```

use std::iter::Peekable;
use std::str::Chars;

/// One line of a source file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct SourceLine {
    /// The code of the line; the contents of literals and block comments are left out.
    pub(crate) code: String,
    /// What follows the first `//` that is neither in a literal nor in a block comment.
    pub(crate) comment: Option<String>,
}

/// Cuts a source file into its lines. Text that is no Rust gives some result and no panic.
pub(crate) fn split(text: &str) -> Vec<SourceLine> {
    let mut scanner = Scanner {
        rest: text.chars().peekable(),
        lines: Vec::new(),
        line: SourceLine::default(),
        state: State::Code,
        word: String::new(),
    };
    while let Some(c) = scanner.rest.next() {
        scanner.step(c);
    }
    scanner.lines.push(scanner.line);
    scanner.lines
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Code,
    LineComment,
    BlockComment { depth: usize },
    Text,
    RawText { hashes: usize },
}

struct Scanner<'a> {
    rest: Peekable<Chars<'a>>,
    lines: Vec<SourceLine>,
    line: SourceLine,
    state: State,
    /// The identifier that ends before the next character; it tells `r"` from `for"`.
    word: String,
}

impl Scanner<'_> {
    fn step(&mut self, c: char) {
        if c == '\n' {
            if self.state == State::LineComment {
                self.state = State::Code;
            }
            self.word.clear();
            self.lines.push(std::mem::take(&mut self.line));
            return;
        }
        match self.state {
            State::Code => self.step_code(c),
            State::LineComment => {
                if c != '\r' {
                    self.line.comment.get_or_insert_default().push(c);
                }
            }
            State::BlockComment { depth } => self.step_block_comment(c, depth),
            State::Text => self.step_text(c),
            State::RawText { hashes } => {
                if c == '"' && self.take_hashes(hashes) == hashes {
                    self.state = State::Code;
                }
            }
        }
    }

    fn step_code(&mut self, c: char) {
        let word = std::mem::take(&mut self.word);
        match c {
            '/' if self.take('/') => {
                self.line.comment = Some(String::new());
                self.state = State::LineComment;
                return;
            }
            '/' if self.take('*') => {
                self.state = State::BlockComment { depth: 1 };
                return;
            }
            '"' if is_raw_prefix(&word) => self.state = State::RawText { hashes: 0 },
            '"' => self.state = State::Text,
            '#' if is_raw_prefix(&word) => {
                let hashes = self.take_hashes(usize::MAX).saturating_add(1);
                if self.take('"') {
                    self.state = State::RawText { hashes };
                }
            }
            '\'' => self.step_over_character(),
            _ if c.is_alphanumeric() || c == '_' => {
                self.word = word;
                self.word.push(c);
            }
            _ => {}
        }
        self.line.code.push(c);
    }

    fn step_block_comment(&mut self, c: char, depth: usize) {
        let depth = if c == '*' && self.take('/') {
            depth.saturating_sub(1)
        } else if c == '/' && self.take('*') {
            depth.saturating_add(1)
        } else {
            depth
        };
        self.state = match depth {
            0 => State::Code,
            depth => State::BlockComment { depth },
        };
    }

    fn step_text(&mut self, c: char) {
        match c {
            // A backslash at the end of a line belongs to the string, the line end does not.
            '\\' => {
                self.rest.next_if(|&next| next != '\n');
            }
            '"' => {
                self.line.code.push(c);
                self.state = State::Code;
            }
            _ => {}
        }
    }

    /// Called behind a `'`: steps over `x'` or an escape, and leaves a lifetime alone.
    fn step_over_character(&mut self) {
        let mut ahead = self.rest.clone();
        match (ahead.next(), ahead.next()) {
            (Some('\\'), Some(_)) => {
                self.rest = ahead;
                while self.rest.next_if(|&c| c != '\'' && c != '\n').is_some() {}
                self.take('\'');
            }
            (Some(_), Some('\'')) => self.rest = ahead,
            _ => {}
        }
    }

    fn take(&mut self, wanted: char) -> bool {
        self.rest.next_if_eq(&wanted).is_some()
    }

    /// Steps over at most `most` hashes and says how many there were.
    fn take_hashes(&mut self, most: usize) -> usize {
        let mut count = 0;
        while count < most && self.take('#') {
            count += 1;
        }
        count
    }
}

fn is_raw_prefix(word: &str) -> bool {
    matches!(word, "r" | "br" | "cr")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(text: &str) -> Vec<String> {
        split(text)
            .into_iter()
            .map(|line| line.code.trim().to_owned())
            .collect()
    }

    fn comments(text: &str) -> Vec<Option<String>> {
        split(text).into_iter().map(|line| line.comment).collect()
    }

    #[test]
    fn line_with_comment_is_cut_at_the_slashes() {
        let line = SourceLine {
            code: "let a = 1; ".to_owned(),
            comment: Some(" one // two".to_owned()),
        };
        assert_eq!(split("let a = 1; // one // two"), [line]);
        assert_eq!(comments("//\r\nb"), [Some(String::new()), None]);
    }

    #[test]
    fn strings_hide_their_contents() {
        for text in [
            "f(\"// no ] \\\" // no\")",
            "f(r\"// no \\\")",
            "f(br#\"// \"no\" ]\"#)",
            "f(r##\"// \"# no\"##)",
            "f(b\"// no\")",
        ] {
            assert_eq!(comments(text), [None], "{text}");
            assert!(!codes(text)[0].contains("no"), "{text}");
            assert!(codes(text)[0].ends_with(')'), "{text}");
        }
    }

    #[test]
    fn strings_over_several_lines_hide_every_line() {
        let text = "a(\"x\n// no\\\n// no\"); // yes";
        assert_eq!(comments(text), [None, None, Some(" yes".to_owned())]);
        let text = "a(r#\"x\n// no\n\"#); // yes";
        assert_eq!(comments(text), [None, None, Some(" yes".to_owned())]);
    }

    #[test]
    fn words_that_end_in_r_start_no_raw_string() {
        assert_eq!(codes("for\"\\\" x\" y"), ["for\"\" y"]);
        assert_eq!(codes("r#fn x"), ["r#fn x"]);
    }

    #[test]
    fn characters_are_told_from_lifetimes() {
        assert_eq!(
            comments("('\"', '\\'', b'\\\\') // yes"),
            [Some(" yes".to_owned())]
        );
        assert_eq!(comments("f<'a>(&'a str) // yes"), [Some(" yes".to_owned())]);
        assert_eq!(comments("'\\u{22}' // yes"), [Some(" yes".to_owned())]);
        assert_eq!(comments("'"), [None]);
    }

    #[test]
    fn block_comments_nest_and_hide() {
        let text = "a /* // no /* \n no */ // no\n*/ b // yes";
        assert_eq!(codes(text), ["a", "", "b"]);
        assert_eq!(comments(text), [None, None, Some(" yes".to_owned())]);
    }
}
