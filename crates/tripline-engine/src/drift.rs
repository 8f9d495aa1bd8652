//! What is remembered of days that are over: what holds verdicts back, and what makes up for attacks
//! that are spread thin.
//!
//! An agent's day is one number, the highest score on it, in whatever order its calls become known; so
//! what is remembered of days is a set, and live it is kept as one (`live/past.rs`).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tripline_attribution::{Agent, AgentId, SessionId, Sessions};
use tripline_baseline::Day;
use tripline_cloudtrail::EventTime;
use tripline_detector::{Calibration, SLOW_DAYS, Score, Slow, Verdict, Watchdog};

use crate::breaker::Breakers;
use crate::habits::Habits;
use crate::learning::stable_hash_of;
use crate::model::Model;
use crate::open::Over;

/// What is remembered of agents and classes.
#[derive(Debug, Default)]
pub(crate) struct Drift {
    breakers: Breakers,
    /// Of agents that are known well.
    days: BTreeMap<AgentId, Days>,
    watch: Watch,
    /// What the episodes of agents that are known well came to; kept if somebody wants it.
    outcomes: Option<Vec<Outcome>>,
}

/// What the state tells of other lineages and earlier days.
#[derive(Clone, Debug, Default)]
pub(crate) struct Remembered {
    pub(crate) days: BTreeMap<AgentId, Days>,
    pub(crate) courses: BTreeMap<Option<AgentId>, Course>,
}

/// Who watches over the calibration of a class.
#[derive(Debug)]
enum Watch {
    /// All days of all agents are judged here, in order of time: how each class stands, and its days
    /// that are not over.
    Here(BTreeMap<Option<AgentId>, (Course, BTreeMap<Day, Count>)>),
    /// Some lineages are: how each class stands is told, and what their days came to is noted, by agent,
    /// day and root.
    Told(BTreeMap<Option<AgentId>, Course>, BTreeMap<(AgentId, Day, u32), Work>),
}

impl Default for Watch {
    fn default() -> Self {
        Self::Here(BTreeMap::new())
    }
}

#[derive(Debug)]
struct Work {
    class: Option<AgentId>,
    highest: Score,
    is_followed: bool,
}

/// What one lineage of an agent that is known well came to on one day.
#[derive(Clone, Debug)]
pub(crate) struct Worked {
    pub(crate) agent: AgentId,
    pub(crate) class: Option<AgentId>,
    pub(crate) day: Day,
    /// Where the lineage begins.
    pub(crate) root: SessionId,
    /// The highest score; none is zero.
    pub(crate) highest: Score,
    /// Whether the agent is one of those by whom the class is watched that day.
    pub(crate) is_followed: bool,
}

/// How high an agent came on each of its last days at work. The same, whatever the order in which and
/// however often that is noted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Days(BTreeMap<Day, Score>);

impl Days {
    /// Notes a score; how high that day was before, if it was known.
    pub(crate) fn note(&mut self, day: Day, score: Score) -> Option<Score> {
        let known = self.at(day);
        let highest = self.0.entry(day).or_default();
        *highest = (*highest).max(score);
        while let Some((first, last)) = self.0.keys().next().zip(self.0.keys().next_back())
            && last.since(*first) > SLOW_DAYS
        {
            self.0.pop_first();
        }
        known
    }

    /// How high a day is, if it is known.
    pub(crate) fn at(&self, day: Day) -> Option<Score> {
        self.0.get(&day).copied()
    }

    /// What the days before one prove.
    fn before(&self, day: Day, calibration: &Calibration) -> Slow {
        let days = self.0.range(day.minus(SLOW_DAYS)..day);
        days.fold(Slow::default(), |slow, (_, highest)| slow.after(calibration, *highest))
    }
}

/// How many agents of a class were at work on a day, and how many of these came above the line that is
/// watched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) agents: u64,
    pub(crate) above: u64,
}

