//! Any text as a scope manifest and as decisions: no panic, and no message that could act in a terminal.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tripline_baseline::{Decisions, Scope};

fn check(message: &str) {
    assert!(!message.chars().any(char::is_control), "{message:?}");
}

fuzz_target!(|text: &str| {
    if let Err(error) = Scope::parse(text) {
        check(&error.to_string());
    }
    match Decisions::parse(text) {
        Ok(decisions) => assert_eq!(Decisions::parse(&decisions.to_text()), Ok(decisions)),
        Err(error) => check(&error.to_string()),
    }
});
