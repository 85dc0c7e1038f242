//! Groups from a directory of documents.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::address::Uri;
use crate::groups::{Group, Groups, document};
use crate::limits::{GROUP_DOCUMENT_OCTETS_MAX, GROUP_DOCUMENTS_MAX};
use crate::xml::XmlError;

/// Why groups could not be loaded. The operator's fault.
#[derive(Debug, thiserror::Error)]
pub enum GroupsError {
    /// The directory or a file cannot be read.
    #[error("{}: {error}", path.display())]
    Io {
        /// The directory or file.
        path: PathBuf,
        /// What the operating system says.
        error: io::Error,
    },
    /// A document is not a group document.
    #[error("{}: {error}", path.display())]
    Document {
        /// The file.
        path: PathBuf,
        /// The line and the fault.
        error: XmlError,
    },
    /// A document is larger than [`GROUP_DOCUMENT_OCTETS_MAX`].
    #[error("{}: the document has more than {GROUP_DOCUMENT_OCTETS_MAX} octets", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// More than [`GROUP_DOCUMENTS_MAX`] documents.
    #[error("{}: there are more than {GROUP_DOCUMENTS_MAX} documents", path.display())]
    TooMany {
        /// The directory.
        path: PathBuf,
    },
    /// Two documents describe one group.
    #[error("{}: the group {uri} is described twice", path.display())]
    Twice {
        /// The second file.
        path: PathBuf,
        /// The group.
        uri: String,
    },
}

/// The groups of all `*.xml` files of a directory, held in memory.
#[derive(Debug)]
pub struct DirectoryGroups {
    path: PathBuf,
    groups: HashMap<String, Arc<Group>>,
}

impl DirectoryGroups {
    /// Loads all documents.
    ///
    /// # Errors
    /// [`GroupsError`]: the operator's fault, with file and line.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, GroupsError> {
        let path = path.into();
        let groups = load(&path)?;
        Ok(Self { path, groups })
    }

    /// How many groups are loaded.
    #[must_use]
    pub fn groups_count(&self) -> usize {
        self.groups.len()
    }
}

impl Groups for DirectoryGroups {
    fn group(&self, uri: &Uri) -> Option<Arc<Group>> {
        self.groups.get(&uri.key()).cloned()
    }

    fn reload(&mut self) -> Result<(), GroupsError> {
        self.groups = load(&self.path)?;
        Ok(())
    }
}

fn load(directory: &Path) -> Result<HashMap<String, Arc<Group>>, GroupsError> {
    let io_error = |path: &Path, error| GroupsError::Io {
        path: path.to_owned(),
        error,
    };
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).map_err(|e| io_error(directory, e))? {
        let path = entry.map_err(|e| io_error(directory, e))?.path();
        if path
            .extension()
            .is_some_and(|e| e.eq_ignore_ascii_case("xml"))
        {
            files.push(path);
        }
        if files.len() > GROUP_DOCUMENTS_MAX {
            return Err(GroupsError::TooMany {
                path: directory.to_owned(),
            });
        }
    }
    // Errors name the same file whatever order the file system gives.
    files.sort();
    let mut groups = HashMap::new();
    for path in files {
        let octets_count = fs::metadata(&path).map_err(|e| io_error(&path, e))?.len();
        if octets_count > GROUP_DOCUMENT_OCTETS_MAX {
            return Err(GroupsError::TooLarge { path });
        }
        let text = fs::read_to_string(&path).map_err(|e| io_error(&path, e))?;
        for group in document::parse(&text).map_err(|error| GroupsError::Document {
            path: path.clone(),
            error,
        })? {
            let uri = group.uri.as_str().to_owned();
            if groups.insert(group.uri.key(), Arc::new(group)).is_some() {
                return Err(GroupsError::Twice { path, uri });
            }
        }
    }
    Ok(groups)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A directory of its own that goes away with the value.
    struct Directory(PathBuf);

    impl Directory {
        fn new(name: &str) -> Self {
            let path =
                std::env::temp_dir().join(format!("msrp-sip-groups-{}-{name}", std::process::id()));
            let _ = fs::remove_dir_all(&path);
            fs::create_dir(&path).unwrap();
            Self(path)
        }

        fn write(&self, file: &str, text: &str) {
            fs::write(self.0.join(file), text).unwrap();
        }
    }

    impl Drop for Directory {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn document(uri: &str) -> String {
        format!(
            "<group xmlns=\"urn:oma:xml:poc:list-service\">\n<list-service uri=\"{uri}\"/>\n</group>"
        )
    }

    #[test]
    fn directory_documents_are_found_by_address() {
        let directory = Directory::new("found");
        directory.write("a.xml", &document("sip:a@h"));
        directory.write("b.XML", &document("sip:b@h"));
        directory.write("notes.txt", "x");
        let mut groups = DirectoryGroups::open(&directory.0).unwrap();
        assert_eq!(groups.groups_count(), 2);
        assert!(groups.group(&Uri::parse("sip:b@H;x=y").unwrap()).is_some());
        assert!(groups.group(&Uri::parse("sip:c@h").unwrap()).is_none());
        directory.write("c.xml", &document("sip:c@h"));
        groups.reload().unwrap();
        assert!(groups.group(&Uri::parse("sip:c@h").unwrap()).is_some());
    }

    #[test]
    fn directory_broken_document_is_named_and_changes_nothing() {
        let directory = Directory::new("broken");
        directory.write("a.xml", &document("sip:a@h"));
        let mut groups = DirectoryGroups::open(&directory.0).unwrap();
        directory.write("b.xml", &document("a@h"));
        let error = groups.reload().unwrap_err().to_string();
        assert!(error.contains("b.xml: line 2: "), "{error}");
        assert_eq!(groups.groups_count(), 1);
        directory.write("b.xml", &document("sip:a@h"));
        assert!(matches!(groups.reload(), Err(GroupsError::Twice { .. })));
        assert!(matches!(
            DirectoryGroups::open(directory.0.join("none")),
            Err(GroupsError::Io { .. })
        ));
    }
}
