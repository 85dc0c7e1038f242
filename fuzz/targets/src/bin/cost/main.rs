//! What hostile input costs beside plain input, to be counted by callgrind: `benches/linear-cost.sh`.
//!
//! Each reader of outside octets is a *family*: input as honest clients send it, and classes of input that are made to
//! cost much. Every class is read at two sizes, the second four times the first. `measured` is the only function whose
//! instructions count; the lines on the standard output say in order what each call of it read.
//!
//! Without valgrind the program reads everything once, which shows no more than that it can.
#![expect(clippy::print_stdout, reason = "a tool that tells its result")]

mod msrp;
mod signalling;

use std::hint::black_box;

/// Input in the parts in which it arrives.
type Input = Vec<Vec<u8>>;

/// A kind of input: its name, and what makes about so many octets of it.
type Class = (&'static str, fn(usize) -> Input);

/// One reader, and what it is given.
struct Family {
    name: &'static str,
    /// Octets of the smaller size. Four times that is within the bounds of the reader.
    octets: usize,
    read: fn(&[Vec<u8>]),
    /// The first one is plain.
    classes: &'static [Class],
}

fn main() {
    let families = msrp::FAMILIES.iter().chain(signalling::FAMILIES);
    for family in families {
        for (class, make) in family.classes {
            for octets in [family.octets, 4 * family.octets] {
                let input = make(octets);
                let sum: usize = input.iter().map(Vec::len).sum();
                println!("{}|{class}|{sum}", family.name);
                // The first reading makes what is made once in a process.
                (family.read)(&input);
                measured(family.read, &input);
            }
        }
    }
}

#[inline(never)]
fn measured(read: fn(&[Vec<u8>]), input: &[Vec<u8>]) {
    read(black_box(input));
}

/// Repeats what `part` makes of the number of each part until there are so many octets.
fn repeat(octets: usize, mut part: impl FnMut(usize) -> String) -> String {
    let mut text = String::new();
    for number in 0.. {
        if text.len() >= octets {
            break;
        }
        text.push_str(&part(number));
    }
    text
}

/// Everything in one read.
fn whole(text: String) -> Input {
    vec![text.into_bytes()]
}

/// Octet by octet.
fn single(input: &Input) -> Input {
    input.iter().flatten().map(|octet| vec![*octet]).collect()
}
