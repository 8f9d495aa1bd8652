//! The document: what stands there without a script.

use maud::{Markup, PreEscaped, html};
use tripline_cloudtrail::EventTime;
use tripline_containment::{Plan, Step};
use tripline_detector::Verdict;
use tripline_engine::{Damage, Incident, Scored};
use tripline_text::{Untrusted, escape};

use super::frame::{self, round, scroll, thousands, tile, time};
use super::gather::{Gathered, PULSE_SECS};
use super::look::Look;
use super::select::Selection;
use super::{About, island};
use crate::status::harm_word;
use crate::table::{cut, told};

const SCRIPT: &str = concat!(
    include_str!("page/data.js"),
    include_str!("page/timeline.js"),
    include_str!("page/lineage.js"),
    include_str!("page/sessions.js"),
    include_str!("page/agents.js"),
    include_str!("page/main.js"),
);

/// How many columns the fleet's pulse has at most.
const PULSE_COLUMNS_MAX: i64 = 120;

/// How many resources of one kind of damage are listed.
const DAMAGED_SHOWN_MAX: usize = 8;

pub(super) fn page(
    about: &About<'_>,
    selection: &Selection<'_>,
    look: &Look,
    data: &str,
    records: &str,
) -> Markup {
    let body = html! {
        a class="skip" href="#incidents" { "To the incidents" }
        (head(about, selection))
        main {
            (fleet(about, selection))
            (incidents(about, selection, look))
            (elsewhere(about, selection))
            (drawn())
        }
        (foot(about))
        // Data, not scripts: nothing runs them, and their alphabet holds no `<`.
        script type="application/gzip" id="data" { (PreEscaped(data)) }
        script type="application/gzip" id="records" { (PreEscaped(records)) }
    };
    frame::document(&format!("Tripline report {}", about.made), Some(SCRIPT), &body)
}

fn head(about: &About<'_>, selection: &Selection<'_>) -> Markup {
    let times = selection.gathered.pulse.keys();
    let bound = |bucket: Option<&i64>| {
        let secs = bucket?.saturating_mul(PULSE_SECS);
        EventTime::from_unix_secs(secs)
    };
    let (first, last) = (bound(times.clone().next()), bound(times.clone().next_back()));
    let calls = html! {
        @match first.zip(last) {
            Some((first, last)) => {
                "Calls from " (time(first)) " to " (time(last.plus_secs(PULSE_SECS))) "."
            }
            None => { "No call was read." }
        }
    };
    let sections = [
        ("fleet", "Fleet"),
        ("incidents", "Incidents"),
        ("sessions", "Sessions"),
        ("agents", "Agents"),
        ("read", "What was read"),
    ];
    frame::head("Tripline report", &calls, about.made, &sections)
}

fn fleet(about: &About<'_>, selection: &Selection<'_>) -> Markup {
    let gathered = &selection.gathered;
    let [calls, alerts, fences, kills] = gathered.totals;
    let sessions = selection.sessions.len() + selection.sessions_left_out;
    let nobody: u64 = about
        .coverage
        .unattributed
        .iter()
        .filter(|(cause, _)| cause.is_worrying())
        .map(|(_, share)| share.records)
        .sum();
    let tile = |name: &str, count: u64, class: &str| tile(name, &thousands(count), class);
    html! {
        section id="fleet" aria-labelledby="fleet-title" {
            h2 id="fleet-title" { "The fleet at a glance" }
            dl class="tiles" {
                (tile("incidents", selection.incidents_total as u64, "v3"))
                (tile("calls: kill", kills, "v3"))
                (tile("calls: fence", fences, "v2"))
                (tile("calls: alert", alerts, "v1"))
                (tile("agents", gathered.agents.len() as u64, ""))
                (tile("sessions", sessions as u64, ""))
                (tile("calls", calls, ""))
                (tile("calls of nobody", nobody, if nobody > 0 { "v2" } else { "" }))
            }
            (pulse(gathered))
        }
    }
}

