//! Tests of the whole, in one binary.
#![expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "tests start the program, read fixtures, and say what they skip"
)]

mod architecture;
mod attribution;
mod envelopes;
mod laws;
mod program;
mod samples;
mod whole;
