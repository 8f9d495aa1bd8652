//! What was done, by the action log: what was cut and when, by whom, whether it holds, and what was
//! given back.

use std::collections::{BTreeMap, BTreeSet};

use maud::{Markup, html};
use tripline_cloudtrail::EventTime;
use tripline_containment::{
    Case, Entry, Event, IncidentId, Ledger, Place, Response, Step, Way, counted,
};
use tripline_text::{Untrusted, escape};

use crate::status::{moment, place_word, standing, told, why};
use crate::table::cut;

/// How many entries of one incident are shown, and how many incidents that no log here tells of.
const ENTRIES_MAX: usize = 200;
const ELSEWHERE_MAX: usize = 100;
/// How long a name or a reason may be, in characters.
const TEXT_CHARS_MAX: usize = 160;

/// What an action log says.
#[derive(Debug)]
pub struct Done {
    ledger: Ledger,
    entries: BTreeMap<IncidentId, Vec<Entry>>,
}

impl Done {
    /// From what a log came to, and its entries in order.
    pub fn new(ledger: Ledger, entries: impl IntoIterator<Item = Entry>) -> Self {
        let mut by_incident: BTreeMap<IncidentId, Vec<Entry>> = BTreeMap::new();
        for entry in entries {
            if let Some(incident) = entry.incident {
                by_incident.entry(incident).or_default().push(entry);
            }
        }
        Self { ledger, entries: by_incident }
    }

    /// The sessions of an incident that are cut off.
    pub(super) fn cuts(
        &self,
        incident: IncidentId,
    ) -> Option<impl Iterator<Item = &Untrusted<'static>>> {
        let case = self.ledger.case(incident)?;
        Some(case.plan.sessions.iter().map(|session| &session.id))
    }

    /// The moments of an incident that its timeline shows, in seconds since 1970.
    pub(super) fn marks(&self, incident: IncidentId) -> Vec<(i64, &'static str)> {
        let mark = |entry: &Entry| {
            let word = match &entry.event {
                Event::Decided { plan, .. } => match plan.response {
                    Response::Kill => "stopped",
                    Response::Fence { .. } => "fenced",
                },
                Event::Closed { .. } => "given back",
                _ => return None,
            };
            Some((entry.time_unix_ms.div_euclid(1_000), word))
        };
        self.entries.get(&incident).into_iter().flatten().filter_map(mark).collect()
    }

    /// What was done about an incident.
    pub(super) fn view(&self, incident: IncidentId, now: EventTime) -> Markup {
        let entries = self.entries.get(&incident);
        let Some(entries) = entries else {
            return html! { p { "Nothing was done about it, by the action log." } };
        };
        let case = self.ledger.case(incident);
        html! {
            @match case {
                Some(case) => (summary(case, now)),
                None => p { "Nothing of it is in force." },
            }
            (history(entries, case))
            @if let Some(case) = case { (places(case, entries)) }
        }
    }

    /// What was done about incidents that the logs of this report do not tell of, such as those that a
    /// person opened.
    pub(super) fn elsewhere(
        &self,
        here: &BTreeSet<IncidentId>,
        shows: impl Fn(Option<&Untrusted<'_>>) -> bool,
        now: EventTime,
    ) -> Markup {
        let is_elsewhere = |(incident, case): &(IncidentId, &Case)| {
            !here.contains(incident) && shows(case.plan.agent.as_ref())
        };
        let mut cases: Vec<_> = self.ledger.cases().filter(is_elsewhere).collect();
        if cases.is_empty() {
            return html! {};
        }
        cases.sort_by_key(|(incident, case)| (case.times.decided, *incident));
        let more = cases.len().saturating_sub(ELSEWHERE_MAX);
        html! {
            section id="contained" aria-labelledby="contained-title" {
                h2 id="contained-title" { "Done besides" }
                p class="note" {
                    "In the action log, and no incident of these logs: opened by a person, or of another time."
                }
                @for (incident, case) in cases.iter().take(ELSEWHERE_MAX) {
                    article class="incident" id={ "incident-" (incident) } {
                        h3 { bdi { (agent_of(case)) } " " code { (incident) } }
                        (self.view(*incident, now))
                    }
                }
                @if more > 0 { p class="note" { "And " (more) " more: `tripline status --all`." } }
            }
        }
    }
}

fn agent_of(case: &Case) -> String {
    case.plan.agent.as_ref().map_or_else(|| "no agent".to_owned(), shown)
}

fn shown(text: &Untrusted<'_>) -> String {
    cut(text, TEXT_CHARS_MAX)
}

fn place_of(place: &Place) -> String {
    escape::terminal(&Untrusted::new(place.to_string())).to_string()
}

fn summary(case: &Case, now: EventTime) -> Markup {
    let what = match case.plan.response {
        Response::Kill => "Stopped",
        Response::Fence { .. } => "Held to its known work",
    };
    html! {
        p class="sentence" {
            (what) " at " time { (moment(case.times.decided.div_euclid(1_000))) } " by "
            bdi { (shown(&case.actor)) }
            @if case.is_automatic { ", on its own" }
            ": " (shown(&case.reason)) ". "
            strong { (standing(case, now.unix_secs())) } "."
        }
        @if case.stripped > 0 {
            p { "Taken away " (counted_times(case.stripped)) " by somebody else and put back." }
        }
    }
}

