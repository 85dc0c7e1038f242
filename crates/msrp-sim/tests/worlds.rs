//! Worlds that every run of the tests looks at.

use std::collections::BTreeMap;

use msrp_sim::{Wish, run, smuggle};

/// Seeds of worlds that once went wrong, and what was wrong.
const FOUND: [(u64, &str); 1] = [(
    756,
    "a message went under the Message-ID of one whose rest still waited for a slow recipient",
)];

#[test]
fn world_of_one_seed_is_the_same_again() {
    for seed in [3, 5, 260] {
        let (one, other) = (run(seed, Wish::default()), run(seed, Wish::default()));
        assert_eq!(one, other);
        assert_ne!(one.trace, run(seed + 1, Wish::default()).trace);
    }
}

#[test]
fn worlds_that_once_went_wrong_go_well() {
    for (seed, what) in FOUND {
        let outcome = run(seed, Wish::default());
        assert_eq!(outcome.fault, None, "seed {seed}: {what}");
    }
}

#[test]
fn worlds_go_well_and_show_what_they_are_for() {
    let mut sights = BTreeMap::new();
    for seed in 0..40 {
        let outcome = run(seed, Wish::default());
        assert_eq!(outcome.fault, None, "seed {seed}");
        for (what, count) in outcome.sights {
            *sights.entry(what).or_insert(0) += count;
        }
    }
    for what in [
        "accepted",
        "refused",
        "complete",
        "abort",
        "final report",
        "forged sender",
        "rewritten wrapper",
        "probe",
        "clog",
        "own message",
        "login at a relay",
        "report of a failure",
        "nickname given",
        "nickname in use",
        "move to another session",
        "failure of a shard",
    ] {
        assert!(sights.contains_key(what), "{what} is in none of {sights:?}");
    }
}

#[test]
fn end_lines_inside_bodies_end_no_frame() {
    for seed in 0..3 {
        let shown = smuggle(seed, 3000).unwrap();
        assert_eq!(shown.fault, None, "seed {seed}");
        assert!(shown.of_own_message > 1000, "{shown:?}");
    }
}

/// Run with the feature alone: it is not for a release build.
#[cfg(feature = "planted-defects")]
#[test]
fn planted_defects_stand_in_the_documentation() {
    let text = include_str!("../../../docs/testing.md");
    for (name, _) in msrp_sim::plants() {
        assert!(text.contains(&format!("| `{name}` |")), "{name}");
    }
}
