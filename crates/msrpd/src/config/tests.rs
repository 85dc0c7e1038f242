use super::*;
use msrp_api::webhook::Target;

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(Path::new("msrpd.toml"), text)
}

fn refusal(text: &str) -> String {
    parse(text).unwrap_err().to_string()
}

// covers: MSRP-4975-6-04
#[test]
fn config_empty_file_is_the_default() {
    let config = parse("").unwrap();
    assert_eq!(config, Config::default());
    assert_eq!(config.msrp_listeners[0].bind.port(), 2855);
}

#[test]
fn config_all_keys_are_read() {
    let config = parse(ALL_KEYS).unwrap();
    assert_eq!(config.domain, "im.example");
    assert_eq!(
        config.io,
        Io {
            backend: Want::Epoll,
            shards: 4,
            pin_shards: true
        }
    );
    assert_eq!(config.msrp_listeners.len(), 3);
    assert_eq!(config.msrp_listeners[0].name, "core");
    let advertise = config.msrp_listeners[0].advertise.clone().unwrap();
    assert_eq!(
        (advertise.host.as_str(), advertise.port),
        ("im.example", 2855)
    );
    assert_eq!(config.msrp_listeners[1].bind, "[::1]:0".parse().unwrap());
    let wss = config.msrp_listeners[1].transport.clone();
    let ListenerTransport::Wss(files, origins) = wss else {
        panic!("{wss:?}")
    };
    assert!(files.cert.ends_with("msrp/cert.pem"), "{files:?}");
    assert_eq!(files.key, PathBuf::from("/etc/msrp/key.pem"));
    let allowed = vec!["https://chat.example.com".to_owned()];
    assert_eq!(origins, msrp_shard::Origins::only(allowed));
    assert_eq!(config.sip.bind.len(), 1);
    assert_eq!(
        config.sip.outbound_proxy.as_deref(),
        Some("sip:192.0.2.9:5060;lr")
    );
    assert_eq!(config.sip.name_servers, ["192.0.2.53:53".parse().unwrap()]);
    let (cert, key) = config.sip.tls.certificate.unwrap();
    assert!(cert.ends_with("tls/cert.pem"), "{cert:?}");
    assert_eq!(key, Path::new("/etc/tls/key.pem"));
    assert!(config.sip.tls.roots.unwrap().ends_with("ca.pem"));
    assert!(
        config
            .sip
            .tls
            .client_roots
            .unwrap()
            .ends_with("clients.pem")
    );
    assert_eq!(config.sip.trusted_peers.len(), 2);
    assert_eq!(config.sip.conference_factory, ["sip:meet@im.example"]);
    assert_eq!(
        (config.sip.session_expires_s, config.sip.min_se_s),
        (600, 120)
    );
    assert_eq!(
        config.policy,
        Policy {
            anonymity: false,
            private_messages: false,
            nicknames: false,
            private_refusal_status: 428,
            interim_reports: true,
            strict_report_types: true,
            adhoc_add: AdHocRight::Originator,
            adhoc_expel: AdHocRight::Participants,
            refer_status: 200,
            own_mark: OwnMark::parse("oma=urn:oma:conference"),
            large: LargePolicy {
                hold_octets: 12,
                hold_ms: 13,
                one_message: true,
            },
        }
    );
    assert_eq!(
        config.pager,
        Pager {
            exploder: vec!["sip:list@im.example".into()],
            lists: false,
            recipient_history: false,
            messages_per_s: 9,
            notification_wait_s: 0,
            notification_restarts: 10,
            answer_wait_s: 11,
            block_unanswered: true,
        }
    );
    let relay = Relay {
        users: Some(config.groups.directory.with_file_name("users")),
        realm: "relay.example".to_owned(),
        listener: Some("core".to_owned()),
        expires_min_s: 10,
        expires_s: 20,
        expires_max_s: 30,
        allow_addresses: vec!["10.0.0.7".parse().unwrap(), "::1".parse().unwrap()],
        relays: vec!["other.example".to_owned()],
        ca: Some("/etc/relay/ca.pem".into()),
        allow_plain_auth: true,
    };
    assert_eq!(config.relay, relay);
    assert_eq!(config.limits.adhoc_participants_max, 1);
    assert_eq!(config.limits.pager_recipients_max, 2);
    assert_eq!(config.limits.connections_max, 3);
    assert_eq!(config.limits.message_octets_max, 0x1000);
    assert_eq!(config.limits.session_max_s, 5);
    assert_eq!(config.limits.unbound_s, 6);
    assert_eq!(config.limits.websocket_ping_s, 9);
    assert_eq!(config.limits.stall_s, 7);
    assert_eq!(config.ng.bind, "192.0.2.1:2223".parse().ok());
    assert_eq!(config.ng.allowed_peers.len(), 1);
    assert_eq!(config.limits.bridges_max, 9);
    assert_eq!(config.limits.bridge_unanswered_s, 10);
    assert_eq!(config.limits.bridge_idle_s, 11);
    assert_eq!(config.limits.final_report_s, 8);
    assert_eq!(config.limits.drain_s, 9);
    assert_eq!(config.limits.sessions_max, 10);
    assert_eq!(config.limits.memory_octets_max, 11);
    assert_eq!(config.limits.cpu_percent_max, 12);
    assert_eq!(config.limits.source_unbound_max, 3);
    assert_eq!(config.limits.sip_unfinished_max, 4);
    assert_eq!(config.limits.sip_source_requests_per_s, 0);
    assert_eq!(config.limits.sip_source_unfinished_max, 6);
    let admin = Admin {
        bind: "192.0.2.1:8655".parse().unwrap(),
        tokens: Some(config.groups.directory.with_file_name("tokens")),
        socket: Some("/run/msrpd/admin.sock".into()),
        allow_unauthenticated: false,
        certificate: Some((
            config.groups.directory.with_file_name("admin.pem"),
            config.groups.directory.with_file_name("admin.key"),
        )),
        client_ca: Some(config.groups.directory.with_file_name("operators.pem")),
        webhooks: vec![WebhookEntry {
            name: "billing".to_owned(),
            target: Target::parse("https://hooks.example/msrp").unwrap(),
            secret: config.groups.directory.with_file_name("billing.secret"),
            types: Some(vec!["session_ended".to_owned()]),
            rooms: Some(vec!["lunch".to_owned()]),
        }],
    };
    assert_eq!(config.admin, admin);
    let trace = Trace {
        hep: Some("192.0.2.5:9060".parse().unwrap()),
        hep_bodies: true,
    };
    assert_eq!(config.trace, trace);
    let file = config.groups.directory.with_file_name("usage.jsonl");
    let usage = Usage {
        file: Some(UsageFile::Path(file)),
        interim_s: 12,
        identities: UsageIdentities::All,
    };
    assert_eq!(config.usage, usage);
}

