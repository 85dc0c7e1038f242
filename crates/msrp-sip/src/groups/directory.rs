//! Groups from a directory of documents.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
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
    #[error("{}:{}: {}", path.display(), error.line, error.what)]
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

/// The groups of all `*.xml` files of a directory, held in memory. Cheap to clone in comparison
/// with a read of the directory: the groups are shared.
///
/// Each document stands for itself. One that is broken keeps nobody else's changes out, and its own
/// last good version stays in force.
#[derive(Debug, Clone, Default)]
pub struct DirectoryGroups {
    path: PathBuf,
    documents: BTreeMap<PathBuf, Document>,
    groups: HashMap<String, Arc<Group>>,
}

/// One file.
#[derive(Debug, Clone)]
struct Document {
    stamp: Stamp,
    /// The groups of its last good version.
    groups: Vec<Arc<Group>>,
}

/// What changes when somebody writes a file, as far as the file system tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    octets_count: u64,
    node: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl DirectoryGroups {
    /// The directory before it is read: no groups.
    #[must_use]
    pub fn unread(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            ..Self::default()
        }
    }

    /// Loads all documents.
    ///
    /// # Errors
    /// [`GroupsError`]: the operator's fault, with file and line. The first when there are several.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, GroupsError> {
        let (groups, errors) = Self::unread(path).refresh(Refresh::All)?;
        match errors.into_iter().next() {
            Some(error) => Err(error),
            None => Ok(groups),
        }
    }

    /// Looks at the directory and reads what is new, with the errors of the documents that are
    /// broken. Blocks on the file system.
    ///
    /// # Errors
    /// [`GroupsError::Io`] when the directory cannot be read, [`GroupsError::TooMany`]: nothing of it
    /// is used.
    pub fn refresh(&self, what: Refresh) -> Result<(Self, Vec<GroupsError>), GroupsError> {
        let mut errors = Vec::new();
        let mut documents = BTreeMap::new();
        for path in files(&self.path)? {
            let known = self.documents.get(&path);
            match look(&path, known, what) {
                Ok(document) => {
                    documents.insert(path, document);
                }
                Err((stamp, error)) => {
                    // What cannot even be seen any more is looked at again.
                    if let Some(stamp) = stamp {
                        let groups = known.map(|d| d.groups.clone()).unwrap_or_default();
                        documents.insert(path, Document { stamp, groups });
                    } else if let Some(known) = known {
                        documents.insert(path, known.clone());
                    }
                    errors.push(error);
                }
            }
        }
        let groups = index(&documents, &mut errors);
        let path = self.path.clone();
        let read = Self {
            path,
            documents,
            groups,
        };
        Ok((read, errors))
    }

    /// Whether a file came, went or was written since the documents were read. Blocks on the file
    /// system: one look at each file.
    ///
    /// # Errors
    /// As [`DirectoryGroups::refresh`].
    pub fn is_stale(&self) -> Result<bool, GroupsError> {
        let files = files(&self.path)?;
        if files.len() != self.documents.len() {
            return Ok(true);
        }
        let is_known = |path: &PathBuf| {
            let known = self.documents.get(path).map(|document| document.stamp);
            known.is_some() && known == Stamp::of(path).ok()
        };
        Ok(!files.iter().all(is_known))
    }

    /// The directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How many groups are loaded.
    #[must_use]
    pub fn groups_count(&self) -> usize {
        self.groups.len()
    }
}

/// Which documents are read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refresh {
    /// All of them.
    All,
    /// Those whose files were written.
    Written,
}

impl Groups for DirectoryGroups {
    fn group(&self, uri: &Uri) -> Option<Arc<Group>> {
        self.groups.get(&uri.key()).cloned()
    }
}

impl Stamp {
    fn of(path: &Path) -> io::Result<Self> {
        let data = fs::metadata(path)?;
        Ok(Self {
            octets_count: data.len(),
            node: data.ino(),
            modified: (data.mtime(), data.mtime_nsec()),
            changed: (data.ctime(), data.ctime_nsec()),
        })
    }
}

/// The documents of the directory. Sorted, so that errors name the same file whatever order the file
/// system gives.
fn files(directory: &Path) -> Result<Vec<PathBuf>, GroupsError> {
    let error = |error| GroupsError::Io {
        path: directory.to_owned(),
        error,
    };
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).map_err(error)? {
        let path = entry.map_err(error)?.path();
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
    files.sort();
    Ok(files)
}

/// Reads a file unless it is known as it is.
fn look(
    path: &Path,
    known: Option<&Document>,
    what: Refresh,
) -> Result<Document, (Option<Stamp>, GroupsError)> {
    let stamp = Stamp::of(path).map_err(|error| (None, io_error(path, error)))?;
    if let Some(known) = known.filter(|k| what == Refresh::Written && k.stamp == stamp) {
        return Ok(known.clone());
    }
    let groups = read(path, stamp.octets_count).map_err(|error| (Some(stamp), error))?;
    Ok(Document { stamp, groups })
}

