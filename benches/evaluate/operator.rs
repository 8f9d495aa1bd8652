//! The person beside the program: learns, promotes, approves what is benign, and says what to expect.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use rayon::prelude::*;
use tripline_baseline::{
    Approval, Baseline, Decisions, Draw, Family, Feature, Held, HeldBack, HoldReason, Home,
    KeyName, Peers, Promotion, Whose, promote,
};
use tripline_cloudtrail::EventTime;
use tripline_detector::{Budgets, Calibration, InvariantSettings, Invariants, Reason, Setting};
use tripline_engine::{
    Batch, BatchReport, Config, Deployments, Filter, Model, Purpose, Scored, is_sensitive,
};
use tripline_testkit::simulation::{Raid, Shift};
use tripline_testkit::{Batch as Records, Simulation};
use tripline_text::Untrusted;

pub(crate) const DAY: i64 = 86_400;

/// A fleet, what is known of it, and who decides.
pub(crate) struct Operator<'s> {
    pub(crate) simulation: &'s Simulation,
    pub(crate) config: Config,
    filter: Filter,
    file: Arc<Untrusted<'static>>,
    live: BTreeMap<u32, Baseline>,
    decisions: Decisions,
    /// Without lines: every score is seen.
    pub(crate) model: Model,
    /// With lines, once they are drawn: the program as it runs.
    pub(crate) armed: Option<Model>,
    calibration: Option<Calibration>,
    /// New versions of agents that were seen on the days before.
    pub(crate) deployments: Deployments,
}

/// Writes sessions one after another, into the same memory.
#[derive(Default)]
pub(crate) struct Desk {
    pub(crate) records: Records,
    pub(crate) json: Vec<u8>,
}

impl Desk {
    pub(crate) fn write(&mut self, simulation: &Simulation, shift: &Shift, raid: Option<&Raid>) {
        self.records.clear();
        simulation.write(shift, raid, &mut self.records);
        self.records.write_file(&mut self.json);
    }
}

impl<'s> Operator<'s> {
    pub(crate) fn new(simulation: &'s Simulation) -> Self {
        Self {
            simulation,
            config: Config::parse("version = 1\n").unwrap(),
            filter: Filter::default(),
            file: Arc::new(Untrusted::borrowed("simulated")),
            live: BTreeMap::new(),
            decisions: Decisions::default(),
            model: Model::new(invariants(), Vec::new()).unwrap(),
            armed: None,
            calibration: None,
            deployments: Deployments::default(),
        }
    }

    /// Reads sessions through the program; `each` sees the records of each.
    pub(crate) fn read(
        &self,
        model: &Model,
        purpose: Purpose,
        shifts: impl Iterator<Item = Shift>,
        raid: &dyn Fn(&Shift) -> Option<Raid>,
        each: &mut dyn FnMut(&Shift, &Desk),
    ) -> BatchReport {
        let batch = Batch::new(&self.config, model, &self.filter, purpose, 1);
        let mut batch = batch.keeping_outcomes().knowing(self.deployments.clone());
        let mut desk = Desk::default();
        for shift in shifts {
            desk.write(self.simulation, &shift, raid(&shift).as_ref());
            batch.read(&self.file, &desk.json);
            each(&shift, &desk);
        }
        batch.finish(&self.config).unwrap()
    }

    pub(crate) fn shifts(&self, worker: u32, days: Range<u32>) -> impl Iterator<Item = Shift> {
        days.flat_map(move |day| self.simulation.shifts(worker, day))
    }

    /// Learns the days anew, promotes, and looks after what waits for a person.
    pub(crate) fn learn(&mut self, days: Range<u32>) {
        self.learn_with(days, &|_| None, true);
    }

    /// The same with something else in some of the sessions; `looks`: whether a person looks at paces
    /// that are held back.
    pub(crate) fn learn_with(
        &mut self,
        days: Range<u32>,
        raid: &(dyn Fn(&Shift) -> Option<Raid> + Sync),
        looks: bool,
    ) {
        let workers = 0..self.simulation.workers().len() as u32;
        let now = self.simulation.start() + i64::from(days.end) * DAY;
        let by = approval(now, "promotion");
        let learned: Vec<(u32, Baseline)> = workers
            .into_par_iter()
            .filter_map(|worker| {
                let shifts = self.shifts(worker, days.clone());
                let report = self.read(&self.model, Purpose::Learn, shifts, raid, &mut |_, _| {});
                Some((worker, report.baselines.into_iter().next()?))
            })
            .collect();
        for (worker, candidate) in &learned {
            let promoted = |live: Option<&Baseline>, decisions: &Decisions| {
                promote(live, candidate, decisions, &is_sensitive, &by).unwrap()
            };
            let live = self.live.get(worker);
            let Promotion { held, .. } = promoted(live, &self.decisions);
            let Whose::Agent { agent, .. } = candidate.whose() else { continue };
            for HeldBack { what, why } in held {
                match (what, why) {
                    (Held::Key(key), HoldReason::Sensitive | HoldReason::NeedsPerson) => {
                        self.decisions.approve(agent, key, by.clone());
                    }
                    (
                        Held::Rate(window, class),
                        HoldReason::AboveAnchor { seen, .. } | HoldReason::NoAnchor { seen },
                    ) if looks => {
                        self.decisions.approve_rate(agent, window, class, seen, by.clone());
                    }
                    _ => {}
                }
            }
            let next = promoted(live, &self.decisions).next;
            self.live.insert(*worker, next);
        }
        self.compile();
    }