#[test]
fn config_all_keys_example_holds_every_key_of_the_catalogue() {
    let tree: toml::Table = ALL_KEYS.parse().unwrap();
    for key in catalogue::keys() {
        let mut value = Some(&toml::Value::Table(tree.clone())).cloned();
        for name in key.path.split('.') {
            value = match value {
                Some(toml::Value::Table(table)) => table.get(name).cloned(),
                Some(toml::Value::Array(items)) => {
                    items.iter().find_map(|item| item.get(name)).cloned()
                }
                _ => None,
            };
        }
        assert!(value.is_some(), "{} is not in the example", key.path);
    }
}

#[test]
fn config_domain_is_the_default_of_realm_and_factory() {
    let config = parse("domain = \"im.example\"").unwrap();
    assert_eq!(config.relay.realm, "im.example");
    assert_eq!(
        config.sip.conference_factory,
        ["sip:conference-factory@im.example"]
    );
}

#[test]
fn config_group_directory_starts_at_the_directory_of_the_file() {
    let file = Path::new("/etc/msrpd/msrpd.toml");
    let directory = |text: &str| Config::parse(file, text).unwrap().groups.directory;
    assert_eq!(directory(""), Path::new("/etc/msrpd/groups"));
    assert_eq!(
        directory("[groups]\ndirectory = \"g\""),
        Path::new("/etc/msrpd/g")
    );
    assert_eq!(directory("groups.directory = \"/g\""), Path::new("/g"));
}

