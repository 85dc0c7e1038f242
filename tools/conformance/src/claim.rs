//! The claims of tests: `// covers: ID, ID` above a test function.
//!
//! ```text
//!   // covers: MSRP-4975-7.1-02, MSRP-4975-7.1-03     one or more such lines, nothing between them
//!   // covers: MSRP-4975-7.1.1-03
//!   /// Doc comments and attributes may follow.
//!   #[tokio::test(start_paused = true)]               at least one attribute `test` or `...::test`
//!   async fn subject_condition_outcome() {            the test that makes the claim
//! ```

use std::slice::Iter;

use crate::problem::Problem;
use crate::source_line::{SourceLine, split};

/// A test and one row that it claims to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Claim {
    /// The row.
    pub(crate) id: String,
    /// The file of the test.
    pub(crate) path: String,
    /// The line of the claim, counted from 1.
    pub(crate) line: usize,
    /// The name of the test function.
    pub(crate) function: String,
    /// Whether the test runs only when asked for by name (`#[ignore]`).
    pub(crate) ignored: bool,
}

/// Finds the claims of one source file. Comments that look like claims and are none stand in
/// `problems`.
pub(crate) fn find(path: &str, text: &str, problems: &mut Vec<Problem>) -> Vec<Claim> {
    let lines = split(text);
    let mut claims = Vec::new();
    let mut rest = lines.as_slice();
    while let Some((first, after)) = rest.split_first() {
        let line = lines.len() - after.len();
        let ids = match read(first) {
            Comment::Other => {
                rest = after;
                continue;
            }
            Comment::Misplaced(sentence) => {
                problems.push(Problem::at(path, line, sentence));
                rest = after;
                continue;
            }
            Comment::Claim(ids) => ids,
        };
        let (mut named, mut tail) = (vec![(line, ids)], after);
        while let Some((next, after)) = tail.split_first() {
            let Comment::Claim(ids) = read(next) else {
                break;
            };
            named.push((lines.len() - after.len(), ids));
            tail = after;
        }
        rest = tail;
        match read_test(tail) {
            Ok(test) => claims.extend(claims_of(path, &named, &test, problems)),
            Err(sentence) => problems.push(Problem::at(path, line, sentence)),
        }
    }
    claims
}

/// A comment as far as claims are concerned.
enum Comment<'a> {
    /// Not about coverage, or no comment.
    Other,
    /// A claim in a place where it can belong to no test.
    Misplaced(&'static str),
    /// What follows `covers:`.
    Claim(&'a str),
}

/// A test function.
struct Test {
    name: String,
    ignored: bool,
}

fn read(line: &SourceLine) -> Comment<'_> {
    let Some(comment) = line.comment.as_deref() else {
        return Comment::Other;
    };
    let Some(ids) = after_mark(comment.trim_start_matches(['/', '!'])) else {
        return Comment::Other;
    };
    if !line.code.trim().is_empty() {
        return Comment::Misplaced("A `// covers:` comment stands on a line of its own.");
    }
    if comment.starts_with(['/', '!']) {
        return Comment::Misplaced("A `// covers:` comment has two slashes, not a doc comment's.");
    }
    Comment::Claim(ids)
}

/// What follows `covers:`, in any case: a capital letter must not hide a claim.
fn after_mark(comment: &str) -> Option<&str> {
    let (word, ids) = comment.split_once(':')?;
    word.trim().eq_ignore_ascii_case("covers").then_some(ids)
}

fn claims_of(
    path: &str,
    named: &[(usize, &str)],
    test: &Test,
    problems: &mut Vec<Problem>,
) -> Vec<Claim> {
    let mut claims = Vec::new();
    for &(line, ids) in named {
        for id in ids.split(',').map(str::trim) {
            if id.is_empty() {
                let sentence = "The ids of a `// covers:` comment have one comma between them, \
                                and each line starts with `// covers:`.";
                problems.push(Problem::at(path, line, sentence));
                continue;
            }
            claims.push(Claim {
                id: id.to_owned(),
                path: path.to_owned(),
                line,
                function: test.name.clone(),
                ignored: test.ignored,
            });
        }
    }
    claims
}

