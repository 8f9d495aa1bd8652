//! The pages behind links: what is about to be pressed, and what became of it. Nothing on them was
//! written by anybody else, they load nothing, and no script runs.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest, Sha256};
use tripline_containment::{Declined, Press};

use crate::door::{Heard, NAME_FIELD, PASSPHRASE_FIELD, Unbelievable};
use crate::link::{LINK_PATH, Link, TOKEN_FIELD};

/// An answer to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The page; empty where nobody reads it.
    pub page: String,
}

const STYLE: &str = "body{font:1.1rem/1.5 system-ui,sans-serif;max-width:34rem;margin:2rem auto;\
padding:0 1rem;color:#16191f;background:#fff}label{display:block;margin:1rem 0 .25rem}\
input{font:inherit;width:100%;box-sizing:border-box;padding:.5rem}\
button{font:inherit;font-weight:600;margin-top:1.5rem;padding:.75rem 1.5rem}\
@media(prefers-color-scheme:dark){body{color:#e8eaed;background:#16191f}}";

/// The policy allows this one style by its digest, and nothing else.
fn policy() -> String {
    let digest = BASE64_STANDARD.encode(Sha256::digest(STYLE));
    format!(
        "default-src 'none'; style-src 'sha256-{digest}'; form-action 'self'; base-uri 'none'; \
         frame-ancestors 'none'"
    )
}

impl Answer {
    /// What each answer's headers say: no cache keeps it, no other page frames it, nobody is told the
    /// link, which stands in the address.
    pub fn headers() -> [(&'static str, String); 6] {
        let fixed = |name, value: &str| (name, value.to_owned());
        [
            ("content-security-policy", policy()),
            fixed("content-type", "text/html; charset=utf-8"),
            fixed("cache-control", "no-store"),
            fixed("referrer-policy", "no-referrer"),
            fixed("x-content-type-options", "nosniff"),
            fixed("x-robots-tag", "noindex"),
        ]
    }

    /// The page of a link that was opened.
    pub fn to_link(link: &Link, token: &str) -> Self {
        let Link { incident, press, .. } = link;
        let (title, what) = words(*press);
        Self::page(
            200,
            title,
            html! {
                p { (what) " This is about incident " code { (incident) } "; the message that you came from says what it is." }
                p { "Nothing was done so far." }
                form method="post" action=(LINK_PATH.trim_start_matches('/')) {
                    input type="hidden" name=(TOKEN_FIELD) value=(token);
                    label for="name" { "Your name, as tripline.toml has it" }
                    input id="name" name=(NAME_FIELD) required autocomplete="username";
                    label for="passphrase" { "Your passphrase" }
                    input id="passphrase" name=(PASSPHRASE_FIELD) type="password" required autocomplete="current-password";
                    button { (title) }
                }
            },
        )
    }

    /// What became of something that was pressed behind a link.
    pub fn to_form(heard: Heard) -> Self {
        let (title, text) = match heard {
            Heard::Done(press) => ("Done", done(press).to_owned()),
            Heard::MoreNeeded(press, missing) => (
                "Noted",
                format!(
                    "You pressed {press}. So many more people have to: {missing}. The newest \
                     message about the incident has a link for them."
                ),
            ),
            Heard::Declined(why) => ("Refused", sentence(why)),
            Heard::TakenIn => {
                ("Taken in", "It is looked at now. The channel tells what comes of it.".to_owned())
            }
            Heard::Failed => {
                ("Noted", "It could not be done yet, and is tried again every minute.".to_owned())
            }
        };
        let status = if matches!(heard, Heard::Declined(_)) { 403 } else { 200 };
        Self::page(status, title, html! { p { (text) } })
    }

    /// To Slack: that it was heard. What came of it is told under the message.
    pub fn to_slack() -> Self {
        Self { status: 200, page: String::new() }
    }

    /// To whoever is not believed.
    pub fn refusal(why: Unbelievable) -> Self {
        let text = match why {
            Unbelievable::Time => {
                "This link has had its time. The newest message about the incident has another; \
                 `tripline status` and `tripline restore` always work."
                    .to_owned()
            }
            other => format!("Nothing was done: {other}."),
        };
        Self::page(why.status(), "Refused", html! { p { (text) } })
    }

    /// When nothing could be looked at.
    pub fn unavailable() -> Self {
        let text = "Nothing was done: too much is going on. Try again in a moment.";
        Self::page(503, "Busy", html! { p { (text) } })
    }

    fn page(status: u16, title: &str, content: Markup) -> Self {
        let page = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    title { "Tripline: " (title) }
                    style { (PreEscaped(STYLE)) }
                }
                body { main { h1 { (title) } (content) } }
            }
        };
        Self { status, page: page.into_string() }
    }
}

/// A title, and a sentence.
fn words(press: Press) -> (&'static str, &'static str) {
    match press {
        Press::Approve => {
            ("Say yes to the plan", "What the message says that waits is carried out.")
        }
        Press::Reject => {
            ("Leave the agent alone", "The plan that waits is not carried out, until it does more.")
        }
        Press::Restore => ("Give everything back", "What was taken from the agent is given back."),
        Press::Expect => {
            ("This was expected", "What was new becomes an exception, which ends by itself.")
        }
    }
}

fn done(press: Press) -> &'static str {
    match press {
        Press::Approve => "The plan is carried out. The channel tells whether it holds.",
        Press::Reject => "The agent is left alone until it does something new.",
        Press::Restore => "What was taken is given back. The channel tells how.",
        Press::Expect => {
            "What was new is an exception now, until it ends. Nothing was learned by it."
        }
    }
}

fn sentence(why: Declined) -> String {
    match why {
        Declined::Stranger => "Nobody known has that name and that passphrase.".to_owned(),
        other => format!("It counts for nothing: {other}."),
    }
}

#[cfg(test)]
mod tests {
    use tripline_containment::{IncidentId, Round};

    use super::*;

    #[test]
    fn pages_load_nothing_run_nothing_and_repeat_nothing() {
        let link = Link {
            incident: IncidentId::new(0xfeed),
            press: Press::Restore,
            round: Round::default(),
            until_unix_secs: 0,
        };
        let shown = Answer::to_link(&link, "\"><script>alert(1)</script>");
        insta::assert_snapshot!("link", shown.page);
        let declined = Heard::Declined(Declined::Stranger);
        let pages = [
            shown,
            Answer::to_form(Heard::Done(Press::Approve)),
            Answer::to_form(Heard::MoreNeeded(Press::Restore, 1)),
            Answer::to_form(declined),
            Answer::to_form(Heard::TakenIn),
            Answer::refusal(Unbelievable::Time),
        ];
        for Answer { page, .. } in &pages {
            assert!(page.starts_with("<!DOCTYPE html>") && !page.contains("<script"), "{page}");
            for outside in ["://", "src=", "@import", "url(", "javascript:"] {
                assert!(!page.contains(outside), "{outside}: {page}");
            }
        }
        assert_eq!(Answer::to_form(declined).status, 403);
        assert_eq!(Answer::refusal(Unbelievable::Signature).status, 401);
    }
}
