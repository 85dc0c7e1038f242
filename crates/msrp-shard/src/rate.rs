//! The rate of a participant, as controllers say it and as the switch has it.

use msrp_control::MessageRate;
use msrp_switch::Rate;

pub(crate) fn of_switch(rate: MessageRate) -> Rate {
    Rate {
        count: rate.messages(),
        per_ns: u64::from(rate.per_s()) * NS_PER_S,
        burst: rate.burst(),
    }
}

pub(crate) fn of_controllers(rate: Rate) -> Option<MessageRate> {
    let per_s = u32::try_from(rate.per_ns / NS_PER_S).ok()?;
    MessageRate::new(rate.count, per_s, rate.burst).ok()
}

const NS_PER_S: u64 = 1_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rate_comes_back_as_it_was_said() {
        for (messages, per_s, burst) in [(1, 1, 1), (7, 86_400, 10_000)] {
            let rate = MessageRate::new(messages, per_s, burst).unwrap();
            assert_eq!(of_controllers(of_switch(rate)), Some(rate));
        }
    }
}
