//! Criterion benches of the data plane.
