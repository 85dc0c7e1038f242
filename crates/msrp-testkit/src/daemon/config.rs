//! A configuration for one test.

use std::fmt;
use std::path::{Path, PathBuf};

use super::directory;

/// A configuration to start the daemon with. Every listener is on a free port of loopback.
#[derive(Clone, Debug)]
pub struct Config {
    text: Option<String>,
    domain: String,
    listeners: Vec<String>,
    sections: Vec<(String, Vec<(String, Toml)>)>,
    raw: String,
    files: Vec<(String, String)>,
}

/// A value of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Toml(String);

impl Config {
    /// Domain `localhost`, MSRP over TCP, SIP over UDP and TCP, the admin door, an empty directory of groups.
    pub fn new() -> Self {
        let config = Self {
            text: None,
            domain: "localhost".into(),
            listeners: vec![
                "name = \"test\"\nbind = \"127.0.0.1:0\"\ntransport = \"tcp\"\n".into(),
            ],
            sections: Vec::new(),
            raw: String::new(),
            files: Vec::new(),
        };
        config
            .set("sip", "bind", ["udp:127.0.0.1:0", "tcp:127.0.0.1:0"])
            .set("admin", "bind", "127.0.0.1:0")
            .set("groups", "directory", "@DIR@/groups")
    }

    /// Sets a key of a section, such as `set("limits", "stall_s", 2)`.
    #[must_use]
    pub fn set(mut self, section: &str, key: &str, value: impl Into<Toml>) -> Self {
        let at = match self.sections.iter().position(|(name, _)| name == section) {
            Some(at) => at,
            None => {
                self.sections.push((section.into(), Vec::new()));
                self.sections.len() - 1
            }
        };
        let keys = &mut self.sections[at].1;
        keys.retain(|(name, _)| name != key);
        keys.push((key.into(), value.into()));
        self
    }

    /// Sets the domain.
    #[must_use]
    pub fn domain(mut self, domain: &str) -> Self {
        self.domain = domain.into();
        self
    }

    /// Sets where the daemon's own requests go, such as [`crate::SipPeer::proxy_uri`].
    #[must_use]
    pub fn outbound_proxy(self, uri: &str) -> Self {
        self.set("sip", "outbound_proxy", uri)
    }

    /// Sets the backend: `uring`, `epoll` or `auto`.
    #[must_use]
    pub fn backend(self, backend: &str) -> Self {
        self.set("io", "backend", backend)
    }

    /// Sets the number of shards.
    #[must_use]
    pub fn shards(self, count: u32) -> Self {
        self.set("io", "shards", count)
    }

    /// Replaces the MSRP listeners; each text has the lines of one `[[msrp.listener]]`.
    #[must_use]
    pub fn listeners(mut self, listeners: &[&str]) -> Self {
        self.listeners = listeners.iter().map(|lines| (*lines).into()).collect();
        self
    }

    /// Writes a group document `groups/NAME.xml`.
    #[must_use]
    pub fn group(self, name: &str, xml: &str) -> Self {
        self.file(&format!("groups/{name}.xml"), xml)
    }

    /// Writes a file into the directory of the daemon.
    #[must_use]
    pub fn file(mut self, name: &str, text: &str) -> Self {
        self.files.push((name.into(), text.into()));
        self
    }

    /// Adds lines at the end.
    #[must_use]
    pub fn raw(mut self, lines: &str) -> Self {
        self.raw.push_str(lines);
        self
    }

    /// Writes the configuration and its files into a directory; gives the path of the configuration.
    pub(super) fn write(&self, to: &Path) -> PathBuf {
        std::fs::create_dir_all(to.join("groups")).expect("a directory of groups");
        for (name, text) in &self.files {
            directory::write(to, name, text);
        }
        let text = self
            .to_string()
            .replace("@DIR@", to.to_str().expect("a path in UTF-8"));
        directory::write(to, "msrpd.toml", &text)
    }
}

impl Default for Config {
    fn default() -> Self {
        Self::new()
    }
}

impl From<&str> for Config {
    fn from(text: &str) -> Self {
        Self {
            text: Some(text.into()),
            ..Self::new()
        }
    }
}

impl fmt::Display for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(text) = &self.text {
            return write!(f, "{text}{}", self.raw);
        }
        writeln!(f, "domain = {}", Toml::from(self.domain.as_str()).0)?;
        for lines in &self.listeners {
            writeln!(f, "[[msrp.listener]]\n{lines}")?;
        }
        for (section, keys) in &self.sections {
            writeln!(f, "[{section}]")?;
            for (key, value) in keys {
                writeln!(f, "{key} = {}", value.0)?;
            }
        }
        write!(f, "{}", self.raw)
    }
}

impl From<&str> for Toml {
    fn from(text: &str) -> Self {
        Self(format!(
            "\"{}\"",
            text.replace('\\', "\\\\").replace('"', "\\\"")
        ))
    }
}

impl From<String> for Toml {
    fn from(text: String) -> Self {
        text.as_str().into()
    }
}

impl From<bool> for Toml {
    fn from(value: bool) -> Self {
        Self(value.to_string())
    }
}

impl From<u32> for Toml {
    fn from(value: u32) -> Self {
        Self(value.to_string())
    }
}

impl From<i32> for Toml {
    fn from(value: i32) -> Self {
        Self(value.to_string())
    }
}

impl From<u64> for Toml {
    fn from(value: u64) -> Self {
        Self(value.to_string())
    }
}

impl<const N: usize> From<[&str; N]> for Toml {
    fn from(values: [&str; N]) -> Self {
        values.as_slice().into()
    }
}

impl From<&[&str]> for Toml {
    fn from(values: &[&str]) -> Self {
        let values = values
            .iter()
            .map(|value| Self::from(*value).0)
            .collect::<Vec<_>>();
        Self(format!("[{}]", values.join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn config_shows_what_was_set_last() {
        let config = Config::new()
            .backend("epoll")
            .shards(2)
            .set("limits", "stall_s", 2)
            .set("sip", "bind", ["a\"b"]);
        let text = config
            .outbound_proxy("sip:127.0.0.1:5;lr")
            .raw("[extra]\n")
            .to_string();
        for line in [
            "domain = \"localhost\"\n",
            "[[msrp.listener]]\nname = \"test\"\nbind = \"127.0.0.1:0\"\ntransport = \"tcp\"\n",
            "[io]\nbackend = \"epoll\"\nshards = 2\n",
            "[limits]\nstall_s = 2\n",
            "[sip]\nbind = [\"a\\\"b\"]\noutbound_proxy = \"sip:127.0.0.1:5;lr\"\n",
            "[admin]\nbind = \"127.0.0.1:0\"\n",
            "[groups]\ndirectory = \"@DIR@/groups\"\n",
        ] {
            assert!(text.contains(line), "{line:?} in\n{text}");
        }
        assert!(text.ends_with("[extra]\n"));
    }

    #[test]
    fn config_written_names_its_directory() {
        let directory = tempfile::TempDir::new().unwrap();
        let path = Config::new()
            .group("friends", "<group/>")
            .write(directory.path());
        let text = std::fs::read_to_string(path).unwrap();
        assert!(
            text.contains(&format!(
                "directory = \"{}/groups\"",
                directory.path().display()
            )),
            "{text}"
        );
        assert!(directory.path().join("groups/friends.xml").exists());
        let path = Config::from("a = \"@DIR@\"").write(directory.path());
        assert_eq!(
            std::fs::read_to_string(path).unwrap(),
            format!("a = \"{}\"", directory.path().display())
        );
    }
}
