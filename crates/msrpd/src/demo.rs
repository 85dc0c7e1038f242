//! `msrpd demo`: one room on loopback, two bots in it, a page to join it, and what to try next.

mod bot;
mod page;
mod script;
mod slow_reader;

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::ExitCode;

use msrp_shard::{ListenerTransport, Origins};

use msrp_sip::address::{AddressError, Uri};
use msrp_sip::groups::{Group, StaticGroups};
use msrp_sip::ua::Transport;

use crate::admin::AdminExtras;
use crate::cli::DemoAddresses;
use crate::config::{Admin, Config, Listener, Sip, SipBind, SipTransport};
use crate::daemon::{Daemon, Part, StartFault};
use crate::signal::Signals;

/// Runs the demo until a signal comes.
pub async fn demo(addresses: DemoAddresses) -> ExitCode {
    let mut signals = match Signals::listen() {
        Ok(signals) => signals,
        Err(error) => return refuse(&format!("signals cannot be received: {error}")),
    };
    let groups = match groups() {
        Ok(groups) => Box::new(groups),
        Err(error) => return refuse(&error.to_string()),
    };
    let daemon = match start(addresses, groups).await {
        Ok(daemon) => daemon,
        Err(fault) => return refuse(&explain(&fault, addresses)),
    };
    daemon.announce();
    let Some(sip) = daemon.sip_address(Transport::Udp) else {
        return refuse("the SIP focus has no UDP address");
    };
    print!(
        "{}",
        welcome(sip, daemon.msrp_address(), daemon.admin_address())
    );
    let talked = bot::run(sip, signals.next()).await;
    signals.end_at_next();
    daemon.stop().await;
    println!("The demo has ended.");
    match talked {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => refuse(&format!("The bots could not go on: {reason}.")),
    }
}

/// Starts the node with the page. The admin address is bound first: the page's origin follows from it,
/// and pages of no other origin may open a WebSocket.
async fn start(addresses: DemoAddresses, groups: Box<StaticGroups>) -> Result<Daemon, StartFault> {
    let bound = TcpListener::bind(addresses.admin);
    let bound = bound.and_then(|listener| Ok((listener.local_addr()?, listener)));
    let (admin, listener) = bound.map_err(|e| StartFault {
        part: Part::Admin,
        reason: format!(
            "the admin address {} could not be bound: {e}",
            addresses.admin
        ),
    })?;
    let config = config(DemoAddresses { admin, ..addresses });
    let extras = |client, listeners: &[(String, SocketAddr)]| {
        let ws = listeners.iter().find(|(name, _)| name == WS_LISTENER);
        AdminExtras {
            listener: Some(listener),
            pages: page::router(client, ws.map(|(_, address)| *address)),
        }
    };
    Daemon::start_with(&config, groups, None, extras).await
}

fn config(addresses: DemoAddresses) -> Config {
    let listener = |name: &str, bind, transport| Listener {
        name: name.to_owned(),
        bind,
        advertise: None,
        transport,
    };
    let ws = addresses.ws;
    let ws = ws.unwrap_or_else(|| SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0));
    let origins = Origins::only(page::origins(addresses.admin));
    let bind = [SipTransport::Udp, SipTransport::Tcp].map(|transport| SipBind {
        transport,
        address: addresses.sip,
    });
    Config {
        msrp_listeners: vec![
            listener("lo", addresses.msrp, ListenerTransport::Tcp),
            listener(WS_LISTENER, ws, ListenerTransport::Ws(origins)),
        ],
        sip: Sip {
            bind: bind.to_vec(),
            ..Sip::default()
        },
        admin: Admin::on(addresses.admin),
        ..Config::default()
    }
}

/// The reason with the flag that helps.
fn explain(fault: &StartFault, addresses: DemoAddresses) -> String {
    let (flag, address) = match fault.part {
        Part::Msrp => ("--msrp", addresses.msrp),
        Part::Sip => ("--sip", addresses.sip),
        // The demo has no door for the ng dialect.
        Part::Admin | Part::Ng => ("--admin", addresses.admin),
        // The demo keeps no records.
        Part::Usage => return fault.to_string(),
    };
    let ip = address.ip();
    format!("{fault}.\nChoose another address than {address} with: msrpd demo {flag} {ip}:PORT")
}

/// The demo's only group: everybody may join, nobody is invited, and it stays when people leave.
fn groups() -> Result<StaticGroups, AddressError> {
    let group = Group::open_to_all(Uri::parse(ROOM)?).with_display_name("msrpd demo");
    let group = Group {
        auto_release: Some(false),
        ..group
    };
    Ok(StaticGroups::new([group]))
}

fn welcome(sip: SocketAddr, msrp: Option<SocketAddr>, admin: SocketAddr) -> String {
    let msrp = msrp.map_or_else(String::new, |address| address.to_string());
    let server = match sip.to_string().as_str() {
        DEFAULT_SERVER => String::new(),
        other => format!(" --server {other}"),
    };
    let chat = format!("chat {ROOM} --as sip:alice@localhost{server}");
    format!(
        "msrpd demo: the room is open.\n\n\
         \x20 room   {ROOM}\n\
         \x20 SIP    {sip} (UDP and TCP)\n\
         \x20 MSRP   {msrp}\n\
         \x20 admin  http://{admin}\n\n\
         Open http://{admin} in a browser to join the room by MSRP over WebSocket,\n\
         or try this in another terminal:\n\n\
         \x20 msrpctl {chat}\n\
         \x20 cargo run --release --bin msrpctl -- {chat}\n\
         \x20 curl http://{admin}/metrics\n\n\
         Ctrl-C ends the demo. Two bots talk in the room:\n\n"
    )
}

fn refuse(reason: &str) -> ExitCode {
    eprintln!("{reason}");
    ExitCode::FAILURE
}

/// The demo's room.
const ROOM: &str = "sip:demo@localhost";
/// The listener for the page.
const WS_LISTENER: &str = "ws";
/// The server that msrpctl asks unless told otherwise.
const DEFAULT_SERVER: &str = "127.0.0.1:5060";