#[test]
fn config_group_directory_that_is_named_and_missing_stops_the_start() {
    let directory = tempfile::TempDir::new().unwrap();
    let file = directory.path().join("msrpd.toml");
    std::fs::write(&file, "\n[groups]\ndirectory = \"absent\"\n").unwrap();
    let error = Config::load(&file).unwrap_err().to_string();
    std::fs::write(&file, "[admin]\n").unwrap();
    let without = Config::load(&file);
    let (file, absent) = (file.display(), directory.path().join("absent"));
    let expected = format!(
        "{file}:3:13: groups.directory: expected an existing directory, found {}",
        absent.display()
    );
    assert_eq!(error, expected);
    assert!(without.is_ok());
}

#[test]
fn config_file_that_is_missing_is_named() {
    let error = Config::load(Path::new("/nonexistent/msrpd.toml"))
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("/nonexistent/msrpd.toml: cannot be read: "),
        "{error}"
    );
}

#[test]
fn config_unknown_key_names_line_key_and_choices() {
    assert_eq!(
        refusal("[io]\nbackend = \"auto\"\n  shard = 2\n"),
        "msrpd.toml:3:3: io.shard: unknown key, expected one of: backend, shards, pin_shards"
    );
    assert_eq!(
        refusal("domian = \"x\""),
        "msrpd.toml:1:1: domian: unknown key, expected one of: domain, io, msrp, sip, groups, \
         policy, pager, relay, ng, limits, admin, trace, usage"
    );
    assert_eq!(
        refusal("[admin]\n[metrics]\nbind = 1"),
        "msrpd.toml:2:2: metrics: unknown key, expected one of: domain, io, msrp, sip, groups, \
         policy, pager, relay, ng, limits, admin, trace, usage"
    );
    assert_eq!(
        refusal("[[msrp.listener]]\nname = \"a\"\nbind = \"127.0.0.1:0\"\nport = 3"),
        "msrpd.toml:4:1: msrp.listener.port: unknown key, expected one of: name, bind, advertise, \
         transport, cert, key, client_ca, origins, unprotected"
    );
}

#[test]
fn config_listener_of_several_certificates_keeps_each_with_its_key() {
    let text = "[[msrp.listener]]\nname = \"a\"\nbind = \"127.0.0.1:0\"\ntransport = \"tls\"\n\
                cert = [\"a.pem\", \"b.pem\"]\nkey = [\"a.key\", \"b.key\"]\nclient_ca = \"ca.pem\"\n";
    let config = Config::parse(Path::new("/etc/msrpd/msrpd.toml"), text).unwrap();
    let files = config.msrp_listeners[0].transport.files().unwrap();
    let paths: Vec<_> = files.paths().map(|path| path.to_str().unwrap()).collect();
    let names = ["a.pem", "a.key", "b.pem", "b.key", "ca.pem"];
    assert_eq!(paths, names.map(|name| format!("/etc/msrpd/{name}")));
    let refused = refusal(&text.replace(", \"b.key\"", ""));
    let expected =
        "msrpd.toml:6:7: msrp.listener.key: needs as many files as cert, in the same order";
    assert_eq!(refused, expected);
}

// covers: MSRP-7977-5.1-02
#[test]
fn config_websocket_beyond_loopback_is_protected_or_agreed_to() {
    let listener = |bind: &str, rest: &str| {
        let text = format!("[[msrp.listener]]\nname = \"a\"\nbind = \"{bind}:1\"\n{rest}\n");
        parse(&text).map_err(|error| error.to_string())
    };
    assert!(listener("127.0.0.1", "transport = \"ws\"").is_ok());
    assert!(listener("192.0.2.1", "transport = \"ws\"\nunprotected = true").is_ok());
    for rest in ["", "\nunprotected = false"] {
        let refused = listener("192.0.2.1", &format!("transport = \"ws\"{rest}")).unwrap_err();
        let start =
            "msrpd.toml:4:13: msrp.listener.transport: expected wss: beyond a loopback address";
        assert!(refused.starts_with(start), "{refused}");
    }
    let refused = listener("127.0.0.1", "transport = \"tcp\"\nunprotected = true").unwrap_err();
    assert_eq!(
        refused,
        "msrpd.toml:5:15: msrp.listener.unprotected: belongs to ws"
    );
}

