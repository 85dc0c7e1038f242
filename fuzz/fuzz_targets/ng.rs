#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| msrpd_fuzz_targets::ng(octets));
