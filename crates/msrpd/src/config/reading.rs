//! From the text of a file to a checked [`Config`].

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use msrp_shard::{ListenerTransport, Origins};
use msrp_sip::focus::{AdHocRight, LargePolicy, OwnMark};
use msrp_sip::ua_rsipstack::TlsFiles;
use ring_io::Want;
use toml::de::{DeTable, DeValue};

use super::item::{Item, Source, Table};
use super::webhook;
use super::{
    Admin, Advertise, Config, ConfigError, Groups, Io, Limits, Listener, MIN_SE_S, Ng, Pager,
    Policy, Sip, SipBind, Trace, Usage, UsageFile, UsageIdentities, conference_factory, exploder,
    value,
};

/// Reads the text of a configuration file.
pub(super) fn read(file: &Path, text: &str) -> Result<Config, ConfigError> {
    let source = Source { file, text };
    let tree = DeTable::parse(text).map_err(|e| {
        let offset = e.span().map_or(0, |span| span.start);
        ConfigError::at(
            file,
            text,
            offset,
            "",
            &format!("not TOML: {}", e.message()),
        )
    })?;
    let root = Table::root(source, &tree)?;
    let mut config = Config::default();
    if let Some(item) = root.get("domain") {
        config.domain = host(&item)?;
        config.relay.realm.clone_from(&config.domain);
        config.sip.conference_factory = vec![conference_factory(&config.domain)];
        config.pager.exploder = vec![exploder(&config.domain)];
    }
    if let Some(table) = root.table("io")? {
        read_io(&table, &mut config.io)?;
    }
    if let Some(table) = root.table("msrp")? {
        read_msrp(&table, &mut config.msrp_listeners)?;
    }
    if let Some(table) = root.table("sip")? {
        read_sip(&table, &mut config.sip)?;
    }
    if let Some(table) = root.table("groups")? {
        read_groups(&table, &mut config.groups)?;
    }
    if let Some(table) = root.table("policy")? {
        read_policy(&table, &mut config.policy)?;
    }
    if let Some(table) = root.table("pager")? {
        read_pager(&table, &mut config.pager)?;
    }
    if let Some(table) = root.table("relay")? {
        config.relay.read(&table)?;
    }
    if let Some(table) = root.table("ng")? {
        read_ng(&table, &mut config.ng)?;
    }
    if let Some(table) = root.table("limits")? {
        read_limits(&table, &mut config.limits)?;
    }
    if let Some(table) = root.table("admin")? {
        read_admin(&table, &mut config.admin)?;
    }
    if let Some(table) = root.table("trace")? {
        read_trace(&table, &mut config.trace)?;
    }
    if let Some(table) = root.table("usage")? {
        read_usage(&table, &mut config.usage)?;
    }
    if let Some(parent) = file.parent() {
        for listener in &mut config.msrp_listeners {
            if let Some(files) = listener.transport.files_mut() {
                for file in files.paths_mut() {
                    *file = parent.join(&file);
                }
            }
        }
        config.groups.directory = parent.join(&config.groups.directory);
        config.relay.start_at(parent);
        let tls = &mut config.sip.tls;
        let files = tls
            .certificate
            .iter_mut()
            .flat_map(|(cert, key)| [cert, key]);
        if let Some(UsageFile::Path(path)) = &mut config.usage.file {
            *path = parent.join(&path);
        }
        let admin = &mut config.admin;
        let pair = admin
            .certificate
            .iter_mut()
            .flat_map(|(cert, key)| [cert, key]);
        let others = [&mut admin.tokens, &mut admin.socket, &mut admin.client_ca];
        for file in pair.chain(others.into_iter().flatten()) {
            *file = parent.join(&file);
        }
        for webhook in &mut config.admin.webhooks {
            webhook.secret = parent.join(&webhook.secret);
        }
        for file in files.chain(&mut tls.roots).chain(&mut tls.client_roots) {
            *file = parent.join(&file);
        }
    }
    Ok(config)
}

