//! The operator's tool.

use std::process::ExitCode;

use clap::Parser;
use msrpd::ctl::{self, Cli};

fn main() -> ExitCode {
    ctl::run(Cli::parse())
}
