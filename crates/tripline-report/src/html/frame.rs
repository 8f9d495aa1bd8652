//! What all pages have in common: the document around them, and how numbers and times stand there.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest, Sha256};
use tripline_cloudtrail::{Counts, EventTime, Tally};

const STYLE: &str = include_str!("page/style.css");

/// How many problems are named on a page.
const PROBLEMS_MAX: usize = 20;

/// A document of this body, and of this script if it has one.
pub(super) fn document(title: &str, script: Option<&str>, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy(script));
                meta name="referrer" content="no-referrer";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                (body)
                @if let Some(script) = script { script { (PreEscaped(script)) } }
            }
        }
    }
}

/// What the page may do: run this script, look like this, and nothing else. No address can be reached,
/// and the script itself cannot turn text into elements.
fn policy(script: Option<&str>) -> String {
    let hash = |text: &str| format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text)));
    format!(
        "default-src 'none'; script-src {}; style-src {}; base-uri 'none'; form-action 'none'; \
         require-trusted-types-for 'script'; trusted-types 'none'",
        script.map_or_else(|| "'none'".to_owned(), hash),
        hash(STYLE)
    )
}

/// The beginning of a page: what it is, when it was made, and where its sections are, by id and name.
pub(super) fn head(
    title: &str,
    about: &Markup,
    made: EventTime,
    sections: &[(&str, &str)],
) -> Markup {
    html! {
        header {
            h1 { (title) }
            p { (about) " Made " (time(made)) "; all times are UTC." }
            nav aria-label="Sections" {
                @for (to, name) in sections { a href={ "#" (to) } { (name) } }
            }
        }
    }
}

pub(super) fn time(of: EventTime) -> Markup {
    html! { time { (of) } }
}

/// A number to be seen at a glance, among others in a `dl` of class `tiles`.
pub(super) fn tile(name: &str, value: &str, class: &str) -> Markup {
    html! { div class={ "tile " (class) } { dt { (name) } dd { (value) } } }
}

/// A part of a page that may be wider than the page is.
pub(super) fn scroll(label: &str, table: &Markup) -> Markup {
    html! { div class="scroll" tabindex="0" role="region" aria-label=(label) { (table) } }
}

/// What was read, passed over and lost.
pub(super) fn counts(tally: &Tally) -> Markup {
    let line = |what: &str, counts: &Counts| {
        html! {
            tr {
                th scope="row" { (what) }
                @for count in [counts.seen, counts.read, counts.skipped, counts.failed, counts.duplicate] {
                    td class="number" { (thousands(count)) }
                }
            }
        }
    };
    scroll(
        "Counts",
        &html! {
            table {
                thead { tr {
                    th {}
                    @for name in ["seen", "read", "skipped", "failed", "duplicate"] {
                        th class="number" { (name) }
                    }
                } }
                tbody { (line("files", &tally.files)) (line("records", &tally.records)) }
            }
        },
    )
}

/// What could not be read, as items of a list.
pub(super) fn problems(tally: &Tally) -> Markup {
    html! { @for problem in tally.problems.iter().take(PROBLEMS_MAX) { li { (problem.to_string()) } } }
}

/// As many decimals as a drawing needs.
pub(super) fn round(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

/// 1,234,567.
pub(super) fn thousands(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (nth, digit) in digits.chars().enumerate() {
        if nth > 0 && (digits.len() - nth).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