/// An error at the value of a key that the text holds.
pub(super) fn locate(file: &Path, text: &str, path: &[&str], expected: &str) -> ConfigError {
    let tree = DeTable::parse(text).ok();
    let mut offset = 0;
    let mut table = tree.as_ref().map(|t| t.get_ref());
    for name in path {
        let found = table.and_then(|t| t.get(*name));
        offset = found.map_or(offset, |value| value.span().start);
        table = match found.map(|value| value.get_ref()) {
            Some(DeValue::Table(inner)) => Some(inner),
            _ => None,
        };
    }
    ConfigError::at(file, text, offset, &path.join("."), expected)
}

fn read_usage(table: &Table<'_>, usage: &mut Usage) -> Result<(), ConfigError> {
    if let Some(item) = table.get("file") {
        let what = "the path of a file, \"-\" for standard output, or \"\" for none";
        let text = item.text(what)?;
        usage.file = match text {
            "" => None,
            "-" => Some(UsageFile::Stdout),
            path => Some(UsageFile::Path(PathBuf::from(path))),
        };
    }
    if let Some(item) = table.get("interim_s") {
        usage.interim_s = item.number(0, SECONDS_MAX)?;
    }
    if let Some(item) = table.get("identities") {
        let all = [
            UsageIdentities::None,
            UsageIdentities::Entity,
            UsageIdentities::All,
        ];
        let word = |text: &str| all.into_iter().find(|word| word.as_str() == text);
        usage.identities = item.parsed("\"none\", \"entity\" or \"all\"", word)?;
    }
    Ok(())
}

fn read_io(table: &Table<'_>, io: &mut Io) -> Result<(), ConfigError> {
    if let Some(item) = table.get("backend") {
        io.backend = item.parsed("\"auto\", \"uring\" or \"epoll\"", |text| match text {
            "auto" => Some(Want::Auto),
            "uring" => Some(Want::Uring),
            "epoll" => Some(Want::Epoll),
            _ => None,
        })?;
    }
    if let Some(item) = table.get("shards") {
        io.shards = item.number(0, SHARDS_MAX)?;
    }
    if let Some(item) = table.get("pin_shards") {
        io.pin_shards = item.boolean()?;
    }
    Ok(())
}

fn read_msrp(table: &Table<'_>, listeners: &mut Vec<Listener>) -> Result<(), ConfigError> {
    let Some(item) = table.get("listener") else {
        return Ok(());
    };
    let items = item.list("an array of tables, [[msrp.listener]]")?;
    if items.is_empty() {
        return Err(item.refuse("expected at least one listener, found none"));
    }
    listeners.clear();
    for item in items {
        let listener = read_listener(&item.table()?, listeners)?;
        listeners.push(listener);
    }
    Ok(())
}

fn read_listener(table: &Table<'_>, others: &[Listener]) -> Result<Listener, ConfigError> {
    let transport = read_transport(table)?;
    let name = table.need("name", NAME)?;
    let bind = table.need("bind", ADDRESS)?;
    let listener = Listener {
        name: name.parsed(NAME, listener_name)?,
        bind: address(&bind)?,
        advertise: table
            .get("advertise")
            .map(|item| item.parsed("\"HOST:PORT\"", Advertise::parse))
            .transpose()?,
        transport,
    };
    if others.iter().any(|other| other.name == listener.name) {
        return Err(name.wrong("a name that no other listener has"));
    }
    if listener.bind.port() != 0 && others.iter().any(|other| other.bind == listener.bind) {
        return Err(bind.wrong("an address that no other listener has"));
    }
    check_protected(table, &listener)?;
    if listener.bind.ip().is_unspecified() && listener.advertise.is_none() {
        return Err(bind.wrong("an address that peers can reach, or advertise = \"HOST:PORT\""));
    }
    Ok(listener)
}

