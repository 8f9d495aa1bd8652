//! The other lock of a kill: lines drawn where benign days of the past ended up.
//!
//! The highest score of an agent's day is one number. If `n` benign days were scored against baselines
//! that hold none of them, the next one passes the `k`-th highest of them with a chance of `k / (n + 1)`
//! at most, whatever the model is worth and however a day's calls hang together (split-conformal
//! prediction; detector.md section 4). So a budget of false actions becomes a line, and a budget that
//! the history is too short for becomes none: it is not armed.
//!
//! It is days and not episodes that are alike: a new task shows the same new thing in all episodes of
//! its first day, and one answer of one person settles all of them (detector.md, section 0: 44 of 100
//! false kills were the same agent's, again on the same day).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use tripline_text::Untrusted;

use crate::drift::WATCHED;
use crate::evidence::{Evidence, SCORING, Score};
use crate::forecast::Forecast;
use crate::verdict::Verdict;

/// How many false actions of each kind are accepted, of one agent in one month of thirty days.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default, try_from = "BudgetsText")]
pub struct Budgets {
    alert: f64,
    fence: f64,
    kill: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct BudgetsText {
    alert: f64,
    fence: f64,
    kill: f64,
}

impl Default for BudgetsText {
    fn default() -> Self {
        let Budgets { alert, fence, kill } = Budgets::default();
        Self { alert, fence, kill }
    }
}

impl TryFrom<BudgetsText> for Budgets {
    type Error = String;

    fn try_from(text: BudgetsText) -> Result<Self, String> {
        let BudgetsText { alert, fence, kill } = text;
        Self::new(alert, fence, kill)
            .ok_or_else(|| "budgets are above 0, and kill <= fence <= alert".to_owned())
    }
}

impl Default for Budgets {
    /// Five alerts, one fence, a fiftieth of a kill (detector.md section 5).
    fn default() -> Self {
        Self { alert: 5.0, fence: 1.0, kill: 0.02 }
    }
}

impl Budgets {
    /// These; `None` unless all are above 0 and the stronger is the rarer.
    pub fn new(alert: f64, fence: f64, kill: f64) -> Option<Self> {
        let fits = 0.0 < kill && kill <= fence && fence <= alert && alert.is_finite();
        fits.then_some(Self { alert, fence, kill })
    }

    /// That of a verdict, false actions per agent-month; nothing for none.
    pub fn of(&self, verdict: Verdict) -> Option<f64> {
        match verdict {
            Verdict::Normal => None,
            Verdict::Alert => Some(self.alert),
            Verdict::Fence => Some(self.fence),
            Verdict::Kill => Some(self.kill),
        }
    }
}

/// Where the benign days of some agents ended up: exact counts, which merge by addition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Calibration {
    /// By name.
    agents: BTreeMap<String, AgentScores>,
    /// Days of an agent by their highest score.
    scores: BTreeMap<Score, u64>,
    /// The same days by the highest that counted for a kill; none where that was not told.
    killing: BTreeMap<Score, u64>,
    /// Their sum, which every episode is held against.
    agent_days: u64,
    /// Where the model expects episodes to end up.
    forecast: Option<Forecast>,
}

/// What the days of one agent came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgentScores {
    /// Episodes.
    pub episodes: u64,
    /// Days on which there were any.
    pub at_work: u64,
    /// Days that the agent could have been stopped on: from its first to its last.
    pub days: u32,
    /// The highest score of any.
    pub max: Score,
    /// The highest that counted for a kill; nothing where that was not told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub killing: Option<Score>,
}

impl AgentScores {
    /// What it did itself, and is not killed for.
    pub fn to_beat(&self) -> Score {
        self.killing.unwrap_or(self.max)
    }
}

/// The days of a month, as budgets have it.
pub const MONTH_DAYS: f64 = 30.0;