/// How the calibration of a class has held so far.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Course {
    watchdog: Watchdog,
    /// The day on which it turned out not to hold.
    pub(crate) fired: Option<Day>,
}

impl Course {
    /// Notes a day of the class that is over. Days come in their order.
    pub(crate) fn note(&mut self, day: Day, count: Count, calibration: &Calibration) {
        if self.fired.is_none() {
            self.watchdog.note(calibration, count.agents, count.above);
            self.fired = self.watchdog.has_fired().then_some(day);
        }
    }

    /// Whether its lines hold for nothing on a day.
    fn is_off(&self, day: Day) -> bool {
        self.fired.is_some_and(|fired| day >= off_from(fired))
    }
}

/// The first day on which lines hold for nothing that turned out not to hold on another. Live, a day is only
/// known for good in the course of the next one.
pub(crate) fn off_from(fired: Day) -> Day {
    fired.next().next()
}

/// What an episode came to, of an agent that is known well.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Outcome {
    /// The minute since 1970 in which it began.
    pub start_minute: u32,
    /// Whose.
    pub agent: AgentId,
    /// The agent's class.
    pub class: Option<AgentId>,
    /// The highest score.
    pub highest: Score,
    /// The highest of what [counts for a kill](tripline_detector::Evidence::killing).
    pub counted: Score,
    /// The highest of that while the agent was known well enough to be killed. What holds a kill back
    /// besides (other agents of its class, a calibration that does not hold) is not looked at.
    pub killing: Score,
    /// What the evidence asked for; rules are not part of it.
    pub verdict: Verdict,
}

/// Where a verdict is to be held against what happened elsewhere.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    pub(crate) agent: &'a AgentId,
    pub(crate) class: Option<&'a AgentId>,
    /// The agents of the class.
    pub(crate) peers: u64,
    pub(crate) root: u32,
    pub(crate) minute: u32,
    pub(crate) day: Day,
}

/// Why a verdict is another one than the evidence of its episode asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turned {
    /// More, beside the agent's days before.
    Slowly,
    /// No kill: the calibration of its class does not hold.
    OffCalibration,
    /// No kill: others of its class were killed just before.
    ClassTripped,
}

impl Drift {
    /// One that keeps what episodes came to.
    pub(crate) fn keeping() -> Self {
        Self { outcomes: Some(Vec::new()), ..Self::default() }
    }

    /// One for lineages of which there are others, with what is remembered of those.
    pub(crate) fn live(remembered: Remembered) -> Self {
        let Remembered { days, courses } = remembered;
        Self { days, watch: Watch::Told(courses, BTreeMap::new()), ..Self::default() }
    }

    /// Keeps what episodes came to that are over, if somebody wants it.
    pub(crate) fn note(
        &mut self,
        over: impl Iterator<Item = Over>,
        model: &Model,
        sessions: &Sessions,
    ) {
        let Some(outcomes) = &mut self.outcomes else { return };
        for episode in over {
            let Some(agent) = sessions.agent_at(episode.agent) else { continue };
            let habits = model.habits_of(agent);
            let day = day_of(episode.start_minute);
            let learned = habits.until().zip(day);
            let is_held_out = learned.is_none_or(|(until, day)| day > until);
            if habits.standing(false).maturity.is_armed() && is_held_out {
                outcomes.push(Outcome {
                    start_minute: episode.start_minute,
                    agent: agent.id.clone(),
                    class: agent.class.clone(),
                    highest: episode.highest,
                    counted: episode.counted,
                    killing: episode.killing,
                    verdict: episode.verdict,
                });
            }
        }
    }