/// WebSockets have to be protected. On loopback nobody listens in; elsewhere the operator has to say that somebody
/// else protects them.
///
/// # Spec
/// RFC 7977 s.5.1.
fn check_protected(table: &Table<'_>, listener: &Listener) -> Result<(), ConfigError> {
    let is_bare = matches!(listener.transport, ListenerTransport::Ws(_));
    let unprotected = table.get("unprotected");
    if let Some(item) = &unprotected
        && item.boolean()?
        && !is_bare
    {
        return Err(item.refuse("belongs to ws"));
    }
    let is_agreed = unprotected.map_or(Ok(false), |item| item.boolean())?;
    let is_alone = listener.bind.ip().is_loopback();
    if is_bare && !is_alone && !is_agreed {
        let what = "wss: beyond a loopback address WebSockets have to be protected. With a proxy in \
                    front that speaks TLS, put unprotected = true beside it";
        let item = table.need("transport", TRANSPORT)?;
        return Err(item.wrong(what));
    }
    Ok(())
}

fn read_transport(table: &Table<'_>) -> Result<ListenerTransport, ConfigError> {
    let item = table.get("transport");
    let word = item
        .as_ref()
        .map_or(Ok("tcp"), |item| item.text(TRANSPORT))?;
    let (is_secure, is_websocket) = match (word, &item) {
        ("tls", _) => (true, false),
        ("ws", _) => (false, true),
        ("wss", _) => (true, true),
        ("tcp", _) | (_, None) => (false, false),
        (_, Some(item)) => return Err(item.wrong(TRANSPORT)),
    };
    let origins = match table.get("origins") {
        Some(item) if !is_websocket => return Err(item.refuse("belongs to ws and wss")),
        Some(item) => Origins::only(read_origins(&item)?),
        None => Origins::any(),
    };
    let files = match (&item, is_secure) {
        (Some(item), true) => Some(read_certificate(table, item)?),
        (_, _) => {
            for name in ["cert", "key", "client_ca"] {
                if let Some(item) = table.get(name) {
                    return Err(item.refuse("belongs to tls and wss"));
                }
            }
            None
        }
    };
    Ok(match (files, is_websocket) {
        (None, false) => ListenerTransport::Tcp,
        (Some(files), false) => ListenerTransport::Tls(files),
        (None, true) => ListenerTransport::Ws(origins),
        (Some(files), true) => ListenerTransport::Wss(files, origins),
    })
}

fn read_certificate(
    table: &Table<'_>,
    transport: &Item<'_>,
) -> Result<msrp_shard::TlsFiles, ConfigError> {
    let files = |name| {
        let missing = || transport.refuse(&format!("needs {name} = \"FILE\" beside it"));
        read_files(&table.get(name).ok_or_else(missing)?)
    };
    let mut pairs = files("cert")?.into_iter().zip(files("key")?);
    let (certs, keys) = (files("cert")?.len(), files("key")?.len());
    let Some((cert, key)) = pairs.next().filter(|_| certs == keys) else {
        let refused = table.get("key");
        let refused = refused.as_ref().unwrap_or(transport);
        return Err(refused.refuse("needs as many files as cert, in the same order"));
    };
    let client_roots = table.get("client_ca");
    Ok(msrp_shard::TlsFiles {
        cert,
        key,
        others: pairs.collect(),
        client_roots: client_roots
            .map(|item| item.parsed("the path of a file", path))
            .transpose()?,
    })
}

/// One path, or an array of them.
fn read_files(item: &Item<'_>) -> Result<Vec<PathBuf>, ConfigError> {
    let what = "the path of a file, or an array of them";
    let items = item.list(what).unwrap_or_else(|_| vec![item.clone()]);
    items.iter().map(|item| item.parsed(what, path)).collect()
}

fn read_origins(item: &Item<'_>) -> Result<Vec<String>, ConfigError> {
    let what = "an array of origins such as \"https://chat.example.com\"";
    let origin = |item: &Item<'_>| {
        let what = "an origin such as \"https://chat.example.com\", without a path";
        item.parsed(what, |text| value::is_origin(text).then(|| text.to_owned()))
    };
    item.list(what)?.iter().map(origin).collect()
}