/// Calls over time, and above them in how many columns something was found.
fn pulse(gathered: &Gathered) -> Markup {
    let Some((first, last)) = gathered.pulse.keys().next().zip(gathered.pulse.keys().next_back())
    else {
        return html! {};
    };
    let step = (last - first) / PULSE_COLUMNS_MAX + 1;
    let columns = usize::try_from((last - first) / step + 1).unwrap_or(1);
    let mut sums = vec![[0_u64; 4]; columns];
    for (bucket, counts) in &gathered.pulse {
        let at = usize::try_from((bucket - first) / step).unwrap_or_default();
        for (sum, count) in sums.get_mut(at).into_iter().flatten().zip(counts) {
            *sum += count;
        }
    }
    let highest = sums.iter().map(|[calls, ..]| *calls).max().unwrap_or(0).max(1);
    let width = 960.0 / columns as f64;
    html! {
        figure class="wide" {
            svg class="pulse" viewBox="0 0 960 132" role="img" aria-labelledby="pulse-caption" {
                @for (nth, counts) in sums.iter().enumerate() {
                    @let [calls, alerts, fences, kills] = *counts;
                    @let height = (100.0 * calls as f64 / highest as f64).ceil();
                    @let x = width * nth as f64;
                    @let at = first.saturating_add(step.saturating_mul(nth as i64));
                    @let from = EventTime::from_unix_secs(at.saturating_mul(PULSE_SECS));
                    g {
                        title {
                            @if let Some(from) = from { (from) ": " }
                            (thousands(calls)) " calls, " (kills) " kill, " (fences) " fence, "
                            (alerts) " alert"
                        }
                        rect x=(round(x)) y="0" width=(round(width)) height="132" class="catch" {}
                        rect x=(round(x)) y=(131.0 - height) width=(round((width - 1.0).max(0.6)))
                            height=(height) class="bar" {}
                        @for (count, y, class) in [(kills, 4, "v3"), (fences, 12, "v2"), (alerts, 20, "v1")] {
                            @if count > 0 {
                                rect x=(round(x)) y=(y) width=(round(width.max(4.0))) height="6"
                                    class={ "mark " (class) } {}
                            }
                        }
                    }
                }
                path d="M0 131.5H960" class="axis" {}
            }
            figcaption id="pulse-caption" {
                "Calls over time, a column for " (length(step * PULSE_SECS)) ", at most "
                (thousands(highest)) ". Above: columns with "
                span class="key v3" { "kills" } ", " span class="key v2" { "fences" } " and "
                span class="key v1" { "alerts" } "."
            }
        }
    }
}

fn length(secs: i64) -> String {
    match secs / 60 {
        minutes if minutes < 120 => format!("{minutes} minutes"),
        minutes if minutes < 2_880 => format!("{} hours", minutes / 60),
        minutes => format!("{} days", minutes / 1_440),
    }
}

fn shown(text: &Untrusted<'_>) -> String {
    escape::terminal(text).to_string()
}

/// What was done about incidents that are none of these logs'.
fn elsewhere(about: &About<'_>, selection: &Selection<'_>) -> Markup {
    let Some(done) = about.done else { return html! {} };
    let here = selection.incidents.iter().map(|incident| incident.target.incident).collect();
    done.elsewhere(&here, |agent| about.filter.shows(agent), about.made)
}

fn incidents(about: &About<'_>, selection: &Selection<'_>, look: &Look) -> Markup {
    let left_out = selection.incidents_total - selection.incidents.len();
    html! {
        section id="incidents" aria-labelledby="incidents-title" {
            h2 id="incidents-title" { "Incidents" }
            @if selection.incidents.is_empty() {
                p { "Nothing asked for a kill. What was found otherwise stands with the sessions." }
            }
            @for (nth, incident) in selection.incidents.iter().enumerate() {
                (incident_view(about, nth, incident, look.damage.get(nth)))
            }
            @if left_out > 0 {
                p class="note" {
                    "And " (left_out) " more: narrow the report by --agent, --since or --account."
                }
            }
        }
    }
}

