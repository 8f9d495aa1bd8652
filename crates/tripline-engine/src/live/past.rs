//! What the state remembers of days beyond the records themselves: how high each agent came on each of its
//! last days, and how the calibration of each class has held.
//!
//! An agent's day is a number that only rises, so it is kept as a set of such numbers, of which the highest
//! counts (so it stays, too, when a call that comes late, or a person who expected it, makes less of it). A day of a class is the set of its agents who were at work. Once nobody looks at a day's records
//! as a whole any more, whoever comes by adds it to how its class stood before, and notes what came of it: a
//! function of what is in the state, the same whoever works it out, and however often.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tripline_attribution::{Agent, AgentId, SessionId};
use tripline_baseline::Day;
use tripline_cloudtrail::EventTime;
use tripline_detector::{Calibration, SLOW_DAYS};

use super::partition::{Groups, elements, encoded};
use super::{Entry, HORIZON_SECS, Partition};
use crate::drift::{Count, Course, Days, Remembered, Worked};
use crate::judge::DamagedRow;
use crate::learning::stable_hash_of;
use crate::model::{CalibrationId, Model};

/// For how many days the days of a class are kept until they are added up: a class that was at work on
/// none for longer begins anew.
const CLASS_DAYS: u32 = 8;
/// For how many days it is remembered that a calibration does not hold: longer than any is of use.
const FIRED_DAYS: u32 = 400;
const DAY_SECS: i64 = 86_400;

/// What is remembered, while it is read from the state.
#[derive(Debug)]
pub(super) struct Past {
    calibration: CalibrationId,
    /// Days before this one are looked at as a whole no more.
    settled: Day,
    days: BTreeMap<AgentId, Days>,
    classes: BTreeMap<Option<AgentId>, Class>,
}

/// How a class stood, and its days since.
#[derive(Debug, Default)]
struct Class {
    stood: Option<Stood>,
    /// The agents at work, and whether each came above the line.
    days: BTreeMap<Day, BTreeMap<u64, bool>>,
}

/// How the calibration of a class has held up to a day.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Stood {
    /// The first day that is not part of it.
    until: Day,
    /// How many days of agents are.
    agent_days: u64,
    course: Course,
}

/// What is to be written, the first before the rest: once the rest is there, nobody looks for it again.
#[derive(Debug, Default)]
pub(super) struct News {
    pub(super) first: Groups,
    pub(super) rest: Groups,
}

impl Past {
    /// Nothing yet. `now` is the time by the clock.
    pub(super) fn of(calibration: CalibrationId, now: EventTime) -> Self {
        let settled = Day::of(now.plus_secs(DAY_SECS - HORIZON_SECS));
        Self { calibration, settled, days: BTreeMap::new(), classes: BTreeMap::new() }
    }

    /// What is to be read about an agent; `is_read` says whether a set was read already.
    pub(super) fn wanted(
        &mut self,
        agent: &Agent,
        is_read: impl Fn(&Partition) -> bool,
    ) -> Vec<Partition> {
        let (calibration, class) = (self.calibration, &agent.class);
        self.classes.entry(class.clone()).or_default();
        let stood = Partition::Watchdog(calibration, class.clone());
        let days = match is_read(&stood) {
            true => self.classes.get(class).map(|class| self.unsettled(class)).unwrap_or_default(),
            false => Vec::new(),
        };
        let days = days.into_iter().map(|day| Partition::Class(calibration, class.clone(), day));
        let own = Partition::Days(calibration, agent.id.clone());
        [own, stood].into_iter().chain(days).collect()
    }

    /// The days of a class that are over and that nobody added up.
    fn unsettled(&self, class: &Class) -> Vec<Day> {
        let oldest = self.settled.minus(CLASS_DAYS);
        let stood = class.stood.as_ref();
        if stood.is_some_and(|stood| stood.course.fired.is_some()) {
            return Vec::new();
        }
        let first = stood.map_or(oldest, |stood| stood.until.max(oldest));
        let next = |day: &Day| Some(day.next());
        std::iter::successors(Some(first), next).take_while(|day| *day < self.settled).collect()
    }