    /// Notes that an agent was at work on a day, in the lineage that begins there, and how high it came so
    /// far.
    pub(crate) fn work(
        &mut self,
        agent: &Agent,
        habits: &Habits<'_>,
        (day, root): (Day, u32),
        score: Score,
        model: &Model,
    ) {
        let Some(lines) = model.lines() else { return };
        if !habits.standing(false).maturity.is_armed() {
            return;
        }
        let known = match self.days.get_mut(&agent.id) {
            Some(days) => days.note(day, score),
            None => self.days.entry(agent.id.clone()).or_default().note(day, score),
        };
        // Where nobody knows how many there are, there may be many.
        let peers = habits.class.or(habits.fleet);
        let peers = peers.map_or(UNCOUNTED, |peers| peers.known.agents());
        let is_followed = is_followed(&agent.id, day, peers);
        match &mut self.watch {
            Watch::Here(classes) => {
                let was_above = known.is_some_and(|known| lines.is_watched(known));
                let is_more = lines.is_watched(score) && !was_above;
                if is_followed && (known.is_none() || is_more) {
                    let (_, open) = classes.entry(agent.class.clone()).or_default();
                    let count = open.entry(day).or_default();
                    count.agents += u64::from(known.is_none());
                    count.above += u64::from(is_more);
                }
            }
            Watch::Told(_, work) => {
                let class = agent.class.clone();
                let work = work.entry((agent.id.clone(), day, root)).or_insert(Work {
                    class,
                    highest: score,
                    is_followed,
                });
                work.highest = work.highest.max(score);
            }
        }
    }

    /// What a verdict on an episode with this evidence becomes in view of the agent's earlier days and of
    /// its class, and why, if that is another one.
    pub(crate) fn settle(
        &mut self,
        verdict: Verdict,
        place: &Place<'_>,
        model: &Model,
        score: Score,
    ) -> (Verdict, Option<Turned>) {
        let Some(calibration) = model.calibration() else { return (verdict, None) };
        let days = self.days.get(place.agent);
        let before = days.map(|days| days.before(place.day, calibration)).unwrap_or_default();
        let slowly = before.after(calibration, score).verdict(calibration, model.budgets());
        if verdict < Verdict::Kill {
            return (verdict.max(slowly), (slowly > verdict).then_some(Turned::Slowly));
        }
        if self.watch.is_off(place, calibration) {
            return (Verdict::Fence, Some(Turned::OffCalibration));
        }
        match self.breakers.allows(place.class, place.peers, place.root, place.minute) {
            true => (verdict, None),
            false => (Verdict::Fence, Some(Turned::ClassTripped)),
        }
    }

    /// What lineages came to on each day; nothing where all of them are judged here.
    pub(crate) fn worked(&self, sessions: &Sessions) -> Vec<Worked> {
        let Watch::Told(_, work) = &self.watch else { return Vec::new() };
        let worked = work.iter().map(|((agent, day, root), work)| Worked {
            agent: agent.clone(),
            class: work.class.clone(),
            day: *day,
            root: sessions.id_at(*root),
            highest: work.highest,
            is_followed: work.is_followed,
        });
        worked.collect()
    }

    /// What episodes came to, in order of time.
    pub(crate) fn into_outcomes(self) -> Vec<Outcome> {
        let mut outcomes = self.outcomes.unwrap_or_default();
        outcomes.sort();
        outcomes
    }
}

impl Watch {
    fn is_off(&mut self, place: &Place<'_>, calibration: &Calibration) -> bool {
        let class = place.class.cloned();
        match self {
            Self::Here(classes) => classes.get_mut(&class).is_some_and(|(course, open)| {
                // Calls come in order of time: the days before this one are over.
                while let Some(first) = open.first_entry().filter(|it| *it.key() < place.day) {
                    let (day, count) = first.remove_entry();
                    course.note(day, count, calibration);
                }
                course.is_off(place.day)
            }),
            Self::Told(courses, _) => courses.get(&class).is_some_and(|it| it.is_off(place.day)),
        }
    }
}

/// By how many agents a class is watched on a day, about: what is remembered of it is not to grow with it,
/// and so many tell.
const FOLLOWED: u32 = 256;

