//! Works out where in each table of `data/` the line of each name begins, as `catalogue.rs` looks it up.

#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a build script reads and writes files, and may fail loudly"
)]

use std::path::Path;
use std::{env, fs};

#[path = "src/catalogue/hash.rs"]
mod hash;

fn main() {
    println!("cargo::rerun-if-changed=data");
    println!("cargo::rerun-if-changed=src/catalogue/hash.rs");
    let out = env::var("OUT_DIR").unwrap();
    for name in ["levels", "risks", "reported"] {
        let table = fs::read_to_string(Path::new("data").join(name).with_extension("csv")).unwrap();
        let places: Vec<u8> = places(&table).into_iter().flat_map(u32::to_le_bytes).collect();
        fs::write(Path::new(&out).join(name).with_extension("places"), places).unwrap();
    }
}

/// Where each line but the first begins, in the slot that follows from its name, or the next one that is free;
/// zero in those that stay free.
fn places(table: &str) -> Vec<u32> {
    let mut slots = vec![0; (table.lines().count() * 4 / 3).next_power_of_two()];
    let mut at = 0;
    for (nth, line) in table.split_inclusive('\n').enumerate() {
        if nth > 0 {
            let name = line.split(',').next().unwrap();
            let mut slot = hash::of(name) as usize % slots.len();
            while slots[slot] != 0 {
                slot = (slot + 1) % slots.len();
            }
            slots[slot] = u32::try_from(at).unwrap();
        }
        at += line.len();
    }
    slots
}