fn incident_view(
    about: &About<'_>,
    nth: usize,
    incident: &Incident,
    damage: Option<&Damage>,
) -> Markup {
    let name = incident.agent.as_ref().map(|agent| cut(&agent.untrusted(), 120));
    let name = name.unwrap_or_else(|| "nobody's agent".to_owned());
    let strongest = incident.findings.first();
    let why = strongest.and_then(|finding| finding.assessment.reasons.first());
    let id = incident.target.incident;
    html! {
        article class="incident" id={ "incident-" (id) } aria-labelledby={ "title-" (nth) } {
            h3 id={ "title-" (nth) } {
                span class="badge v3" { (incident.verdict) } " "
                bdi { (name) }
            }
            p class="sentence" {
                "To be stopped at " (time(incident.opened))
                @if let Some(why) = why { ": " (told(why)) }
                ". " (incident.findings_total) " findings in " (thousands(incident.calls))
                " calls of " (incident.lineage.len())
                @if incident.lineage.len() == 1 { " session." } @else { " sessions." }
            }
            dl class="facts" {
                dt { "incident" } dd { code { (id) } }
                dt { "known by" } dd {
                    @match incident.basis { Some(basis) => (basis), None => "nothing" }
                }
                dt { "first credential" } dd { code { (cut(&incident.root.untrusted(), 120)) } }
                dt { "roles" } dd {
                    @for role in &incident.target.roles {
                        code { (shown(&role.arn.untrusted())) } br;
                    }
                }
                dt { "last call" } dd { (time(incident.last)) }
            }
            div class="drawn" data-incident=(nth) {}
            h4 { "What was found" }
            (findings(incident))
            @if let Some(done) = about.done {
                h4 { "What was done" }
                (done.view(id, about.made))
            }
            h4 { "What stops it" }
            (plan(incident))
            h4 { "What it left behind" }
            (left_behind(damage))
        }
    }
}

fn findings(incident: &Incident) -> Markup {
    let row = |(finding, alike): &(&Scored, usize)| {
        let verdict = finding.assessment.verdict;
        html! {
            tr {
                td { (time(finding.call.time)) }
                td { span class={ "badge v" (island::code(verdict)) } { (verdict) } }
                td {
                    code { (finding.call.action.to_string()) }
                    @if !finding.call.outcome.is_ok() { " (failed)" }
                    @for resource in finding.call.resources.iter().take(2) {
                        br; code class="fine" { (cut(resource, 160)) }
                    }
                    @if *alike > 0 { br; span class="note" { "and " (alike) " more like it" } }
                }
                td {
                    ul class="why" {
                        @for reason in &finding.assessment.reasons {
                            @if reason.verdict > Verdict::Normal {
                                li {
                                    (told(reason))
                                    @if let Some(technique) = &reason.technique { " (" (technique) ")" }
                                }
                            }
                        }
                    }
                }
            }
        }
    };
    let more = incident.findings_total.saturating_sub(incident.findings.len() as u64);
    html! {
        (scroll("Findings", &html! {
            table {
                thead { tr { th { "Time" } th { "Verdict" } th { "Call" } th { "Why" } } }
                tbody { @for row_of in &kinds(incident) { (row(row_of)) } }
            }
        }))
        @if more > 0 { p class="note" { "The strongest. " (more) " more stand in the timeline." } }
    }
}

/// The first finding of each kind, and how many more there are like it: the same call for the same
/// reasons, on something else.
fn kinds(incident: &Incident) -> Vec<(&Scored, usize)> {
    let mut kinds: Vec<(&Scored, usize)> = Vec::new();
    let details = |scored: &Scored| -> Vec<String> {
        scored.assessment.reasons.iter().map(|reason| reason.detail.clone()).collect()
    };
    for finding in &incident.findings {
        let known = kinds.iter_mut().find(|(first, _)| {
            first.call.action == finding.call.action && details(first) == details(finding)
        });
        match known {
            Some((_, alike)) => *alike += 1,
            None => kinds.push((finding, 0)),
        }
    }
    kinds
}