#[test]
fn config_wrong_type_names_line_key_and_expectation() {
    let table = [
        (
            "domain = 3",
            "1:10: domain: expected a host name or an address, found 3",
        ),
        ("io = 1", "1:6: io: expected a table, found 1"),
        (
            "[io]\nshards = \"4\"",
            "2:10: io.shards: expected a whole number from 0 to 1024, found \"4\"",
        ),
        (
            "[io]\nshards = 1.5",
            "2:10: io.shards: expected a whole number from 0 to 1024, found 1.5",
        ),
        (
            "msrp.listener = 1",
            "1:17: msrp.listener: expected an array of tables, [[msrp.listener]], found 1",
        ),
        (
            "[msrp]\nlistener = [1]",
            "2:13: msrp.listener: expected a table, found 1",
        ),
        (
            "[sip]\nbind = \"udp:127.0.0.1:5060\"",
            "2:8: sip.bind: expected an array of \"udp:ADDRESS:PORT\", \"tcp:ADDRESS:PORT\" or \"tls:ADDRESS:PORT\", found \
             \"udp:127.0.0.1:5060\"",
        ),
        (
            "[sip]\ntrusted_peers = [\n  \"10.0.0.0/8\",\n  true,\n]",
            "4:3: sip.trusted_peers: expected a network such as \"10.0.0.0/8\", found true",
        ),
        (
            "[policy]\nanonymity = \"yes\"",
            "2:13: policy.anonymity: expected true or false, found \"yes\"",
        ),
        (
            "[policy]\nprivate_refusal_status = 404",
            "2:26: policy.private_refusal_status: expected 403 or 428, found 404",
        ),
        (
            "[policy]\nprivate_messages = 1",
            "2:20: policy.private_messages: expected true or false, found 1",
        ),
        (
            "[policy]\nnicknames = \"no\"",
            "2:13: policy.nicknames: expected true or false, found \"no\"",
        ),
        (
            "[policy]\nadhoc_expel = \"owner\"",
            "2:15: policy.adhoc_expel: expected \"originator\" or \"participants\", found \"owner\"",
        ),
        (
            "[policy]\nrefer_status = 201",
            "2:16: policy.refer_status: expected 200 or 202, found 201",
        ),
        (
            "[policy]\nown_mark = \"xcon=urn:a\"",
            "2:12: policy.own_mark: expected \"\" or \"PREFIX=NAMESPACE\", found \"xcon=urn:a\"",
        ),
        (
            "[groups]\ndirectory = 1",
            "2:13: groups.directory: expected the path of a directory, found 1",
        ),
        (
            "[admin]\nbind = 8655",
            "2:8: admin.bind: expected \"ADDRESS:PORT\", found 8655",
        ),
        ("admin = []", "1:9: admin: expected a table, found an array"),
    ];
    for (text, expected) in table {
        assert_eq!(refusal(text), format!("msrpd.toml:{expected}"), "{text}");
    }
}

