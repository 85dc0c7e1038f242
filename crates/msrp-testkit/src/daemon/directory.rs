//! A directory that goes with its owner.

use std::path::{Path, PathBuf};

use crate::ident::fresh;

pub(super) struct Directory(PathBuf);

impl Directory {
    pub(super) fn new() -> Self {
        let path = std::env::temp_dir().join(fresh("msrpd-test-"));
        std::fs::create_dir(&path).expect("a directory for the daemon");
        Self(path)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _left = std::fs::remove_dir_all(&self.0);
    }
}

/// Writes under another name first, so that a reader sees the old file or the new one.
pub(super) fn write(directory: &Path, name: &str, text: &str) -> PathBuf {
    let path = directory.join(name);
    std::fs::create_dir_all(path.parent().expect("a directory")).expect("a directory for the file");
    let draft = directory.join(fresh(".draft-"));
    std::fs::write(&draft, text).expect("a written file");
    std::fs::rename(&draft, &path).expect("a renamed file");
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directory_dropped_is_gone_with_its_files() {
        let directory = Directory::new();
        let file = write(directory.path(), "groups/a.xml", "<a/>");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "<a/>");
        drop(directory);
        assert!(!file.exists());
    }
}
