//! The daemon.

use std::process::ExitCode;

use clap::Parser;
use msrpd::cli::{self, Cli};

fn main() -> ExitCode {
    cli::run(&Cli::parse())
}
