//! The users of the relay: read at the start, again when their file changes, again on SIGHUP.
//!
//! The file is looked at every [`LOOK_EVERY`]. A file that is wrong is logged with its line, and the users that were read
//! last stay. URIs that were given stay valid until their time is over: take the user out and wait, or restart.

use std::path::PathBuf;
use std::sync::Arc;

use msrp_shard::RelayUsers;

use crate::certificates::{Stamp, stamp};
use crate::config::{Config, read_users};
use crate::groups::LOOK_EVERY;
use crate::signal::Hangups;

/// The file of the relay's users, as it was when it was read last.
#[derive(Debug)]
pub struct RelayUserSource {
    file: PathBuf,
    seen: Option<Stamp>,
    users: Arc<RelayUsers>,
}

impl RelayUserSource {
    /// Reads the file that a configuration names; `None` when it names none.
    ///
    /// # Errors
    /// A sentence with the file and the line: the operator's fault.
    pub fn open(config: &Config) -> Result<Option<Self>, String> {
        let Some(file) = config.relay.users.clone() else {
            return Ok(None);
        };
        let seen = stamp(&file);
        let users = RelayUsers::new(read_users(&file)?);
        Ok(Some(Self { file, seen, users }))
    }

    /// The users, for the engine.
    #[must_use]
    pub fn users(&self) -> Arc<RelayUsers> {
        Arc::clone(&self.users)
    }

    /// Reads the file whenever it changes and on every SIGHUP. Never ends by itself.
    pub async fn follow(source: Option<Self>, hangups: &mut Hangups) {
        let Some(mut source) = source else {
            return std::future::pending().await;
        };
        loop {
            let is_asked = tokio::select! {
                () = hangups.next() => true,
                () = tokio::time::sleep(LOOK_EVERY) => false,
            };
            let look = tokio::task::spawn_blocking(move || {
                source.look(is_asked);
                source
            });
            // A panic in there has been logged; the users stay as they are.
            let Ok(looked) = look.await else {
                return std::future::pending().await;
            };
            source = looked;
        }
    }

    fn look(&mut self, is_asked: bool) {
        // What is written while it is read is found by the next look.
        let found = stamp(&self.file);
        if found == self.seen && !is_asked {
            return;
        }
        self.seen = found;
        match read_users(&self.file) {
            Ok(users) => {
                let lines = users.lines_count();
                self.users.replace(users);
                tracing::info!(lines, "relay users read");
            }
            Err(error) => {
                tracing::error!(%error, "the relay users were refused; the last good ones stay");
            }
        }
    }
}
