//! The command line of msrpctl.

mod chat;
mod nickname;
mod status;

use std::net::SocketAddr;
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};

use crate::client::ChatConfig;
use crate::config::is_user_uri;
use crate::log::{self, Form};

/// The operator's tool for msrpd.
#[derive(Debug, Parser)]
#[command(name = "msrpctl", version, about, propagate_version = true)]
pub struct Cli {
    /// What to log, for example "info,msrp_sip=debug".
    #[arg(long, global = true, value_name = "FILTER", default_value = "error")]
    pub log: String,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What msrpctl can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Join a chat room: lines that you type are sent, what others write is shown.
    ///
    /// "/nick NAME" asks for a nickname, and "/nick" alone gives it back.
    Chat {
        /// The room, for example sip:demo@localhost.
        #[arg(value_parser = user_uri)]
        room: String,
        /// Your address, for example sip:alice@localhost.
        #[arg(long = "as", value_name = "IDENTITY", value_parser = user_uri)]
        identity: String,
        /// The name that others see.
        #[arg(long, value_name = "NAME")]
        name: Option<String>,
        /// The SIP server.
        #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:5060")]
        server: SocketAddr,
        /// How SIP gets there.
        #[arg(long, value_enum, default_value_t = Transport::Udp)]
        transport: Transport,
    },
    /// Show a few sums of a running msrpd.
    Status {
        /// The admin address.
        #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8655")]
        admin: SocketAddr,
    },
}

/// A SIP transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Transport {
    /// UDP.
    Udp,
    /// TCP.
    Tcp,
}

fn user_uri(text: &str) -> Result<String, String> {
    if is_user_uri(text) {
        Ok(text.to_owned())
    } else {
        Err("expected an address such as sip:alice@localhost".to_owned())
    }
}

/// Carries out a command line; the status is 0 for success, 1 for a failure, 2 for a wrong use.
#[must_use]
pub fn run(cli: Cli) -> ExitCode {
    if let Err(error) = log::start(&cli.log, Form::Plain) {
        eprintln!("{error}");
        return ExitCode::from(2);
    }
    match cli.command {
        Command::Chat {
            room,
            identity,
            name,
            server,
            transport,
        } => {
            let transport = match transport {
                Transport::Udp => msrp_sip::ua::Transport::Udp,
                Transport::Tcp => msrp_sip::ua::Transport::Tcp,
            };
            let display = name;
            let config = ChatConfig {
                server,
                transport,
                room,
                identity,
                display,
            };
            crate::cli::block_on(chat::run(&config))
        }
        Command::Status { admin } => crate::cli::block_on(status::run(admin)),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn cli_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn cli_chat_asks_the_default_server() {
        let line = [
            "msrpctl",
            "chat",
            "sip:demo@localhost",
            "--as",
            "sip:alice@localhost",
        ];
        let Command::Chat {
            server, transport, ..
        } = Cli::try_parse_from(line).unwrap().command
        else {
            panic!("another command");
        };
        assert_eq!(server, "127.0.0.1:5060".parse().unwrap());
        assert_eq!(transport, Transport::Udp);
    }

    #[test]
    fn cli_chat_without_identity_or_with_a_bare_name_is_a_wrong_use() {
        let room = "sip:demo@localhost";
        for line in [
            &[room][..],
            &[room, "--as", "alice"],
            &["demo", "--as", "sip:alice@localhost"],
        ] {
            let line = [&["msrpctl", "chat"], line].concat();
            assert_eq!(Cli::try_parse_from(line).unwrap_err().exit_code(), 2);
        }
    }
}
