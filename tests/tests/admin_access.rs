//! Who may use the admin address of the real daemon: tokens that change, and certificates of clients.
#![expect(clippy::unwrap_used, reason = "test code")]

use std::net::SocketAddr;
use std::sync::Arc;

use msrp_testkit::daemon::LogLine;
use msrp_testkit::{Config, Daemon, http};
use msrpd_tests::Program;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// SHA-256 of `first` and of `second`.
const FIRST: &str = "a7937b64b8caa58f03721bb6bacf5c78cb235febe0e70b1b84cd99541461a08e";
const SECOND: &str = "16367aacb67a4a017c8da8ab95682ccb390863780f7114dda0a0e0c55644c7c4";

async fn status_with(daemon: &Daemon, token: &str) -> u16 {
    let shown = format!("Bearer {token}");
    let headers = [("Authorization", shown.as_str())];
    let answer = http::send(daemon.admin_addr(), "GET", "/v1/node", &headers, None).await;
    answer.status
}

#[tokio::test]
async fn tokens_are_read_anew_on_a_signal_and_a_broken_file_changes_nothing() {
    let config = Config::new()
        .set("admin", "tokens", "tokens")
        .file("tokens", &format!("one read {FIRST}\n"));
    let daemon = Daemon::start(config).await;
    let seen = [
        status_with(&daemon, "first").await,
        status_with(&daemon, "second").await,
    ];
    assert_eq!(seen, [200, 401]);
    daemon.write_file("tokens", &format!("two read {SECOND}\n"));
    daemon.signal("HUP");
    let read = |line: &LogLine| line.message() == "certificates read";
    daemon.wait_log("the tokens to be read", read).await;
    let seen = [
        status_with(&daemon, "first").await,
        status_with(&daemon, "second").await,
    ];
    assert_eq!(seen, [401, 200]);
    daemon.write_file("tokens", "nothing that is a line of tokens\n");
    daemon.signal("HUP");
    let refused = |line: &LogLine| line.message().contains("refused");
    let line = daemon.wait_log("the tokens to be refused", refused).await;
    assert!(line.field("reason").contains("line 1"), "{line:?}");
    assert_eq!(status_with(&daemon, "second").await, 200);
}

/// An authority with a certificate of its own.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        Self(CertifiedIssuer::self_signed(params, key).unwrap())
    }

    /// A certificate for a name, with its key.
    fn issue(&self, name: &str) -> (rcgen::Certificate, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        (params.signed_by(&key, &self.0).unwrap(), key)
    }
}

/// The status of a GET over TLS; `None` when the handshake or the request got no answer.
async fn get(
    address: SocketAddr,
    trusted: &Authority,
    shown: Option<(rcgen::Certificate, KeyPair)>,
) -> Option<String> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.0.der().clone()).unwrap();
    let config = ClientConfig::builder().with_root_certificates(roots);
    let config = match shown {
        None => config.with_no_client_auth(),
        Some((certificate, key)) => {
            let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
            let chain = vec![certificate.der().clone()];
            config.with_client_auth_cert(chain, key).unwrap()
        }
    };
    let stream = TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let mut stream = TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await
        .ok()?;
    stream
        .write_all(b"GET /v1/node HTTP/1.0\r\n\r\n")
        .await
        .ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.ok()?;
    let answer = String::from_utf8(answer).unwrap();
    answer.split(' ').nth(1).map(str::to_owned)
}

#[tokio::test]
async fn client_without_a_certificate_of_the_authority_does_not_get_in() {
    let (ours, others) = (Authority::new(), Authority::new());
    let (certificate, key) = ours.issue("localhost");
    let config = Config::new()
        .set("admin", "cert", "admin.pem")
        .set("admin", "key", "admin.key")
        .set("admin", "client_ca", "operators.pem")
        .file("admin.pem", &certificate.pem())
        .file("admin.key", &key.serialize_pem())
        .file("operators.pem", &ours.0.pem());
    let daemon = Daemon::start(config).await;
    let address = daemon.admin_addr();
    let operator = ours.issue("operator");
    let answer = get(address, &ours, Some(operator)).await;
    assert_eq!(answer.as_deref(), Some("200"));
    assert_eq!(get(address, &ours, None).await, None);
    let stranger = others.issue("operator");
    assert_eq!(get(address, &ours, Some(stranger)).await, None);
    // Who speaks plain HTTP gets nothing, and keeps nobody else out.
    let mut plain = TcpStream::connect(address).await.unwrap();
    plain
        .write_all(b"GET /v1/node HTTP/1.0\r\n\r\n")
        .await
        .unwrap();
    let operator = ours.issue("another");
    let answer = get(address, &ours, Some(operator)).await;
    assert_eq!(answer.as_deref(), Some("200"));
}

/// How msrpctl ends that asks for the status of a node at an address, with these options more; and what it says.
async fn ctl(address: &str, options: &[&str]) -> (Option<i32>, String) {
    let arguments = [&["status", "--admin", address], options].concat();
    let (status, errors) = Program::start("msrpctl", &arguments).wait_end().await;
    (status.code(), errors)
}

#[tokio::test]
async fn msrpctl_speaks_tls_with_a_node_that_its_authority_vouches_for() {
    let (ours, others) = (Authority::new(), Authority::new());
    let (certificate, key) = ours.issue("localhost");
    let (operator, operator_key) = ours.issue("operator");
    let config = Config::new()
        .set("admin", "cert", "admin.pem")
        .set("admin", "key", "admin.key")
        .set("admin", "client_ca", "ours.pem")
        .file("admin.pem", &certificate.pem())
        .file("admin.key", &key.serialize_pem())
        .file("ours.pem", &ours.0.pem())
        .file("others.pem", &others.0.pem())
        .file("operator.pem", &operator.pem())
        .file("operator.key", &operator_key.serialize_pem());
    let daemon = Daemon::start(config).await;
    let named = format!("localhost:{}", daemon.admin_addr().port());
    let file = |name: &str| daemon.directory().join(name).display().to_string();
    let [ours, others, none] = ["ours.pem", "others.pem", "none.pem"].map(file);
    let [cert, key] = ["operator.pem", "operator.key"].map(file);
    let shown = ["--cert", &cert, "--key", &key];
    let with = |ca| [&["--ca", ca][..], &shown].concat();
    assert_eq!(ctl(&named, &with(&ours)).await, (Some(0), String::new()));

    // What is wrong, how it ends, and what it says.
    let address = daemon.admin_addr().to_string();
    let cases: [(&str, Vec<&str>, i32, &str); 7] = [
        (&named, with(&others), 3, "invalid peer certificate"),
        (&address, with(&ours), 3, "not valid for name"),
        (&named, vec!["--ca", &ours], 3, "certificate"),
        (&named, vec![], 3, "--ca"),
        (&named, shown.to_vec(), 1, "--cert and --key need --ca"),
        (
            &named,
            vec!["--ca", &ours, "--cert", &cert],
            1,
            "go together",
        ),
        (&named, vec!["--ca", &none], 1, "none.pem"),
    ];
    for (address, options, code, part) in cases {
        let (status, errors) = ctl(address, &options).await;
        assert_eq!(status, Some(code), "{options:?}: {errors}");
        assert!(errors.contains(part), "{options:?}: {errors}");
    }
}