fn plan(incident: &Incident) -> Markup {
    html! {
        @match &incident.plan {
            Err(refusal) => p { "Nothing can be planned: " (refusal) "." },
            Ok(plan) => {
                p class="note" {
                    "The plan as things stood at " (time(incident.opened)) ", as far as logs tell. \
                     This report changes nothing in AWS."
                }
                ol class="steps" { @for step in &plan.steps { (step_view(step)) } }
                (left_standing(plan))
            }
        }
    }
}

fn step_view(step: &Step) -> Markup {
    html! {
        li {
            strong { (step.purpose()) } ": " (shown(&Untrusted::borrowed(&step.place.to_string())))
            @if step.others_spared > 0 { "; spares " (step.others_spared) " others on this role" }
            @if step.others_hit > 0 { strong { "; also hits " (step.others_hit) " others" } }
            @for denial in &step.denials {
                details {
                    summary { "to " (shown(&Untrusted::borrowed(&denial.key.to_string()))) }
                    pre { (shown(&Untrusted::borrowed(denial.text()))) }
                }
            }
            @if !step.cuts.is_empty() {
                p class="note" {
                    "Cuts off "
                    @for cut_off in &step.cuts { code { (cut(cut_off, 120)) } " " }
                }
            }
            p class="note" { "Holds when: " (step.verified_by()) "." }
        }
    }
}

fn left_standing(plan: &Plan) -> Markup {
    let lines = plan
        .refused
        .iter()
        .map(|(what, why)| format!("left alone: {}: {why}", shown(&what.untrusted())))
        .chain(plan.created.iter().map(|made| format!("created, not contained: {made}")))
        .chain(plan.survives.iter().map(|line| format!("survives: {line}")))
        .chain(plan.offered.iter().map(|line| format!("offered: {line}")));
    html! { ul class="standing" { @for line in lines { li { (line) } } } }
}

fn left_behind(damage: Option<&Damage>) -> Markup {
    let Some((damage, (first, last))) = damage.and_then(|it| Some((it, it.span?))) else {
        return html! { p { "No call of its sessions succeeded, or their records are not on this page." } };
    };
    html! {
        p class="note" { "What succeeded from " (time(first)) " to " (time(last)) "." }
        @if damage.done.is_empty() { p { "Nothing that stays." } }
        ul class="damage" {
            @for ((harm, action), deeds) in &damage.done {
                @let more = deeds.not_listed
                    + deeds.resources.len().saturating_sub(DAMAGED_SHOWN_MAX) as u64;
                li {
                    span class="harm" { (harm_word(*harm).trim_end()) } " "
                    code { (action.to_string()) } " ×" (thousands(deeds.count))
                    ul {
                        @for resource in deeds.resources.iter().take(DAMAGED_SHOWN_MAX) {
                            li { code { (cut(resource, 160)) } }
                        }
                        @if more > 0 { li { "and " (thousands(more)) " more" } }
                    }
                }
            }
            @for created in &damage.created { li { span class="harm" { "made" } " " (created) } }
        }
    }
}

/// What the script draws into.
fn drawn() -> Markup {
    html! {
        noscript {
            p class="note" {
                "Timelines, sessions and agents are drawn by the script of this page, which this viewer \
                 does not run."
            }
        }
        section id="sessions" aria-labelledby="sessions-title" {
            h2 id="sessions-title" { "Sessions" }
            div data-sessions {}
        }
        section id="agents" aria-labelledby="agents-title" {
            h2 id="agents-title" { "Agents, and what they normally do" }
            div data-agents {}
        }
    }
}

fn foot(about: &About<'_>) -> Markup {
    let coverage = &about.coverage;
    html! {
        footer id="read" {
            h2 { "What was read" }
            (frame::counts(about.tally))
            ul {
                li { "attributed: " (thousands(coverage.attributed.records)) " records in "
                    (thousands(coverage.attributed.sessions)) " sessions" }
                @for (cause, share) in &coverage.unattributed {
                    li {
                        "unattributed: " (thousands(share.records)) " records in "
                        (thousands(share.sessions)) " sessions (" (cause) ")"
                        @if cause.is_worrying() { br; strong { (cause.hint()) } }
                    }
                }
                (frame::problems(about.tally))
            }
            p class="note" { "Judged by model " code { (about.model.to_string()) } "." }
        }
    }
}