fn counted_times(times: u64) -> String {
    counted(usize::try_from(times).unwrap_or(usize::MAX), "time")
}

/// Each entry that says that something was done or seen, in order.
fn history(entries: &[Entry], case: Option<&Case>) -> Markup {
    let rows: Vec<(&Entry, Markup)> =
        entries.iter().filter_map(|entry| Some((entry, row(entry, case)?))).collect();
    let more = rows.len().saturating_sub(ENTRIES_MAX);
    html! {
        div class="scroll" tabindex="0" role="region" aria-label="What was done" {
            table class="done" {
                thead { tr { th { "Time" } th { "What" } th { "Who" } } }
                tbody {
                    @for (entry, what) in rows.iter().take(ENTRIES_MAX) {
                        tr {
                            td { time { (moment(entry.time_unix_ms.div_euclid(1_000))) } }
                            td { (what) }
                            td { bdi { (who(entry)) } }
                        }
                    }
                }
            }
        }
        @if more > 0 { p class="note" { "And " (more) " more entries in the action log." } }
    }
}

fn who(entry: &Entry) -> String {
    match &entry.event {
        Event::Pressed { person, .. } => shown(person),
        _ => shown(&entry.actor),
    }
}

fn row(entry: &Entry, case: Option<&Case>) -> Option<Markup> {
    let at = |place: &Place| html! { code { (place_of(place)) } };
    Some(match &entry.event {
        Event::Asked { plan } => html! {
            "people were asked whether to "
            (match plan.response {
                Response::Fence { .. } => "hold it to its known work",
                Response::Kill => "stop it",
            })
        },
        Event::Decided { plan, reason, .. } => html! {
            "decided: " (plan.response.word()) ", " (counted(plan.steps.len(), "step"))
            ", " (counted(plan.sessions.len(), "session")) ": " (shown(reason))
        },
        Event::Adopted { places } => {
            html! { "found in IAM without a record: " (counted(places.len(), "place")) }
        }
        Event::Attached { place, .. } => html! {
            (purpose(case, place)) ": in place, and reads back: " (at(place))
        },
        Event::Failed { place, failure } => html! {
            strong { "NOT done" } ", " (purpose(case, place)) ": " (at(place)) ": " (told(failure))
        },
        Event::Sighted { session, was_denied, at_unix_secs } => html! {
            @if *was_denied { "seen refused" } @else { strong { "a call went through" } }
            " at " time { (moment(*at_unix_secs)) } ": " code { (shown(session)) }
        },
        Event::Stripped { place, by } => html! {
            strong { "taken away" }
            @if let Some(by) = by { " by " bdi { (shown(by)) } } ": " (at(place))
        },
        Event::Returned { place, .. } => html! { "given back: " (at(place)) },
        Event::NotReturned { place, failure } => html! {
            strong { "NOT given back" } ": " (at(place)) ": " (told(failure))
        },
        Event::Pressed { press, way, declined, missing, .. } => html! {
            "pressed " (press)
            @match way { Way::Slack => " in Slack", Way::Link => " behind a link" }
            @match (declined, missing) {
                (Some(why), _) => { ", " strong { "REFUSED" } ": " (why) },
                (None, 0) => {},
                (None, missing) => { ": so many more people have to: " (missing) },
            }
        },
        Event::NotDone { press, why } => {
            html! { "what was pressed, " (press) ", was NOT done: " (why) }
        }
        Event::Expected { agent, until_unix_secs, .. } => html! {
            "expected of " bdi { (shown(agent)) } " until " time { (moment(*until_unix_secs)) }
        },
        Event::Closed { reason, .. } => html! { "closed: " (shown(reason)) },
        // What became of it follows.
        Event::Intended { .. } | Event::ReturnIntended { .. } => return None,
        Event::Halted { .. } | Event::Resumed { .. } => return None,
    })
}

fn purpose(case: Option<&Case>, place: &Place) -> &'static str {
    let steps = case.map(|case| case.plan.steps.as_slice()).unwrap_or_default();
    steps.iter().find(|step| step.place == *place).map_or("deny", Step::purpose)
}

/// How each place stands, with the policy that was put there.
fn places(case: &Case, entries: &[Entry]) -> Markup {
    let mut written: BTreeMap<&Place, &str> = BTreeMap::new();
    for entry in entries {
        if let Event::Attached { place, after: Some(after) } = &entry.event {
            written.insert(place, after);
        }
    }
    html! {
        ul class="standing" {
            @for (place, status) in &case.places {
                li {
                    strong { (place_word(status)) } ": " code { (place_of(place)) }
                    @if let Some(why) = why(status) { ": " (shown(&Untrusted::new(why))) }
                    @if let Some(text) = written.get(place) {
                        details {
                            summary { "what was put there" }
                            pre { (escape::terminal(&Untrusted::borrowed(text)).to_string()) }
                        }
                    }
                }
            }
        }
    }
}