fn read(path: &Path, octets_count: u64) -> Result<Vec<Arc<Group>>, GroupsError> {
    if octets_count > GROUP_DOCUMENT_OCTETS_MAX {
        let path = path.to_owned();
        return Err(GroupsError::TooLarge { path });
    }
    let text = fs::read_to_string(path).map_err(|error| io_error(path, error))?;
    let groups = document::parse(&text).map_err(|error| GroupsError::Document {
        path: path.to_owned(),
        error,
    })?;
    Ok(groups.into_iter().map(Arc::new).collect())
}

fn io_error(path: &Path, error: io::Error) -> GroupsError {
    GroupsError::Io {
        path: path.to_owned(),
        error,
    }
}

/// The groups by address. Of two documents with one group the first counts.
fn index(
    documents: &BTreeMap<PathBuf, Document>,
    errors: &mut Vec<GroupsError>,
) -> HashMap<String, Arc<Group>> {
    let mut groups: HashMap<String, Arc<Group>> = HashMap::new();
    for (path, document) in documents {
        for group in &document.groups {
            match groups.entry(group.uri.key()) {
                Entry::Vacant(free) => {
                    free.insert(Arc::clone(group));
                }
                Entry::Occupied(_) => errors.push(GroupsError::Twice {
                    path: path.clone(),
                    uri: group.uri.as_str().to_owned(),
                }),
            }
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    fn write(directory: &TempDir, file: &str, text: &str) {
        fs::write(directory.path().join(file), text).unwrap();
    }

    fn document(uri: &str) -> String {
        format!(
            "<group xmlns=\"urn:oma:xml:poc:list-service\">\n<list-service uri=\"{uri}\"/>\n</group>"
        )
    }

    #[test]
    fn directory_documents_are_found_by_address() {
        let directory = TempDir::new().unwrap();
        write(&directory, "a.xml", &document("sip:a@h"));
        write(&directory, "b.XML", &document("sip:b@h"));
        write(&directory, "notes.txt", "x");
        let groups = DirectoryGroups::open(directory.path()).unwrap();
        assert_eq!(groups.groups_count(), 2);
        assert!(groups.group(&uri("sip:b@H;x=y")).is_some());
        assert!(groups.group(&uri("sip:c@h")).is_none());
        assert!(!groups.is_stale().unwrap());
        write(&directory, "c.xml", &document("sip:c@h"));
        assert!(groups.is_stale().unwrap());
        let (groups, errors) = groups.refresh(Refresh::Written).unwrap();
        assert!(groups.group(&uri("sip:c@h")).is_some() && errors.is_empty());
        fs::remove_file(directory.path().join("a.xml")).unwrap();
        assert!(groups.is_stale().unwrap());
        let (groups, _) = groups.refresh(Refresh::Written).unwrap();
        assert!(groups.group(&uri("sip:a@h")).is_none() && !groups.is_stale().unwrap());
    }

    #[test]
    fn directory_broken_document_keeps_its_last_version_and_nobody_elses_changes_out() {
        let directory = TempDir::new().unwrap();
        write(&directory, "a.xml", &document("sip:a@h"));
        write(&directory, "b.xml", &document("sip:b@h"));
        let groups = DirectoryGroups::open(directory.path()).unwrap();
        write(&directory, "a.xml", &document("a@h"));
        write(&directory, "b.xml", &document("sip:b2@h"));
        write(&directory, "c.xml", "<group");
        let (groups, errors) = groups.refresh(Refresh::Written).unwrap();
        let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
        assert!(errors[0].contains("a.xml:2: "), "{errors:?}");
        assert!(
            errors[1].contains("c.xml:1: ") && errors.len() == 2,
            "{errors:?}"
        );
        assert!(groups.group(&uri("sip:a@h")).is_some());
        assert!(groups.group(&uri("sip:b2@h")).is_some() && groups.groups_count() == 2);
        // A fault is told once, or again when all documents are asked for.
        assert!(!groups.is_stale().unwrap());
        assert!(groups.refresh(Refresh::Written).unwrap().1.is_empty());
        assert_eq!(groups.refresh(Refresh::All).unwrap().1.len(), 2);
        write(&directory, "a.xml", &document("sip:a2@h"));
        let (groups, errors) = groups.refresh(Refresh::Written).unwrap();
        assert!(groups.group(&uri("sip:a2@h")).is_some() && errors.is_empty());
        assert!(groups.group(&uri("sip:a@h")).is_none());
    }

    #[test]
    fn directory_that_cannot_be_loaded_is_refused_with_its_reason() {
        let directory = TempDir::new().unwrap();
        write(&directory, "a.xml", &document("sip:a@h"));
        write(&directory, "b.xml", &document("sip:a@h"));
        let twice = DirectoryGroups::open(directory.path());
        assert!(matches!(twice, Err(GroupsError::Twice { path, .. }) if path.ends_with("b.xml")));
        let large = "x".repeat(usize::try_from(GROUP_DOCUMENT_OCTETS_MAX).unwrap() + 1);
        write(&directory, "b.xml", &large);
        let large = DirectoryGroups::open(directory.path());
        assert!(matches!(large, Err(GroupsError::TooLarge { .. })));
        let none = DirectoryGroups::open(directory.path().join("none"));
        assert!(matches!(none, Err(GroupsError::Io { .. })));
    }

    fn uri(text: &str) -> Uri {
        Uri::parse(text).unwrap()
    }
}