    fn compile(&mut self) {
        self.model = self.compiled();
        let calibration = self.calibration.clone();
        self.armed = calibration.map(|it| self.compiled().with_calibration(it, Budgets::default()));
    }

    fn compiled(&self) -> Model {
        let mut classes: BTreeMap<String, Peers> = BTreeMap::new();
        let mut fleet = Peers::new(None);
        for baseline in self.live.values() {
            if let Whose::Agent { class: Some(class), .. } = baseline.whose() {
                let peers = || Peers::new(Some(class.clone()));
                let name = class.as_unescaped().to_owned();
                classes.entry(name).or_insert_with(peers).add(baseline);
            }
            fleet.add(baseline);
        }
        let together = classes.into_values().chain([fleet]).map(|peers| peers.finish(Some(20_000)));
        let all = self.live.values().cloned().chain(together);
        let model = Model::new(invariants(), Vec::new()).unwrap();
        let model = model.with_learned(all.map(Ok::<_, std::convert::Infallible>), 1).unwrap();
        model.with_decisions(self.decisions.clone())
    }

    /// Draws the lines: from now on the program is armed.
    pub(crate) fn arm(&mut self, calibration: Calibration) {
        let forecast = self.model.forecast(&calibration, &Budgets::default());
        self.calibration = Some(calibration.with_forecast(forecast));
        self.compile();
    }

    /// Whether an agent is known well enough to be acted on.
    pub(crate) fn is_mature(&self, worker: u32) -> bool {
        self.live.get(&worker).is_some_and(|live| live.maturity().is_armed())
    }

    /// Whether it is known well enough to be killed by what is new.
    pub(crate) fn is_armed_to_kill(&self, worker: u32) -> bool {
        self.live.get(&worker).is_some_and(|live| live.maturity().is_armed_to_kill())
    }

    /// Answers what was told of benign work: it is expected from now on.
    pub(crate) fn answer(&mut self, told: &[Scored]) {
        for one in told {
            let Some(agent) = &one.agent else { continue };
            let by = approval(one.call.time.unix_secs(), "known work");
            let until = one.call.time.plus_secs(60 * DAY);
            let names_action =
                one.assessment.reasons.iter().any(|reason| reason.feature == Feature::Action);
            for reason in &one.assessment.reasons {
                if let Some(key) = expected(one, reason, names_action) {
                    self.decisions.expect(&agent.untrusted(), key, by.clone(), until);
                }
            }
        }
        self.compile();
    }

    pub(crate) fn live(&self, worker: u32) -> Option<&Baseline> {
        self.live.get(&worker)
    }
}

/// Some of the agents make and prune snapshots: the operator has switched that invariant off.
/// An episode that is fenced is not learned, so those agents would never be known.
fn invariants() -> Invariants {
    let mut settings = InvariantSettings::default();
    settings.verdicts.insert("delete-snapshots".to_owned(), Setting::Off);
    Invariants::new(&settings).unwrap()
}

fn approval(at: i64, why: &str) -> Approval {
    Approval::new("operator", EventTime::from_unix_secs(at).unwrap(), why).unwrap()
}

/// What a person writes into `decisions.toml` about a reason: the value; of a resource, everything
/// beside it; where the action is new, everything that it touches.
fn expected(one: &Scored, reason: &Reason, names_action: bool) -> Option<KeyName> {
    let family = Family::parse(&reason.feature.to_string())?;
    let action = family.is_given_action().then(|| one.call.action.as_str());
    if family == Family::Resource && names_action {
        return KeyName::parse(family, action, "");
    }
    let draw = Draw { family, action, value: reason.value.as_unescaped() };
    let account = one.call.caller_account.map(|account| account.to_string());
    let region = one.call.region.as_ref().map(|region| region.as_str());
    let key = KeyName::of_draw(&draw, &Home { account: account.as_deref(), region });
    if family != Family::Resource {
        return Some(key);
    }
    let shown = key.shown_value();
    let beside = shown.rfind(['/', ':']).and_then(|at| shown.get(..=at)).unwrap_or_default();
    KeyName::parse(family, action, beside)
}
