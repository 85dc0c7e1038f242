//! The configuration file.

use std::path::Path;

use msrpd::config::Config;

/// What is worth inserting.
pub(crate) const WORDS: &[&str] = &[
    "domain = \"a\"\n",
    "[io]\n",
    "shards = 2\n",
    "[[msrp.listener]]\n",
    "name = \"a\"\n",
    "bind = \"127.0.0.1:2855\"\n",
    "transport = \"tls\"\n",
    "[limits]\n",
    "stall_s = 30\n",
    "-1",
    "1e300",
    "9223372036854775807",
    "\"\"",
    "[]",
    "{}",
    "[sip]\n",
    "bind = [\"udp:127.0.0.1:5060\"]\n",
    "[admin]\n",
    "[relay]\n",
    "[policy]\n",
    "# ",
    "'''",
];

/// The input is a configuration file: taken, or refused with a place in it and what was expected.
pub fn config(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    if let Err(error) = Config::parse(Path::new("/nowhere/msrpd.toml"), text) {
        let said = error.to_string();
        assert!(said.starts_with("/nowhere/msrpd.toml"), "{said}");
    }
}