#[test]
fn config_impossible_value_names_line_key_and_expectation() {
    let table = [
        (
            "domain = \"a b\"",
            "1:10: domain: expected a host name or an address, found \"a b\"",
        ),
        (
            "io.backend = \"kqueue\"",
            "1:14: io.backend: expected \"auto\", \"uring\" or \"epoll\", found \"kqueue\"",
        ),
        (
            "io.shards = -1",
            "1:13: io.shards: expected a whole number from 0 to 1024, found -1",
        ),
        (
            "[msrp]\nlistener = []",
            "2:12: msrp.listener: expected at least one listener, found none",
        ),
        (
            "[sip]\nbind = []",
            "2:8: sip.bind: expected at least one address, found none",
        ),
        (
            "[sip]\nbind = [\"sctp:127.0.0.1:5060\"]",
            "2:9: sip.bind: expected \"udp:ADDRESS:PORT\", \"tcp:ADDRESS:PORT\" or \"tls:ADDRESS:PORT\", found \
             \"sctp:127.0.0.1:5060\"",
        ),
        (
            "[sip]\nbind = [\"udp:127.0.0.1:5060\", \"udp:127.0.0.1:5060\"]",
            "2:31: sip.bind: expected an address that does not stand here twice, found \
             \"udp:127.0.0.1:5060\"",
        ),
        (
            "sip.outbound_proxy = \"proxy\"",
            "1:22: sip.outbound_proxy: expected \"\" or a route such as \"sip:host:port;lr\", found \
             \"proxy\"",
        ),
        (
            "sip.trusted_peers = [\"10.0.0.0/33\"]",
            "1:22: sip.trusted_peers: expected a network such as \"10.0.0.0/8\", found \"10.0.0.0/33\"",
        ),
        (
            "sip.conference_factory = [\"meet\"]",
            "1:27: sip.conference_factory: expected a URI such as \
             \"sip:conference-factory@localhost\", found \"meet\"",
        ),
        (
            "sip.min_se_s = 89",
            "1:16: sip.min_se_s: expected a whole number from 90 to 31536000, found 89",
        ),
        (
            "[sip]\nmin_se_s = 200\nsession_expires_s = 100",
            "3:21: sip.session_expires_s: expected at least min_se_s, which is 200, found 100",
        ),
        (
            "[sip]\nmin_se_s = 3600",
            "2:12: sip.min_se_s: expected at most session_expires_s, which is 1800, found 3600",
        ),
        (
            "relay.expires_s = 30",
            "1:19: relay.expires_s: expected expires_min_s, expires_s and expires_max_s in this order, found 60, 30 and 86400",
        ),
        (
            "relay.allow_addresses = [\"relay.example\"]",
            "1:26: relay.allow_addresses: expected an IP address, found \"relay.example\"",
        ),
        (
            "ng.bind = \"0.0.0.0:2223\"",
            "1:11: ng.bind: expected a loopback address, or allowed_peers beside it, found \"0.0.0.0:2223\"",
        ),
        (
            "limits.stall_s = 0",
            "1:18: limits.stall_s: expected a whole number from 1 to 31536000, found 0",
        ),
        (
            "limits.connections_max = 0",
            "1:26: limits.connections_max: expected a whole number from 1 to 100000000, found 0",
        ),
        (
            "limits.message_octets_max = 0",
            "1:29: limits.message_octets_max: expected a whole number from 1 to 1152921504606846976, \
             found 0",
        ),
        (
            "admin.bind = \"0.0.0.0:8655\"",
            "1:14: admin.bind: expected a loopback address, or tokens = \"FILE\" or \
             client_ca = \"FILE\" beside it, or allow_unauthenticated = true to serve everybody who reaches it, found \"0.0.0.0:8655\"",
        ),
        (
            "[admin]\ncert = \"c\"",
            "2:8: admin.cert: a certificate needs both cert and key",
        ),
        (
            "[[admin.webhook]]\nname = \"a\"\nurl = \"ftp://x\"\nsecret = \"s\"",
            "3:7: admin.webhook.url: expected \"http://HOST[:PORT]/PATH\" or \"https://...\", found \
             \"ftp://x\"",
        ),
        (
            "[admin]\ntokens = \"t\"\nallow_unauthenticated = true",
            "3:25: admin.allow_unauthenticated: tokens are asked for; leave one of the two out",
        ),
    ];
    for (text, expected) in table {
        assert_eq!(refusal(text), format!("msrpd.toml:{expected}"), "{text}");
    }
}

