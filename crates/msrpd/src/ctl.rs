//! The command line of msrpctl.

mod chat;
mod clock;
mod events;
mod exposition;
mod fault;
mod lines;
mod nickname;
mod node;
mod output;
mod rooms;
mod secure;
mod server;
mod top;
mod trace;
mod typed;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use msrp_control::{ParticipantId, RoomId};

pub use self::events::EventArguments;
pub use self::node::DrainArguments;
pub use self::rooms::MessageArguments;
pub use self::secure::Security;
pub use self::server::Reach;
pub use self::top::TopArguments;
pub use self::trace::TraceArguments;
use crate::client::ChatConfig;
use crate::config::is_user_uri;
use crate::log::{self, Form};
use fault::Fault;
use rooms::{participant_id, room_id};
use server::Server;

/// The operator's tool for msrpd.
#[derive(Debug, Parser)]
#[command(name = "msrpctl", version, about = "The operator's tool for msrpd.", propagate_version = true, after_help = AFTER_HELP)]
pub struct Cli {
    /// What to log, for example "info,msrp_sip=debug".
    #[arg(long, global = true, value_name = "FILTER", default_value = "error")]
    pub log: String,
    /// Print JSON: one document, or one a line where there are several.
    #[arg(long, global = true)]
    pub json: bool,
    /// Where the node is.
    #[command(flatten)]
    pub reach: Reach,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What msrpctl can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show whether a node is ready, and a few sums.
    Status,
    /// Show what a node does, live; q ends.
    Top(TopArguments),
    /// List the rooms that run.
    Rooms,
    /// Show one room.
    Room {
        /// The room.
        #[arg(value_parser = room_id)]
        room: RoomId,
    },
    /// List the participants of a room.
    Participants {
        /// The room.
        #[arg(value_parser = room_id)]
        room: RoomId,
    },
    /// Remove a participant from a room.
    Kick {
        /// The room.
        #[arg(value_parser = room_id)]
        room: RoomId,
        /// The participant.
        #[arg(value_parser = participant_id)]
        participant: ParticipantId,
    },
    /// Close a room and end the sessions in it.
    CloseRoom {
        /// The room.
        #[arg(value_parser = room_id)]
        room: RoomId,
    },
    /// Say something as the room itself.
    Message(MessageArguments),
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
    /// Show events as they happen.
    Events(EventArguments),
    /// Show the MSRP of a room or of one session as it passes, or write it for Wireshark.
    Trace(TraceArguments),
    /// Take no new rooms; those that run go on.
    Drain(DrainArguments),
    /// Take new rooms again.
    Undrain,
    /// Have the node read its groups and certificates anew, as SIGHUP does.
    Reload,
    /// Check a configuration file and the group documents that it names; needs no node.
    Check {
        /// The configuration file.
        #[arg(long, value_name = "FILE", default_value = "/etc/msrpd/msrpd.toml")]
        config: PathBuf,
    },
    /// Print a completion script for a shell.
    Completions {
        /// The shell.
        #[arg(value_enum)]
        shell: Shell,
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

/// Carries out a command line. The help says what each status means.
#[must_use]
pub fn run(cli: Cli) -> ExitCode {
    if let Err(error) = log::start(&cli.log, Form::Plain) {
        eprintln!("{error}");
        return ExitCode::from(fault::WRONG_USE);
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
            crate::cli::block_on(chat::run(&config, cli.json))
        }
        Command::Check { config } => node::check(&config, cli.json),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "msrpctl", &mut script);
            output::put(&String::from_utf8_lossy(&script));
            ExitCode::SUCCESS
        }
        command => crate::cli::block_on(async {
            let done = ask(command, &cli.reach, cli.json).await;
            done.unwrap_or_else(|fault| fault.tell(cli.json))
        }),
    }
}

/// Carries out what needs the admin server.
async fn ask(command: Command, reach: &Reach, is_json: bool) -> Result<ExitCode, Fault> {
    let server = &Server::new(reach)?;
    match command {
        Command::Status => return node::status(server, is_json).await,
        Command::Drain(arguments) => return node::drain(server, &arguments, is_json).await,
        Command::Top(arguments) => top::run(server, arguments, is_json).await?,
        Command::Rooms => rooms::list(server, is_json).await?,
        Command::Room { room } => rooms::show(server, &room, is_json).await?,
        Command::Participants { room } => rooms::participants(server, &room, is_json).await?,
        Command::Kick { room, participant } => {
            rooms::kick(server, &room, &participant, is_json).await?;
        }
        Command::CloseRoom { room } => rooms::close(server, &room, is_json).await?,
        Command::Message(message) => rooms::message(server, &message, is_json).await?,
        Command::Events(arguments) => events::run(server, &arguments, is_json).await?,
        Command::Trace(arguments) => trace::run(server, &arguments, is_json).await?,
        Command::Undrain => node::undrain(server, is_json).await?,
        Command::Reload => node::reload(server, is_json).await?,
        // These need no server; `run` has carried them out.
        Command::Chat { .. } | Command::Check { .. } | Command::Completions { .. } => {}
    }
    Ok(ExitCode::SUCCESS)
}

/// What each status means.
const AFTER_HELP: &str = "\
Exit status: 0 done; 1 refused, not ready, or failed here; 2 wrong use; 3 no msrpd answers there;
4 a token is missing or lacks a scope; 5 there is no such room or participant.";

#[cfg(test)]
mod tests {
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
