//! Reading the configuration anew: by SIGHUP, or by the API, which tells what came of it.
//!
//! The configuration file and the certificates are checked first; when one of them is wrong, nothing
//! changes and the reason is told. What follows the files (groups, certificates) is then told to
//! look. The keys of the configuration file itself are in force from the start on: what differs is
//! said, and comes with a restart.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use msrp_api::Reloaded;
use tokio::signal::unix::{SignalKind, signal};

use crate::config::Config;
use crate::groups::GroupSource;
use crate::sd_notify;
use crate::signal::Hangups;

/// What a reload needs.
pub struct Reloader {
    /// The configuration file; `None` when every key has its default.
    file: Option<PathBuf>,
    running: Config,
    certificates: Box<dyn Fn() -> Result<(), String> + Send + Sync>,
}

impl Reloader {
    /// For a node that runs with this configuration. `certificates` reads all certificates anew, or
    /// says which one is wrong.
    #[must_use]
    pub fn new(
        file: Option<&Path>,
        running: &Config,
        certificates: impl Fn() -> Result<(), String> + Send + Sync + 'static,
    ) -> Self {
        Self {
            file: file.map(Path::to_owned),
            running: running.clone(),
            certificates: Box::new(certificates),
        }
    }

    /// Checks, and has everything read anew when nothing is wrong. Blocks.
    ///
    /// # Errors
    /// The first thing that is wrong, with its place: the operator's fault. Nothing has changed then.
    pub fn reload(&self) -> Result<Reloaded, String> {
        sd_notify::reloading();
        let outcome = self.check_and_read();
        match &outcome {
            Ok(Reloaded {
                needs_restart,
                warnings,
            }) => {
                for warning in warnings {
                    tracing::warn!(
                        warning,
                        "a part of the reload was refused and stays as it was"
                    );
                }
                tracing::info!(needs_restart, "reloaded");
            }
            Err(reason) => tracing::error!(reason, "the reload was refused; nothing has changed"),
        }
        sd_notify::ready();
        outcome
    }

    fn check_and_read(&self) -> Result<Reloaded, String> {
        let found = self.file.as_deref().map(Config::load).transpose();
        let found = found.map_err(|error| error.to_string())?;
        (self.certificates)()?;
        Hangups::pass_on();
        // The documents are read by who follows them; this look tells what is wrong with them.
        let groups = GroupSource::open(&self.running.groups.directory);
        let warnings = groups.err().unwrap_or_default();
        Ok(Reloaded {
            needs_restart: found.is_some_and(|found| found != self.running),
            warnings: warnings.iter().map(ToString::to_string).collect(),
        })
    }

    /// Reloads on every SIGHUP. Several that come at once count as one. Never ends by itself.
    ///
    /// # Errors
    /// The operating system's, when the signal cannot be received.
    pub fn follow(self: &Arc<Self>) -> io::Result<impl Future<Output = ()> + use<>> {
        let mut hangups = signal(SignalKind::hangup())?;
        let reloader = Arc::clone(self);
        Ok(async move {
            while hangups.recv().await.is_some() {
                let reloader = Arc::clone(&reloader);
                // What came of it has been logged; a panic as well.
                let _ = tokio::task::spawn_blocking(move || reloader.reload()).await;
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reloader(file: &Path, certificates: Result<(), String>) -> Reloader {
        let running = Config::load(file).unwrap();
        Reloader::new(Some(file), &running, move || certificates.clone())
    }

    #[test]
    fn reload_is_refused_whole_or_tells_what_a_restart_would_change() {
        let name = format!("msrpd-reload-{}.toml", std::process::id());
        let file = std::env::temp_dir().join(name);
        std::fs::write(&file, "domain = \"one.example\"\n").unwrap();
        let reloader_of_good = reloader(&file, Ok(()));
        let same = reloader_of_good.reload().unwrap();
        assert_eq!(same, Reloaded::default());
        std::fs::write(&file, "domain = \"two.example\"\n").unwrap();
        assert!(reloader_of_good.reload().unwrap().needs_restart);
        let refused = reloader(&file, Err("key.pem: gone".to_owned())).reload();
        assert_eq!(refused.unwrap_err(), "key.pem: gone");
        std::fs::write(&file, "domian = \"two.example\"\n").unwrap();
        let reason = reloader_of_good.reload().unwrap_err();
        assert!(reason.contains(":1:1: domian"), "{reason}");
        std::fs::remove_file(&file).unwrap();
    }
}
