//! What was done about an incident, in words.

use serde::{Deserialize, Serialize};
use tripline_cloudtrail::EventTime;
use tripline_containment::{Case, Plan, Press, Proof, Refusal, Response, Spared, counted};
use tripline_engine::Held;
use tripline_text::Untrusted;

use crate::line::Line;

/// How far an incident is: what a message says first, and the one thing that makes it news.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// It is unusual, and a person may look at it.
    Alert,
    /// It was found; nothing is done about it in this mode.
    Open,
    /// A person has to say yes.
    Waiting,
    /// Something was to be done, and is not, or not all of it.
    Incomplete,
    /// The agent is held to its known work; not seen yet.
    Fenced,
    /// The agent is cut off; not seen yet.
    Killed,
    /// What was done is seen to hold.
    Holds,
    /// What was done does not hold.
    Broken,
    /// A person gave everything back.
    Restored,
    /// A fence had its time.
    Expired,
    /// A person left it alone.
    LeftAlone,
    /// Of Tripline itself: it does not hear of all that it should.
    Blind,
    /// Of Tripline itself: it does again.
    Sees,
    /// Of Tripline itself: not everything is as it should be for seeing and stopping agents.
    Unwell,
    /// Of Tripline itself: it is again.
    Well,
    /// There is no incident: somebody looks whether messages arrive.
    Test,
}

impl Stage {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Alert => "ALERT",
            Self::Open => "OPEN",
            Self::Waiting => "WAITS FOR YOU",
            Self::Incomplete => "NOT STOPPED",
            Self::Fenced => "FENCED",
            Self::Killed => "KILLED",
            Self::Holds => "HOLDS",
            Self::Broken => "DOES NOT HOLD",
            Self::Restored => "RESTORED",
            Self::Expired => "EXPIRED",
            Self::LeftAlone => "LEFT ALONE",
            Self::Blind => "BLIND",
            Self::Sees => "SEES AGAIN",
            Self::Unwell => "UNWELL",
            Self::Well => "WELL AGAIN",
            Self::Test => "TEST",
        }
    }

    /// Whether somebody should look at it now.
    pub fn is_urgent(self) -> bool {
        matches!(
            self,
            Self::Open
                | Self::Waiting
                | Self::Incomplete
                | Self::Broken
                | Self::Blind
                | Self::Unwell
        )
    }

    /// Whether it is about Tripline, and no incident.
    pub fn is_of_itself(self) -> bool {
        matches!(self, Self::Blind | Self::Sees | Self::Unwell | Self::Well)
    }
}

