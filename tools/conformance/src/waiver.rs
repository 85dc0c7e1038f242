//! Rows that are left out on purpose, each with its reason.

use std::collections::BTreeMap;

use crate::problem::Problem;

/// One row of `waived.tsv`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Waiver {
    /// The line it stands in, counted from 1.
    pub(crate) line: usize,
    /// Why the row is left out.
    pub(crate) reason: String,
}

/// Reads the list: id, tab, reason; one header line. Rows that break the form are left out of the
/// result and stand in `problems`.
pub(crate) fn parse(
    path: &str,
    text: &str,
    problems: &mut Vec<Problem>,
) -> BTreeMap<String, Waiver> {
    let mut waivers: BTreeMap<String, Waiver> = BTreeMap::new();
    let mut lines = (1..).zip(text.lines());
    if lines.next().is_none_or(|(_, header)| header != HEADER) {
        let sentence = "The first line must be `id`, a tab and `reason`.";
        problems.push(Problem::at(path, 1, sentence));
    }
    for (line, text) in lines {
        let cells: Vec<&str> = text.split('\t').map(str::trim).collect();
        let (id, reason) = match cells.as_slice() {
            [id, reason] if !id.is_empty() && !reason.is_empty() => (*id, *reason),
            _ => {
                let sentence = "A row is an id, a tab and a reason.";
                problems.push(Problem::at(path, line, sentence));
                continue;
            }
        };
        if let Some(first) = waivers.get(id) {
            let sentence = format!("The id {id} stands in line {} too.", first.line);
            problems.push(Problem::at(path, line, sentence));
            continue;
        }
        let reason = reason.to_owned();
        waivers.insert(id.to_owned(), Waiver { line, reason });
    }
    waivers
}

const HEADER: &str = "id\treason";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waivers_of_legal_rows_are_kept_with_their_lines() {
        let mut problems = Vec::new();
        let waivers = parse("w.tsv", "id\treason\nX-1-01\tNot served.\n", &mut problems);
        assert_eq!(problems, []);
        let waiver = Waiver {
            line: 2,
            reason: "Not served.".to_owned(),
        };
        assert_eq!(waivers, BTreeMap::from([("X-1-01".to_owned(), waiver)]));
    }

    #[test]
    fn waivers_with_broken_rows_name_each_line() {
        let text = "id\nX-1-01\n\nX-1-02\t \nX-1-03\ta\nX-1-03\tb\n";
        let mut problems = Vec::new();
        let waivers = parse("w.tsv", text, &mut problems);
        assert_eq!(waivers.len(), 1);
        let texts: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(
            texts,
            [
                "w.tsv:1: The first line must be `id`, a tab and `reason`.",
                "w.tsv:2: A row is an id, a tab and a reason.",
                "w.tsv:3: A row is an id, a tab and a reason.",
                "w.tsv:4: A row is an id, a tab and a reason.",
                "w.tsv:6: The id X-1-03 stands in line 5 too.",
            ]
        );
    }
}
