//! Until when the certificates that are in force are good.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use msrp_control::metrics::{Kind, Sample};
use x509_parser::pem::Pem;

use crate::admin::metric::Metric;
use crate::config::Config;

/// The certificates of a node, with their ends.
#[derive(Debug)]
pub struct Expiries(Mutex<Vec<Expiry>>);

#[derive(Debug)]
struct Expiry {
    listener: String,
    file: PathBuf,
    /// Seconds since 1970; `None` when the file could not be read.
    not_after_s: Option<u64>,
}

impl Expiries {
    /// Those that a configuration names, as they are now.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        let sip = config.sip.tls.certificate.iter();
        let sip = sip.map(|(cert, _)| ("sip".to_owned(), cert));
        let msrp = config.msrp_listeners.iter().filter_map(|listener| {
            let files = listener.transport.files()?;
            Some((format!("msrp:{}", listener.name), &files.cert))
        });
        let all = sip.chain(msrp).map(|(listener, file)| Expiry {
            listener,
            file: file.clone(),
            not_after_s: not_after_s(file),
        });
        Self(Mutex::new(all.collect()))
    }

    /// The files were read anew and are in force.
    pub fn read(&self) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for expiry in all.iter_mut() {
            expiry.not_after_s = not_after_s(&expiry.file);
        }
    }

    /// The metric, once for each listener that has a certificate.
    #[must_use]
    pub fn samples(&self) -> Vec<Sample> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let sample = |expiry: &Expiry| {
            Some(Sample {
                name: METRIC.0,
                help: METRIC.1,
                kind: METRIC.2,
                labels: vec![("listener", expiry.listener.clone())],
                value: expiry.not_after_s?,
            })
        };
        all.iter().filter_map(sample).collect()
    }
}

/// The end of the first certificate of a file, and 0 for one that ended before 1970.
fn not_after_s(file: &Path) -> Option<u64> {
    let octets = std::fs::read(file).ok()?;
    let is_certificate = |pem: &Pem| pem.label == "CERTIFICATE";
    let pem = Pem::iter_from_buffer(&octets)
        .flatten()
        .find(is_certificate)?;
    let end = pem.parse_x509().ok()?.validity().not_after.timestamp();
    Some(u64::try_from(end).unwrap_or_default())
}

/// The metric.
pub(crate) const METRIC: Metric = (
    "msrpd_certificate_not_after_seconds",
    "When the certificate that is in force ends, seconds since 1970, by `listener`: `sip`, or `msrp:` and the name.",
    Kind::Gauge,
);
