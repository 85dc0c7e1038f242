//! The page `docs/conformance.md`.

use std::fmt::Write as _;

use crate::requirement::{Matrix, Priority, Requirement, split_id};
use crate::standing::{Standing, Standings};

/// The whole page. The same input gives the same text: rows and areas keep the order of the
/// matrices, tests and reasons are sorted.
pub(crate) fn render(matrices: &[Matrix], standings: &Standings) -> String {
    let mut page = String::from(HEAD);
    for matrix in matrices {
        let rows: Vec<Row<'_>> = rows_of(matrix, standings);
        push_line(&mut page, &format!("\n### {}\n", matrix.title));
        push_summary(&mut page, &rows);
    }
    for matrix in matrices {
        let rows = rows_of(matrix, standings);
        push_line(&mut page, &format!("\n## {}", matrix.title));
        for area in areas_of(&rows) {
            push_line(&mut page, &format!("\n### {area}"));
            let rows: Vec<Row<'_>> = of_area(&rows, area);
            push_covered(&mut page, &rows);
            push_waived(&mut page, &rows);
            push_open(&mut page, &rows);
        }
    }
    page
}

/// A requirement beside its standing.
type Row<'a> = (&'a Requirement, &'a Standing);

fn rows_of<'a>(matrix: &'a Matrix, standings: &'a Standings) -> Vec<Row<'a>> {
    let standing = |row: &Requirement| standings.get(&row.id).unwrap_or(&Standing::Open);
    matrix.rows.iter().map(|row| (row, standing(row))).collect()
}

fn areas_of<'a>(rows: &[Row<'a>]) -> Vec<&'a str> {
    let mut areas = Vec::new();
    for &(row, _) in rows {
        if !areas.contains(&row.area.as_str()) {
            areas.push(row.area.as_str());
        }
    }
    areas
}

fn of_area<'a>(rows: &[Row<'a>], area: &str) -> Vec<Row<'a>> {
    let rows = rows.iter().filter(|(row, _)| row.area == area);
    rows.copied().collect()
}

