//! The little language of request and response bodies: JSON text with `$x` places.
//!
//! A place has the same value all through one call, so that the bucket of the request is the bucket of the resource.

use crate::civil;
use crate::civil::Civil;
use crate::json::{Put, fresh_guid};
use crate::rng::{Rng, mix};

/// What services, buckets and tables are called in the made-up company.
pub(crate) const WORDS: [&str; 24] = [
    "checkout",
    "payments",
    "orders",
    "catalog",
    "search",
    "inventory",
    "shipping",
    "accounts",
    "sessions",
    "billing",
    "reports",
    "gateway",
    "mailer",
    "images",
    "events",
    "ledger",
    "quotes",
    "returns",
    "pricing",
    "loyalty",
    "partners",
    "metrics",
    "audit",
    "webhooks",
];

/// The values of one call's places.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Places<'a> {
    pub(crate) account: &'a str,
    pub(crate) region: &'a str,
    pub(crate) agent: &'a str,
    pub(crate) role: &'a str,
    pub(crate) now: i64,
    pub(crate) word: &'static str,
    pub(crate) thing: u64,
    pub(crate) draw: u64,
}

impl<'a> Places<'a> {
    /// Draws the places of one call. `taste` is what makes one agent's things its own.
    pub(crate) fn draw(
        rng: &mut Rng,
        taste: u64,
        account: &'a str,
        region: &'a str,
        agent: &'a str,
        role: &'a str,
        now: i64,
    ) -> Self {
        let draw = rng.bits();
        // A few things often, more of them rarely: the smaller of two draws.
        let rank = (draw & 0xF).min(draw >> 4 & 0xF);
        let place = (taste.wrapping_add(rank.wrapping_mul(7)) % WORDS.len() as u64) as usize;
        Self {
            account,
            region,
            agent,
            role,
            now,
            word: WORDS[place],
            thing: mix(taste ^ mix(draw >> 8 & 0x1F)),
            draw: mix(draw),
        }
    }
}

/// Writes a template with its places filled in.
pub(crate) fn expand(out: &mut Vec<u8>, template: &str, places: &Places<'_>, rng: &mut Rng) {
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('$') {
        out.text(before);
        let mut letters = after.chars();
        match letters.next().unwrap_or('$') {
            'a' => out.text(places.account),
            'r' => out.text(places.region),
            'g' => out.text(places.agent),
            'R' => out.text(places.role),
            'w' => out.text(places.word),
            'i' => {
                out.text("i-0");
                out.hex(places.thing, 16);
            }
            'T' => out.hex(places.thing, 12),
            'h' => out.hex(places.draw, 16),
            'n' => out.number(places.draw >> 20 & 0xF_FFFF),
            'N' => out.number(1 + (places.draw >> 44 & 0x1F)),
            'p' => date(out, places.now, b'/'),
            'y' => date(out, places.now, b'-'),
            't' => out.number(u64::try_from(places.now).unwrap_or(0) * 1000),
            'e' => out.number(u64::try_from(places.now).unwrap_or(0) * 1000 - 3_600_000),
            's' => civil::iso(out, places.now),
            'S' => civil::iso(out, places.now - 3_600),
            'u' => out.guid(fresh_guid(rng)),
            'v' => out.guid(u128::from(places.thing) << 64 | u128::from(mix(places.thing))),
            'x' => {
                out.base64_noise(rng, 75);
                out.push(b'=');
            }
            '$' => out.push(b'$'),
            // Not a place: a template of ours is wrong, and the test on templates shows it.
            other => out.escaped(&format!("$?{other}")),
        }
        rest = letters.as_str();
    }
    out.text(rest);
}

fn date(out: &mut Vec<u8>, now: i64, separator: u8) {
    let c = Civil::of(now);
    out.digits(c.year, 4);
    out.push(separator);
    out.digits(c.month, 2);
    out.push(separator);
    out.digits(c.day, 2);
}
