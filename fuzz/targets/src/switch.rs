//! Chat rooms: random operations, legal ones and others.

mod talk;
mod world;

use msrp_switch::limits::{FINAL_REPORT_NS, HOLD_NS, SILENCE_NS};
use msrp_switch::{Outcome, Rules, SwitchConfig};
use msrp_wire::{ContinuationFlag, FailureReport};

use crate::input::Input;
use world::World;

/// The first octet sets the rooms up, the others are operations.
pub fn switch(octets: &[u8]) {
    let mut input = Input::new(octets);
    let settings = input.octet();
    let failure_report = if settings & 1 == 0 {
        FailureReport::Partial
    } else {
        FailureReport::Yes
    };
    let config = SwitchConfig {
        failure_report,
        final_report_ns: FINAL_REPORT_NS,
        rules: Rules {
            interim_reports: settings & 2 != 0,
            ..Rules::default()
        },
        seed: [7; 32],
    };
    let mut world = World::new(&config, settings);
    for _ in 0..OPERATIONS_MAX {
        if input.is_empty() {
            break;
        }
        operate(&mut world, &mut input);
        world.drain();
    }
    world.finish();
}

fn operate(world: &mut World, input: &mut Input<'_>) {
    let operation = input.below(20);
    let who = world.pick_leg(input);
    match operation {
        0 => world.add_leg(input),
        1 => world.switch.join(who),
        2 => {
            world.switch.leave(who);
        }
        3 => world.set_acceptance(who, input),
        4 => world.settle(input),
        5 => {
            let message = world.pick_message(input);
            let outcomes = [
                Outcome::Delivered,
                Outcome::Sent,
                Outcome::Refused,
                Outcome::Failed,
                Outcome::Aborted,
            ];
            let outcome = input.pick(&outcomes);
            if let Some(message) = message {
                world.switch.settle(who, message, outcome);
            }
        }
        6 => world.refuse(who, input),
        7 => world.report(who, input),
        8 => world.written(who, input),
        9 => world.end_turn(),
        10 => {
            let ns = input.pick(&[1, HOLD_NS, 1_000_000_000, FINAL_REPORT_NS, SILENCE_NS]);
            world.pass_ns(ns);
        }
        11 => world.end_room(input),
        12 => world.stray_body(who, input),
        13 => {
            let flag = input.pick(&FLAGS);
            world.switch.handle_end(who, flag);
        }
        _ => world.speak(who, input),
    }
}

const FLAGS: [ContinuationFlag; 3] = [
    ContinuationFlag::More,
    ContinuationFlag::Last,
    ContinuationFlag::Abort,
];

/// Operations of one input. Our choice: an input is quick to run.
const OPERATIONS_MAX: usize = 200;
