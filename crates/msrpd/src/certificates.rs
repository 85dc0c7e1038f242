//! The certificates of SIP and MSRP over TLS, and what the admin address asks of its clients: read at the start, again when a file changes, again on SIGHUP.
//!
//! The files are looked at every [`LOOK_EVERY`]. A certificate and its key are two files, so a look
//! may find one of them new and the other not yet: what was read last stays in force, and the next
//! change is read again. Connections that stand are not touched.

mod expiry;

use std::fmt::Display;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

pub use expiry::Expiries;
pub(crate) use expiry::METRIC;
use msrp_shard::TlsFiles;

use crate::config::Config;
use crate::groups::LOOK_EVERY;
use crate::signal::Hangups;

/// The files that certificates come from, as they were when they were read last.
#[derive(Debug)]
pub struct CertificateSource {
    files: Vec<PathBuf>,
    seen: Vec<Option<Stamp>>,
}

/// What tells that a file is another one, or was written: number, size, and time of the last change
/// in seconds and nanoseconds.
pub(crate) type Stamp = (u64, u64, i64, i64);

impl CertificateSource {
    /// The files that a configuration names, as they are now. To be called before they are read first.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        let sip = &config.sip.tls;
        let own = sip.certificate.iter().flat_map(|(cert, key)| [cert, key]);
        let listeners = config.msrp_listeners.iter();
        let listeners = listeners.filter_map(|listener| listener.transport.files());
        let files = own
            .chain(&sip.roots)
            .chain(&sip.client_roots)
            .chain(listeners.flat_map(TlsFiles::paths))
            .chain(config.admin.files());
        Self::new(files.cloned().collect())
    }

    fn new(files: Vec<PathBuf>) -> Self {
        let seen = files.iter().map(|file| stamp(file)).collect();
        Self { files, seen }
    }

    /// Reads the files with `reload` whenever one changes and on every SIGHUP. Never ends by itself.
    pub async fn follow<E: Display + Send + 'static>(
        mut self,
        reload: impl Fn() -> Result<(), E> + Clone + Send + 'static,
        hangups: &mut Hangups,
    ) {
        if self.files.is_empty() {
            return std::future::pending().await;
        }
        loop {
            let is_asked = tokio::select! {
                () = hangups.next() => true,
                () = tokio::time::sleep(LOOK_EVERY) => false,
            };
            let reload = reload.clone();
            let look = tokio::task::spawn_blocking(move || {
                self.look(is_asked, reload);
                self
            });
            // A panic in there has been logged; the certificates stay as they are.
            let Ok(source) = look.await else {
                return std::future::pending().await;
            };
            self = source;
        }
    }

    /// Looks at the files, and reads them when one changed or when that is asked for.
    fn look<E: Display>(&mut self, is_asked: bool, reload: impl Fn() -> Result<(), E>) {
        // What is written while it is read is found by the next look.
        let found: Vec<_> = self.files.iter().map(|file| stamp(file)).collect();
        if found == self.seen && !is_asked {
            return;
        }
        self.seen = found;
        match reload() {
            Ok(()) => tracing::info!(files = self.files.len(), "certificates read"),
            Err(error) => {
                tracing::error!(%error, "the certificates were refused; the last good ones stay");
            }
        }
    }
}

pub(crate) fn stamp(file: &Path) -> Option<Stamp> {
    let data = fs::metadata(file).ok()?;
    Some((data.ino(), data.size(), data.mtime(), data.mtime_nsec()))
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn files_are_read_when_they_change_and_when_that_is_asked_for() {
        let directory = std::env::temp_dir().join(format!("certificates-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let file = directory.join("cert.pem");
        fs::write(&file, "one").unwrap();
        let mut source = CertificateSource::new(vec![file.clone()]);
        let reads = Cell::new(0);
        let mut look = |is_asked| {
            source.look(is_asked, || {
                reads.set(reads.get() + 1);
                Err("broken")
            });
            reads.get()
        };
        assert_eq!(look(false), 0);
        fs::write(&file, "another").unwrap();
        assert_eq!(look(false), 1);
        // What was refused is not read over and over.
        assert_eq!(look(false), 1);
        assert_eq!(look(true), 2);
        fs::remove_file(&file).unwrap();
        assert_eq!(look(false), 3);
        fs::remove_dir_all(&directory).unwrap();
    }
}
