//! What msrpctl writes to stdout.

use std::io::{ErrorKind, Write as _};

use serde_json::Value;

use crate::text::printable;

/// Writes a line. A reader that has gone, such as `head`, ends the program without a complaint.
pub(super) fn say(line: &str) {
    put(&format!("{line}\n"));
}

/// Writes text as it is, and at once.
pub(super) fn put(text: &str) {
    let mut out = std::io::stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    if let Err(error) = written {
        if error.kind() != ErrorKind::BrokenPipe {
            eprintln!("stdout cannot be written: {error}");
        }
        std::process::exit(i32::from(error.kind() != ErrorKind::BrokenPipe));
    }
}

/// Lines of columns, as wide as what stands in them; the last one is as long as it is.
pub(super) fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells
            .map(|cell: &String| cell.chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            line.push_str(&format!("{cell:width$}  "));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// The text of a field, without what a terminal would obey; a dash where there is none.
pub(super) fn cell(document: &Value, name: &str) -> String {
    match document.get(name) {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) => printable(text),
        Some(Value::Bool(true)) => "yes".to_owned(),
        Some(Value::Bool(false)) => "no".to_owned(),
        Some(Value::Array(entries)) => {
            let texts = entries.iter().map(|entry| match entry {
                Value::String(text) => printable(text),
                other => other.to_string(),
            });
            texts.collect::<Vec<_>>().join(" ")
        }
        Some(other) => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn table_columns_are_as_wide_as_their_widest_cell() {
        let row = |cells: &[&str]| cells.iter().map(|&c| c.to_owned()).collect();
        let rows = [
            row(&["ROOM", "COUNT"]),
            row(&["längst", "1"]),
            row(&["b", ""]),
        ];
        assert_eq!(table(&rows), "ROOM    COUNT\nlängst  1\nb\n");
    }

    #[test]
    fn cell_of_a_peers_text_commands_no_terminal() {
        let document = json!({ "a": "x\u{1b}[2J", "b": null, "c": ["1", "2"], "d": 3 });
        assert_eq!(cell(&document, "a"), "x [2J");
        assert_eq!(cell(&document, "b"), "-");
        assert_eq!(cell(&document, "c"), "1 2");
        assert_eq!(cell(&document, "d"), "3");
    }
}
