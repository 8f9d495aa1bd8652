//! `[[people]]` and `[approvals]` of `tripline.toml`: who may press what under a message, how many have
//! to, and what follows from it. Who it was is somebody else's to find out.

use std::collections::BTreeSet;
use std::num::NonZeroU32;

use serde::Deserialize;
use tripline_containment::{Case, Declined, Dialogue, Press, Round, Way};
use tripline_text::Untrusted;

use crate::brakes::Mode;
use crate::channels::SecretRef;

/// One person who may press.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Person {
    /// The name under which the action log has what this person pressed; another one for each.
    pub name: String,
    /// The id that Slack knows the person by, such as `U012AB3CD`.
    pub slack: Option<String>,
    /// What the person shows at a link that it is this person, at least 16 bytes.
    pub passphrase: Option<SecretRef>,
    /// What the person may press.
    #[serde(default = "everything")]
    pub may: BTreeSet<Press>,
}

fn everything() -> BTreeSet<Press> {
    BTreeSet::from(Press::ALL)
}

/// How people answer, how many have to, and what follows when nobody does.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Approvals {
    /// What Slack signs its requests with; without it messages in Slack have no buttons.
    pub slack_signing_secret: Option<SecretRef>,
    /// Where links lead that stand in messages elsewhere: what is before `/press`.
    pub url: Option<String>,
    /// What signs links, at least 16 bytes.
    pub link_key: Option<SecretRef>,
    /// How long a link may be used, in hours.
    pub link_hours: NonZeroU32,
    /// How many people carry a plan out.
    pub people_to_approve: NonZeroU32,
    /// How many people leave an agent alone.
    pub people_to_reject: NonZeroU32,
    /// How many people give back what was taken.
    pub people_to_restore: NonZeroU32,
    /// How many people make an exception of what was new.
    pub people_to_expect: NonZeroU32,
    /// How long such an exception holds, in days.
    pub expect_days: NonZeroU32,
    /// How long a plan waits for an answer, in minutes.
    pub answer_minutes: NonZeroU32,
    /// What becomes of a plan that nobody answered.
    pub unanswered: Unanswered,
}

impl Default for Approvals {
    fn default() -> Self {
        let number = |number| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
        Self {
            slack_signing_secret: None,
            url: None,
            link_key: None,
            link_hours: number(24),
            people_to_approve: number(1),
            people_to_reject: number(1),
            people_to_restore: number(2),
            people_to_expect: number(1),
            expect_days: number(7),
            answer_minutes: number(30),
            unanswered: Unanswered::default(),
        }
    }
}

/// What becomes of a plan that nobody answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unanswered {
    /// It goes on waiting.
    #[default]
    Wait,
    /// The agent is held to its known work, within the brakes, whatever the plan is.
    Fence,
    /// The plan is carried out, within the brakes.
    Kill,
}

impl Approvals {
    /// How many people have to press it.
    pub fn people_to(&self, press: Press) -> u32 {
        let people = match press {
            Press::Approve => self.people_to_approve,
            Press::Reject => self.people_to_reject,
            Press::Restore => self.people_to_restore,
            Press::Expect => self.people_to_expect,
        };
        people.get()
    }

    /// Whether a plan that waits since then, in milliseconds since 1970, has waited long enough.
    pub fn is_overdue(&self, asked_unix_ms: i64, now_unix_ms: i64) -> bool {
        let minutes = i64::from(self.answer_minutes.get());
        now_unix_ms.saturating_sub(asked_unix_ms) >= minutes.saturating_mul(60_000)
    }
}

/// What a press asks for, and about what it was offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pressing {
    /// What.
    pub press: Press,
    /// How.
    pub way: Way,
    /// When it was offered.
    pub round: Round,
}

/// What a press meets.
#[derive(Clone, Copy, Debug)]
pub struct Met<'l> {
    /// What was said about the incident so far.
    pub dialogue: Option<&'l Dialogue>,
    /// What was done about it.
    pub case: Option<&'l Case>,
    /// Whether anybody was told of it.
    pub is_told: bool,
    /// What may be written to AWS.
    pub mode: Mode,
}