fn push_summary(page: &mut String, rows: &[Row<'_>]) {
    page.push_str("| Area | Rows |");
    for priority in Priority::ALL {
        _ = write!(page, " Priority {} |", priority.digit());
    }
    push_line(page, " All |");
    push_line(page, "| --- | ---: | ---: | ---: | ---: | ---: |");
    for area in areas_of(rows) {
        push_sums(page, area, &of_area(rows, area));
    }
    push_sums(page, "**all**", rows);
}

fn push_sums(page: &mut String, name: &str, rows: &[Row<'_>]) {
    _ = write!(page, "| {name} | {} |", rows.len());
    for priority in Priority::ALL {
        let rows = rows.iter().filter(|(row, _)| row.priority == priority);
        _ = write!(page, " {} |", sums(rows));
    }
    push_line(page, &format!(" {} |", sums(rows.iter())));
}

/// `covered / waived / open`, or a hyphen where there is no row.
fn sums<'a>(rows: impl Iterator<Item = &'a Row<'a>>) -> String {
    let (mut covered, mut waived, mut open) = (0, 0, 0);
    for (_, standing) in rows {
        match standing {
            Standing::Covered(_) => covered += 1,
            Standing::Waived(_) => waived += 1,
            Standing::Open => open += 1,
        }
    }
    match covered + waived + open {
        0 => "-".to_owned(),
        _ => format!("{covered} / {waived} / {open}"),
    }
}

fn push_covered(page: &mut String, rows: &[Row<'_>]) {
    let mut title = "\nCovered:\n";
    for (row, standing) in rows {
        let Standing::Covered(tests) = standing else {
            continue;
        };
        if !title.is_empty() {
            push_line(page, std::mem::take(&mut title));
        }
        let tests: Vec<&str> = tests.iter().map(String::as_str).collect();
        let (summary, tests) = (escaped(&row.summary), tests.join(", "));
        push_line(page, &format!("- **{}** {summary}: {tests}", row.id));
    }
}

fn push_waived(page: &mut String, rows: &[Row<'_>]) {
    let mut reasons: Vec<&str> = Vec::new();
    for (_, standing) in rows {
        if let Standing::Waived(reason) = standing {
            reasons.push(reason);
        }
    }
    reasons.sort_unstable();
    reasons.dedup();
    if !reasons.is_empty() {
        push_line(page, "\nWaived:\n");
    }
    for reason in reasons {
        let rows = rows
            .iter()
            .filter(|(_, standing)| matches!(standing, Standing::Waived(other) if other == reason));
        let ids = compact(rows.map(|(row, _)| row.id.as_str()));
        push_line(page, &format!("- {} ({ids})", escaped(reason)));
    }
}

fn push_open(page: &mut String, rows: &[Row<'_>]) {
    let mut title = "\nOpen:\n";
    for priority in Priority::ALL {
        let rows = rows.iter().filter(|(row, standing)| {
            row.priority == priority && matches!(standing, Standing::Open)
        });
        let ids = compact(rows.map(|(row, _)| row.id.as_str()));
        if ids.is_empty() {
            continue;
        }
        if !title.is_empty() {
            push_line(page, std::mem::take(&mut title));
        }
        push_line(page, &format!("- Priority {}: {ids}", priority.digit()));
    }
}

/// Ids in little room: `A-7.1` 01, 03 to 05; `A-7.2` 01. Both the order of the ids and their
/// spelling stay.
fn compact<'a>(ids: impl Iterator<Item = &'a str>) -> String {
    let mut groups: Vec<(&str, Vec<Run<'a>>)> = Vec::new();
    for id in ids {
        let Some((stem, number)) = split_id(id) else {
            continue;
        };
        let spelled = &id[stem.len() + 1..];
        let at = groups.iter().position(|(other, _)| *other == stem);
        let at = at.unwrap_or_else(|| {
            groups.push((stem, Vec::new()));
            groups.len() - 1
        });
        let runs = &mut groups[at].1;
        match runs.last_mut() {
            Some(run) if run.last.checked_add(1) == Some(number) => {
                run.last = number;
                run.last_spelled = spelled;
                run.count += 1;
            }
            _ => runs.push(Run {
                first_spelled: spelled,
                last_spelled: spelled,
                last: number,
                count: 1,
            }),
        }
    }
    let groups = groups.iter().map(|(stem, runs)| {
        let runs: Vec<String> = runs.iter().map(Run::spelled).collect();
        format!("`{stem}` {}", runs.join(", "))
    });
    groups.collect::<Vec<String>>().join("; ")
}

/// Neighbouring numbers of one stem.
struct Run<'a> {
    first_spelled: &'a str,
    last_spelled: &'a str,
    last: u32,
    count: usize,
}

impl Run<'_> {
    fn spelled(&self) -> String {
        match self.count {
            1 => self.first_spelled.to_owned(),
            2 => format!("{}, {}", self.first_spelled, self.last_spelled),
            _ => format!("{} to {}", self.first_spelled, self.last_spelled),
        }
    }
}

/// Text that shows in Markdown as it is spelled here.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(
            c,
            '\\' | '`' | '*' | '_' | '<' | '>' | '[' | ']' | '|' | '#'
        ) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

fn push_line(page: &mut String, line: &str) {
    page.push_str(line);
    page.push('\n');
}

const HEAD: &str = "\
# Conformance

<!-- Written by `cargo run -p conformance -- write`. Changes by hand are lost. -->

The requirement matrices in [conformance/](conformance/README.md) give every testable requirement an id.
This page says where each of them stands:

- **covered**: at least one test shows it; the test carries the id in a `// covers:` comment. A test marked
  *ignored* runs only when it is asked for by name.
- **waived**: it is left out on purpose, for the reason given in `conformance/waived.tsv`.
- **open**: neither. It may be carried out all the same, but no test says so.

Priority 1 is the core, 2 is what comes with it, 3 is later work.

## Summary

The sums are covered / waived / open.
";

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn row(id: &str, area: &str, priority: Priority) -> Requirement {
        Requirement {
            id: id.to_owned(),
            area: area.to_owned(),
            summary: "List <is> *kept*".to_owned(),
            priority,
        }
    }

    fn page() -> String {
        let rows = vec![
            row("B-1-01", "late", Priority::Core),
            row("B-1-02", "late", Priority::Core),
            row("B-1-03", "late", Priority::Core),
            row("B-2-01", "late", Priority::Later),
            row("A-1-01", "early", Priority::Extended),
            row("A-1-02", "early", Priority::Extended),
        ];
        let tests = ["`b.rs::x`", "`a.rs::y`"].map(str::to_owned);
        let standings = Standings::from([
            (
                "A-1-01".to_owned(),
                Standing::Covered(BTreeSet::from(tests)),
            ),
            ("A-1-02".to_owned(), Standing::Waived("No need.".to_owned())),
        ]);
        render(
            &[Matrix {
                title: "T",
                path: "m.tsv",
                rows,
            }],
            &standings,
        )
    }

    #[test]
    fn page_sums_every_area_and_priority() {
        let table = "\
### T

| Area | Rows | Priority 1 | Priority 2 | Priority 3 | All |
| --- | ---: | ---: | ---: | ---: | ---: |
| late | 4 | 0 / 0 / 3 | - | 0 / 0 / 1 | 0 / 0 / 4 |
| early | 2 | - | 1 / 1 / 0 | - | 1 / 1 / 0 |
| **all** | 6 | 0 / 0 / 3 | 1 / 1 / 0 | 0 / 0 / 1 | 1 / 1 / 4 |
";
        assert!(page().contains(table), "{}", page());
    }

    #[test]
    fn page_lists_every_row_once() {
        let lists = "
## T

### late

Open:

- Priority 1: `B-1` 01 to 03
- Priority 3: `B-2` 01

### early

Covered:

- **A-1-01** List \\<is\\> \\*kept\\*: `a.rs::y`, `b.rs::x`

Waived:

- No need. (`A-1` 02)
";
        assert!(page().ends_with(lists), "{}", page());
    }

    #[test]
    fn ids_in_little_room_keep_stems_apart() {
        let ids = [
            "A-1-01", "A-1-02", "A-2-03", "A-1-04", "A-1-05", "A-1-06", "A-1-08",
        ];
        assert_eq!(
            compact(ids.into_iter()),
            "`A-1` 01, 02, 04 to 06, 08; `A-2` 03"
        );
        assert_eq!(
            compact(["A-1-09", "A-1-10", "A-1-11"].into_iter()),
            "`A-1` 09 to 11"
        );
    }
}
