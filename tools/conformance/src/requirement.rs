//! The requirement matrices: one row for each testable requirement.

use std::collections::BTreeMap;

use crate::problem::Problem;

/// One row of a matrix, as far as the page needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Requirement {
    /// The stable name, such as `MSRP-4975-7.1-02`.
    pub(crate) id: String,
    /// What the row is about, such as `framing`.
    pub(crate) area: String,
    /// The rule in a few words.
    pub(crate) summary: String,
    /// How early it is needed.
    pub(crate) priority: Priority,
}

/// How early a requirement is needed; the meaning stands in `docs/conformance/README.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Priority {
    /// Written `1`.
    Core,
    /// Written `2`.
    Extended,
    /// Written `3`.
    Later,
}

impl Priority {
    /// Every priority, in the order of the page.
    pub(crate) const ALL: [Self; 3] = [Self::Core, Self::Extended, Self::Later];

    /// The digit that stands in the matrices.
    pub(crate) fn digit(self) -> char {
        match self {
            Self::Core => '1',
            Self::Extended => '2',
            Self::Later => '3',
        }
    }

    fn parse(text: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|priority| text.chars().eq([priority.digit()]))
    }
}

/// One file of rows, in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Matrix {
    /// The title of its part of the page.
    pub(crate) title: &'static str,
    /// Its file.
    pub(crate) path: &'static str,
    /// Its rows.
    pub(crate) rows: Vec<Requirement>,
}

impl Matrix {
    /// Reads a matrix: tab-separated, one header line, no quoting.
    ///
    /// # Errors
    /// Every line that breaks the form, and every id that occurs twice.
    pub(crate) fn parse(
        title: &'static str,
        path: &'static str,
        text: &str,
    ) -> Result<Self, Vec<Problem>> {
        let mut lines = (1..).zip(text.lines());
        if lines.next().is_none_or(|(_, header)| header != HEADER) {
            let sentence = "The first line must name the columns of a requirement matrix.";
            return Err(vec![Problem::at(path, 1, sentence)]);
        }
        let mut rows = Vec::new();
        let mut first_lines = BTreeMap::new();
        let mut problems = Vec::new();
        for (line, text) in lines {
            match parse_row(text) {
                Ok(row) => {
                    if let Some(first) = first_lines.insert(row.id.clone(), line) {
                        let sentence = format!("The id {} stands in line {first} too.", row.id);
                        problems.push(Problem::at(path, line, sentence));
                    }
                    rows.push(row);
                }
                Err(sentence) => problems.push(Problem::at(path, line, sentence)),
            }
        }
        if problems.is_empty() {
            Ok(Self { title, path, rows })
        } else {
            Err(problems)
        }
    }
}

/// The part of an id that it shares with its neighbours, and its running number:
/// `MSRP-4975-7.1-02` is `MSRP-4975-7.1` and 2.
pub(crate) fn split_id(id: &str) -> Option<(&str, u32)> {
    let (stem, number) = id.rsplit_once('-')?;
    let digits = !number.is_empty() && number.bytes().all(|octet| octet.is_ascii_digit());
    (digits && !stem.is_empty()).then(|| Some((stem, number.parse().ok()?)))?
}

fn parse_row(text: &str) -> Result<Requirement, String> {
    let cells: Vec<&str> = text.split('\t').collect();
    let &[
        id,
        area,
        _level,
        _scr,
        summary,
        _trigger,
        _expected,
        _source,
        priority,
    ] = cells.as_slice()
    else {
        return Err(format!(
            "A row has 9 cells with tabs between them, this one has {}.",
            cells.len()
        ));
    };
    if split_id(id).is_none() {
        return Err(format!("The id `{id}` must end in a hyphen and a number."));
    }
    let Some(priority) = Priority::parse(priority) else {
        return Err(format!("The priority `{priority}` must be 1, 2 or 3."));
    };
    Ok(Requirement {
        id: id.to_owned(),
        area: area.to_owned(),
        summary: summary.to_owned(),
        priority,
    })
}

const HEADER: &str = "id\tarea\tlevel\tscr\tsummary\ttrigger\texpected\tsource\tpriority";

#[cfg(test)]
mod tests {
    use super::*;

    const ROW: &str = "X-1-01\tframing\tMUST\t\tIt is so\twhen\tthen\tRFC 1\t2";

    #[test]
    fn matrix_of_legal_rows_keeps_their_order() {
        let text = format!("{HEADER}\n{}\n{ROW}\n", ROW.replace("-01", "-09"));
        let matrix = Matrix::parse("T", "m.tsv", &text).unwrap();
        assert_eq!(matrix.rows[0].id, "X-1-09");
        assert_eq!(matrix.rows[1].id, "X-1-01");
        assert_eq!(matrix.rows[1].area, "framing");
        assert_eq!(matrix.rows[1].summary, "It is so");
        assert_eq!(matrix.rows[1].priority, Priority::Extended);
    }

    #[test]
    fn matrix_with_broken_rows_names_each_line() {
        let text = format!(
            "{HEADER}\n{ROW}\n{ROW}\nX\n{}\n{}\n",
            ROW.replace("X-1-01", "X-1-"),
            ROW.replace("\t2", "\t4"),
        );
        let problems = Matrix::parse("T", "m.tsv", &text).unwrap_err();
        let texts: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(
            texts,
            [
                "m.tsv:3: The id X-1-01 stands in line 2 too.",
                "m.tsv:4: A row has 9 cells with tabs between them, this one has 1.",
                "m.tsv:5: The id `X-1-` must end in a hyphen and a number.",
                "m.tsv:6: The priority `4` must be 1, 2 or 3.",
            ]
        );
    }

    #[test]
    fn matrix_without_header_is_refused() {
        assert!(Matrix::parse("T", "m.tsv", ROW).is_err());
        assert!(Matrix::parse("T", "m.tsv", "").is_err());
    }

    #[test]
    fn split_id_needs_stem_and_number() {
        assert_eq!(split_id("A-7.1-02"), Some(("A-7.1", 2)));
        assert_eq!(split_id("A-7.1-"), None);
        assert_eq!(split_id("-02"), None);
        assert_eq!(split_id("A-+2"), None);
        assert_eq!(split_id("A"), None);
    }
}