fn read_sip(table: &Table<'_>, sip: &mut Sip) -> Result<(), ConfigError> {
    if let Some(item) = table.get("bind") {
        sip.bind = read_sip_bind(&item)?;
    }
    if let Some(item) = table.get("outbound_proxy") {
        let what = "\"\" or a route such as \"sip:host:port;lr\"";
        let text = item.text(what)?;
        if !text.is_empty() && !value::is_route(text) {
            return Err(item.wrong(what));
        }
        sip.outbound_proxy = (!text.is_empty()).then(|| text.to_owned());
    }
    if let Some(item) = table.get("name_servers") {
        let items = item.list("an array of \"ADDRESS:PORT\"")?;
        sip.name_servers = items.iter().map(address).collect::<Result<_, _>>()?;
    }
    read_tls(table, &mut sip.tls)?;
    if let Some(item) = table.get("trusted_peers") {
        let what = "an array of networks such as \"10.0.0.0/8\"";
        let items = item.list(what)?;
        let network = |item: &Item<'_>| item.parsed("a network such as \"10.0.0.0/8\"", value::net);
        sip.trusted_peers = items.iter().map(network).collect::<Result<_, _>>()?;
    }
    if let Some(item) = table.get("conference_factory") {
        sip.conference_factory = user_uris(&item, "sip:conference-factory@localhost")?;
    }
    read_session_timer(table, sip)
}

fn user_uris(item: &Item<'_>, example: &str) -> Result<Vec<String>, ConfigError> {
    let items = item.list("an array of SIP URIs")?;
    let what = format!("a URI such as \"{example}\"");
    let uri = |item: &Item<'_>| item.parsed(&what, |t| value::is_user_uri(t).then(|| t.to_owned()));
    items.iter().map(uri).collect()
}

fn read_tls(table: &Table<'_>, tls: &mut TlsFiles) -> Result<(), ConfigError> {
    let file = |name| {
        table
            .get(name)
            .map(|item| item.parsed("the path of a file", path))
            .transpose()
    };
    tls.certificate = match (table.get("cert"), table.get("key")) {
        (Some(_), Some(_)) => file("cert")?.zip(file("key")?),
        (Some(cert), None) => return Err(cert.refuse("needs sip.key beside it")),
        (None, Some(key)) => return Err(key.refuse("needs sip.cert beside it")),
        (None, None) => None,
    };
    tls.roots = file("ca")?;
    tls.client_roots = file("client_ca")?;
    Ok(())
}

fn read_sip_bind(item: &Item<'_>) -> Result<Vec<SipBind>, ConfigError> {
    let what = "\"udp:ADDRESS:PORT\", \"tcp:ADDRESS:PORT\" or \"tls:ADDRESS:PORT\"";
    let items = item.list(&format!("an array of {what}"))?;
    if items.is_empty() {
        return Err(item.refuse("expected at least one address, found none"));
    }
    let mut binds: Vec<SipBind> = Vec::new();
    for item in items {
        let bind = item.parsed(what, SipBind::parse)?;
        if bind.address.port() != 0 && binds.contains(&bind) {
            return Err(item.wrong("an address that does not stand here twice"));
        }
        binds.push(bind);
    }
    Ok(binds)
}

fn read_session_timer(table: &Table<'_>, sip: &mut Sip) -> Result<(), ConfigError> {
    let min_se = table.get("min_se_s");
    let expires = table.get("session_expires_s");
    if let Some(item) = &min_se {
        sip.min_se_s = item.number(MIN_SE_S, SECONDS_MAX)?;
    }
    if let Some(item) = &expires {
        sip.session_expires_s = item.number(MIN_SE_S, SECONDS_MAX)?;
    }
    if sip.session_expires_s >= sip.min_se_s {
        return Ok(());
    }
    let (min, interval) = (sip.min_se_s, sip.session_expires_s);
    Err(match (&expires, &min_se) {
        (Some(item), _) => item.wrong(&format!("at least min_se_s, which is {min}")),
        (None, Some(item)) => {
            item.wrong(&format!("at most session_expires_s, which is {interval}"))
        }
        (None, None) => return Ok(()),
    })
}

