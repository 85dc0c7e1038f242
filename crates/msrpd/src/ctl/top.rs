//! `msrpctl top`: a node on one screen, live.
//!
//! What is shown is one [`Screen`], made from two looks at the node; it knows nothing of terminals.
//! The loop puts it on the alternate screen and leaves that as it was found.

mod screen;

use std::io::{IsTerminal as _, stdout};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use axum::http::Method;
use crossterm::event::{self, Event, KeyCode, KeyModifiers};
use crossterm::{cursor, execute, terminal};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::exposition::Exposition;
use super::fault::Fault;
use super::output::{put, say};
use super::server::Server;
use screen::{Look, Screen};

/// How the screen is shown.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct TopArguments {
    /// Print one screen and end.
    #[arg(long)]
    pub once: bool,
    /// Seconds between two looks.
    #[arg(long, value_name = "SECONDS", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=60))]
    pub interval: u64,
}

/// Shows the screen until `q` is pressed, or once.
pub(super) async fn run(
    server: &Server,
    arguments: TopArguments,
    is_json: bool,
) -> Result<(), Fault> {
    let interval = Duration::from_secs(arguments.interval);
    if arguments.once || is_json || !stdout().is_terminal() {
        return once(server, interval, is_json).await;
    }
    let first = look(server).await?;
    let mut terminal = Terminal::take()?;
    live(server, interval, &mut terminal, first).await
}

/// One screen. The rates come from two looks.
async fn once(server: &Server, interval: Duration, is_json: bool) -> Result<(), Fault> {
    let before = look(server).await?;
    tokio::time::sleep(interval).await;
    let now = look(server).await?;
    let place = server.place();
    let screen = Screen::new(&place, &now, Some(&before));
    if is_json {
        say(&screen.document().to_string());
    } else {
        let (width, height) = terminal::size().unwrap_or(SIZE_USUAL);
        put(&screen.text(width, height, false));
    }
    Ok(())
}

async fn live(
    server: &Server,
    interval: Duration,
    terminal: &mut Terminal,
    first: Look,
) -> Result<(), Fault> {
    let place = server.place();
    let mut before = None;
    let mut now = first;
    let mut trouble = None;
    loop {
        let mut screen = Screen::new(&place, &now, before.as_ref());
        screen.trouble.clone_from(&trouble);
        terminal.show(&screen)?;
        let next = tokio::time::sleep(interval);
        tokio::pin!(next);
        loop {
            tokio::select! {
                () = &mut next => break,
                key = terminal.keys.recv() => match key {
                    Some(Key::Redraw) => terminal.show(&screen)?,
                    Some(Key::End) | None => return Ok(()),
                },
            }
        }
        match look(server).await {
            Ok(look) => {
                before = Some(std::mem::replace(&mut now, look));
                trouble = None;
            }
            // A node that restarts comes back.
            Err(Fault::Unreachable { place, reason }) => {
                trouble = Some(format!("msrpd does not answer at {place}: {reason}"));
            }
            Err(fault) => return Err(fault),
        }
    }
}

/// Asks for everything that a screen shows.
async fn look(server: &Server) -> Result<Look, Fault> {
    let rooms = format!("/v1/rooms?limit={}", msrp_api::limits::PAGE_MAX);
    let (ready, metrics, node, rooms) = tokio::try_join!(
        server.ask_any(Method::GET, "/readyz", None),
        server.ask(Method::GET, "/metrics", None),
        server.get("/v1/node"),
        server.get(&rooms),
    )?;
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH);
    let since_epoch = since_epoch.unwrap_or_default();
    let metrics = Exposition::new(&metrics.body);
    let mut largest: Vec<(String, u64)> = rooms
        .get("rooms")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|room| {
            let name = room.get("room")?.as_str()?.to_owned();
            Some((name, room.get("participants_count")?.as_u64()?))
        })
        .collect();
    largest.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    Ok(Look {
        at: Instant::now(),
        time_s: since_epoch.as_secs(),
        state: ready.body.trim().to_owned(),
        version: node["version"].as_str().unwrap_or("?").to_owned(),
        started_s: metrics.sum("process_start_time_seconds"),
        counts: screen::counts(&metrics),
        largest,
        are_all_rooms: rooms.get("next").is_none_or(Value::is_null),
    })
}

/// The terminal while it is ours.
struct Terminal {
    keys: mpsc::Receiver<Key>,
}

/// What a person may want.
enum Key {
    Redraw,
    End,
}

impl Terminal {
    fn take() -> Result<Self, Fault> {
        let failed = |error| Fault::Local(format!("the terminal cannot be used: {error}"));
        terminal::enable_raw_mode().map_err(failed)?;
        let taken = execute!(stdout(), terminal::EnterAlternateScreen, cursor::Hide);
        let (sender, keys) = mpsc::channel(1);
        // Ends with the process: a read of the terminal cannot be taken back.
        std::thread::spawn(move || read_keys(&sender));
        let terminal = Self { keys };
        taken.map_err(failed)?;
        Ok(terminal)
    }

    fn show(&self, screen: &Screen<'_>) -> Result<(), Fault> {
        let (width, height) = terminal::size().unwrap_or(SIZE_USUAL);
        let failed = |error| Fault::Local(format!("the terminal cannot be written: {error}"));
        execute!(stdout(), cursor::MoveTo(0, 0)).map_err(failed)?;
        // In raw mode a line end alone does not go back to the left; what stood there is wiped.
        let text = screen.text(width, height, true);
        let lines: Vec<_> = text.lines().collect();
        put(&format!("{}\u{1b}[K\u{1b}[J", lines.join("\u{1b}[K\r\n")));
        Ok(())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // A terminal that has gone needs nothing back.
        let _ = execute!(stdout(), cursor::Show, terminal::LeaveAlternateScreen);
        let _ = terminal::disable_raw_mode();
    }
}

fn read_keys(sender: &mpsc::Sender<Key>) {
    loop {
        let key = match event::read() {
            Ok(Event::Key(key)) => match key.code {
                KeyCode::Char('q') | KeyCode::Esc => Key::End,
                KeyCode::Char('c' | 'd') if key.modifiers.contains(KeyModifiers::CONTROL) => {
                    Key::End
                }
                _ => continue,
            },
            Ok(Event::Resize(..)) => Key::Redraw,
            Ok(_) => continue,
            Err(_) => Key::End,
        };
        if sender.blocking_send(key).is_err() {
            return;
        }
    }
}

/// Columns and lines of a terminal that does not tell.
const SIZE_USUAL: (u16, u16) = (80, 24);
