//! `msrpd serve`: from the configuration to the clean end.

use std::path::Path;
use std::process::ExitCode;

use msrp_sip::groups::{DirectoryGroups, Groups, StaticGroups};

use crate::config::Config;
use crate::daemon::Daemon;
use crate::signal::Signals;

/// Serves until a signal comes.
pub async fn serve(config: &Config) -> ExitCode {
    let mut signals = match Signals::listen() {
        Ok(signals) => signals,
        Err(error) => return refuse(&format!("signals cannot be received: {error}")),
    };
    let groups = match groups(&config.groups.directory) {
        Ok(groups) => groups,
        Err(reason) => return refuse(&reason),
    };
    let daemon = match Daemon::start(config, groups).await {
        Ok(daemon) => daemon,
        Err(fault) => return refuse(&fault.to_string()),
    };
    daemon.announce();
    let signal = signals.next().await;
    tracing::info!(signal, "stopping");
    signals.end_at_next();
    daemon.stop().await;
    tracing::info!("stopped");
    ExitCode::SUCCESS
}

/// The documents of the directory; no groups when there is no directory.
fn groups(directory: &Path) -> Result<Box<dyn Groups + Send>, String> {
    if !directory.is_dir() {
        return Ok(Box::new(StaticGroups::default()));
    }
    match DirectoryGroups::open(directory) {
        Ok(groups) => Ok(Box::new(groups)),
        Err(error) => Err(format!(
            "the groups in {} cannot be read: {error}",
            directory.display()
        )),
    }
}

fn refuse(reason: &str) -> ExitCode {
    tracing::error!(reason, "not started");
    ExitCode::FAILURE
}
