//! The load generator.

use std::process::ExitCode;

use clap::Parser;
use msrpload::cli::Cli;
use msrpload::run;

fn main() -> ExitCode {
    run::run(&Cli::parse())
}