fn read_groups(table: &Table<'_>, groups: &mut Groups) -> Result<(), ConfigError> {
    if let Some(item) = table.get("directory") {
        let what = "the path of a directory";
        groups.directory = item.parsed(what, path)?;
        groups.is_named = true;
    }
    Ok(())
}

fn read_policy(table: &Table<'_>, policy: &mut Policy) -> Result<(), ConfigError> {
    if let Some(item) = table.get("anonymity") {
        policy.anonymity = item.boolean()?;
    }
    if let Some(item) = table.get("private_messages") {
        policy.private_messages = item.boolean()?;
    }
    if let Some(item) = table.get("nicknames") {
        policy.nicknames = item.boolean()?;
    }
    if let Some(item) = table.get("private_refusal_status") {
        policy.private_refusal_status = match item.number(403, 428)? {
            status @ (403 | 428) => status,
            _ => return Err(item.wrong("403 or 428")),
        };
    }
    if let Some(item) = table.get("interim_reports") {
        policy.interim_reports = item.boolean()?;
    }
    if let Some(item) = table.get("strict_report_types") {
        policy.strict_report_types = item.boolean()?;
    }
    read_large(table, &mut policy.large)?;
    read_rights(table, policy)
}

fn read_large(table: &Table<'_>, large: &mut LargePolicy) -> Result<(), ConfigError> {
    if let Some(item) = table.get("large_hold_octets") {
        large.hold_octets = item.number(0, HOLD_OCTETS_MAX)?;
    }
    if let Some(item) = table.get("large_hold_ms") {
        large.hold_ms = item.number(0, HOLD_MS_MAX)?;
    }
    if let Some(item) = table.get("large_one_message") {
        large.one_message = item.boolean()?;
    }
    Ok(())
}

fn read_rights(table: &Table<'_>, policy: &mut Policy) -> Result<(), ConfigError> {
    for (name, right) in [
        ("adhoc_add", &mut policy.adhoc_add),
        ("adhoc_expel", &mut policy.adhoc_expel),
    ] {
        if let Some(item) = table.get(name) {
            *right = item.parsed(ADHOC_RIGHT, |text| match text {
                "originator" => Some(AdHocRight::Originator),
                "participants" => Some(AdHocRight::Participants),
                _ => None,
            })?;
        }
    }
    if let Some(item) = table.get("refer_status") {
        policy.refer_status = match item.number(200, 202)? {
            status @ (200 | 202) => status,
            _ => return Err(item.wrong("200 or 202")),
        };
    }
    if let Some(item) = table.get("own_mark") {
        let what = "\"\" or \"PREFIX=NAMESPACE\"";
        if !item.text(what)?.is_empty() {
            policy.own_mark = Some(item.parsed(what, OwnMark::parse)?);
        }
    }
    Ok(())
}

fn read_pager(table: &Table<'_>, pager: &mut Pager) -> Result<(), ConfigError> {
    if let Some(item) = table.get("exploder") {
        pager.exploder = user_uris(&item, "sip:exploder@localhost")?;
    }
    if let Some(item) = table.get("lists") {
        pager.lists = item.boolean()?;
    }
    if let Some(item) = table.get("recipient_history") {
        pager.recipient_history = item.boolean()?;
    }
    if let Some(item) = table.get("messages_per_s") {
        pager.messages_per_s = item.number(1, PACE_MAX)?;
    }
    if let Some(item) = table.get("notification_wait_s") {
        pager.notification_wait_s = item.number(0, SECONDS_MAX)?;
    }
    if let Some(item) = table.get("notification_restarts") {
        pager.notification_restarts = item.number(0, RESTARTS_MAX)?;
    }
    if let Some(item) = table.get("answer_wait_s") {
        pager.answer_wait_s = item.number(0, SECONDS_MAX)?;
    }
    if let Some(item) = table.get("block_unanswered") {
        pager.block_unanswered = item.boolean()?;
    }
    Ok(())
}

