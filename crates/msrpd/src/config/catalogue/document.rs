//! The catalogue as a page.

use std::fmt::Write as _;

use super::keys;
use crate::config::Config;

/// The text of `docs/config.md`.
#[must_use]
pub fn document() -> String {
    let defaults = Config::default();
    let mut text = String::from(HEAD);
    let mut section = None;
    for key in keys() {
        let table = key.path.rsplit_once('.').map_or("", |(table, _)| table);
        if section != Some(table) {
            section = Some(table);
            heading(&mut text, table);
        }
        let default = (key.default)(&defaults).map_or("none".to_owned(), |d| format!("`{d}`"));
        let (path, kind, effect, limit) = (key.path, key.kind, key.effect, key.limit);
        let _ = writeln!(
            text,
            "| `{path}` | {kind} | {default} | {effect} | {limit} |"
        );
    }
    text
}

fn heading(text: &mut String, table: &str) {
    let title = match table {
        "" => "Top level".to_owned(),
        "msrp.listener" => "`[[msrp.listener]]`, once for each listener".to_owned(),
        "admin.webhook" => "`[[admin.webhook]]`, once for each webhook".to_owned(),
        _ => format!("`[{table}]`"),
    };
    let _ = write!(
        text,
        "\n## {title}\n\n| Key | Type and unit | Default | Effect | At the limit |\n\
         | --- | --- | --- | --- | --- |\n"
    );
}

const HEAD: &str = "\
# Configuration

`msrpd serve --config FILE` reads one TOML file. Without a file every key has its default, and
msrpd listens on loopback addresses only. Keys are checked strictly: an unknown key, a wrong type or
an impossible value stops the start with `FILE:LINE:COLUMN: KEY: what was expected`.
`msrpd check --config FILE` does only that: it prints `FILE: ok` and ends with status 0, or prints
the error and ends with status 1.

Whole numbers may be written in any TOML notation. Counts go up to 100000000, times up to 31536000
seconds (one year). Without `[[msrp.listener]]` there is one listener, `lo`, with the defaults below;
a listener that is written down must have a name and an address.

This file is written from the declarations in `crates/msrpd/src/config/catalogue`; a test
compares the two.
";
