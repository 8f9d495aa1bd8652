//! What was told, so that it is told once.

use tripline_attribution::SessionId;
use tripline_cloudtrail::EventTime;

use super::arrival::until;
use super::partition::Groups;
use super::{Entry, LiveIncident, Partition};
use crate::judge::Scored;
use crate::learning::stable_hash_of;

/// One thing that is told of a lineage. Nothing in it depends on when it was looked at.
#[derive(Clone, Debug)]
pub struct Telling {
    root: SessionId,
    pub(super) told: u64,
}

impl Telling {
    fn new(root: &SessionId, told: &str) -> Self {
        // Of whom belongs to it: incidents of one agent have the same steps.
        Self { root: root.clone(), told: stable_hash_of(&format!("{root:?} {told}")) }
    }

    /// What says, once it is in the state, that all this was told.
    pub fn entries(tellings: &[Self], now: EventTime) -> Vec<Entry> {
        let mut groups = Groups::default();
        for telling in tellings {
            groups.add(Partition::Told(telling.root.clone()), &telling.told, until(now));
        }
        groups.finish()
    }

    /// A finding as it is: whose it is, and what it is a part of, may turn out later.
    pub fn of(finding: &Scored) -> Self {
        let told = format!("finding {:?} {finding:?}", finding.call.id);
        Self::new(&finding.episode.root, &told)
    }
}

impl LiveIncident {
    /// What there is to tell of it: that it is one, and for how sure, each finding more, and each session
    /// that is to be cut off somewhere. What is over by now is no news.
    pub fn tellings(&self) -> Vec<Telling> {
        let Self { incident, is_confirmed, .. } = self;
        let told = |told: String| Telling::new(&incident.root, &told);
        let so_far = format!("incident {is_confirmed} {}", incident.findings_total);
        let mut tellings = vec![told(so_far)];
        match &incident.plan {
            Ok(plan) => {
                for step in &plan.steps {
                    let at = format!("step {is_confirmed} {:?} {:?}", step.kind, step.place);
                    let cuts = step.cuts.iter().map(|cut| told(format!("{at} {cut:?}")));
                    tellings.extend(cuts);
                    tellings.push(told(at));
                }
            }
            Err(refusal) => tellings.push(told(format!("refused {refusal:?}"))),
        }
        tellings
    }
}