fn read_ng(table: &Table<'_>, ng: &mut Ng) -> Result<(), ConfigError> {
    let peers = table.get("allowed_peers");
    if let Some(item) = &peers {
        let items = item.list("an array of networks such as \"10.0.0.0/8\"")?;
        let network = |item: &Item<'_>| item.parsed("a network such as \"10.0.0.0/8\"", value::net);
        ng.allowed_peers = items.iter().map(network).collect::<Result<_, _>>()?;
    }
    if let Some(item) = table.get("bind")
        && !item.text(ADDRESS)?.is_empty()
    {
        let bind = address(&item)?;
        if !bind.ip().is_loopback() && peers.is_none() {
            let what = "a loopback address, or allowed_peers beside it";
            return Err(item.wrong(what));
        }
        ng.bind = Some(bind);
    }
    Ok(())
}

fn read_limits(table: &Table<'_>, limits: &mut Limits) -> Result<(), ConfigError> {
    let counts = [
        ("adhoc_participants_max", &mut limits.adhoc_participants_max),
        ("pager_recipients_max", &mut limits.pager_recipients_max),
        ("connections_max", &mut limits.connections_max),
        ("bridges_max", &mut limits.bridges_max),
        ("sessions_max", &mut limits.sessions_max),
        ("sip_unfinished_max", &mut limits.sip_unfinished_max),
    ];
    for (name, value) in counts {
        if let Some(item) = table.get(name) {
            *value = item.number(1, COUNT_MAX)?;
        }
    }
    let of_source = [
        ("source_unbound_max", &mut limits.source_unbound_max),
        (
            "sip_source_requests_per_s",
            &mut limits.sip_source_requests_per_s,
        ),
        (
            "sip_source_unfinished_max",
            &mut limits.sip_source_unfinished_max,
        ),
    ];
    for (name, value) in of_source {
        if let Some(item) = table.get(name) {
            *value = item.number(0, COUNT_MAX)?;
        }
    }
    let times = [
        ("session_max_s", &mut limits.session_max_s),
        ("unbound_s", &mut limits.unbound_s),
        ("stall_s", &mut limits.stall_s),
        ("websocket_ping_s", &mut limits.websocket_ping_s),
        ("final_report_s", &mut limits.final_report_s),
        ("bridge_unanswered_s", &mut limits.bridge_unanswered_s),
        ("bridge_idle_s", &mut limits.bridge_idle_s),
    ];
    for (name, value) in times {
        if let Some(item) = table.get(name) {
            *value = item.number(1, SECONDS_MAX)?;
        }
    }
    if let Some(item) = table.get("memory_octets_max") {
        limits.memory_octets_max = item.number(0, OCTETS_MAX)?;
    }
    if let Some(item) = table.get("cpu_percent_max") {
        limits.cpu_percent_max = item.number(0, 100)?;
    }
    if let Some(item) = table.get("drain_s") {
        limits.drain_s = item.number(0, SECONDS_MAX)?;
    }
    if let Some(item) = table.get("message_octets_max") {
        limits.message_octets_max = item.number(1, OCTETS_MAX)?;
    }
    Ok(())
}

