//! Where each requirement stands: covered, waived or open.

use std::collections::{BTreeMap, BTreeSet};

use crate::claim::Claim;
use crate::problem::Problem;
use crate::requirement::Matrix;
use crate::waiver::Waiver;

/// What became of one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Standing {
    /// At least one test claims it; the tests as `file::function`, in alphabetical order.
    Covered(BTreeSet<String>),
    /// It is left out on purpose, for this reason.
    Waived(String),
    /// Neither.
    Open,
}

/// The standing of every row, by id.
pub(crate) type Standings = BTreeMap<String, Standing>;

/// Brings the rows, the waivers and the claims together. Ids that exist nowhere, ids that two
/// matrices share, and rows that are both waived and covered stand in `problems`.
pub(crate) fn weigh(
    matrices: &[Matrix],
    waivers_path: &str,
    waivers: &BTreeMap<String, Waiver>,
    claims: &[Claim],
    problems: &mut Vec<Problem>,
) -> Standings {
    let mut standings = Standings::new();
    for matrix in matrices {
        for row in &matrix.rows {
            if standings.insert(row.id.clone(), Standing::Open).is_some() {
                let sentence = format!("The id {} stands in another matrix too.", row.id);
                problems.push(Problem::of_file(matrix.path, sentence));
            }
        }
    }
    for claim in claims {
        match standings.get_mut(&claim.id) {
            Some(Standing::Covered(tests)) => {
                tests.insert(test_name(claim));
            }
            Some(standing) => *standing = Standing::Covered(BTreeSet::from([test_name(claim)])),
            None => {
                let sentence = format!("No requirement has the id `{}`.", claim.id);
                problems.push(Problem::at(&claim.path, claim.line, sentence));
            }
        }
    }
    for (id, waiver) in waivers {
        let sentence = match standings.get_mut(id) {
            Some(standing @ Standing::Open) => {
                *standing = Standing::Waived(waiver.reason.clone());
                continue;
            }
            Some(_) => {
                let claim = claims.iter().find(|claim| claim.id == *id);
                let place = claim.map(|claim| format!(" in {}:{}", claim.path, claim.line));
                let place = place.unwrap_or_default();
                format!("The requirement {id} is waived here and covered{place}.")
            }
            None => format!("No requirement has the id `{id}`."),
        };
        problems.push(Problem::at(waivers_path, waiver.line, sentence));
    }
    standings
}

fn test_name(claim: &Claim) -> String {
    let mark = if claim.ignored { " (ignored)" } else { "" };
    format!("`{}::{}`{mark}", claim.path, claim.function)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::requirement::{Priority, Requirement};

    fn matrix(ids: &[&str]) -> Matrix {
        let rows = ids.iter().map(|id| Requirement {
            id: (*id).to_owned(),
            area: "a".to_owned(),
            summary: "s".to_owned(),
            priority: Priority::Core,
        });
        Matrix {
            title: "T",
            path: "m.tsv",
            rows: rows.collect(),
        }
    }

    fn claim(id: &str, function: &str) -> Claim {
        Claim {
            id: id.to_owned(),
            path: "t.rs".to_owned(),
            line: 3,
            function: function.to_owned(),
            ignored: function == "long",
        }
    }

    fn waivers(ids: &[&str]) -> BTreeMap<String, Waiver> {
        let waiver = Waiver {
            line: 2,
            reason: "Why.".to_owned(),
        };
        ids.iter()
            .map(|id| ((*id).to_owned(), waiver.clone()))
            .collect()
    }

    #[test]
    fn standings_of_sound_input_are_covered_waived_and_open() {
        let mut problems = Vec::new();
        let claims = [claim("A-1", "b"), claim("A-1", "a"), claim("A-1", "long")];
        let standings = weigh(
            &[matrix(&["A-1", "A-2"]), matrix(&["B-1"])],
            "w.tsv",
            &waivers(&["A-2"]),
            &claims,
            &mut problems,
        );
        assert_eq!(problems, []);
        let tests = ["`t.rs::a`", "`t.rs::b`", "`t.rs::long` (ignored)"];
        let tests = tests.map(str::to_owned).into_iter().collect();
        assert_eq!(standings["A-1"], Standing::Covered(tests));
        assert_eq!(standings["A-2"], Standing::Waived("Why.".to_owned()));
        assert_eq!(standings["B-1"], Standing::Open);
    }

    #[test]
    fn standings_of_unknown_and_doubled_ids_are_problems() {
        let mut problems = Vec::new();
        weigh(
            &[matrix(&["A-1"]), matrix(&["A-1"])],
            "w.tsv",
            &waivers(&["A-1", "A-8"]),
            &[claim("A-1", "a"), claim("A-9", "a")],
            &mut problems,
        );
        let texts: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(
            texts,
            [
                "m.tsv: The id A-1 stands in another matrix too.",
                "t.rs:3: No requirement has the id `A-9`.",
                "w.tsv:2: The requirement A-1 is waived here and covered in t.rs:3.",
                "w.tsv:2: No requirement has the id `A-8`.",
            ]
        );
    }
}