/// Reads attributes, doc comments and the head of a function from the lines under a claim.
fn read_test(lines: &[SourceLine]) -> Result<Test, &'static str> {
    let mut lines = lines.iter();
    let (mut is_test, mut ignored) = (false, false);
    while let Some(line) = lines.next() {
        let mut code = line.code.trim().to_owned();
        if code.is_empty() && line.comment.as_deref().is_some_and(is_doc) {
            continue;
        }
        while code.starts_with("#[") {
            let (attribute, behind) = take_attribute(code, &mut lines);
            is_test |= is_test_attribute(&attribute);
            ignored |= attribute == "ignore";
            code = behind;
            if code.is_empty() {
                break;
            }
        }
        if code.is_empty() && !line.code.trim().is_empty() {
            continue;
        }
        return match function_name(&code) {
            None => Err(NOT_ABOVE),
            Some(_) if !is_test => Err(NO_TEST),
            Some(name) => Ok(Test { name, ignored }),
        };
    }
    Err(NOT_ABOVE)
}

/// Whether a comment, without its first two slashes, is a doc comment.
fn is_doc(comment: &str) -> bool {
    comment.starts_with('/') && !comment.starts_with("//")
}

/// Takes one attribute from the front of `code`, reading on into `lines` until its brackets
/// balance. Returns its path and the code behind it.
fn take_attribute(code: String, lines: &mut Iter<'_, SourceLine>) -> (String, String) {
    let mut code = code;
    loop {
        let mut depth = 0_usize;
        for (at, c) in code.char_indices() {
            match c {
                '[' => depth += 1,
                ']' => depth -= 1,
                _ => continue,
            }
            if depth == 0 {
                let (attribute, behind) = code.split_at(at);
                let path = attribute.trim_start_matches(['#', '[']);
                let end = path.find(['(', '=']).unwrap_or(path.len());
                let path = path[..end].split_whitespace().collect();
                return (path, behind[1..].trim().to_owned());
            }
        }
        let Some(line) = lines.next() else {
            return (String::new(), String::new());
        };
        code.push(' ');
        code.push_str(line.code.trim());
    }
}

fn is_test_attribute(path: &str) -> bool {
    path == "test" || path.ends_with("::test")
}

/// The name behind `fn`, when nothing but a function's qualifiers stand in front.
fn function_name(code: &str) -> Option<String> {
    let mut words = code.split_whitespace();
    loop {
        match words.next()? {
            "fn" => break,
            "pub" | "pub(crate)" | "pub(super)" | "async" | "const" | "unsafe" => {}
            _ => return None,
        }
    }
    let name: String = words
        .next()?
        .chars()
        .take_while(|&c| c.is_alphanumeric() || c == '_')
        .collect();
    (!name.is_empty()).then_some(name)
}

const NOT_ABOVE: &str = "This `// covers:` comment does not stand directly above a test function; \
                         only attributes and doc comments may stand between.";