    /// Takes an element of a set.
    ///
    /// # Errors
    /// When it is none of this program's, or damaged.
    pub(super) fn give(&mut self, partition: &Partition, value: &[u8]) -> Result<(), DamagedRow> {
        match partition {
            Partition::Days(_, agent) => {
                let days = self.days.entry(agent.clone()).or_default();
                for (day, highest) in elements(value)? {
                    days.note(day, highest);
                }
            }
            Partition::Class(_, class, day) => {
                let class = self.classes.entry(class.clone()).or_default();
                let agents = class.days.entry(*day).or_default();
                for (agent, is_above) in elements::<(u64, bool)>(value)? {
                    *agents.entry(agent).or_default() |= is_above;
                }
            }
            Partition::Watchdog(_, class) => {
                let class = self.classes.entry(class.clone()).or_default();
                for stood in elements::<Stood>(value)? {
                    // Whoever added up what another had not seen yet came to something else; one of them
                    // counts, and everybody takes the same: nothing is added to both. What was told not
                    // to hold (`Fired`) does not hold, by its earliest day.
                    let fired = |it: &Stood| it.course.fired.map(std::cmp::Reverse);
                    let rank = |it: &Stood| (fired(it), it.until, it.agent_days, encoded(it));
                    if class.stood.as_ref().is_none_or(|known| rank(known) < rank(&stood)) {
                        class.stood = Some(stood);
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// What verdicts are to be held against.
    pub(super) fn remembered(&self, calibration: &Calibration) -> Remembered {
        let courses = self.classes.iter();
        let courses =
            courses.map(|(name, class)| (name.clone(), self.stands(class, calibration).course));
        Remembered { days: self.days.clone(), courses: courses.collect() }
    }

    /// How a class stands, with the days that are over by now.
    fn stands(&self, class: &Class, calibration: &Calibration) -> Stood {
        let begins = || Stood { until: self.settled, agent_days: 0, course: Course::default() };
        let mut stood = class.stood.clone().unwrap_or_else(begins);
        for day in self.unsettled(class) {
            let Some(agents) = class.days.get(&day) else { continue };
            let above = agents.values().filter(|is_above| **is_above).count() as u64;
            let agents = agents.len() as u64;
            stood.course.note(day, Count { agents, above }, calibration);
            stood.agent_days = stood.agent_days.saturating_add(agents);
        }
        stood.until = stood.until.max(self.settled);
        stood
    }

    /// What was not known yet of what lineages came to, those of these roots, and of how classes stand.
    pub(super) fn news(
        &self,
        worked: &[Worked],
        is_whole: impl Fn(&SessionId) -> bool,
        model: &Model,
    ) -> News {
        let (mut news, mut noted) = (News::default(), self.days.clone());
        let Some((calibration, lines)) = model.calibration().zip(model.lines()) else {
            return news;
        };
        // Of an older day a part of the records is gone.
        let is_whole_day = |it: &&Worked| it.day >= self.settled;
        for worked in worked.iter().filter(is_whole_day).filter(|it| is_whole(&it.root)) {
            let Worked { agent, class, day, highest, is_followed, .. } = worked;
            let known = noted.entry(agent.clone()).or_default().note(*day, *highest);
            if known.is_some_and(|known| known >= *highest) {
                continue;
            }
            let days = Partition::Days(self.calibration, agent.clone());
            news.rest.add(days, &(day, highest), after(*day, SLOW_DAYS));
            let is_above = lines.is_watched(*highest);
            let is_counted = known.is_some_and(|known| lines.is_watched(known) == is_above);
            if *is_followed && !is_counted {
                let class = Partition::Class(self.calibration, class.clone(), *day);
                let agent = stable_hash_of(agent.untrusted().as_unescaped());
                news.first.add(class, &(agent, is_above), after(*day, CLASS_DAYS));
            }
        }
        for (name, class) in &self.classes {
            let stands = self.stands(class, calibration);
            let is_known =
                |stood: &Stood| stood.until >= stands.until || stood.course.fired.is_some();
            if class.stood.as_ref().is_some_and(is_known) {
                continue;
            }
            let mut kept = CLASS_DAYS;
            if let Some(day) = stands.course.fired {
                kept = FIRED_DAYS;
                let fired = Partition::Fired(self.calibration);
                news.first.add(fired, &(name, day), after(day, FIRED_DAYS));
            }
            let watchdog = Partition::Watchdog(self.calibration, name.clone());
            news.rest.add(watchdog, &stands, after(stands.until, kept));
        }
        news
    }
}

/// When what is kept of a day for so many days may be forgotten: two later, so that nobody is left without
/// it in between.
pub(super) fn after(day: Day, days: u32) -> EventTime {
    day.start().plus_secs(i64::from(days + 2) * DAY_SECS)
}

impl Partition {
    /// Where it is noted of which classes a calibration does not hold.
    pub fn fired(calibration: &Calibration) -> Self {
        Self::Fired(CalibrationId::of(calibration))
    }

    /// The classes whose calibration does not hold, each with the first day on which it did not, by what
    /// [`Self::fired`] holds. No class is that of all agents without one.
    ///
    /// # Errors
    /// When an element is none of this program's, or damaged.
    pub fn fired_classes(
        values: impl IntoIterator<Item = Vec<u8>>,
    ) -> Result<BTreeMap<Option<AgentId>, Day>, DamagedRow> {
        let mut classes = BTreeMap::new();
        for value in values {
            for (class, day) in elements::<(Option<AgentId>, Day)>(&value)? {
                let first = classes.entry(class).or_insert(day);
                *first = day.min(*first);
            }
        }
        Ok(classes)
    }
}

impl News {
    /// What is to be written, the first before the rest.
    pub(super) fn finish(self) -> (Vec<Entry>, Vec<Entry>) {
        (self.first.finish(), self.rest.finish())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;
    use tripline_detector::{Budgets, Invariants, Score};
    use tripline_text::Untrusted;

    use super::*;
    use crate::live::PartitionId;

    /// A state: nothing but sets.
    type State = BTreeMap<PartitionId, BTreeSet<Vec<u8>>>;

    /// What one look came to: an agent of a class, the day, and the score in hundredths.
    #[derive(Clone, Copy, Debug)]
    struct Look {
        agent: u8,
        class: u8,
        day: u32,
        score: u16,
    }

    fn day(number: u32) -> Day {
        Day::of(EventTime::EPOCH.plus_secs(i64::from(1_000 + number) * DAY_SECS))
    }

    fn model() -> Model {
        let mut calibration = Calibration::default();
        let scores = [(Score::of(1.0), 10), (Score::default(), 1_990)];
        calibration.add(&Untrusted::borrowed("agent"), 2_000, 28_000, scores);
        let model = Model::new(Invariants::default(), Vec::new()).unwrap();
        model.with_calibration(calibration, Budgets::default())
    }

    fn id(kind: &str, nth: u8) -> AgentId {
        AgentId::of(&format!("{kind} {nth}")).unwrap()
    }

    fn agent(look: &Look) -> Agent {
        let class = (look.class > 0).then(|| id("class", look.class));
        Agent { id: id("agent", look.agent), class }
    }

    /// Reads what is remembered of these agents, as of a time.
    fn read(state: &State, model: &Model, agents: &[Agent], now: EventTime) -> Past {
        let mut past = Past::of(model.calibration_id().unwrap(), now);
        let mut asked = BTreeSet::new();
        loop {
            let is_read = |partition: &Partition| asked.contains(partition);
            let wanted: Vec<Vec<Partition>> =
                agents.iter().map(|agent| past.wanted(agent, is_read)).collect();
            let wanted: BTreeSet<Partition> =
                wanted.into_iter().flatten().filter(|it| !asked.contains(it)).collect();
            if wanted.is_empty() {
                return past;
            }
            for partition in &wanted {
                for value in state.get(&partition.id()).into_iter().flatten() {
                    past.give(partition, value).unwrap();
                }
            }
            asked.extend(wanted);
        }
    }

    fn look(state: &mut State, model: &Model, looks: &[Look], now: EventTime) {
        let agents: Vec<Agent> = looks.iter().map(agent).collect();
        let past = read(state, model, &agents, now);
        let root = || postcard::from_bytes::<SessionId>(&encoded(&"root")).unwrap();
        let worked = looks.iter().zip(&agents).map(|(look, agent)| Worked {
            agent: agent.id.clone(),
            class: agent.class.clone(),
            day: day(look.day),
            root: root(),
            highest: Score::from_hundredths(look.score).unwrap(),
            is_followed: true,
        });
        let worked: Vec<Worked> = worked.collect();
        let (first, rest) = past.news(&worked, |_| true, model).finish();
        for entry in first.into_iter().chain(rest) {
            assert!(entry.until > now, "what is written is kept for a while");
            state.entry(entry.partition).or_default().insert(entry.value);
        }
    }

    /// Everything that verdicts are held against.
    fn remembered(state: &State, model: &Model, looks: &[Look], now: EventTime) -> String {
        let agents: Vec<Agent> = looks.iter().map(agent).collect();
        let past = read(state, model, &agents, now);
        format!("{:?}", past.remembered(model.calibration().unwrap()))
    }

    fn looks() -> impl Strategy<Value = Vec<Look>> {
        let look = (0_u8..9, 0_u8..3, 0_u32..5, prop_oneof![Just(0_u16), 80_u16..120, Just(300)]);
        let look = look.prop_map(|(agent, class, day, score)| {
            // An agent has one class.
            Look { agent: agent * 3 + class, class, day, score }
        });
        proptest::collection::vec(look, 1..60)
    }

    proptest! {
        /// Within the lag, no order, grouping or repetition of looks leaves a trace; and whoever adds up
        /// the days comes to what they come to at once.
        #[test]
        fn any_looks_remember_the_same(
            looks in looks(),
            order in any::<u64>(),
            at_once in 1_usize..7,
            twice in 0_usize..60,
        ) {
            let model = model();
            let by = |looks: &[Look], at_once: usize| {
                let mut state = State::new();
                for of_day in 0..5 {
                    let on: Vec<Look> =
                        looks.iter().filter(|look| look.day == of_day).copied().collect();
                    let end = day(of_day).start().plus_secs(DAY_SECS);
                    // Some of them hours after the day's end.
                    for (nth, some) in (0_i64..).zip(on.chunks(at_once)) {
                        look(&mut state, &model, some, end.plus_secs((nth % 12) * 3_600));
                    }
                }
                remembered(&state, &model, looks, day(7).start())
            };
            let mut shuffled = looks.clone();
            shuffled.extend(looks.iter().take(twice));
            shuffled.sort_by_key(|it| stable_hash_of(&format!("{order} {it:?}")));
            let expected = by(&looks, looks.len());
            prop_assert_eq!(&by(&shuffled, at_once), &expected);

            // By hand.
            let calibration = model.calibration().unwrap();
            let (mut days, mut classes) = (BTreeMap::new(), BTreeMap::new());
            for look in &looks {
                let (agent, score) = (agent(look), Score::from_hundredths(look.score).unwrap());
                let of_agent: &mut Days = days.entry(agent.id.clone()).or_default();
                of_agent.note(day(look.day), score);
                let by_day: &mut BTreeMap<u32, BTreeMap<AgentId, Score>> =
                    classes.entry(agent.class).or_default();
                let at = by_day.entry(look.day).or_default().entry(agent.id).or_default();
                *at = score.max(*at);
            }
            let courses = classes.into_iter().map(|(class, by_day)| {
                let mut course = Course::default();
                for (number, agents) in by_day {
                    let above = agents.values().filter(|it| model.lines().unwrap().is_watched(**it));
                    let above = above.count() as u64;
                    course.note(day(number), Count { agents: agents.len() as u64, above }, calibration);
                }
                (class, course)
            });
            let by_hand = Remembered { days, courses: courses.collect() };
            prop_assert_eq!(&format!("{by_hand:?}"), &expected);
        }
    }

    #[test]
    fn a_calibration_is_the_same_with_and_without_names() {
        let (model, calibration) = (model(), Calibration::default());
        let named = model.calibration().unwrap();
        assert_eq!(CalibrationId::of(named), CalibrationId::of(&named.without_names()));
        assert_ne!(CalibrationId::of(named), CalibrationId::of(&calibration));
    }

    #[test]
    fn what_comes_when_its_day_was_added_up_counts_for_nothing() {
        let (model, mut state) = (model(), State::new());
        let late = Look { agent: 1, class: 0, day: 0, score: 300 };
        look(&mut state, &model, &[Look { score: 0, ..late }], day(1).start());
        let later = day(1).start().plus_secs(14 * 3_600);
        look(&mut state, &model, &[Look { day: 1, score: 0, ..late }], later);
        let before = remembered(&state, &model, &[late], later);
        look(&mut state, &model, &[late], later);
        assert_eq!(remembered(&state, &model, &[late], later), before);
    }

    #[test]
    fn a_calibration_that_does_not_hold_is_noted_once_and_stays_so() {
        let (model, mut state) = (model(), State::new());
        for of_day in 0..20 {
            let looks = (0..4).map(|agent| Look { agent, class: 1, day: of_day, score: 300 });
            let now = day(of_day).start().plus_secs(14 * 3_600);
            look(&mut state, &model, &looks.collect::<Vec<_>>(), now);
        }
        let fired = Partition::fired(model.calibration().unwrap());
        let values = state.get(&fired.id()).unwrap();
        assert_eq!(values.len(), 1);
        let classes = Partition::fired_classes(values.iter().cloned()).unwrap();
        let first = classes.get(&Some(id("class", 1))).unwrap();
        assert!((day(0)..day(5)).contains(first), "{first}");
        // Nobody is asked about days that nothing follows from any more.
        let watched = agent(&Look { agent: 0, class: 1, day: 0, score: 0 });
        let past = read(&state, &model, std::slice::from_ref(&watched), day(40).start());
        assert!(past.unsettled(past.classes.get(&watched.class).unwrap()).is_empty());
    }

    #[test]
    fn of_two_standings_the_one_counts_that_was_told() {
        let model = model();
        let calibration = model.calibration().unwrap();
        let mut fired = Course::default();
        while fired.fired.is_none() {
            fired.note(day(9), Count { agents: 9, above: 9 }, calibration);
        }
        let stood = |until, agent_days, course: &Course| {
            let course = course.clone();
            encoded(&Stood { until: day(until), agent_days, course })
        };
        let calm = Course::default();
        let standings = [stood(10, 9, &fired), stood(10, 99, &calm), stood(12, 99, &calm)];
        let partition = Partition::Watchdog(model.calibration_id().unwrap(), None);
        for (one, other) in [(0, 1), (1, 0), (0, 2), (2, 0)] {
            let mut past = Past::of(model.calibration_id().unwrap(), day(13).start());
            past.give(&partition, &standings[one]).unwrap();
            past.give(&partition, &standings[other]).unwrap();
            let remembered = past.remembered(calibration);
            assert_eq!(remembered.courses.get(&None), Some(&fired), "{one} {other}");
        }
    }

    #[test]
    fn what_is_remembered_is_small_and_read_once() {
        let (model, mut state) = (model(), State::new());
        for of_day in 0..100 {
            // Looked at every hour of every day.
            for hour in 0..24 {
                let look = [Look { agent: 1, class: 1, day: of_day, score: 0 }];
                super::tests::look(
                    &mut state,
                    &model,
                    &look,
                    day(of_day).start().plus_secs(hour * 3_600),
                );
            }
        }
        // A day of the agent, one of its class, and how that stands.
        let written: usize = state.values().map(BTreeSet::len).sum();
        assert!(written <= 3 * 100 + 1, "{written}");
    }
}
