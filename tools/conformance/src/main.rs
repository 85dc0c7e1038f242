//! Says which requirements the tests cover: from the matrices in `docs/conformance/` and the
//! `// covers:` comments of the tests to the page `docs/conformance.md`.
//!
//! Never runs a test and never judges one: a test that fails is the business of `cargo test`, and
//! whether a test shows the row that it names is for its readers.
//!
//! | command | does | ends with 1 when |
//! | --- | --- | --- |
//! | `report` | prints the page | a claim or a waiver is faulty |
//! | `write` | writes the page | a claim or a waiver is faulty |
//! | `check` | compares the page with the one that is there | they differ, or a claim or a waiver is faulty |
//!
//! Faults go to standard error, one line each, with file and line. Status 2 means that the command
//! line or a matrix is wrong, or that a file cannot be read or written.
#![forbid(unsafe_code)]

mod claim;
mod page;
mod problem;
mod requirement;
mod source_line;
mod standing;
mod survey;
mod tree;
mod waiver;

use std::ffi::OsString;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{env, fs, io};

use problem::Problem;
use survey::Survey;

fn main() -> ExitCode {
    let Some((command, root)) = parse_arguments(env::args_os().skip(1)) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    match run(command, &root) {
        Ok(problems) if problems.is_empty() => ExitCode::SUCCESS,
        Ok(problems) => {
            print_problems(&problems);
            ExitCode::from(1)
        }
        Err(problems) => {
            print_problems(&problems);
            ExitCode::from(2)
        }
    }
}

/// What to do with the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Command {
    Report,
    Write,
    Check,
}

fn parse_arguments(arguments: impl Iterator<Item = OsString>) -> Option<(Command, PathBuf)> {
    let (mut command, mut root) = (None, None);
    let mut arguments = arguments;
    while let Some(argument) = arguments.next() {
        let named = match argument.to_str()? {
            "--root" if root.is_none() => {
                root = Some(PathBuf::from(arguments.next()?));
                continue;
            }
            "report" => Command::Report,
            "write" => Command::Write,
            "check" => Command::Check,
            _ => return None,
        };
        if command.replace(named).is_some() {
            return None;
        }
    }
    let root = root.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."));
    Some((command?, root))
}

/// Carries out one command. Returns the faults of the workspace.
///
/// # Errors
/// What keeps the command from being carried out.
fn run(command: Command, root: &Path) -> Result<Vec<Problem>, Vec<Problem>> {
    let tree = tree::read(root, &survey::FOLDERS, &survey::FILES).map_err(|problem| [problem])?;
    let survey = Survey::of(&tree)?;
    let page = root.join(survey::PAGE);
    let mut stale = None;
    let done = match command {
        Command::Report => io::stdout().write_all(survey.page.as_bytes()),
        Command::Write => fs::write(&page, &survey.page),
        Command::Check => read_page(&page).map(|present| stale = survey.compare(&present)),
    };
    done.map_err(|error| [Problem::of_file(survey::PAGE, format!("{error}."))])?;
    let mut problems = survey.problems;
    problems.extend(stale);
    Ok(problems)
}

/// The page that is there; one that is missing is as good as an empty one.
fn read_page(page: &Path) -> io::Result<String> {
    match fs::read_to_string(page) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        read => read,
    }
}

fn print_problems(problems: &[Problem]) {
    for problem in problems {
        eprintln!("{problem}");
    }
}

const USAGE: &str = "Usage: conformance report|write|check [--root FOLDER]";

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Option<(Command, PathBuf)> {
        parse_arguments(text.split_whitespace().map(OsString::from))
    }

    #[test]
    fn arguments_name_one_command_and_at_most_one_root() {
        let (command, root) = parse("check").unwrap();
        assert_eq!(command, Command::Check);
        assert!(root.join("tools/conformance/Cargo.toml").is_file());
        let elsewhere = Some((Command::Write, PathBuf::from("/x")));
        assert_eq!(parse("--root /x write"), elsewhere);
        assert_eq!(parse("write --root /x"), elsewhere);
    }

    #[test]
    fn arguments_that_are_not_understood_are_refused() {
        for text in [
            "",
            "page",
            "check write",
            "check --root",
            "check --root a --root b",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