/// What became of an incident.
#[derive(Clone, Copy, Debug)]
pub enum Outcome<'a> {
    /// It is an alert: nothing is to be stopped.
    Alerted,
    /// In this mode nothing is written to AWS; the plan says what would have been.
    WouldHave(&'a Plan),
    /// A person has to say yes.
    Ask(&'a Plan),
    /// The brakes hold it.
    Held(&'a Held, &'a Plan),
    /// The trail's own bucket does not tell of it yet.
    Unconfirmed,
    /// It was given back, and the agent did nothing since that it would have to be stopped for.
    GivenBack,
    /// A person left it alone, and the agent did nothing since that it would have to be stopped for.
    LeftAlone(&'a Spared),
    /// There is no plan that could be carried out.
    Refused(&'a Refusal),
    /// It was contained, or had been; the case says how far it is at this moment.
    Contained {
        /// What the action log says of it.
        case: &'a Case,
        /// The moment.
        now_unix_secs: i64,
    },
}

/// How many of a case's failures, and how many reasons, are named.
const NAMED_MAX: usize = 3;

impl<'a> Outcome<'a> {
    /// What becomes of a plan where nobody may carry it out.
    pub fn of_plan(plan: &'a Result<Plan, Refusal>) -> Self {
        match plan {
            Ok(plan) => Self::WouldHave(plan),
            Err(Refusal::NotCalledFor) => Self::Alerted,
            Err(refusal) => Self::Refused(refusal),
        }
    }

    /// How far it is.
    pub fn stage(&self) -> Stage {
        match self {
            Self::Alerted => Stage::Alert,
            Self::WouldHave(_) | Self::Unconfirmed => Stage::Open,
            Self::Ask(_) | Self::Held(..) => Stage::Waiting,
            Self::GivenBack => Stage::Restored,
            Self::LeftAlone(_) => Stage::LeftAlone,
            Self::Refused(_) => Stage::Incomplete,
            Self::Contained { case, now_unix_secs } => stage_of(case, *now_unix_secs),
        }
    }

    /// What was done, what was cut, and whether it is seen to hold.
    pub fn done(&self) -> Vec<Line> {
        match self {
            Self::Alerted => vec![Line::ours("nothing: it is unusual, and no more than that")],
            Self::WouldHave(plan) => {
                vec![Line::ours(format!("nothing, in this mode. The plan: {}", sum(plan)))]
            }
            Self::Ask(plan) => {
                vec![Line::ours(format!("nothing yet: a person has to say yes to {}", sum(plan)))]
            }
            Self::Held(held, plan) => vec![
                Line::ours(format!("nothing: held by the brakes, {held}")),
                Line::ours(format!("the plan: {}", sum(plan))),
            ],
            Self::Unconfirmed => {
                vec![Line::ours("nothing yet: the trail's own bucket does not tell of it so far")]
            }
            Self::GivenBack => {
                vec![Line::ours("nothing: it was given back, and nothing new was done since")]
            }
            Self::LeftAlone(spared) => vec![left_alone(spared)],
            Self::Refused(refusal) => vec![Line::ours(format!("nothing can be done: {refusal}"))],
            Self::Contained { case, now_unix_secs } => contained(case, *now_unix_secs),
        }
    }

    /// What a person may press now.
    pub(crate) fn presses(&self) -> Vec<Press> {
        match self {
            Self::Ask(_) | Self::Held(..) => vec![Press::Approve, Press::Reject],
            Self::Contained { case, .. } if case.closed.is_none() => vec![Press::Restore],
            _ => Vec::new(),
        }
    }

    /// What a person may run now: what answers it, and what shows it.
    pub fn next(&self) -> Line {
        let report = Line::code(&Untrusted::borrowed("tripline report --out report.html PATH..."));
        self.command().and("; to look at it: ").then(report)
    }

    fn command(&self) -> Line {
        let run = |text: String| Line::code(&Untrusted::new(text));
        match self {
            Self::Contained { case, .. } if case.closed.is_none() => {
                let restore = run(format!("tripline restore {} --reason TEXT", case.plan.incident));
                let stop = || run("tripline kill --agent NAME PATH...".to_owned());
                match case.plan.response {
                    Response::Kill => restore,
                    Response::Fence { .. } => restore.and("; to stop it: ").then(stop()),
                }
            }
            Self::Contained { .. } | Self::GivenBack | Self::LeftAlone(_) => {
                run("tripline status".to_owned())
            }
            Self::Ask(_) | Self::Held(..) => {
                run("tripline kill --agent NAME --mode approve PATH...".to_owned())
            }
            Self::Alerted => run("tripline sessions show SESSION PATH...".to_owned()),
            Self::WouldHave(_) | Self::Unconfirmed | Self::Refused(_) => {
                run("tripline score --plan-file plan.json PATH...".to_owned())
            }
        }
    }
}

fn left_alone(spared: &Spared) -> Line {
    let line = Line::ours("nothing: left alone by ").then(Line::name(&spared.person));
    let until = spared.expected_until.and_then(EventTime::from_unix_secs);
    match until {
        Some(until) => line.and(format!(", who expects it until {until}")),
        None => line.and(" until it does something new"),
    }
}

fn stage_of(case: &Case, now_unix_secs: i64) -> Stage {
    if let Some((_, closed_unix_ms, _)) = &case.closed {
        let expired = case.plan.has_expired(closed_unix_ms.div_euclid(1_000));
        return if expired { Stage::Expired } else { Stage::Restored };
    }
    match (case.proof(now_unix_secs), case.plan.response) {
        (Proof::Incomplete, _) => Stage::Incomplete,
        (Proof::Broken, _) => Stage::Broken,
        (Proof::Effective | Proof::Lapsed, _) => Stage::Holds,
        (Proof::Attached, Response::Fence { .. }) => Stage::Fenced,
        (Proof::Attached, Response::Kill) => Stage::Killed,
    }
}

/// What a plan comes to: how many places are changed, who loses by it and who does not.
fn sum(plan: &Plan) -> String {
    let spared = plan.steps.iter().map(|step| step.others_spared).max().unwrap_or(0);
    let hit = plan.steps.iter().map(|step| step.others_hit).max().unwrap_or(0);
    let mut sum = format!(
        "{}, {} cut off, {} of the role spared",
        counted(plan.steps.len(), "step"),
        counted(plan.sessions.len(), "session"),
        counted(spared, "other user"),
    );
    if hit > 0 {
        sum.push_str(&format!(", {} NOT spared", counted(hit, "other user")));
    }
    sum
}

fn contained(case: &Case, now_unix_secs: i64) -> Vec<Line> {
    if let Some((who, _, why)) = &case.closed {
        let by = Line::ours("given back by ").then(Line::name(who)).and(": ");
        return vec![by.then(Line::name(why))];
    }
    let open: Vec<_> = case.open_steps().collect();
    let planned = case.plan.steps.len();
    let what = match case.plan.response {
        Response::Kill => "stopped",
        Response::Fence { .. } => "held to its known work",
    };
    let by = match case.is_automatic {
        true => Line::ours(format!("{what} on its own: ")),
        false => Line::ours(format!("{what} by ")).then(Line::name(&case.actor)).and(": "),
    };
    let places = match open.len() {
        0 => format!("all of {}", counted(planned, "step")),
        left => format!("{} of {}", planned.saturating_sub(left), counted(planned, "step")),
    };
    let mut lines = vec![by.and(format!("{places} in place; {}", sum(&case.plan)))];
    lines.push(Line::ours(proof(case, now_unix_secs)));
    let mut failed = Vec::new();
    for (step, failure) in open {
        let line = Line::ours(format!("NOT done: {}", step.purpose()));
        let place = Line::code(&Untrusted::new(step.place.to_string()));
        let why = failure.map_or_else(|| "under way".to_owned(), words);
        failed.push(line.and(" (").then(place).and(format!("): {why}")));
    }
    lines.extend(named(failed, "more not done"));
    if !case.plan.survives.is_empty() {
        let survives = counted(case.plan.survives.len(), "thing");
        let line = Line::ours(format!("{survives} may go on in spite of it: "));
        lines.push(line.then(Line::code(&Untrusted::borrowed("tripline status"))));
    }
    lines
}

fn words(failure: &tripline_containment::Failure) -> String {
    match failure {
        // AWS's own words may repeat somebody's name.
        tripline_containment::Failure::Other { .. } => {
            "AWS answered with an error of another kind: see `tripline status`".to_owned()
        }
        known => known.to_string(),
    }
}

fn proof(case: &Case, now_unix_secs: i64) -> String {
    let denied = case.times.first_denied.map(|at| at.saturating_sub(case.times.decided).max(0));
    let after =
        denied.map_or_else(String::new, |after| format!(", first after {} s", after / 1_000));
    match case.proof(now_unix_secs) {
        Proof::Incomplete => "it is not known to hold: not all is in place".to_owned(),
        Proof::Attached => "not seen to hold yet: no call since".to_owned(),
        Proof::Broken => "DOES NOT HOLD: a session goes on, or somebody took it away".to_owned(),
        Proof::Lapsed => "holds: all its sessions have ended, and none was seen since".to_owned(),
        Proof::Effective => format!("holds: each session was seen to be refused{after}"),
    }
}

/// The first few, and how many there are besides.
pub(crate) fn named(mut lines: Vec<Line>, rest: &str) -> Vec<Line> {
    let more = lines.len().saturating_sub(NAMED_MAX);
    lines.truncate(NAMED_MAX);
    if more > 0 {
        lines.push(Line::ours(format!("and {more} {rest}")));
    }
    lines
}

#[cfg(test)]
mod tests {
    use tripline_containment::{
        CutSession, Denial, Entry, Event, Failure, IncidentId, Ledger, Place, Step, StepKind,
        Subject,
    };
    use tripline_iam::{AccountId, RoleName};

    use super::*;

    const DECIDED: i64 = 1_795_168_800;

    fn place() -> Place {
        let account = AccountId::parse("111122223333").unwrap();
        Place::Inline(Subject::Role { account, name: RoleName::parse("Agents").unwrap() })
    }

    fn plan(response: Response) -> Plan {
        Plan {
            incident: IncidentId::new(1),
            response,
            agent: None,
            steps: vec![Step {
                kind: StepKind::Deny,
                place: place(),
                denials: Vec::<Denial>::new(),
                chars: (0, 0),
                cuts: Vec::new(),
                others_spared: 2,
                others_hit: 0,
            }],
            sessions: vec![CutSession {
                id: Untrusted::borrowed("ASIAONE"),
                ends_by_unix_secs: None,
            }],
            refused: Vec::new(),
            survives: Vec::new(),
            offered: Vec::new(),
            created: Vec::new(),
        }
    }

    /// What is told after these events, each at its second, at a moment.
    fn told(response: Response, events: Vec<(i64, Event)>, now: i64) -> (Stage, String) {
        let mut ledger = Ledger::default();
        let decided = Event::Decided {
            plan: Box::new(plan(response)),
            reason: Untrusted::borrowed("why"),
            event_unix_ms: None,
            seen_unix_ms: None,
            is_automatic: true,
            class: None,
        };
        for (after, event) in std::iter::once((0, decided)).chain(events) {
            let (actor, incident) = (Untrusted::borrowed("alice"), Some(IncidentId::new(1)));
            let time_unix_ms = (DECIDED + after) * 1_000;
            ledger.record(&Entry { time_unix_ms, actor, incident, event }).unwrap();
        }
        let case = ledger.case(IncidentId::new(1)).unwrap();
        let outcome = Outcome::Contained { case, now_unix_secs: DECIDED + now };
        let line = |line: &Line| line.write(crate::Markup::Terminal, 500);
        let lines: Vec<String> = outcome.done().iter().map(line).collect();
        (outcome.stage(), lines.join("\n  "))
    }

    #[test]
    fn each_stage_has_its_word_and_says_what_was_done() {
        let fence = Response::Fence { until_unix_secs: DECIDED + 3_600 };
        let attached = || (1, Event::Attached { place: place(), after: None });
        let failed = (1, Event::Failed { place: place(), failure: Failure::AccessDenied });
        let seen = |after: i64, was_denied| {
            let (session, at_unix_secs) = (Untrusted::borrowed("ASIAONE"), DECIDED + after);
            (after, Event::Sighted { session, was_denied, at_unix_secs })
        };
        let closed = |after| {
            (
                after,
                Event::Closed { reason: Untrusted::borrowed("false alarm"), has_expired: false },
            )
        };
        let cases = [
            (Response::Kill, vec![failed], 5, Stage::Incomplete),
            (fence, vec![attached()], 5, Stage::Fenced),
            (Response::Kill, vec![attached()], 5, Stage::Killed),
            (Response::Kill, vec![attached(), seen(3, true)], 5, Stage::Holds),
            (Response::Kill, vec![attached(), seen(20, false)], 30, Stage::Broken),
            (Response::Kill, vec![attached(), closed(60)], 70, Stage::Restored),
            (fence, vec![attached(), closed(60)], 70, Stage::Restored),
            (fence, vec![attached(), closed(3_601)], 3_700, Stage::Expired),
        ];
        let mut all = String::new();
        for (response, events, now, expected) in cases {
            let (stage, lines) = told(response, events, now);
            assert_eq!(stage, expected, "{lines}");
            all.push_str(&format!("{}\n  {lines}\n", stage.word()));
        }
        insta::assert_snapshot!(all);
    }
}
