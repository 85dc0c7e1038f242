//! `msrpd serve`: from the configuration to the clean end.

use std::process::ExitCode;

use crate::certificates::CertificateSource;
use crate::config::Config;
use crate::daemon::Daemon;
use crate::groups::GroupSource;
use crate::signal::{Hangups, Signals};

/// Serves until a signal comes.
pub async fn serve(config: &Config) -> ExitCode {
    let listening = Signals::listen().and_then(|signals| {
        Ok((
            signals,
            [Hangups::listen()?, Hangups::listen()?, Hangups::listen()?],
        ))
    });
    let (mut signals, [mut for_groups, mut for_certificates, mut for_usage]) = match listening {
        Ok(listening) => listening,
        Err(error) => return refuse(&format!("signals cannot be received: {error}")),
    };
    let groups = match GroupSource::open(&config.groups.directory) {
        Ok(groups) => groups,
        Err(errors) => {
            for error in errors {
                tracing::error!(%error, "a group document cannot be used");
            }
            let directory = config.groups.directory.display();
            return refuse(&format!("the groups in {directory} cannot be read"));
        }
    };
    let certificates = CertificateSource::of(config);
    let daemon = match Daemon::start(config, groups.groups()).await {
        Ok(daemon) => daemon,
        Err(fault) => return refuse(&fault.to_string()),
    };
    daemon.announce();
    if let Some(explanation) = config.admin.explanation() {
        tracing::info!(explanation, "who may use the admin server");
    }
    let signal = tokio::select! {
        signal = signals.next() => signal,
        () = groups.follow(&daemon, &mut for_groups) => "none",
        () = certificates.follow(daemon.certificates(), &mut for_certificates) => "none",
        () = follow_usage(daemon.usage(), &mut for_usage) => "none",
    };
    tracing::info!(signal, "stopping");
    signals.end_at_next();
    daemon.stop().await;
    tracing::info!("stopped");
    ExitCode::SUCCESS
}

/// Opens the file of usage records again on every SIGHUP. Never ends by itself.
async fn follow_usage(reopen: impl Fn(), hangups: &mut Hangups) {
    loop {
        hangups.next().await;
        reopen();
    }
}

fn refuse(reason: &str) -> ExitCode {
    tracing::error!(reason, "not started");
    ExitCode::FAILURE
}