impl Calibration {
    /// Adds what one agent's days came to: how many reached each score as their highest. Between the
    /// first and the last lay so many `days`, with so many `episodes`.
    pub fn add(
        &mut self,
        agent: &Untrusted<'_>,
        days: u32,
        episodes: u64,
        scores: impl IntoIterator<Item = (Score, u64)>,
    ) {
        let of_agent = self.agents.entry(agent.as_unescaped().to_owned()).or_default();
        of_agent.days = of_agent.days.saturating_add(days);
        of_agent.episodes = of_agent.episodes.saturating_add(episodes);
        for (score, count) in scores {
            let total = self.scores.entry(score).or_default();
            *total = total.saturating_add(count);
            self.agent_days = self.agent_days.saturating_add(count);
            of_agent.at_work = of_agent.at_work.saturating_add(count);
            of_agent.max = of_agent.max.max(score);
        }
    }

    /// Adds how many of an agent's days reached each score as the highest that [counts for a
    /// kill](crate::Evidence::killing), whether or not the agent could have been killed. Unless that is told
    /// of all of them, the line of a kill is drawn by the scores, which are never lower.
    pub fn add_killing(
        &mut self,
        agent: &Untrusted<'_>,
        scores: impl IntoIterator<Item = (Score, u64)>,
    ) {
        let of_agent = self.agents.entry(agent.as_unescaped().to_owned()).or_default();
        for (score, count) in scores {
            of_agent.killing = of_agent.killing.max(Some(score));
            let total = self.killing.entry(score).or_default();
            *total = total.saturating_add(count);
        }
    }

    /// The same with all agents as one that has no name: as small for a hundred thousand as for one,
    /// and lines are drawn from it at the same heights.
    #[must_use]
    pub fn without_names(&self) -> Self {
        let all = self.agents.values().fold(AgentScores::default(), |all, one| AgentScores {
            episodes: all.episodes.saturating_add(one.episodes),
            at_work: all.at_work.saturating_add(one.at_work),
            days: all.days.saturating_add(one.days),
            max: all.max.max(one.max),
            killing: all.killing.max(one.killing),
        });
        Self { agents: BTreeMap::from([(String::new(), all)]), ..self.clone() }
    }

    /// The same with what the model expects.
    #[must_use]
    pub fn with_forecast(self, forecast: Option<Forecast>) -> Self {
        Self { forecast, ..self }
    }

    /// The line of the model for a share of episodes: as its forecast has it, and without one where
    /// Ville's inequality does.
    fn line_of_model(&self, share: f64) -> Score {
        match &self.forecast {
            Some(forecast) => forecast.line(share),
            None => Score::of(libm::ceil(-libm::log10(share) * 100.0) / 100.0),
        }
    }

    /// Its agents, in order of their names.
    pub fn agents(&self) -> impl Iterator<Item = (Untrusted<'_>, &AgentScores)> {
        self.agents.iter().map(|(name, scores)| (Untrusted::borrowed(name), scores))
    }

    /// What one agent's days came to.
    pub fn agent(&self, agent: &Untrusted<'_>) -> Option<&AgentScores> {
        self.agents.get(agent.as_unescaped())
    }

    /// Days on which an agent worked, of all agents together.
    pub fn agent_days(&self) -> u64 {
        self.agent_days
    }

    /// Episodes in all.
    pub fn episodes(&self) -> u64 {
        self.agents.values().fold(0, |sum, agent| sum.saturating_add(agent.episodes))
    }

    /// Months of thirty days, of all agents together.
    pub fn agent_months(&self) -> f64 {
        let days: f64 = self.agents.values().map(|agent| f64::from(agent.days)).sum();
        days / MONTH_DAYS
    }

    /// On how many days a score was reached.
    pub fn reaching(&self, score: Score) -> u64 {
        sum(self.scores.range(score..).map(|(_, days)| days))
    }

    /// The chance that a benign day comes as high as this, by rank; 1 without a history. That of a single
    /// episode is not above it.
    pub fn chance(&self, score: Score) -> f64 {
        (self.reaching(score) as f64 + 1.0) / (self.agent_days as f64 + 1.0)
    }

    /// The share of benign days that may pass a line of this budget; nothing without a history.
    pub fn share_of(&self, budget: f64) -> Option<f64> {
        let (days, months) = (self.agent_days, self.agent_months());
        (days > 0 && months > 0.0).then(|| (budget * months / days as f64).min(1.0))
    }