#[test]
fn config_listener_that_cannot_be_is_refused() {
    let listener = |lines: &str| format!("[[msrp.listener]]\n{lines}");
    let second = |lines: &str| {
        let first = "name = \"a\"\nbind = \"127.0.0.1:1\"\n";
        listener(&format!("{first}[[msrp.listener]]\n{lines}"))
    };
    let table = [
        (
            listener("bind = \"127.0.0.1:1\""),
            "1:1: msrp.listener.name: missing key, expected a name of letters, digits, '-' and '_', \
             at most 32 octets",
        ),
        (
            listener("name = \"a\""),
            "1:1: msrp.listener.bind: missing key, expected \"ADDRESS:PORT\"",
        ),
        (
            listener("name = \"a\"\nbind = \"127.0.0.1\""),
            "3:8: msrp.listener.bind: expected \"ADDRESS:PORT\", found \"127.0.0.1\"",
        ),
        (
            listener("name = \"a\"\nbind = \"0.0.0.0:1\""),
            "3:8: msrp.listener.bind: expected an address that peers can reach, or advertise = \
             \"HOST:PORT\", found \"0.0.0.0:1\"",
        ),
        (
            listener("name = \"a\"\nbind = \"127.0.0.1:1\"\nadvertise = \"host\""),
            "4:13: msrp.listener.advertise: expected \"HOST:PORT\", found \"host\"",
        ),
        (
            listener("name = \"a\"\ntransport = \"tls\"\ncert = \"c\""),
            "3:13: msrp.listener.transport: needs key = \"FILE\" beside it",
        ),
        (
            listener("name = \"a\"\ntransport = \"ws\"\norigins = [\"chat.example\"]"),
            "4:12: msrp.listener.origins: expected an origin such as \"https://chat.example.com\", \
             without a path, found \"chat.example\"",
        ),
        (
            listener("name = \"a\"\ntransport = \"tcp\"\norigins = []"),
            "4:11: msrp.listener.origins: belongs to ws and wss",
        ),
        (
            listener("name = \"a\"\ntransport = \"udp\""),
            "3:13: msrp.listener.transport: expected \"tcp\", \"tls\", \"ws\" or \"wss\", found \"udp\"",
        ),
        (
            listener("name = \"a\"\nbind = \"127.0.0.1:1\"\ncert = \"c\""),
            "4:8: msrp.listener.cert: belongs to tls and wss",
        ),
        (
            second("name = \"a\"\nbind = \"127.0.0.1:2\""),
            "5:8: msrp.listener.name: expected a name that no other listener has, found \"a\"",
        ),
        (
            second("name = \"b\"\nbind = \"127.0.0.1:1\""),
            "6:8: msrp.listener.bind: expected an address that no other listener has, found \
             \"127.0.0.1:1\"",
        ),
    ];
    for (text, expected) in table {
        assert_eq!(refusal(&text), format!("msrpd.toml:{expected}"), "{text}");
    }
}

#[test]
fn config_text_that_is_not_toml_names_the_place() {
    let error = refusal("[io]\nbackend = \n");
    assert!(error.starts_with("msrpd.toml:2:"), "{error}");
    assert!(error.contains(": not TOML: "), "{error}");
    let error = refusal("domain = \"a\"\ndomain = \"b\"\n");
    assert!(
        error.starts_with("msrpd.toml:2:1: not TOML: duplicate key"),
        "{error}"
    );
}

#[test]
fn config_document_agrees_with_the_code() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/config.md");
    let document = catalogue::document();
    if std::env::var_os("MSRPD_WRITE_DOCS").is_some() {
        std::fs::write(&file, &document).unwrap();
    }
    let written = std::fs::read_to_string(&file).unwrap();
    assert!(
        written == document,
        "run the test once with MSRPD_WRITE_DOCS=1 to write {file:?}"
    );
}

#[test]
fn config_documented_defaults_are_the_defaults() {
    let mut text = String::new();
    for key in catalogue::keys() {
        if let Some(default) = (key.default)(&Config::default())
            && !key.path.starts_with("msrp.")
        {
            text.push_str(&format!("{} = {default}\n", key.path));
        }
    }
    let mut config = parse(&text).unwrap();
    config.groups.is_named = false;
    assert_eq!(config, Config::default());
}

