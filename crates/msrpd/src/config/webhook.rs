//! Webhooks in the configuration.

use std::path::PathBuf;

use msrp_api::limits::WEBHOOKS_MAX;
use msrp_api::webhook::{Secret, Target, Webhook};

use super::ConfigError;
use super::item::{Item, Table};
use super::reading::{NAME, listener_name, path};

/// A webhook as the configuration file names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookEntry {
    /// What it is called.
    pub name: String,
    /// Where its events go.
    pub target: Target,
    /// The file of its secret.
    pub secret: PathBuf,
    /// The types of events that it gets; `None` means all but those of messages.
    pub types: Option<Vec<String>>,
    /// The rooms whose events it gets; `None` means all.
    pub rooms: Option<Vec<String>>,
}

impl WebhookEntry {
    /// The webhook with its secret.
    ///
    /// # Errors
    /// A sentence with the file: the operator's fault.
    pub fn read(&self) -> Result<Webhook, String> {
        let file = self.secret.display();
        let text = std::fs::read_to_string(&self.secret).map_err(|e| format!("{file}: {e}"))?;
        let secret = Secret::parse(&text).map_err(|e| format!("{file}: expected {e}"))?;
        let webhook = Webhook {
            name: self.name.clone(),
            target: self.target.clone(),
            secret,
            types: self.types.clone(),
            rooms: self.rooms.clone(),
        };
        let wrong = |detail| format!("the webhook {} cannot be used: {detail}", self.name);
        webhook.check().map_err(wrong)?;
        Ok(webhook)
    }
}

pub(super) fn read_all(item: &Item<'_>) -> Result<Vec<WebhookEntry>, ConfigError> {
    let items = item.list("an array of tables, [[admin.webhook]]")?;
    if items.len() > WEBHOOKS_MAX {
        return Err(item.refuse(&format!("expected at most {WEBHOOKS_MAX} webhooks")));
    }
    let mut entries: Vec<WebhookEntry> = Vec::new();
    for item in items {
        let table = item.table()?;
        let name = table.need("name", NAME)?;
        let entry = read_one(&table, &name)?;
        if entries.iter().any(|other| other.name == entry.name) {
            return Err(name.wrong("a name that no other webhook has"));
        }
        entries.push(entry);
    }
    Ok(entries)
}

fn read_one(table: &Table<'_>, name: &Item<'_>) -> Result<WebhookEntry, ConfigError> {
    let url = table.need("url", URL)?;
    let secret = table.need("secret", FILE)?;
    Ok(WebhookEntry {
        name: name.parsed(NAME, listener_name)?,
        target: url.parsed(URL, |text| Target::parse(text).ok())?,
        secret: secret.parsed(FILE, path)?,
        types: names(table, "types")?,
        rooms: names(table, "rooms")?,
    })
}

fn names(table: &Table<'_>, key: &str) -> Result<Option<Vec<String>>, ConfigError> {
    let Some(item) = table.get(key) else {
        return Ok(None);
    };
    let items = item.list("a list of strings")?;
    let texts = items.iter().map(|item| item.text("a string"));
    let names = texts.map(|text| text.map(str::to_owned));
    names.collect::<Result<_, _>>().map(Some)
}

const URL: &str = "\"http://HOST[:PORT]/PATH\" or \"https://...\"";
const FILE: &str = "the path of a file";
