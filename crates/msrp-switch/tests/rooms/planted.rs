//! Each oracle is shown to see what it is for: the suite runs against switches with a defect.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use msrp_switch::Defect;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::{addressing, chunks, final_report, hidden, model};

thread_local! {
    static PLANTED: Cell<Option<Defect>> = const { Cell::new(None) };
}

/// The defect that switches of this thread are to have.
pub(crate) fn planted() -> Option<Defect> {
    PLANTED.get()
}

fn runner(cases: u32) -> TestRunner {
    let config = Config {
        cases,
        max_shrink_iters: 0,
        failure_persistence: None,
        ..Config::default()
    };
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    TestRunner::new_with_rng(config, rng)
}

fn model_holds() {
    let outcome = runner(400).run(&model::plan(), |plan| {
        model::check(&plan);
        Ok(())
    });
    outcome.unwrap();
}

fn aliases_hold() {
    let outcome = runner(50).run(&hidden::cases(), |(one, two, traffic)| {
        hidden::check(&one, &two, &traffic);
        Ok(())
    });
    outcome.unwrap();
}

/// A part of the suite.
struct Oracle {
    name: &'static str,
    check: fn(),
    /// The defects that it is for.
    sees: &'static [Defect],
}

const ORACLES: [Oracle; 6] = {
    use Defect::*;
    [
        Oracle {
            name: "model",
            check: model_holds,
            sees: &[WrongRecipient, LostLeg, AlteredBody, LeakedAlias, ReusedId],
        },
        Oracle {
            name: "aliases",
            check: aliases_hold,
            sees: &[LeakedAlias],
        },
        Oracle {
            name: "private messages",
            check: addressing::private_message_reaches_those_it_names,
            sees: &[WrongRecipient, LostLeg, AlteredBody],
        },
        Oracle {
            name: "wrappers",
            check: chunks::wrapper_that_comes_again_never_takes_the_place_of_the_first,
            sees: &[UncheckedFrom],
        },
        Oracle {
            name: "ids",
            check: chunks::message_id_of_two_senders_is_fresh_for_the_second,
            sees: &[ReusedId],
        },
        Oracle {
            name: "final reports",
            check:
                final_report::final_report_names_everybody_addressed_with_what_became_of_the_message,
            sees: &[LostReportLeg],
        },
    ]
};

fn fails(oracle: &Oracle, defect: Option<Defect>) -> bool {
    PLANTED.set(defect);
    let outcome = catch_unwind(AssertUnwindSafe(oracle.check));
    PLANTED.set(None);
    outcome.is_err()
}

#[test]
fn oracles_hold_without_a_defect() {
    for oracle in &ORACLES {
        assert!(!fails(oracle, None), "{}", oracle.name);
    }
}

#[test]
fn planted_defects_are_caught_by_the_oracles_that_are_for_them() {
    for defect in Defect::ALL {
        let meant = ORACLES
            .iter()
            .filter(|oracle| oracle.sees.contains(&defect));
        let meant: Vec<&Oracle> = meant.collect();
        assert!(!meant.is_empty(), "nobody looks for {defect:?}");
        for oracle in meant {
            let name = oracle.name;
            assert!(fails(oracle, Some(defect)), "{name}: blind for {defect:?}");
        }
    }
}
