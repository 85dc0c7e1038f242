//! Floods a server and says how often it did what it did.

use std::process::ExitCode;

use clap::Parser;
use msrpload::flood::Flood;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match Flood::parse().run().await {
        Ok(count) => {
            println!("{count}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("msrpflood: {error}");
            ExitCode::FAILURE
        }
    }
}
