//! From the files of the workspace to the page and the list of problems.

use crate::problem::Problem;
use crate::requirement::Matrix;
use crate::tree::Tree;
use crate::{claim, page, standing, waiver};

/// What one look at the workspace brought.
#[derive(Debug)]
pub(crate) struct Survey {
    /// The page as it should be.
    pub(crate) page: String,
    /// What is wrong in the tests and in the waivers, sorted by place. The page is made from what
    /// is sound.
    pub(crate) problems: Vec<Problem>,
}

impl Survey {
    /// Looks at the workspace.
    ///
    /// # Errors
    /// The problems of the matrices: without them nothing can be said.
    pub(crate) fn of(tree: &Tree) -> Result<Self, Vec<Problem>> {
        let mut matrices = Vec::new();
        for (title, path) in MATRICES {
            matrices.push(Matrix::parse(title, path, text(tree, path))?);
        }
        let mut problems = Vec::new();
        let waivers = waiver::parse(WAIVED, text(tree, WAIVED), &mut problems);
        let mut claims = Vec::new();
        for (path, text) in tree.iter().filter(|(path, _)| path.ends_with(".rs")) {
            claims.extend(claim::find(path, text, &mut problems));
        }
        let standings = standing::weigh(&matrices, WAIVED, &waivers, &claims, &mut problems);
        problems.sort();
        let page = page::render(&matrices, &standings);
        Ok(Self { page, problems })
    }

    /// Compares the page with the one that is there.
    pub(crate) fn compare(&self, present: &str) -> Option<Problem> {
        if self.page == present {
            return None;
        }
        let pairs = self.page.lines().zip(present.lines());
        let same = pairs.take_while(|(wanted, present)| wanted == present);
        let line = same.count() + 1;
        Some(Problem::at(
            PAGE,
            line,
            "From this line on the page differs from what the tests show; \
             write it anew with `cargo run -p conformance -- write`.",
        ))
    }
}

fn text<'a>(tree: &'a Tree, path: &str) -> &'a str {
    tree.get(path).map_or("", String::as_str)
}

/// The page.
pub(crate) const PAGE: &str = "docs/conformance.md";

/// Where tests are looked for.
pub(crate) const FOLDERS: [&str; 5] = ["benches", "crates", "fuzz", "loadtest", "tests"];

/// The files that must be there.
pub(crate) const FILES: [&str; 3] = [MATRICES[0].1, MATRICES[1].1, WAIVED];

const MATRICES: [(&str, &str); 2] = [
    ("OMA SIMPLE IM 1.0", "docs/conformance/requirements.tsv"),
    (
        "MSRP, chat rooms, relays and Message/CPIM",
        "docs/conformance/msrp_requirements.tsv",
    ),
];
const WAIVED: &str = "docs/conformance/waived.tsv";

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "id\tarea\tlevel\tscr\tsummary\ttrigger\texpected\tsource\tpriority";

    fn tree(waived: &str, source: &str) -> Tree {
        let row = |id: &str| format!("{HEADER}\n{id}\tarea\tMUST\t\tsummary\t\t\tRFC\t1\n");
        Tree::from([
            (FILES[0].to_owned(), row("A-1-01")),
            (FILES[1].to_owned(), row("B-1-01")),
            (FILES[2].to_owned(), format!("id\treason\n{waived}")),
            ("crates/a/src/lib.rs".to_owned(), source.to_owned()),
        ])
    }

    #[test]
    fn survey_of_a_sound_tree_is_settled_once_the_page_is_written() {
        let source = "// covers: B-1-01\n#[test]\nfn a() {}\n";
        let survey = Survey::of(&tree("A-1-01\tNot served.\n", source)).unwrap();
        assert_eq!(survey.problems, []);
        assert!(
            survey
                .page
                .contains("**B-1-01** summary: `crates/a/src/lib.rs::a`")
        );
        assert!(survey.page.contains("- Not served. (`A-1` 01)"));
        assert_eq!(survey.compare(&survey.page), None);
    }

    #[test]
    fn survey_of_an_old_page_names_the_first_line_that_differs() {
        let survey = Survey::of(&tree("", "")).unwrap();
        let summary = survey.page.lines().position(|line| line == "## Summary");
        for (present, line) in [
            (String::new(), 1),
            (
                survey.page.replace("## Summary", "## Sum"),
                summary.unwrap() + 1,
            ),
            (
                survey.page.trim_end().to_owned(),
                survey.page.lines().count() + 1,
            ),
        ] {
            let problem = survey.compare(&present).unwrap();
            assert_eq!((problem.path.as_str(), problem.line), (PAGE, line));
        }
    }

    #[test]
    fn survey_with_faults_names_them_by_place_and_still_has_a_page() {
        let source = "// covers: B-1-01, C-1-01\n#[test]\nfn a() {}\n// covers: A-1-01\n";
        let survey = Survey::of(&tree("B-1-01\tNot served.\n", source)).unwrap();
        let places: Vec<(&str, usize)> = survey
            .problems
            .iter()
            .map(|problem| (problem.path.as_str(), problem.line))
            .collect();
        let source = "crates/a/src/lib.rs";
        assert_eq!(places, [(source, 1), (source, 4), (FILES[2], 2)]);
        assert!(survey.page.contains("**B-1-01**"));
    }

    #[test]
    fn survey_without_matrices_is_refused() {
        assert_eq!(Survey::of(&Tree::new()).unwrap_err().len(), 1);
    }
}