    /// The share of benign episodes that may; nothing without a history.
    pub fn episode_share_of(&self, budget: f64) -> Option<f64> {
        let (episodes, months) = (self.episodes(), self.agent_months());
        (episodes > 0 && months > 0.0).then(|| (budget * months / episodes as f64).min(1.0))
    }

    /// The lowest score that benign days reach in a share of at most `share`; nothing where the history
    /// is too short to tell.
    pub fn line(&self, share: f64) -> Option<Score> {
        self.line_of(&self.scores, share)
    }

    /// Whether the history is long enough for a line of a kill of this budget.
    pub fn certifies(&self, budget: f64) -> bool {
        self.share_of(budget).and_then(|share| self.line_to_kill(share)).is_some()
    }

    /// The lowest line by what counts for a kill.
    fn line_to_kill(&self, share: f64) -> Option<Score> {
        let is_whole = sum(self.killing.values()) == self.agent_days;
        self.line_of(if is_whole { &self.killing } else { &self.scores }, share)
    }

    fn line_of(&self, scores: &BTreeMap<Score, u64>, share: f64) -> Option<Score> {
        let mut left = libm::floor(share * (self.agent_days as f64 + 1.0)) as u64;
        // The k-th highest: what is above it passed in less than k cases.
        for (score, days) in scores.iter().rev() {
            if left == 0 {
                return None;
            }
            if *days >= left {
                return Some(score.next());
            }
            left -= days;
        }
        // Every day may pass; nothing is no evidence, all the same.
        scores.first_key_value().map(|_| Score::default().next())
    }
}

fn sum<'c>(counts: impl Iterator<Item = &'c u64>) -> u64 {
    counts.fold(0, |sum, count| sum.saturating_add(*count))
}

/// A calibration as it is stored: JSON, sorted, the same for the same counts.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    tripline_calibration: u32,
    scoring: u32,
    agents: BTreeMap<String, AgentScores>,
    /// By hundredths of the score.
    scores: BTreeMap<Score, u64>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    killing: BTreeMap<Score, u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    forecast: Option<Forecast>,
}

/// The format of [`Calibration::to_text`].
const FORMAT: u32 = 1;

/// Why a text is no calibration that can be used.
#[derive(Debug, Error)]
pub enum CalibrationError {
    /// Something else, or damaged.
    #[error("is no calibration: {0}")]
    Foreign(#[from] serde_json::Error),
    /// Of a program that is newer than this one.
    #[error(
        "has format {0}, which a newer tripline wrote; this one reads {FORMAT}: update tripline"
    )]
    Newer(u32),
    /// Of scores that mean something else.
    #[error(
        "is of scoring {0}, and this program scores by {SCORING}: run `tripline backtest --save` again"
    )]
    OtherScoring(u32),
    /// A forecast that no model leads to.
    #[error("is damaged: its forecast counts more episodes than there can be")]
    Forecast,
    /// Counts that no history leads to.
    #[error("is damaged: its agents worked on {agents} days, its scores are of {scores}")]
    DoesNotAddUp {
        /// By the agents.
        agents: u64,
        /// By the scores.
        scores: u64,
    },
}

impl Calibration {
    /// The text that [`Calibration::parse`] reads.
    ///
    /// # Errors
    /// Never in practice: every part of it has a text.
    pub fn to_text(&self) -> Result<String, serde_json::Error> {
        let mut text = serde_json::to_string_pretty(&Stored {
            tripline_calibration: FORMAT,
            scoring: SCORING,
            agents: self.agents.clone(),
            scores: self.scores.clone(),
            killing: self.killing.clone(),
            forecast: self.forecast.clone(),
        })?;
        text.push('\n');
        Ok(ascii(&text))
    }