/// How long it counts that somebody pressed, while more people have to.
const COUNTS_MS: i64 = 3_600_000;
/// So many may be refused under one message, of any kind, before nothing more is heard there.
const REFUSED_MAX: usize = 20;
/// So many wrong passphrases.
const GUESSES_MAX: usize = 5;

/// How many more people have to press it; none if this was the last one.
///
/// `person` is who pressed, if that is somebody known.
///
/// # Errors
/// [`Declined`]: it counts for nothing.
pub fn weigh(
    approvals: &Approvals,
    pressing: Pressing,
    person: Option<&Person>,
    met: Met<'_>,
    now_unix_ms: i64,
) -> Result<u32, Declined> {
    let nothing = Dialogue::default();
    let dialogue = met.dialogue.unwrap_or(&nothing);
    if has_heard_enough(dialogue, pressing.way) {
        return Err(Declined::TooMany);
    }
    if met.dialogue.is_none() && met.case.is_none() && !met.is_told {
        return Err(Declined::Unknown);
    }
    let person = person.ok_or(Declined::Stranger)?;
    if !person.may.contains(&pressing.press) {
        return Err(Declined::NotTheirs);
    }
    can_be_done(pressing.press, dialogue, met)?;
    is_current(pressing, dialogue.round())?;
    let counts = |one: &&tripline_containment::Pressed| {
        one.press == pressing.press
            && one.counts()
            && now_unix_ms.saturating_sub(one.at_unix_ms) <= COUNTS_MS
    };
    let name = Untrusted::borrowed(&person.name);
    let mut people: BTreeSet<&Untrusted<'_>> =
        dialogue.pressed_now().filter(counts).map(|one| &one.person).collect();
    if !people.insert(&name) {
        return Err(Declined::Twice);
    }
    let have = u32::try_from(people.len()).unwrap_or(u32::MAX);
    Ok(approvals.people_to(pressing.press).saturating_sub(have))
}

/// Whoever is refused again and again is refused without being written down: the log has an end.
fn has_heard_enough(dialogue: &Dialogue, way: Way) -> bool {
    let refused = || dialogue.pressed_now().filter(|one| !one.counts());
    let is_guess = |one: &&tripline_containment::Pressed| {
        one.way == Way::Link && one.declined == Some(Declined::Stranger)
    };
    refused().count() >= REFUSED_MAX
        || (way == Way::Link && refused().filter(is_guess).count() >= GUESSES_MAX)
}

/// Whether it was offered under the newest message. Who used a link is not known before it is used, so
/// each is good for one press; Slack says who it is, and two people may press the same button.
fn is_current(pressing: Pressing, now: Round) -> Result<(), Declined> {
    match (pressing.round.era == now.era, pressing.way) {
        (false, _) => Err(Declined::Outdated),
        (true, Way::Link) if pressing.round != now => Err(Declined::Spent),
        (true, _) => Ok(()),
    }
}

