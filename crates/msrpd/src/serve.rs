//! `msrpd serve`: from the configuration to the clean end.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use crate::capture::hep::Collector;
use crate::certificates::CertificateSource;
use crate::config::Config;
use crate::daemon::Daemon;
use crate::groups::GroupSource;
use crate::overload;
use crate::relay_users::RelayUserSource;
use crate::reload::Reloader;
use crate::sd_notify;
use crate::signal::{Hangups, Signals};

/// Serves until a signal comes. `file` is where the configuration was read from.
pub async fn serve(config: &Config, file: Option<&Path>) -> ExitCode {
    let listening = Signals::listen().and_then(|signals| {
        Ok((
            signals,
            [
                Hangups::listen()?,
                Hangups::listen()?,
                Hangups::listen()?,
                Hangups::listen()?,
            ],
        ))
    });
    let (
        mut signals,
        [
            mut for_groups,
            mut for_certificates,
            mut for_users,
            mut for_usage,
        ],
    ) = match listening {
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
    let users = match RelayUserSource::open(config) {
        Ok(users) => users,
        Err(fault) => return refuse(&fault),
    };
    let relay_users = users.as_ref().map(RelayUserSource::users);
    let daemon = match Daemon::start(config, groups.groups(), relay_users).await {
        Ok(daemon) => daemon,
        Err(fault) => return refuse(&fault.to_string()),
    };
    let reloader = Arc::new(Reloader::new(file, config, daemon.certificates()));
    let reloading = match reloader.follow() {
        Ok(reloading) => reloading,
        Err(error) => return refuse(&format!("signals cannot be received: {error}")),
    };
    if let Some(to) = config.trace.hep {
        match Collector::new(to) {
            Ok(collector) => daemon.export(collector, config.trace.hep_bodies).await,
            Err(error) => return refuse(&format!("the collector {to} has no way there: {error}")),
        }
    }
    // Both go on until the process ends.
    tokio::spawn(reloading);
    #[cfg(feature = "test-faults")]
    if let Err(error) = daemon.fail_at_signals() {
        return refuse(&format!("signals cannot be received: {error}"));
    }
    daemon.watch_over();
    daemon.set_reload(move || reloader.reload());
    daemon.announce();
    sd_notify::ready();
    if let Some(explanation) = config.admin.explanation() {
        tracing::info!(explanation, "who may use the admin server");
    }
    let end = tokio::select! {
        signal = signals.next() => End::Signal(signal),
        left = daemon.drained() => End::Drained(left),
        () = overload::watch(&config.limits, daemon.client(), daemon.sip()) => End::Signal("none"),
        () = groups.follow(&daemon, &mut for_groups) => End::Signal("none"),
        () = certificates.follow(daemon.certificates(), &mut for_certificates) => End::Signal("none"),
        () = RelayUserSource::follow(users, &mut for_users) => End::Signal("none"),
        () = follow_usage(daemon.usage(), &mut for_usage) => End::Signal("none"),
    };
    sd_notify::stopping();
    signals.end_at_next();
    let left = match end {
        End::Drained(left) => left,
        End::Signal(signal) => {
            tracing::info!(signal, drain_s = config.limits.drain_s, "stopping");
            match config.limits.drain_s {
                0 => 0,
                seconds => daemon.drain(Duration::from_secs(seconds.into())).await,
            }
        }
    };
    daemon.stop().await;
    tracing::info!(participants_cut_off = left, "stopped");
    if left > 0 {
        ExitCode::from(CUT_OFF)
    } else {
        ExitCode::SUCCESS
    }
}

/// Why a node ends.
enum End {
    /// A signal told it to.
    Signal(&'static str),
    /// A drain is over with so many participants left.
    Drained(u64),
}

/// The status of a process whose drain was over before everybody had left.
const CUT_OFF: u8 = 3;

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
