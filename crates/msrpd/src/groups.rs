//! The directory of group documents: read at the start, again when a file changes, again on SIGHUP.
//!
//! The directory is looked at every [`LOOK_EVERY`]; one look costs a system call for each file. A
//! look that takes long makes the next one wait, so that a hundred thousand documents cost one
//! percent of a core at most. Only files that were written are read. A broken document is logged with
//! file and line, and its last good version stays in force.

use std::path::Path;
use std::time::Duration;

use msrp_sip::groups::{DirectoryGroups, Groups, GroupsError, Refresh, StaticGroups};
use tokio::time::Instant;

use crate::daemon::Daemon;
use crate::signal::Hangups;

/// The groups of a directory as they were read last.
pub struct GroupSource {
    groups: DirectoryGroups,
    /// Whether the directory was seen; a missing one means no groups until then.
    is_there: bool,
    /// Whether the last look failed; that is logged once.
    has_failed: bool,
}

impl GroupSource {
    /// Reads the documents of the directory; no groups when there is no directory.
    ///
    /// # Errors
    /// Every fault that is found, one line each: the operator's.
    pub fn open(directory: &Path) -> Result<Self, Vec<GroupsError>> {
        let unread = DirectoryGroups::unread(directory);
        let is_there = directory.is_dir();
        let groups = if is_there {
            let (groups, errors) = unread.refresh(Refresh::All).map_err(|e| vec![e])?;
            if !errors.is_empty() {
                return Err(errors);
            }
            groups
        } else {
            unread
        };
        Ok(Self {
            groups,
            is_there,
            has_failed: false,
        })
    }

    /// The groups for the focus.
    #[must_use]
    pub fn groups(&self) -> Box<dyn Groups + Send> {
        if self.is_there {
            Box::new(self.groups.clone())
        } else {
            Box::new(StaticGroups::default())
        }
    }

    /// Keeps the groups of a daemon in step with the directory. Never ends by itself.
    pub async fn follow(mut self, daemon: &Daemon, hangups: &mut Hangups) {
        let mut wait = LOOK_EVERY;
        loop {
            let what = tokio::select! {
                () = hangups.next() => Refresh::All,
                () = tokio::time::sleep(wait) => Refresh::Written,
            };
            let began = Instant::now();
            let look = tokio::task::spawn_blocking(move || {
                let has_new = self.look(what);
                (self, has_new)
            });
            // A panic in there has been logged; the groups stay as they are.
            let Ok((source, has_new)) = look.await else {
                return std::future::pending().await;
            };
            self = source;
            if has_new {
                daemon.set_groups(self.groups()).await;
                tracing::info!(groups = self.groups.groups_count(), "groups read");
            }
            wait = LOOK_EVERY.max(began.elapsed() * LOOK_SHARE);
        }
    }

    /// Looks at the directory. Tells whether there is something new.
    fn look(&mut self, what: Refresh) -> bool {
        match self.read(what) {
            Ok(has_new) => {
                self.has_failed = false;
                has_new
            }
            Err(error) => {
                if !std::mem::replace(&mut self.has_failed, true) || what == Refresh::All {
                    tracing::error!(%error, "the groups could not be read; they stay as they were");
                }
                false
            }
        }
    }

    fn read(&mut self, what: Refresh) -> Result<bool, GroupsError> {
        if !self.is_there && !self.groups.path().is_dir() {
            return Ok(false);
        }
        if what == Refresh::Written && self.is_there && !self.groups.is_stale()? {
            return Ok(false);
        }
        let (groups, errors) = self.groups.refresh(what)?;
        for error in errors.iter().take(ERRORS_MAX) {
            tracing::error!(%error, "a group document was refused; its last good version stays");
        }
        if errors.len() > ERRORS_MAX {
            let more = errors.len() - ERRORS_MAX;
            tracing::error!(more, "more group documents were refused");
        }
        self.groups = groups;
        self.is_there = true;
        Ok(true)
    }
}

/// How often the directory is looked at.
pub const LOOK_EVERY: Duration = Duration::from_secs(2);
/// The next look waits at least this many times as long as the last one took.
const LOOK_SHARE: u32 = 100;
/// Most refused documents that one look logs one by one.
const ERRORS_MAX: usize = 20;