/// How many agents a class is taken to have of which that is not known: one in sixteen is followed.
const UNCOUNTED: u32 = 16 * FOLLOWED;

/// Whether an agent is one of those by whom its class is watched on a day: all of them in most, and some in
/// a large one, each day others.
fn is_followed(agent: &AgentId, day: Day, peers: u32) -> bool {
    let one_in = u64::from(peers.div_ceil(FOLLOWED).max(1));
    // No text of ours is the beginning of another one: the day has ten characters.
    let name = || format!("{day}{}", agent.untrusted().as_unescaped());
    one_in == 1 || stable_hash_of(&name()).is_multiple_of(one_in)
}

fn day_of(minute: u32) -> Option<Day> {
    EventTime::from_unix_secs(i64::from(minute) * 60).map(Day::of)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tripline_text::Untrusted;

    use super::*;

    fn day(number: u32) -> Day {
        Day::of(EventTime::EPOCH.plus_secs(i64::from(number) * 86_400))
    }

    fn calibration() -> Calibration {
        let mut calibration = Calibration::default();
        let scores = (0..3_000_u16).map(|nth| (Score::of(f64::from(nth % 100) / 20.0), 1));
        calibration.add(&Untrusted::borrowed("agent"), 3_000, 42_000, scores);
        calibration
    }

    proptest! {
        #[test]
        fn days_are_the_same_in_any_order_and_however_often(
            noted in proptest::collection::vec((0_u32..80, 0_u16..500), 1..40),
            order in any::<u64>(),
            twice in 0_usize..40,
        ) {
            let of = |noted: &[(u32, u16)]| {
                let mut days = Days::default();
                for (at, hundredths) in noted {
                    days.note(day(*at), Score::from_hundredths(*hundredths).unwrap());
                }
                days
            };
            let mut shuffled = noted.clone();
            shuffled.extend(noted.iter().take(twice));
            shuffled.sort_by_key(|it| stable_hash_of(&format!("{order} {it:?}")));
            prop_assert_eq!(of(&noted), of(&shuffled));
            let newest = noted.iter().map(|(at, _)| *at).max().unwrap();
            let kept = of(&noted).0.len();
            let wanted: std::collections::BTreeSet<u32> =
                noted.iter().map(|(at, _)| *at).filter(|at| at + SLOW_DAYS >= newest).collect();
            prop_assert_eq!(kept, wanted.len());
        }
    }

    #[test]
    fn a_calibration_that_does_not_hold_on_a_day_is_off_from_the_day_after_the_next() {
        let calibration = calibration();
        let mut course = Course::default();
        course.note(day(5), Count { agents: 100, above: 1 }, &calibration);
        assert!(!course.is_off(day(9)));
        course.note(day(6), Count { agents: 100, above: 40 }, &calibration);
        assert_eq!(course.fired, Some(day(6)));
        assert!(!course.is_off(day(6)) && !course.is_off(day(7)));
        assert!(course.is_off(day(8)));
        course.note(day(7), Count { agents: 1_000_000, above: 0 }, &calibration);
        assert_eq!(course.fired, Some(day(6)));
    }

    #[test]
    fn a_large_class_is_watched_by_some_of_its_agents_each_day_by_others() {
        let name = |nth: u32| AgentId::of(&format!("agent-{nth}")).unwrap();
        assert!((0..256).all(|nth| is_followed(&name(nth), day(1), 256)));
        let followed =
            |at: u32| (0..9_000).filter(move |nth| is_followed(&name(*nth), day(at), 9_000));
        assert!((150..400).contains(&followed(1).count()), "{}", followed(1).count());
        assert!(followed(1).ne(followed(2)));
        let of_unknown =
            (0..4_096).filter(|nth| is_followed(&name(*nth), day(1), UNCOUNTED)).count();
        assert!((150..400).contains(&of_unknown), "{of_unknown}");
    }
}