const NO_TEST: &str = "The function under this `// covers:` comment has no test attribute.";

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> (Vec<String>, Vec<String>) {
        let mut problems = Vec::new();
        let claims = find("a.rs", text, &mut problems)
            .iter()
            .map(|c| {
                format!(
                    "{} {} {}{}",
                    c.line,
                    c.id,
                    c.function,
                    ["", " ignored"][usize::from(c.ignored)]
                )
            })
            .collect();
        (claims, problems.iter().map(ToString::to_string).collect())
    }

    fn claims(text: &str) -> Vec<String> {
        let (claims, problems) = found(text);
        assert_eq!(problems, Vec::<String>::new(), "{text}");
        claims
    }

    fn problem(text: &str) -> String {
        let (_, problems) = found(text);
        assert_eq!(problems.len(), 1, "{text}: {problems:?}");
        problems[0].clone()
    }

    #[test]
    fn claim_above_a_test_names_it() {
        let text = "\n    // covers: A-1, A-2\n    #[test]\n    fn a_b_c() {\n    }\n";
        assert_eq!(claims(text), ["2 A-1 a_b_c", "2 A-2 a_b_c"]);
        let text = "//covers: A-1\n#[test] fn a_b_c() {}";
        assert_eq!(claims(text), ["1 A-1 a_b_c"]);
    }

    #[test]
    fn claim_on_several_lines_belongs_to_one_test() {
        let text = "// covers: A-1\n// covers: A-2\n#[test]\nfn a() {}\n// covers: B-1\n#[test]\nfn b() {}";
        assert_eq!(claims(text), ["1 A-1 a", "2 A-2 a", "5 B-1 b"]);
    }

    #[test]
    fn claim_above_attributes_and_docs_reaches_the_test() {
        let text = "// covers: A-1\n\
                    /// Shows it.\n\
                    #[cfg(target_os = \"]\")]\n\
                    #[tokio::test(\n    flavor = \"multi_thread\",\n    worker_threads = 2, // [\n)]\n\
                    #[expect(clippy::x, reason = \"y\")] #[allow(z, reason = \"w\")]\n\
                    pub(crate) async fn a_b_c() {}";
        assert_eq!(claims(text), ["1 A-1 a_b_c"]);
    }

    #[test]
    fn claim_inside_proptest_names_the_function_there() {
        let text =
            "proptest! {\n    // covers: A-1\n    #[test]\n    fn a(x in 0..9_u8) {\n    }\n}";
        assert_eq!(claims(text), ["2 A-1 a"]);
    }

    #[test]
    fn claim_of_an_ignored_test_is_marked() {
        let text = "// covers: A-1\n#[test]\n#[ignore = \"long\"]\nfn a() {}";
        assert_eq!(claims(text), ["1 A-1 a ignored"]);
    }

    #[test]
    fn claim_inside_a_string_is_none() {
        assert_eq!(
            claims("let a = \"\n// covers: A-1\n\";\n"),
            Vec::<String>::new()
        );
    }

    #[test]
    fn claim_apart_from_a_test_is_a_problem() {
        for text in [
            "// covers: A-1",
            "// covers: A-1\n\n#[test]\nfn a() {}",
            "// covers: A-1\n// Why.\n#[test]\nfn a() {}",
            "// covers: A-1\nmod tests {\n#[test]\nfn a() {}}",
            "// covers: A-1\n#[test\nfn a() {}",
            "// covers: A-1\n#[test]\n",
        ] {
            assert_eq!(problem(text), format!("a.rs:1: {NOT_ABOVE}"), "{text}");
        }
    }

    #[test]
    fn claim_above_another_function_is_a_problem() {
        for text in [
            "// covers: A-1\nfn a() {}",
            "// covers: A-1\n#[cfg(test)]\nfn a() {}",
            "#[test]\n// covers: A-1\nfn a() {}",
            "// covers: A-1\n#[test_case(1)]\nfn a() {}",
        ] {
            assert!(problem(text).ends_with(NO_TEST), "{text}");
        }
    }

    #[test]
    fn claim_in_the_wrong_kind_of_comment_is_a_problem() {
        assert!(problem("/// covers: A-1\n#[test]\nfn a() {}").contains("two slashes"));
        assert!(problem("//! covers: A-1\n").contains("two slashes"));
        assert!(problem("#[test] // covers: A-1\nfn a() {}").contains("line of its own"));
    }

    #[test]
    fn claim_with_an_empty_place_is_a_problem() {
        for ids in ["", "A-1,", "A-1,,A-2"] {
            let text = format!("// covers: {ids}\n#[test]\nfn a() {{}}");
            assert!(problem(&text).contains("one comma"), "{text}");
        }
    }

    #[test]
    fn claim_with_a_capital_letter_counts() {
        assert_eq!(claims("// Covers: A-1\n#[test]\nfn a() {}"), ["1 A-1 a"]);
        assert_eq!(claims("// This covers: A-1\n"), Vec::<String>::new());
    }
}
