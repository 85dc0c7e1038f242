//! The keys of the MSRP relay.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use msrp_shard::UserList;

use super::ConfigError;
use super::item::{Item, Table};
use super::reading::{SECONDS_MAX, host, listener_name, path};

/// The MSRP relay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relay {
    /// The file of its users, relative to the configuration file's directory; `None` means no relay.
    pub users: Option<PathBuf>,
    /// The realm of its challenges.
    pub realm: String,
    /// The listener under whose address it is known; `None` means the first over TLS.
    pub listener: Option<String>,
    /// Shortest lifetime of a URI, seconds.
    pub expires_min_s: u32,
    /// Lifetime of a URI when none is asked for, seconds.
    pub expires_s: u32,
    /// Longest lifetime of a URI, seconds.
    pub expires_max_s: u32,
    /// Addresses of next hops that are connected to although they would be denied.
    pub allow_addresses: Vec<IpAddr>,
    /// The names of other relays that are trusted by their certificates.
    pub relays: Vec<String>,
    /// The roots by which certificates of relays and next hops are judged; `None` means those of the system.
    pub ca: Option<PathBuf>,
    /// Whether AUTH is taken without TLS.
    pub allow_plain_auth: bool,
}

impl Default for Relay {
    fn default() -> Self {
        Self {
            users: None,
            realm: "localhost".to_owned(),
            listener: None,
            expires_min_s: 60,
            expires_s: 1800,
            expires_max_s: 86_400,
            allow_addresses: Vec::new(),
            relays: Vec::new(),
            ca: None,
            allow_plain_auth: false,
        }
    }
}

impl Relay {
    /// The users of the file that is named; `None` when there is no relay.
    ///
    /// # Errors
    /// A sentence with the file and the line: the operator's fault. It shows nothing of the line itself.
    pub fn read_users(&self) -> Result<Option<UserList>, String> {
        let Some(file) = &self.users else {
            return Ok(None);
        };
        read_users(file).map(Some)
    }

    pub(super) fn read(&mut self, table: &Table<'_>) -> Result<(), ConfigError> {
        if let Some(item) = table.get("realm") {
            self.realm = host(&item)?;
        }
        if let Some(item) = table.get("users") {
            let text = item.text("the path of a file, or \"\" for no relay")?;
            self.users = path(text);
        }
        if let Some(item) = table.get("listener") {
            self.listener = Some(item.parsed("the name of a listener", listener_name)?);
        }
        if let Some(item) = table.get("allow_addresses") {
            let items = item.list("an array of addresses such as \"10.0.0.7\"")?;
            let address = |item: &Item<'_>| item.parsed("an IP address", |text| text.parse().ok());
            self.allow_addresses = items.iter().map(address).collect::<Result<_, _>>()?;
        }
        if let Some(item) = table.get("relays") {
            let items = item.list("an array of host names")?;
            self.relays = items.iter().map(host).collect::<Result<_, _>>()?;
        }
        if let Some(item) = table.get("ca") {
            self.ca = Some(item.parsed("the path of a file", path)?);
        }
        if let Some(item) = table.get("allow_plain_auth") {
            self.allow_plain_auth = item.boolean()?;
        }
        self.read_lifetimes(table)
    }

    fn read_lifetimes(&mut self, table: &Table<'_>) -> Result<(), ConfigError> {
        let mut last = None;
        for (name, value) in [
            ("expires_min_s", &mut self.expires_min_s),
            ("expires_s", &mut self.expires_s),
            ("expires_max_s", &mut self.expires_max_s),
        ] {
            if let Some(item) = table.get(name) {
                *value = item.number(1, SECONDS_MAX)?;
                last = Some(item);
            }
        }
        let is_ordered =
            self.expires_min_s <= self.expires_s && self.expires_s <= self.expires_max_s;
        match last {
            Some(item) if !is_ordered => Err(item.refuse(&format!(
                "expected expires_min_s, expires_s and expires_max_s in this order, found {}, {} and {}",
                self.expires_min_s, self.expires_s, self.expires_max_s
            ))),
            Some(_) | None => Ok(()),
        }
    }

    /// Relative paths start at this directory.
    pub(super) fn start_at(&mut self, directory: &Path) {
        for file in [&mut self.users, &mut self.ca].into_iter().flatten() {
            *file = directory.join(&file);
        }
    }
}

/// Reads a file of users.
///
/// # Errors
/// A sentence that begins with `FILE:LINE` where a line is wrong.
pub(crate) fn read_users(file: &Path) -> Result<UserList, String> {
    let name = file.display();
    let text = std::fs::read_to_string(file).map_err(|e| format!("{name}: {e}"))?;
    UserList::parse(&text).map_err(|fault| format!("{name}:{}: {}", fault.line, fault.reason))
}
