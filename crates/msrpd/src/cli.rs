//! The command line of msrpd, and what each command does.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::Config;
use crate::demo::demo;
use crate::groups::GroupSource;
use crate::log::{self, Form};
use crate::serve::serve;

/// A high-performance MSRP switch with a SIP conference focus.
#[derive(Debug, Parser)]
#[command(name = "msrpd", version, about, propagate_version = true)]
pub struct Cli {
    /// What to log, for example "info,msrp_sip=debug".
    #[arg(long, global = true, value_name = "FILTER")]
    pub log: Option<String>,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What msrpd can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve until SIGTERM or SIGINT. SIGHUP reads groups and certificates anew.
    Serve {
        /// The configuration file; without one every key has its default.
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
    /// Check a configuration file and the group documents that it names, and end.
    Check {
        /// The configuration file.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Serve one chat room on loopback with two bots that talk and a page for the browser, without
    /// configuration.
    Demo(DemoAddresses),
}

/// Where the demo listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::Args)]
pub struct DemoAddresses {
    /// The SIP address, UDP and TCP.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:5060")]
    pub sip: SocketAddr,
    /// The MSRP address.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:2855")]
    pub msrp: SocketAddr,
    /// The address of MSRP over WebSocket, for the page; a free port of 127.0.0.1 by default.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub ws: Option<SocketAddr>,
    /// The address of the admin HTTP server.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8655")]
    pub admin: SocketAddr,
}

/// Carries out a command line; the status is 0 for success, 1 for a failure, 2 for a wrong use.
#[must_use]
pub fn run(cli: &Cli) -> ExitCode {
    match &cli.command {
        Command::Check { config } => check(config),
        Command::Serve { config: file } => {
            let config = match file.as_deref().map(Config::load).transpose() {
                Ok(config) => config.unwrap_or_default(),
                Err(error) => return refuse(&error, FAILURE),
            };
            let filter = cli.log.as_deref().unwrap_or(log::DEFAULT_FILTER);
            match log::start_queued(filter, Form::of_stderr()) {
                Ok(()) => {
                    let status = block_on(serve(&config, file.as_deref()));
                    log::flush();
                    status
                }
                Err(error) => refuse(&error, WRONG_USE),
            }
        }
        Command::Demo(addresses) => {
            let filter = cli.log.as_deref().unwrap_or(DEMO_FILTER);
            match log::start(filter, Form::Plain) {
                Ok(()) => block_on(demo(*addresses)),
                Err(error) => refuse(&error, WRONG_USE),
            }
        }
    }
}

fn check(file: &Path) -> ExitCode {
    let config = match Config::load(file) {
        Ok(config) => config,
        Err(error) => return refuse(&error, FAILURE),
    };
    if let Err(errors) = GroupSource::open(&config.groups.directory) {
        for error in errors {
            eprintln!("{error}");
        }
        return ExitCode::from(FAILURE);
    }
    println!("{}: ok", file.display());
    if let Some(explanation) = config.admin.explanation() {
        println!("{explanation}");
    }
    ExitCode::SUCCESS
}

fn refuse(error: &dyn std::error::Error, status: u8) -> ExitCode {
    eprintln!("{error}");
    ExitCode::from(status)
}

/// Runs the control plane: two threads, for the shards have their own.
pub(crate) fn block_on(work: impl Future<Output = ExitCode>) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(CONTROL_THREADS)
        .enable_all()
        .build();
    match runtime {
        Ok(runtime) => {
            let status = runtime.block_on(work);
            // A read of the terminal that is under way must not hold the end up.
            runtime.shutdown_background();
            status
        }
        Err(error) => refuse(&error, FAILURE),
    }
}

/// The demo talks on stdout; its log is for trouble only.
const DEMO_FILTER: &str = "warn";
const CONTROL_THREADS: usize = 2;
const FAILURE: u8 = 1;
const WRONG_USE: u8 = 2;

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn cli_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn cli_demo_addresses_are_the_default_ports() {
        let cli = Cli::try_parse_from(["msrpd", "demo"]).unwrap();
        let Command::Demo(addresses) = cli.command else {
            panic!("another command");
        };
        let config = Config::default();
        assert_eq!(addresses.sip, config.sip.bind[0].address);
        assert_eq!(addresses.msrp, config.msrp_listeners[0].bind);
        assert_eq!(addresses.admin, config.admin.bind);
    }

    #[test]
    fn cli_without_command_is_a_usage_error() {
        let error = Cli::try_parse_from(["msrpd"]).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        let error = Cli::try_parse_from(["msrpd", "check"]).unwrap_err();
        assert_eq!(error.exit_code(), 2);
    }
}
