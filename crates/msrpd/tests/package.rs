//! What `deploy/` holds works: the package, its default configuration, and the service.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use msrpd::config::Config;

fn deploy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy")
}

#[test]
fn package_is_built_unpacked_and_started_with_its_default_configuration() {
    if Command::new("dpkg-deb").arg("--version").output().is_err() {
        println!("not tried: there is no dpkg-deb on this machine");
        return;
    }
    let binaries = Path::new(env!("CARGO_BIN_EXE_msrpd")).parent().unwrap();
    let output = Command::new(deploy().join("debian/try"))
        .arg(binaries)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let shown = String::from_utf8_lossy(&output.stdout);
    if output.status.code() == Some(77) {
        println!("not tried: {shown}");
        return;
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{shown}{errors}");
    assert!(
        shown.ends_with("the package starts, reloads and stops\n"),
        "{shown}"
    );
}

#[test]
fn configurations_that_are_delivered_are_the_defaults_but_for_what_they_say() {
    let load = |name: &str| Config::load(&deploy().join(name)).unwrap();
    let defaults = Config::default();
    let packaged = load("etc/msrpd.toml");
    assert_eq!(packaged.sip, defaults.sip);
    assert_eq!(packaged.limits, defaults.limits);
    assert_eq!(packaged.admin.bind, defaults.admin.bind);
    assert_eq!(
        packaged.msrp_listeners[0].bind,
        defaults.msrp_listeners[0].bind
    );
    // Nobody may use the admin server from outside of a container.
    let contained = load("container/msrpd.toml");
    assert!(contained.admin.bind.ip().is_loopback());
    assert!(contained.msrp_listeners[0].bind.ip().is_unspecified());
}

#[test]
fn service_is_exposed_no_more_than_its_note_says() {
    let unit = deploy().join("systemd/msrpd.service");
    let output = Command::new("systemd-analyze")
        .args(["security", "--offline=true", "--no-pager", "--threshold=15"])
        .arg(&unit)
        .output();
    let Ok(output) = output else {
        println!("not tried: there is no systemd-analyze on this machine");
        return;
    };
    let shown = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "more than 1.5:\n{shown}");
}