    /// Reads a text of [`Calibration::to_text`].
    ///
    /// # Errors
    /// When it is none, is damaged, or was made by a program that scores otherwise.
    pub fn parse(text: &str) -> Result<Self, CalibrationError> {
        let stored: Stored = serde_json::from_str(text)?;
        if stored.tripline_calibration != FORMAT {
            return Err(CalibrationError::Newer(stored.tripline_calibration));
        }
        if stored.scoring != SCORING {
            return Err(CalibrationError::OtherScoring(stored.scoring));
        }
        let Stored { agents, scores, killing, forecast, .. } = stored;
        if forecast.as_ref().is_some_and(|forecast| !forecast.is_sound()) {
            return Err(CalibrationError::Forecast);
        }
        let at_work = sum(agents.values().map(|agent| &agent.at_work));
        for counts in [Some(&scores), Some(&killing).filter(|it| !it.is_empty())] {
            let of_scores = counts.map_or(at_work, |counts| sum(counts.values()));
            if of_scores != at_work {
                return Err(CalibrationError::DoesNotAddUp { agents: at_work, scores: of_scores });
            }
        }
        Ok(Self { agents, scores, killing, agent_days: at_work, forecast })
    }
}

/// The same JSON in printable ASCII: names of agents are from records, and people look at the file.
fn ascii(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for letter in json.chars() {
        if letter.is_ascii() && letter != '\u{7f}' {
            text.push(letter);
            continue;
        }
        // All of it stands in strings, where it may be written so.
        for unit in letter.encode_utf16(&mut [0; 2]) {
            text.push_str(&format!("\\u{unit:04x}"));
        }
    }
    text
}

/// The agent-months of history that a line for a budget takes at least.
pub fn months_needed(budget: f64) -> f64 {
    1.0 / budget
}

/// The part of a budget that a line of the history alone is drawn for. Beside what passes the lines, days
/// that are odd together are told and fenced, too, which takes up to 15 in a hundred of a fence's budget and
/// 11 of an alert's (`drift.rs`). What a line is held against comes later than what it was drawn on, and
/// agents change: on seven simulated fleets of 288 agents 1.01 of the nominal share of days came true at 1e-1,
/// and 1.03 at 1e-2 (`cargo bench -p tripline-benches --bench evaluate`; the README's fleets).
const MARGIN: f64 = 0.85;

/// Ten to one: less is not told to anybody.
const LINE_MIN: Score = Score::TEN;

/// The lines that scores are held against, drawn from a [`Calibration`] for [`Budgets`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lines {
    alert: Option<Score>,
    fence: Option<Score>,
    kill: Option<Score>,
    /// The one whose holding is watched; drawn once, since every episode is held against it.
    pub(crate) watched: Option<Score>,
}

impl Lines {
    /// Draws the lines. That of a kill is the higher of what the history and what the model says (two
    /// locks): it holds if either is right. The others are the history's alone, with a margin; but nothing
    /// below ten to one is made anything of: in a history in which nothing happened, the next best thing
    /// would be more than all of it.
    pub fn draw(calibration: &Calibration, budgets: &Budgets) -> Self {
        let of_history = |budget| {
            let share = calibration.share_of(budget)?;
            // Where the history is too short for the margin, its highest score is the line.
            let line = calibration.line(MARGIN * share).or_else(|| calibration.line(share));
            line.map(|line| line.max(LINE_MIN))
        };
        let of_both = |budget| {
            let history = calibration.line_to_kill(calibration.share_of(budget)?)?;
            let share = calibration.episode_share_of(budget)?;
            Some(history.max(calibration.line_of_model(share)))
        };
        let (alert, fence) = (of_history(budgets.alert), of_history(budgets.fence));
        Self {
            alert,
            fence,
            // Whoever is killed has passed the line of a fence, too.
            kill: of_both(budgets.kill).map(|kill| kill.max(fence.unwrap_or(LINE_MIN))),
            watched: calibration.line(WATCHED),
        }
    }

    /// The line of a verdict; nothing where it is not armed.
    pub fn of(&self, verdict: Verdict) -> Option<Score> {
        match verdict {
            Verdict::Normal => None,
            Verdict::Alert => self.alert,
            Verdict::Fence => self.fence,
            Verdict::Kill => self.kill,
        }
    }