const ALL_KEYS: &str = r#"
domain = "im.example"
[io]
backend = "epoll"
shards = 4
pin_shards = true
[[msrp.listener]]
name = "core"
bind = "0.0.0.0:2855"
advertise = "im.example:2855"
transport = "tcp"
[[msrp.listener]]
name = "six"
bind = "[::1]:0"
transport = "wss"
cert = "msrp/cert.pem"
key = "/etc/msrp/key.pem"
client_ca = "msrp/clients.pem"
origins = ["https://chat.example.com"]
[[msrp.listener]]
name = "behind"
bind = "192.0.2.1:0"
transport = "ws"
unprotected = true
[sip]
bind = ["tcp:192.0.2.1:5060"]
outbound_proxy = "sip:192.0.2.9:5060;lr"
name_servers = ["192.0.2.53:53"]
cert = "tls/cert.pem"
key = "/etc/tls/key.pem"
ca = "ca.pem"
client_ca = "clients.pem"
trusted_peers = ["10.0.0.0/8", "2001:db8::1"]
conference_factory = ["sip:meet@im.example"]
session_expires_s = 600
min_se_s = 120
[groups]
directory = "lists"
[policy]
anonymity = false
private_messages = false
nicknames = false
private_refusal_status = 428
interim_reports = true
strict_report_types = true
adhoc_add = "originator"
adhoc_expel = "participants"
refer_status = 200
own_mark = "oma=urn:oma:conference"
large_hold_octets = 12
large_hold_ms = 13
large_one_message = true
[pager]
exploder = ["sip:list@im.example"]
lists = false
recipient_history = false
messages_per_s = 9
notification_wait_s = 0
notification_restarts = 10
answer_wait_s = 11
block_unanswered = true
[relay]
realm = "relay.example"
users = "users"
listener = "core"
expires_min_s = 10
expires_s = 20
expires_max_s = 30
allow_addresses = ["10.0.0.7", "::1"]
relays = ["other.example"]
ca = "/etc/relay/ca.pem"
allow_plain_auth = true
[ng]
bind = "192.0.2.1:2223"
allowed_peers = ["192.0.2.0/24"]
[limits]
adhoc_participants_max = 1
pager_recipients_max = 2
connections_max = 3
message_octets_max = 0x1000
session_max_s = 5
unbound_s = 6
websocket_ping_s = 9
stall_s = 7
final_report_s = 8
bridges_max = 9
bridge_unanswered_s = 10
bridge_idle_s = 11
drain_s = 9
sessions_max = 10
memory_octets_max = 11
source_unbound_max = 3
sip_unfinished_max = 4
sip_source_requests_per_s = 0
sip_source_unfinished_max = 6
cpu_percent_max = 12
[admin]
bind = "192.0.2.1:8655"
tokens = "tokens"
socket = "/run/msrpd/admin.sock"
allow_unauthenticated = false
cert = "admin.pem"
key = "admin.key"
client_ca = "operators.pem"
[[admin.webhook]]
name = "billing"
url = "https://hooks.example/msrp"
secret = "billing.secret"
types = ["session_ended"]
rooms = ["lunch"]
[trace]
hep = "192.0.2.5:9060"
hep_bodies = true
[usage]
file = "usage.jsonl"
interim_s = 12
identities = "all"
"#;

#[test]
fn config_usage_file_may_be_standard_output_or_none() {
    let read = |text: &str| {
        Config::parse(Path::new("/etc/msrpd.toml"), text)
            .unwrap()
            .usage
            .file
    };
    assert_eq!(read("[usage]\nfile = \"-\"\n"), Some(UsageFile::Stdout));
    assert_eq!(read("[usage]\nfile = \"\"\n"), None);
    assert_eq!(
        refusal("[usage]\nidentities = \"some\"\n"),
        "msrpd.toml:2:14: usage.identities: expected \"none\", \"entity\" or \"all\", found \"some\""
    );
}