fn read_admin(table: &Table<'_>, admin: &mut Admin) -> Result<(), ConfigError> {
    let file = |name, what| {
        let item = table.get(name);
        item.map(|item| item.parsed(what, path)).transpose()
    };
    admin.tokens = file("tokens", "the path of a file")?;
    admin.socket = file("socket", "the path of a socket")?;
    let cert = file("cert", "the path of a file")?;
    let key = file("key", "the path of a file")?;
    admin.client_ca = file("client_ca", "the path of a file")?;
    admin.certificate = cert.zip(key);
    if admin.certificate.is_none() {
        for name in ["cert", "key", "client_ca"] {
            if let Some(item) = table.get(name) {
                return Err(item.refuse("a certificate needs both cert and key"));
            }
        }
    }
    if let Some(item) = table.get("allow_unauthenticated") {
        admin.allow_unauthenticated = item.boolean()?;
        if admin.allow_unauthenticated && admin.tokens.is_some() {
            return Err(item.refuse("tokens are asked for; leave one of the two out"));
        }
        if admin.allow_unauthenticated && admin.client_ca.is_some() {
            return Err(item.refuse("certificates are asked for; leave one of the two out"));
        }
    }
    if let Some(item) = table.get("webhook") {
        admin.webhooks = webhook::read_all(&item)?;
    }
    if let Some(item) = table.get("bind") {
        admin.bind = address(&item)?;
        let is_guarded =
            admin.tokens.is_some() || admin.client_ca.is_some() || admin.allow_unauthenticated;
        if !admin.bind.ip().is_loopback() && !is_guarded {
            let what = "a loopback address, or tokens = \"FILE\" or client_ca = \"FILE\" beside it, or \
                        allow_unauthenticated = true to serve everybody who reaches it";
            return Err(item.wrong(what));
        }
    }
    Ok(())
}

fn read_trace(table: &Table<'_>, trace: &mut Trace) -> Result<(), ConfigError> {
    if let Some(item) = table.get("hep") {
        trace.hep = Some(address(&item)?);
    }
    if let Some(item) = table.get("hep_bodies") {
        trace.hep_bodies = item.boolean()?;
    }
    Ok(())
}

fn address(item: &Item<'_>) -> Result<SocketAddr, ConfigError> {
    item.parsed(ADDRESS, |text| text.parse().ok())
}

pub(super) fn path(text: &str) -> Option<PathBuf> {
    (!text.is_empty()).then(|| PathBuf::from(text))
}

pub(super) fn host(item: &Item<'_>) -> Result<String, ConfigError> {
    let parse = |text: &str| value::is_host(text).then(|| text.to_owned());
    item.parsed("a host name or an address", parse)
}

pub(super) fn listener_name(text: &str) -> Option<String> {
    let legal = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    let is_legal = !text.is_empty() && text.len() <= NAME_OCTETS_MAX && text.bytes().all(legal);
    is_legal.then(|| text.to_owned())
}

const ADHOC_RIGHT: &str = "\"originator\" or \"participants\"";
const ADDRESS: &str = "\"ADDRESS:PORT\"";
pub(super) const NAME: &str = "a name of letters, digits, '-' and '_', at most 32 octets";
const TRANSPORT: &str = "\"tcp\", \"tls\", \"ws\" or \"wss\"";

/// Most shards: more than any machine has cores.
const SHARDS_MAX: usize = 1024;
/// Largest count that a limit may be.
const COUNT_MAX: u32 = 100_000_000;
/// Most MESSAGEs in a second.
const PACE_MAX: u32 = 1_000_000;
/// Most restarts of a wait.
const RESTARTS_MAX: u32 = 1000;
/// Longest time that a key may be: one year, in seconds.
pub(super) const SECONDS_MAX: u32 = 31_536_000;
/// Longest message that a limit may allow: 2^60 octets.
const OCTETS_MAX: u64 = 1 << 60;
/// Most octets of a large message that may be kept: what the engine keeps at most.
const HOLD_OCTETS_MAX: u64 = 1024 * 1024;
/// Longest wait of a sender, in milliseconds: below the 30 s after which clients give a request up.
const HOLD_MS_MAX: u64 = 25_000;
/// Longest listener name, octets.
const NAME_OCTETS_MAX: usize = 32;
