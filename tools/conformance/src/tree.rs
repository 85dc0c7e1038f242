//! The files of the workspace that matter here.

use std::collections::BTreeMap;
use std::path::Path;
use std::{fs, io};

use crate::problem::Problem;

/// Texts by path; a path is relative to the root of the workspace, with `/` between its parts.
pub(crate) type Tree = BTreeMap<String, String>;

/// Reads the Rust files below `folders`, and `files`. Folders that do not exist are passed over,
/// and so are hidden ones, `target` and symbolic links.
///
/// # Errors
/// The first file or folder that cannot be read, and `files` that do not exist.
pub(crate) fn read(root: &Path, folders: &[&str], files: &[&str]) -> Result<Tree, Problem> {
    let mut tree = Tree::new();
    for path in files {
        read_file(root, path, &mut tree)?;
    }
    for folder in folders {
        if root.join(folder).is_dir() {
            read_folder(root, folder, &mut tree)?;
        }
    }
    Ok(tree)
}

fn read_folder(root: &Path, folder: &str, tree: &mut Tree) -> Result<(), Problem> {
    let unreadable = |error| unreadable(folder, &error);
    for entry in fs::read_dir(root.join(folder)).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let kind = entry.file_type().map_err(unreadable)?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else {
            let sentence = "A name in this folder is not UTF-8.";
            return Err(Problem::of_file(folder, sentence));
        };
        let path = format!("{folder}/{name}");
        if kind.is_dir() && name != "target" && !name.starts_with('.') {
            read_folder(root, &path, tree)?;
        } else if kind.is_file() && name.ends_with(".rs") {
            read_file(root, &path, tree)?;
        }
    }
    Ok(())
}

fn read_file(root: &Path, path: &str, tree: &mut Tree) -> Result<(), Problem> {
    let text = fs::read_to_string(root.join(path)).map_err(|error| unreadable(path, &error))?;
    tree.insert(path.to_owned(), text);
    Ok(())
}

fn unreadable(path: &str, error: &io::Error) -> Problem {
    Problem::of_file(path, format!("Cannot be read: {error}."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tree_of_this_package_has_its_sources_only() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let tree = read(root, &["src", "absent"], &["Cargo.toml"]).unwrap();
        assert!(tree.contains_key("Cargo.toml"));
        assert!(tree["src/tree.rs"].contains("tree_of_this_package"));
        assert!(
            tree.keys()
                .all(|path| path.starts_with("src/") || path == "Cargo.toml")
        );
    }

    #[test]
    fn tree_without_a_needed_file_is_refused() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let problem = read(root, &[], &["absent.tsv"]).unwrap_err();
        assert!(
            problem
                .to_string()
                .starts_with("absent.tsv: Cannot be read: ")
        );
    }
}
