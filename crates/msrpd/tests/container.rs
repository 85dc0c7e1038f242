//! The Containerfile says what is there: files that it copies, programs that the build makes, ports of the
//! configuration that it delivers. Only an engine for containers can run it.
#![expect(clippy::unwrap_used, reason = "test code")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use msrpd::config::Config;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// An instruction with its words.
type Line = (String, Vec<String>);

/// The instructions: comments and blank lines left out, lines that end with a backslash put together.
fn instructions() -> Vec<Line> {
    let text = include_str!("../../../deploy/container/Containerfile");
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let text = lines.collect::<Vec<_>>().join("\n").replace("\\\n", " ");
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    let line = |line: &str| {
        let mut words = line.split_ascii_whitespace().map(str::to_owned);
        (words.next().unwrap(), words.collect())
    };
    lines.map(line).collect()
}

fn all<'a>(lines: &'a [Line], name: &'a str) -> impl Iterator<Item = &'a [String]> {
    let named = lines.iter().filter(move |(known, _)| known == name);
    named.map(|(_, words)| words.as_slice())
}

/// The words of the only instruction of this name, which is written as a list.
fn list(lines: &[Line], name: &str) -> Vec<String> {
    let words: Vec<_> = all(lines, name).collect();
    assert_eq!(words.len(), 1, "{name} stands there once");
    let text = words[0].join(" ");
    let text = text.split_once('[').map_or("", |(_, list)| list);
    serde_json::from_str(&format!("[{text}")).unwrap()
}

#[test]
fn containerfile_has_instructions_that_there_are_in_their_order() {
    let known = [
        "FROM",
        "WORKDIR",
        "COPY",
        "RUN",
        "USER",
        "EXPOSE",
        "STOPSIGNAL",
        "HEALTHCHECK",
        "ENTRYPOINT",
        "CMD",
    ];
    let lines = instructions();
    assert_eq!(lines[0].0, "FROM");
    for (name, words) in &lines {
        assert!(known.contains(&name.as_str()), "{name}");
        assert!(!words.is_empty(), "{name}");
    }
    let last = all(&lines, "FROM").last().unwrap();
    assert_eq!(last.len(), 1, "the last stage is the image");
}

#[test]
fn containerfile_copies_what_is_there() {
    let lines = instructions();
    let stages = all(&lines, "FROM").filter_map(|words| match words {
        [_, word, name] if word == "AS" => Some(name.as_str()),
        _ => None,
    });
    let stages: BTreeSet<_> = stages.collect();
    let built = [env!("CARGO_BIN_EXE_msrpd"), env!("CARGO_BIN_EXE_msrpctl")];
    let built = built.map(|path| Path::new(path).file_name().unwrap().to_str().unwrap());
    let mut copied = BTreeMap::new();
    for words in all(&lines, "COPY") {
        let (stage, words) = match words.split_first() {
            Some((first, rest)) if first.starts_with("--from=") => {
                (first.strip_prefix("--from="), rest)
            }
            _ => (None, words),
        };
        let (to, sources) = words.split_last().unwrap();
        assert!(!sources.is_empty(), "{words:?}");
        for source in sources {
            match stage {
                Some(stage) => {
                    assert!(stages.contains(stage), "{stage} is no stage");
                    let name = source.strip_prefix("/src/target/release/").unwrap();
                    assert!(built.contains(&name), "{name} is not built");
                }
                None => assert!(root().join(source).exists(), "{source} is not there"),
            }
            copied.insert(source.clone(), to.clone());
        }
    }
    let config = &copied["deploy/container/msrpd.toml"];
    let command = list(&lines, "CMD");
    assert_eq!(command, ["serve", "--config", config]);
    assert_eq!(list(&lines, "ENTRYPOINT"), ["msrpd"]);
    assert_eq!(list(&lines, "HEALTHCHECK"), ["msrpctl", "status"]);
}

#[test]
fn containerfile_builds_the_package_with_the_toolchain_of_the_project() {
    let lines = instructions();
    let build = all(&lines, "RUN").map(|words| words.join(" "));
    let build: Vec<_> = build.filter(|line| line.starts_with("cargo ")).collect();
    assert_eq!(build, ["cargo build --release --locked -p msrpd"]);
    let images: Vec<_> = all(&lines, "FROM").map(|words| words[0].as_str()).collect();
    let [builder, image] = images[..] else {
        panic!("two stages: {images:?}");
    };
    let toolchain = builder.split_once("/rust:").unwrap().1;
    let (version, release) = toolchain.split_once('-').unwrap();
    assert_eq!(version, env!("CARGO_PKG_RUST_VERSION"));
    // What is built against the C library of one release runs on the same.
    assert_eq!(image, format!("docker.io/library/debian:{release}-slim"));
}

#[test]
fn containerfile_exposes_the_ports_of_its_configuration_and_runs_as_nobody_special() {
    let lines = instructions();
    let exposed: BTreeSet<String> = all(&lines, "EXPOSE").flatten().cloned().collect();
    let config = Config::load(&root().join("deploy/container/msrpd.toml")).unwrap();
    let msrp = config.msrp_listeners.iter();
    let mut expected: BTreeSet<String> = msrp.map(|l| format!("{}/tcp", l.bind.port())).collect();
    for bind in &config.sip.bind {
        let bound = bind.to_string();
        let transport = bound.split(':').next().unwrap().replace("tls", "tcp");
        expected.insert(format!("{}/{transport}", bind.address.port()));
    }
    assert_eq!(exposed, expected);
    let user: Vec<_> = all(&lines, "USER").collect();
    let [[uid]] = user[..] else {
        panic!("one user: {user:?}");
    };
    assert!(uid.parse::<u32>().is_ok_and(|uid| uid > 0), "{uid}");
    let makes_user = |words: &[String]| words.join(" ").contains(&format!("--uid {uid} "));
    assert!(all(&lines, "RUN").any(makes_user));
}
