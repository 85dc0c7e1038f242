//! Files in the directory of a daemon.

use std::path::{Path, PathBuf};

use crate::ident::fresh;

/// Writes under another name first, so that a reader sees the old file or the new one.
pub(super) fn write(directory: &Path, name: &str, text: &str) -> PathBuf {
    let path = directory.join(name);
    std::fs::create_dir_all(path.parent().expect("a directory")).expect("a directory for the file");
    let draft = directory.join(fresh(".draft-"));
    std::fs::write(&draft, text).expect("a written file");
    std::fs::rename(&draft, &path).expect("a renamed file");
    path
}
