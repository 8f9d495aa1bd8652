//! What a person expects of an agent after all: exceptions of what was new in an incident.

use std::collections::BTreeSet;

use tripline_baseline::{Approval, Decisions, KeyName};
use tripline_cloudtrail::EventTime;

use crate::deed::{Deed, DeedTexts};
use crate::incident::Incident;
use crate::model::Model;

impl Incident {
    /// Whether it would not have come about without what was new to its agent: no rule alone asks for
    /// it.
    pub fn can_be_expected(&self) -> bool {
        self.agent.is_some() && !self.rests_on_rule() && self.has_evidence()
    }

    /// Exceptions of all that was new in its findings; none where there is nothing of the kind, or a
    /// rule speaks, which no exception silences.
    pub fn expected(&self, model: &Model, by: &Approval, until: EventTime) -> Option<Decisions> {
        let agent = self.agent.as_ref().filter(|_| self.can_be_expected())?.untrusted();
        let mut keys: BTreeSet<KeyName> = BTreeSet::new();
        for finding in &self.findings {
            let session = self.lineage.iter().find(|session| session.id == finding.session);
            let Some(theirs) = session.and_then(|session| session.agent()) else { continue };
            let habits = model.habits_of(theirs);
            let texts = DeedTexts::of(&finding.call);
            let deed = Deed::of(&finding.call, &texts);
            let home = deed.home();
            let news = deed.draws().filter(|draw| habits.is_news(draw, &home));
            keys.extend(news.map(|draw| KeyName::of_draw(&draw, &home)));
        }
        let mut decisions = Decisions::default();
        keys.into_iter().for_each(|key| decisions.expect(&agent, key, by.clone(), until));
        (!decisions.is_empty()).then_some(decisions)
    }
}