/// Whether there is anything left to do of it.
fn can_be_done(press: Press, dialogue: &Dialogue, met: Met<'_>) -> Result<(), Declined> {
    let is_open = met.case.is_some_and(|case| case.closed.is_none());
    if dialogue.pending().is_some_and(|(pending, _)| pending == press) {
        return Err(Declined::UnderWay);
    }
    match (press, is_open) {
        (Press::Approve | Press::Restore, _) if met.mode < Mode::Approve => Err(Declined::Mode),
        // More may wait than what is in force: a kill, while there is a fence.
        (Press::Approve | Press::Reject, _) if dialogue.asked().is_some() => Ok(()),
        (Press::Approve | Press::Reject, true) => Err(Declined::Done),
        (Press::Approve | Press::Reject, false) => Err(Declined::NotWaiting),
        (Press::Restore, false) => Err(Declined::NotInForce),
        (Press::Restore, true) | (Press::Expect, _) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use tripline_containment::{Entry, Event, IncidentId, Ledger, Plan, Response};

    use super::*;
    use crate::Config;

    const NOW: i64 = 1_795_168_800_000;
    const PEOPLE: &str = "version = 1\n[[people]]\nname = \"alice\"\nslack = \"UA\"\n\
                          [[people]]\nname = \"bob\"\nslack = \"UB\"\n\
                          [[people]]\nname = \"eve\"\nmay = [\"reject\"]\n";

    fn incident() -> IncidentId {
        IncidentId::new(1)
    }

    /// What is on record, and what is pressed then.
    #[derive(Default)]
    struct Scene {
        ledger: Ledger,
        mode: Mode,
    }

    impl Scene {
        fn asked() -> Self {
            let mut scene = Self { ledger: Ledger::default(), mode: Mode::Approve };
            let plan = Box::new(plan());
            scene.note("tripline", Event::Asked { plan });
            scene
        }

        fn killed() -> Self {
            let mut scene = Self::asked();
            scene.decide();
            scene
        }

        fn decide(&mut self) {
            self.decide_on(Response::Kill);
        }

        fn decide_on(&mut self, response: Response) {
            let event = Event::Decided {
                plan: Box::new(Plan { response, ..plan() }),
                reason: Untrusted::borrowed(""),
                event_unix_ms: None,
                seen_unix_ms: None,
                is_automatic: false,
                class: None,
            };
            self.note("alice", event);
        }

        fn note(&mut self, actor: &'static str, event: Event) {
            let actor = Untrusted::borrowed(actor);
            let incident = Some(incident());
            self.ledger.record(&Entry { time_unix_ms: NOW, actor, incident, event }).unwrap();
        }

        fn round(&self) -> Round {
            self.ledger.dialogue(incident()).map(Dialogue::round).unwrap_or_default()
        }

        fn weigh(&self, person: &str, pressing: Pressing, now: i64) -> Result<u32, Declined> {
            let config = Config::parse(PEOPLE).unwrap();
            let person = config.people.iter().find(|known| known.name == person);
            let met = Met {
                dialogue: self.ledger.dialogue(incident()),
                case: self.ledger.case(incident()),
                is_told: true,
                mode: self.mode,
            };
            weigh(&config.approvals, pressing, person, met, now)
        }

        /// Somebody presses what is offered now; it is written down.
        fn press(&mut self, person: &'static str, press: Press, way: Way) -> Result<u32, Declined> {
            self.press_as_of(self.round(), person, press, way)
        }

        fn press_as_of(
            &mut self,
            round: Round,
            person: &'static str,
            press: Press,
            way: Way,
        ) -> Result<u32, Declined> {
            let weighed = self.weigh(person, Pressing { press, way, round }, NOW);
            let event = Event::Pressed {
                press,
                way,
                address: None,
                person: Untrusted::borrowed(person),
                declined: weighed.err(),
                missing: weighed.unwrap_or(0),
            };
            self.note("tripline", event);
            weighed
        }
    }

    fn plan() -> Plan {
        Plan {
            incident: incident(),
            response: Response::Kill,
            agent: None,
            steps: Vec::new(),
            sessions: Vec::new(),
            refused: Vec::new(),
            survives: Vec::new(),
            offered: Vec::new(),
            created: Vec::new(),
        }
    }

    #[test]
    fn one_approves_and_two_give_back() {
        let mut scene = Scene::asked();
        assert_eq!(scene.press("alice", Press::Approve, Way::Slack), Ok(0));
        assert_eq!(scene.press("bob", Press::Approve, Way::Slack), Err(Declined::UnderWay));
        scene.decide();
        assert_eq!(scene.press("bob", Press::Approve, Way::Slack), Err(Declined::Done));
        assert_eq!(scene.press("alice", Press::Restore, Way::Slack), Ok(1));
        assert_eq!(scene.press("alice", Press::Restore, Way::Slack), Err(Declined::Twice));
        assert_eq!(scene.press("bob", Press::Restore, Way::Slack), Ok(0));
        let (pending, by) = scene.ledger.dialogue(incident()).unwrap().pending().unwrap();
        assert_eq!((pending, by.as_unescaped()), (Press::Restore, "bob"));
    }

    #[test]
    fn who_pressed_long_ago_is_no_second_person() {
        let mut scene = Scene::killed();
        assert_eq!(scene.press("alice", Press::Restore, Way::Slack), Ok(1));
        let (press, way, round) = (Press::Restore, Way::Slack, scene.round());
        let at = |now| scene.weigh("bob", Pressing { press, way, round }, now);
        assert_eq!((at(NOW + COUNTS_MS), at(NOW + COUNTS_MS + 1)), (Ok(0), Ok(1)));
    }

    #[test]
    fn strangers_and_those_who_may_not_count_for_nothing() {
        let mut scene = Scene::asked();
        assert_eq!(scene.press("mallory", Press::Approve, Way::Slack), Err(Declined::Stranger));
        assert_eq!(scene.press("eve", Press::Approve, Way::Slack), Err(Declined::NotTheirs));
        assert_eq!(scene.press("eve", Press::Reject, Way::Slack), Ok(0));
        let spared = scene.ledger.dialogue(incident()).unwrap().spared().unwrap();
        assert_eq!(spared.person.as_unescaped(), "eve");
        assert_eq!(scene.press("alice", Press::Approve, Way::Slack), Err(Declined::NotWaiting));
    }

    #[test]
    fn a_link_is_good_for_one_press_that_counts_and_a_button_for_each_person() {
        let mut scene = Scene::killed();
        let offered = scene.round();
        assert_eq!(scene.press("mallory", Press::Restore, Way::Link), Err(Declined::Stranger));
        let (alice, bob) = ("alice", "bob");
        assert_eq!(scene.press_as_of(offered, alice, Press::Restore, Way::Link), Ok(1));
        for person in [alice, bob] {
            let again = scene.press_as_of(offered, person, Press::Restore, Way::Link);
            assert_eq!(again, Err(Declined::Spent));
        }
        assert_eq!(scene.press_as_of(offered, bob, Press::Restore, Way::Slack), Ok(0));
    }

    #[test]
    fn what_was_offered_before_things_changed_is_out_of_date() {
        let mut scene = Scene::killed();
        let offered = scene.round();
        let why = Untrusted::borrowed("");
        scene.note("alice", Event::Closed { reason: why, has_expired: false });
        assert_eq!(scene.press("bob", Press::Restore, Way::Slack), Err(Declined::NotInForce));
        // It was stopped again since.
        scene.note("tripline", Event::Asked { plan: Box::new(plan()) });
        scene.decide();
        for way in [Way::Slack, Way::Link] {
            let old = scene.press_as_of(offered, "bob", Press::Restore, way);
            assert_eq!(old, Err(Declined::Outdated));
        }
        assert_eq!(scene.press("bob", Press::Restore, Way::Slack), Ok(1));
    }

    #[test]
    fn a_fence_does_not_answer_whether_to_kill() {
        let fence = |secs| Response::Fence { until_unix_secs: NOW / 1_000 + secs };
        for closes in [false, true] {
            let mut scene = Scene::asked();
            // One that had its time when it is closed, and one that is in force.
            scene.decide_on(fence(if closes { 0 } else { 1_800 }));
            if closes {
                let reason = Untrusted::borrowed("its time is over");
                scene.note("tripline", Event::Closed { reason, has_expired: true });
            }
            assert_eq!(scene.press("alice", Press::Approve, Way::Slack), Ok(0));
            scene.decide();
            let dialogue = scene.ledger.dialogue(incident()).unwrap();
            assert_eq!((dialogue.asked(), dialogue.pending()), (None, None));
            assert_eq!(scene.press("bob", Press::Approve, Way::Slack), Err(Declined::Done));
        }
        // Whoever said yes has, although a fence ends before it is done.
        let mut scene = Scene::asked();
        scene.decide_on(fence(0));
        assert_eq!(scene.press("alice", Press::Approve, Way::Slack), Ok(0));
        let reason = Untrusted::borrowed("its time is over");
        scene.note("tripline", Event::Closed { reason, has_expired: true });
        let (pending, by) = scene.ledger.dialogue(incident()).unwrap().pending().unwrap();
        assert_eq!((pending, by.as_unescaped()), (Press::Approve, "alice"));
        // Whoever turned it down has, whatever becomes of the fence.
        let mut scene = Scene::asked();
        scene.decide_on(fence(0));
        assert_eq!(scene.press("eve", Press::Reject, Way::Slack), Ok(0));
        let reason = Untrusted::borrowed("its time is over");
        scene.note("tripline", Event::Closed { reason, has_expired: true });
        let spared = scene.ledger.dialogue(incident()).unwrap().spared().unwrap();
        assert_eq!((spared.person.as_unescaped(), spared.response), ("eve", Some(Response::Kill)));
        // Whoever gives it back has answered.
        let mut scene = Scene::asked();
        scene.decide_on(fence(1_800));
        scene.note(
            "bob",
            Event::Closed { reason: Untrusted::borrowed("false alarm"), has_expired: false },
        );
        assert_eq!(scene.press("alice", Press::Approve, Way::Slack), Err(Declined::NotWaiting));
        let spared = scene.ledger.dialogue(incident()).unwrap().spared().unwrap();
        assert_eq!(spared.person.as_unescaped(), "bob");
    }

    #[test]
    fn what_was_not_done_may_be_pressed_again() {
        let mut scene = Scene::asked();
        assert_eq!(scene.press("alice", Press::Approve, Way::Slack), Ok(0));
        let event = Event::NotDone { press: Press::Approve, why: Declined::NoPlan };
        scene.note("tripline", event);
        let dialogue = scene.ledger.dialogue(incident()).unwrap();
        assert_eq!(dialogue.pressed()[0].declined, Some(Declined::NoPlan));
        assert_eq!(scene.press("alice", Press::Approve, Way::Slack), Ok(0));
    }

    #[test]
    fn whoever_guesses_is_not_heard_for_ever() {
        let mut scene = Scene::asked();
        let press = |scene: &mut Scene, person, way| scene.press(person, Press::Approve, way);
        for _ in 0..GUESSES_MAX {
            assert_eq!(press(&mut scene, "mallory", Way::Link), Err(Declined::Stranger));
        }
        // Not even with the right passphrase: else to go on guessing would pay. Slack knows who it is.
        assert_eq!(press(&mut scene, "alice", Way::Link), Err(Declined::TooMany));
        assert_eq!(press(&mut scene, "alice", Way::Slack), Ok(0));
    }

    #[test]
    fn in_a_mode_that_writes_nothing_nothing_is_carried_out() {
        let mut scene = Scene { mode: Mode::Observe, ..Scene::asked() };
        assert_eq!(scene.press("alice", Press::Approve, Way::Slack), Err(Declined::Mode));
        assert_eq!(scene.press("alice", Press::Restore, Way::Slack), Err(Declined::Mode));
        assert_eq!(scene.press("alice", Press::Expect, Way::Slack), Ok(0));
        let nobody = Met { dialogue: None, case: None, is_told: false, mode: Mode::Enforce };
        let config = Config::parse(PEOPLE).unwrap();
        let pressing = Pressing { press: Press::Expect, way: Way::Slack, round: Round::default() };
        let weighed = weigh(&config.approvals, pressing, config.people.first(), nobody, NOW);
        assert_eq!(weighed, Err(Declined::Unknown));
    }

    #[test]
    fn settings_that_cannot_be_meant_are_refused() {
        let parse = |more: &str| Config::parse(&format!("{PEOPLE}{more}"));
        let error = |more: &str| parse(more).unwrap_err().to_string();
        assert!(parse("").is_ok());
        assert!(error("[[people]]\nname = \"bob\"\n").contains("`bob`"));
        assert!(error("[[people]]\nname = \"x\"\nslack = \"UA\"\n").contains("`UA`"));
        let few = error("[approvals]\npeople_to_approve = 3\n");
        assert_eq!(few, "`approvals.people_to_approve` is 3, and 2 of `people` may press it");
        assert!(error("[approvals]\npeople_to_restore = 0\n").contains("nonzero"));
        assert!(error("[approvals]\nexpect_days = 367\n").contains("more than 366"));
        let link = |url: &str| format!("[approvals]\nlink_key = \"env:K\"\nurl = \"{url}\"\n");
        for url in ["http://tripline.example", "https://", "ftp://x", "https://x/'><b"] {
            assert!(error(&link(url)).contains("https://"), "{url}");
        }
        assert!(parse(&link("https://tripline.example/a")).is_ok());
        assert!(parse(&link("http://localhost:8443")).is_ok());
        assert!(error("[approvals]\nurl = \"https://x\"\n").contains("needs `approvals.link_key`"));
        // Where the functions run, the deployment knows the URL.
        assert!(parse("[approvals]\nlink_key = \"env:K\"\n").is_ok());
    }
}
