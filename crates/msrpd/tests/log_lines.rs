//! Every warning and every error of the log is explained to operators.
#![expect(clippy::unwrap_used, reason = "test code")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The sources below a directory, without those of tests.
fn sources(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() && !["tests", "demo", "client"].contains(&name.as_str()) {
            sources(&path, found);
        } else if name.ends_with(".rs") && name != "tests.rs" {
            found.push(path);
        }
    }
}

/// The message of each warning and error: the last text of its macro.
fn messages(source: &str) -> Vec<String> {
    let source = source.split("#[cfg(test)]\nmod tests {").next().unwrap();
    let mut messages = Vec::new();
    for start in ["tracing::warn!(", "tracing::error!("] {
        for call in source.split(start).skip(1) {
            let call = arguments(call);
            let texts: Vec<_> = call.split('"').collect();
            // Between the last two quotation marks.
            assert!(texts.len() >= 3, "no text in {call}");
            messages.push(texts[texts.len() - 2].to_owned());
        }
    }
    messages
}

/// What stands before the parenthesis that closes a call. Texts of the log hold no quotation marks.
fn arguments(call: &str) -> &str {
    let (mut depth, mut is_text) = (1, false);
    for (at, c) in call.char_indices() {
        match c {
            '"' => is_text = !is_text,
            '(' if !is_text => depth += 1,
            ')' if !is_text => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return &call[..at];
        }
    }
    panic!("no end in {call}");
}

#[test]
fn messages_are_found_in_statements_and_in_arms() {
    let source = "match x { A => tracing::warn!(limit = f(1), \"one (1)\"), B => g(\"no\") };\n\
                  tracing::error!(%error, \"two\");";
    assert_eq!(messages(source), ["one (1)", "two"]);
}

#[test]
fn warnings_and_errors_are_in_the_table_of_operations() {
    let page = std::fs::read_to_string(root().join("docs/operations.md")).unwrap();
    let explained: BTreeSet<_> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once("` | "))
        .map(|(message, _)| message.to_owned())
        .collect();
    let mut written = BTreeSet::new();
    for name in ["msrp-api", "msrp-shard", "msrp-sip", "msrpd", "ring-io"] {
        let mut files = Vec::new();
        sources(&root().join("crates").join(name).join("src"), &mut files);
        for file in files {
            written.extend(messages(&std::fs::read_to_string(file).unwrap()));
        }
    }
    assert!(written.len() > 20, "{written:#?}");
    let missing: Vec<_> = written.difference(&explained).collect();
    assert!(
        missing.is_empty(),
        "explain in docs/operations.md: {missing:#?}"
    );
}
