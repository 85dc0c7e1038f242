//! Worlds that every run of the tests looks at.

use std::collections::BTreeMap;

use msrp_sim::{Wish, run};

/// Seeds of worlds that once went wrong, and what was wrong.
const FOUND: [(u64, &str); 1] = [(
    444,
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
    for seed in 0..60 {
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
    ] {
        assert!(sights.contains_key(what), "{what} is in none of {sights:?}");
    }
}