    /// What an episode's evidence asks for. `highest` is the highest that counted for a kill of the agent's
    /// own in the calibration: what it did itself, it is not killed for.
    pub fn verdict(&self, evidence: &Evidence, highest: Score) -> Verdict {
        let (score, killing) = (evidence.score(), evidence.killing());
        let passes = |score: Score, line: Option<Score>| line.is_some_and(|line| score >= line);
        if passes(killing, self.kill) && killing > highest {
            Verdict::Kill
        } else if passes(score, self.fence) {
            Verdict::Fence
        } else if passes(score, self.alert) {
            Verdict::Alert
        } else {
            Verdict::Normal
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(scores: &[(u16, u64)], days: u32) -> Calibration {
        let mut calibration = Calibration::default();
        let scores = scores.iter().map(|(score, days)| (hundredths(*score), *days));
        let name = Untrusted::borrowed("agent");
        calibration.add(&name, days, 14 * u64::from(days), scores);
        calibration
    }

    fn hundredths(score: u16) -> Score {
        Score::from_hundredths(score).unwrap()
    }

    #[test]
    fn what_the_history_cannot_tell_is_not_armed() {
        // Two months of one agent: fifty would be needed for a kill.
        let short = of(&[(0, 49), (120, 10), (310, 1)], 60);
        let lines = Lines::draw(&short, &Budgets::default());
        assert_eq!(lines.of(Verdict::Kill), None);
        assert_eq!(lines.of(Verdict::Fence), Some(hundredths(311)));
        assert_eq!(lines.of(Verdict::Alert), Some(hundredths(121)));
        assert_eq!(Lines::draw(&Calibration::default(), &Budgets::default()), Lines::default());
        assert_eq!(months_needed(0.02), 50.0);
        let long = of(&[(0, 2_700), (120, 280), (310, 19), (520, 1)], 30 * 100);
        let lines = Lines::draw(&long, &Budgets::default());
        assert_eq!(lines.of(Verdict::Kill), Some(Score::of(4.33)), "the model's line is higher");
        assert_eq!(lines.of(Verdict::Fence), Some(hundredths(121)));
        let silent = of(&[(0, 3_000)], 3_000);
        let lines = Lines::draw(&silent, &Budgets::default());
        assert_eq!(lines.of(Verdict::Alert), Some(Score::TEN), "nothing happened");
        let one = of(&[(0, 29), (310, 1)], 30);
        let lines = Lines::draw(&one, &Budgets::default());
        assert_eq!(lines.of(Verdict::Fence), Some(hundredths(311)), "too short for a margin");
    }

    #[test]
    fn a_hostile_name_is_harmless_in_the_file_and_comes_back() {
        let name = Untrusted::borrowed("a\u{9b}2J\u{202e}\u{1f600}\u{7f}\"\n");
        let mut calibration = Calibration::default();
        calibration.add(&name, 1, 1, [(Score::default(), 1)]);
        let text = calibration.to_text().unwrap();
        assert!(
            text.chars().all(|letter| letter == '\n' || (' '..='~').contains(&letter)),
            "{text}"
        );
        assert_eq!(Calibration::parse(&text).unwrap(), calibration);
    }

    #[test]
    fn a_kill_is_held_against_what_counts_for_one_and_against_the_models_forecast() {
        let mut calibration = of(&[(0, 2_700), (120, 280), (310, 19), (520, 1)], 30 * 100);
        let line = |calibration: &Calibration| {
            Lines::draw(calibration, &Budgets::default()).of(Verdict::Kill)
        };
        assert_eq!(line(&calibration), Some(Score::of(4.33)), "by Ville's inequality");
        // Of what is new one in a thousand comes to 3.00.
        let drawn = std::iter::repeat_n(hundredths(120), 999).chain([hundredths(300)]);
        calibration = calibration.with_forecast(Some(Forecast::new(0.02, drawn)));
        assert_eq!(line(&calibration), Some(hundredths(311)), "two of the days came so high");
        // What the highest of them rest on counts for less.
        let agent = Untrusted::borrowed("agent");
        calibration.add_killing(&agent, [(hundredths(0), 2_999)]);
        assert_eq!(line(&calibration), Some(hundredths(311)), "not told of all days");
        calibration.add_killing(&agent, [(hundredths(150), 1)]);
        assert_eq!(calibration.agent(&agent).unwrap().to_beat(), hundredths(150));
        let lowest = line(&calibration).unwrap();
        assert!(lowest > hundredths(300) && lowest < hundredths(311), "{lowest}: the forecast's");
        assert_eq!(Calibration::parse(&calibration.to_text().unwrap()).unwrap(), calibration);
    }

    #[test]
    fn budgets_are_ordered() {
        assert!(Budgets::new(5.0, 1.0, 0.02).is_some());
        for (alert, fence, kill) in
            [(1.0, 5.0, 0.02), (5.0, 1.0, 0.0), (5.0, 1.0, f64::NAN), (f64::INFINITY, 1.0, 0.1)]
        {
            assert_eq!(Budgets::new(alert, fence, kill), None);
        }
    }

    #[test]
    fn a_damaged_or_foreign_calibration_says_so() {
        let text = of(&[(0, 420), (310, 1)], 30).to_text().unwrap();
        assert_eq!(Calibration::parse(&text).unwrap(), of(&[(0, 420), (310, 1)], 30));
        let of_scoring_2 = text.replace(&format!("\"scoring\": {SCORING}"), "\"scoring\": 2");
        for (wrong, said) in [
            (of_scoring_2, "is of scoring 2, and this program"),
            (text.replace("calibration\": 1", "calibration\": 2"), "has format 2, which a newer"),
            (text.replace("420", "42"), "is damaged: its agents worked on 421 days"),
            (text.replace("310", "31000"), "is no calibration: no score is above"),
            (
                text.replace(
                    "\"scores\"",
                    "\"forecast\": {\"novel_per_million\": 1, \"scores\": {\"100\": 18446744073709551615, \"200\": 1}}, \"scores\"",
                ),
                "is damaged: its forecast",
            ),
            ("{}".to_owned(), "is no calibration: missing field"),
        ] {
            let error = Calibration::parse(&wrong).unwrap_err().to_string();
            assert!(error.starts_with(said) || error.contains(said), "{error}");
        }
    }

    #[test]
    fn without_names_the_lines_are_the_same() {
        let mut calibration = of(&[(0, 42_000), (120, 1_000), (310, 99), (520, 1)], 30 * 99);
        calibration.add(&Untrusted::borrowed("other"), 30, 400, [(hundredths(200), 30)]);
        let all = calibration.without_names();
        assert_eq!(all.agents().count(), 1);
        let budgets = Budgets::default();
        assert_eq!(Lines::draw(&all, &budgets), Lines::draw(&calibration, &budgets));
        assert_eq!(Calibration::parse(&all.to_text().unwrap()).unwrap(), all);
    }

    proptest! {
        /// The promise of the line, on the very scores that it was drawn from and one more.
        #[test]
        fn no_more_pass_than_the_share(scores in prop::collection::vec(0_u16..600, 1..300), share in 0.0_f64..1.0) {
            let counted: Vec<(u16, u64)> = scores.iter().map(|score| (*score, 1)).collect();
            let calibration = of(&counted, 30);
            if let Some(line) = calibration.line(share) {
                let passing = calibration.reaching(line) as f64;
                prop_assert!(passing < share * (scores.len() as f64 + 1.0));
                // And no line that is lower would do, but that nothing at all is no evidence.
                let lower = Score::from_hundredths(line.hundredths() - 1).unwrap();
                prop_assert!(lower == Score::default() || calibration.reaching(lower) as f64 + 1.0 > share * (scores.len() as f64 + 1.0) - 1.0);
            } else {
                prop_assert!(share * (scores.len() as f64 + 1.0) < 1.0);
            }
        }

        #[test]
        fn the_sum_of_two_halves_is_the_whole(one in prop::collection::vec((0_u16..600, 1_u64..9), 0..20), other in prop::collection::vec((0_u16..600, 1_u64..9), 0..20)) {
            let both = [one.clone(), other.clone()].concat();
            let mut sum = of(&one, 3);
            let scores = other.iter().map(|(score, episodes)| (hundredths(*score), *episodes));
            sum.add(&Untrusted::borrowed("agent"), 4, 14 * 4, scores);
            prop_assert_eq!(sum, of(&both, 7));
        }
    }
}
