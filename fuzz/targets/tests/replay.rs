//! The committed corpus, and seeded mutations of it.
#![expect(clippy::unwrap_used, reason = "test code")]

use std::collections::BTreeSet;
use std::path::PathBuf;

use msrpd_fuzz_targets::mutation::{Numbers, mutate};
use msrpd_fuzz_targets::{TARGETS, Target};

fn corpus_folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../corpus")
}

/// The committed inputs of a target, in the order of their names.
fn corpus(target: &Target) -> Vec<Vec<u8>> {
    let folder = corpus_folder().join(target.name);
    let mut files: Vec<PathBuf> = std::fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files
        .iter()
        .map(|file| std::fs::read(file).unwrap())
        .collect()
}

/// Shows the input that was being run when something did not hold.
struct Shown<'a>(&'a str, &'a [u8]);

impl Drop for Shown<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}: b\"{}\"", self.0, self.1.escape_ascii());
        }
    }
}

fn run(target: &Target, input: &[u8]) {
    let _shown = Shown(target.name, input);
    (target.run)(input);
}

/// Replays the corpus of a target and runs mutations of it.
fn replay(name: &str, mutations: usize) {
    let target = TARGETS.iter().find(|target| target.name == name).unwrap();
    let corpus = corpus(target);
    run(target, b"");
    for input in &corpus {
        run(target, input);
    }
    let mut numbers = Numbers::of_seed(1);
    for _ in 0..mutations {
        let input = &corpus[numbers.below(corpus.len())];
        run(target, &mutate(&mut numbers, input, &corpus, target.words));
    }
}

#[test]
fn decoder_holds_for_corpus_and_mutations() {
    replay("decoder", 3000);
}

#[test]
fn uri_holds_for_corpus_and_mutations() {
    replay("uri", 20_000);
}

#[test]
fn cpim_holds_for_corpus_and_mutations() {
    replay("cpim", 10_000);
}

#[test]
fn coverage_holds_for_corpus_and_mutations() {
    replay("coverage", 3000);
}

#[test]
fn status_holds_for_corpus_and_mutations() {
    replay("status", 10_000);
}

#[test]
fn sdp_holds_for_corpus_and_mutations() {
    replay("sdp", 5000);
}

#[test]
fn auth_holds_for_corpus_and_mutations() {
    replay("auth", 20_000);
}

#[test]
fn address_holds_for_corpus_and_mutations() {
    replay("address", 5000);
}

#[test]
fn config_holds_for_corpus_and_mutations() {
    replay("config", 5000);
}

#[test]
fn conference_info_holds_for_corpus_and_mutations() {
    replay("conference_info", 5000);
}

#[test]
fn group_document_holds_for_corpus_and_mutations() {
    replay("group_document", 5000);
}

#[test]
fn multipart_holds_for_corpus_and_mutations() {
    replay("multipart", 5000);
}

#[test]
fn resource_list_holds_for_corpus_and_mutations() {
    replay("resource_list", 5000);
}

#[test]
fn sip_stream_holds_for_corpus_and_mutations() {
    replay("sip_stream", 5000);
}

#[test]
fn websocket_holds_for_corpus_and_mutations() {
    replay("websocket", 5000);
}

#[test]
fn ng_holds_for_corpus_and_mutations() {
    replay("ng", 20_000);
}

#[test]
fn switch_holds_for_corpus_and_mutations() {
    replay("switch", 3000);
}

#[test]
fn corpus_is_small_and_whole() {
    let folders: BTreeSet<String> = std::fs::read_dir(corpus_folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let names: BTreeSet<String> = TARGETS.iter().map(|t| t.name.to_owned()).collect();
    assert_eq!(folders, names);
    let page = std::fs::read_to_string(corpus_folder().join("../README.md")).unwrap();
    let mut octets = 0;
    for target in TARGETS {
        let row = format!("\n| `{}` | ", target.name);
        assert!(page.contains(&row), "{} is not explained", target.name);
        let corpus = corpus(target);
        assert!((1..=48).contains(&corpus.len()), "{}", target.name);
        octets += corpus.iter().map(Vec::len).sum::<usize>();
        let program = corpus_folder().join(format!("../fuzz_targets/{}.rs", target.name));
        assert!(program.is_file(), "{} has no fuzz program", target.name);
    }
    assert!(octets < 300_000, "{octets} octets");
}

#[test]
fn mutations_of_a_seed_are_always_the_same() {
    let of = |seed| mutate(&mut Numbers::of_seed(seed), b"MSRP abcd SEND", &[], &["x"]);
    assert_eq!(of(3), of(3));
    assert!((0..20).any(|seed| of(seed) != of(3)));
}
