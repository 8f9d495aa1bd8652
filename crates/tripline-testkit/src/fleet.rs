//! A fleet: all its records at once for tests, or unit by unit for big trees.

use crate::background;
use crate::batch::{Batch, Meta};
use crate::delivery::{self, Cut, LogFile};
use crate::json::{Put, guid_string};
use crate::shift;
use crate::world::{FleetSpec, World};

/// What is true about a record, whatever it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Truth {
    /// The record's `eventID`.
    pub event_id: String,
    /// The agent whose session made the call; none for people, services and runners.
    pub agent: Option<String>,
    /// The anchor of the session that made the call: `signInSessionArn`, `principalId@creationDate`, or the key.
    pub session: Option<String>,
    /// The topmost session of its chain that is the same agent's.
    pub root: Option<String>,
    /// The session that opened this one, whoever's it is.
    pub parent: Option<String>,
    /// What an attribution of the session can rest on.
    pub basis: &'static str,
    /// The session that this record opened.
    pub mints: Option<String>,
    /// The agent of the session that this record opened.
    pub mints_agent: Option<String>,
    /// The attack that the record is a part of.
    pub attack: Option<&'static str>,
    /// The record's `sharedEventID`.
    pub shared: Option<String>,
    /// What is special about it: `work`, `forwarded`, `mint-saml`, ...
    pub shape: &'static str,
    /// The record is delivered again, byte for byte, by a second trail; this is such a copy.
    pub copy: bool,
}

/// A generated record.
#[derive(Clone, Debug)]
pub struct Event {
    /// The record's bytes.
    pub json: Vec<u8>,
    /// `eventTime`, seconds since 1970.
    pub time: i64,
    /// When its file is there, seconds since 1970.
    pub delivery: i64,
    /// The object that delivers it.
    pub object_key: String,
    /// What is true about it.
    pub truth: Truth,
}

impl Event {
    /// Has the call come through a VPC endpoint of an account that has nothing to do with it, if it came
    /// through one: those of the generator are the agents' own.
    pub fn come_through_a_strangers_endpoint(&mut self) {
        let text = String::from_utf8_lossy(&self.json);
        let field = "\"vpcEndpointAccountId\":\"";
        if let Some((before, after)) = text.split_once(field)
            && let Some((_, after)) = after.split_once('"')
        {
            self.json = format!("{before}{field}999988887777\"{after}").into_bytes();
        }
    }
}

/// A fleet of agents and everything that they and others do.
#[derive(Clone, Debug)]
pub struct Fleet {
    world: World,
}

/// A part of the work that can be made by itself: one account, one window of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unit {
    /// Which account.
    pub account: u16,
    /// Sessions that begin here belong to it: seconds from the start, the end excluded.
    pub from: u64,
    /// The window's end.
    pub to: u64,
}

impl Fleet {
    /// Works a spec out.
    #[must_use]
    pub fn new(spec: FleetSpec) -> Self {
        Self { world: World::new(spec) }
    }

    /// Accounts, roles and agents.
    #[must_use]
    pub fn world(&self) -> &World {
        &self.world
    }

    /// The whole work, cut into windows of so many seconds, in order of time.
    #[must_use]
    pub fn units(&self, window_secs: u64) -> Vec<Unit> {
        let span = u64::from(self.world.spec.span_secs);
        let step = window_secs.clamp(1, span.max(1));
        let accounts = self.world.accounts.len() as u16;
        (0..span.div_ceil(step))
            .flat_map(|window| {
                (0..accounts).map(move |account| Unit {
                    account,
                    from: window * step,
                    to: (window * step + step).min(span),
                })
            })
            .collect()
    }

    /// Makes one unit's records. The same unit gives the same bytes, in whatever order units are made.
    pub fn make(&self, unit: Unit, batch: &mut Batch) {
        for agent in self.world.agents.iter().filter(|agent| agent.account == unit.account) {
            for (ordinal, begin) in self.world.sessions(agent, unit.from, unit.to) {
                shift::work(&self.world, agent, ordinal, begin, batch);
            }
        }
        background::make(&self.world, unit, batch);
    }

    /// One unit's files.
    #[must_use]
    pub fn files(&self, unit: Unit, batch: &Batch, cut: Cut) -> Vec<LogFile> {
        delivery::files(&self.world, batch, cut, delivery::unit_name(unit.account, unit.from))
    }

    /// All records, file by file, copies included. For small fleets.
    #[must_use]
    pub fn events(&self) -> Vec<Event> {
        let mut events = Vec::new();
        for unit in self.units(u64::MAX) {
            let mut batch = Batch::default();
            self.make(unit, &mut batch);
            for file in self.files(unit, &batch, Cut::default()) {
                for number in &file.records {
                    let meta = &batch.records[*number as usize];
                    events.push(Event {
                        json: batch.bytes(meta).to_vec(),
                        time: meta.time,
                        delivery: meta.delivery,
                        object_key: file.key.clone(),
                        truth: self.truth(&batch, meta, file.copy),
                    });
                }
            }
        }
        events
    }

    /// What is true about one record.
    #[must_use]
    pub(crate) fn truth(&self, batch: &Batch, meta: &Meta, copy: bool) -> Truth {
        let session = meta.session.map(|at| &batch.sessions[at as usize]);
        let minted = meta.mints.map(|at| &batch.sessions[at as usize]);
        let name = |agent: u32| self.world.agents[agent as usize].id.clone();
        let anchor = |at: u32| batch.sessions[at as usize].anchor.clone();
        Truth {
            event_id: guid_string(meta.event_id),
            agent: session.and_then(|session| session.agent).map(name),
            session: session.map(|session| session.anchor.clone()),
            root: session.map(|session| anchor(session.root)),
            parent: session.and_then(|session| session.parent).map(anchor),
            basis: session.map_or("none", |session| session.basis),
            mints: minted.map(|session| session.anchor.clone()),
            mints_agent: minted.and_then(|session| session.agent).map(name),
            attack: meta.attack,
            shared: meta.shared.map(guid_string),
            shape: meta.shape,
            copy,
        }
    }

    /// The truth lines of a batch, one a record; copies are not listed again but marked `twice`.
    pub fn truth_lines(&self, batch: &Batch, out: &mut Vec<u8>) {
        for meta in &batch.records {
            let twice = meta.twice;
            self.truth(batch, meta, false).write(twice, out);
        }
    }
}

impl Truth {
    /// One line of `truth.ndjson`.
    pub fn write(&self, twice: bool, out: &mut Vec<u8>) {
        out.text("{\"event_id\":");
        out.quoted(&self.event_id);
        for (name, value) in [
            ("agent", self.agent.as_deref()),
            ("session", self.session.as_deref()),
            ("root", self.root.as_deref()),
            ("parent", self.parent.as_deref()),
            ("basis", Some(self.basis)),
            ("mints", self.mints.as_deref()),
            ("mints_agent", self.mints_agent.as_deref()),
            ("attack", self.attack),
            ("shared", self.shared.as_deref()),
            ("shape", Some(self.shape)),
        ] {
            out.text(",\"");
            out.text(name);
            out.text("\":");
            match value {
                Some(value) => out.quoted(value),
                None => out.text("null"),
            }
        }
        out.text(if twice { ",\"twice\":true}\n" } else { ",\"twice\":false}\n" });
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use serde_json::Value;

    use super::*;
    use crate::story::{corpus_spec, demo_spec};
    use crate::work::Class;

    fn text<'a>(value: &'a Value, path: &str) -> &'a str {
        value.pointer(path).and_then(Value::as_str).unwrap_or_default()
    }

    fn parsed(event: &Event) -> Value {
        serde_json::from_slice(&event.json).unwrap()
    }

    #[test]
    fn every_record_parses_and_no_place_is_left() {
        for event in Fleet::new(corpus_spec()).events() {
            let value = parsed(&event);
            assert!(value.is_object());
            assert!(!String::from_utf8(event.json).unwrap().contains("$?"), "{value}");
        }
    }

    #[test]
    fn the_same_spec_gives_the_same_bytes() {
        let (one, two) = (Fleet::new(corpus_spec()).events(), Fleet::new(corpus_spec()).events());
        assert_eq!(one.len(), two.len());
        assert!(
            one.iter().zip(&two).all(|(a, b)| a.json == b.json
                && a.object_key == b.object_key
                && a.truth == b.truth)
        );
    }

    #[test]
    fn another_seed_gives_other_bytes() {
        let other = FleetSpec { seed: 99, ..corpus_spec() };
        assert_ne!(Fleet::new(other).events()[0].json, Fleet::new(corpus_spec()).events()[0].json);
    }

    /// Units may be made in any size and any order.
    #[test]
    fn the_records_do_not_depend_on_the_windows() {
        let fleet = Fleet::new(corpus_spec());
        let all = |window: u64, backwards: bool| {
            let mut units = fleet.units(window);
            if backwards {
                units.reverse();
            }
            let mut records = BTreeSet::new();
            for unit in units {
                let mut batch = Batch::default();
                fleet.make(unit, &mut batch);
                records.extend(batch.records.iter().map(|meta| batch.bytes(meta).to_vec()));
            }
            records
        };
        assert_eq!(all(u64::MAX, false), all(977, true));
    }

    #[test]
    fn truth_is_complete_and_agrees_with_the_record() {
        for event in Fleet::new(corpus_spec()).events() {
            let value = parsed(&event);
            let id = value.get("eventID").or(value.get("eventId")).and_then(Value::as_str);
            assert_eq!(id, Some(event.truth.event_id.as_str()));
            if matches!(event.truth.shape, "work" | "chained" | "attack" | "throttled") {
                assert!(event.truth.agent.is_some());
                assert_eq!(
                    Some(text(&value, "/userIdentity/accessKeyId")),
                    event.truth.session.as_deref()
                );
            }
            if event.truth.mints.is_some() && event.truth.shape != "mint-oauth" {
                let answer = value.get("responseElements").unwrap().to_string();
                assert!(answer.contains(event.truth.mints.as_deref().unwrap()), "{answer}");
                assert!(answer.contains("FwoGEXAMPLETOKEN-"), "{answer}");
            }
            assert!((45..=600).contains(&(event.delivery - event.time)));
        }
    }

    /// Trap 1 of the facts: ordinary records do not carry the tag.
    #[test]
    fn tags_are_in_mints_only() {
        for event in Fleet::new(corpus_spec()).events() {
            let tagged = String::from_utf8(event.json.clone()).unwrap().contains("AgentVersion");
            assert!(!tagged || event.truth.shape.starts_with("mint-"), "{}", event.truth.shape);
        }
    }

    #[test]
    fn the_corpus_has_every_shape() {
        let events = Fleet::new(corpus_spec()).events();
        let shapes: BTreeSet<&str> = events.iter().map(|event| event.truth.shape).collect();
        for shape in [
            "mint-by-role",
            "mint-by-user",
            "mint-web-identity",
            "mint-saml",
            "mint-federation",
            "mint-pod-identity",
            "mint-roles-anywhere",
            "mint-chained",
            "mint-cross-account",
            "mint-cross-account-copy",
            "mint-s3express",
            "mint-by-service",
            "mint-failed",
            "mint-session-token",
            "mint-assume-root",
            "mint-create-session",
            "mint-oauth",
            "mint-unseen",
            "chained",
            "chained-cross-account",
            "s3express",
            "forwarded",
            "throttled",
            "attack",
            "console",
            "console-login",
            "sso",
            "mcp",
            "aws-service",
            "service-event",
            "iam-user",
            "session-token",
            "assumed-root",
            "pod-identity",
            "addendum",
            "insight",
            "network-activity",
            "aggregated",
            "work",
        ] {
            assert!(shapes.contains(shape), "{shape}");
        }
        let attacks: BTreeSet<&str> =
            events.iter().filter_map(|event| event.truth.attack).collect();
        assert_eq!(attacks.len(), crate::Attack::ALL.len());
        let all: Vec<u8> = events.iter().flat_map(|event| event.json.clone()).collect();
        let all = String::from_utf8(all).unwrap();
        for mark in ["\"key\":\"agentid\"", "incomingTransitiveTags", "\"endpointType\":\"global\""]
        {
            assert!(all.contains(mark), "{mark}");
        }
        assert!(events.iter().any(|event| event.truth.copy), "a second trail");
    }

    #[test]
    fn both_copies_of_a_cross_account_mint_share_an_id() {
        let mut shared: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        for event in Fleet::new(corpus_spec()).events() {
            if event.truth.shape.starts_with("mint-cross-account") && !event.truth.copy {
                shared.entry(event.truth.shared.clone().unwrap()).or_default().push(parsed(&event));
            }
        }
        assert!(!shared.is_empty());
        for copies in shared.values() {
            assert_eq!(copies.len(), 2);
            let recipients: BTreeSet<&str> =
                copies.iter().map(|copy| text(copy, "/recipientAccountId")).collect();
            let keys = copies
                .iter()
                .filter(|copy| copy.pointer("/userIdentity/accessKeyId").is_some())
                .count();
            assert_eq!((recipients.len(), keys), (2, 1));
            assert_eq!(copies[0]["responseElements"], copies[1]["responseElements"]);
        }
    }

    /// Some records are read before the mint of their session.
    #[test]
    fn uses_come_before_mints() {
        let events = Fleet::new(corpus_spec()).events();
        let mut minted: BTreeMap<String, i64> = BTreeMap::new();
        for event in &events {
            if let Some(session) = &event.truth.mints {
                minted.insert(session.clone(), event.delivery);
            }
        }
        let early = events.iter().filter(|event| {
            event
                .truth
                .session
                .as_ref()
                .and_then(|session| minted.get(session))
                .is_some_and(|at| event.delivery < *at)
        });
        assert!(early.count() > 20);
    }

    /// Every benign call of a class is inside its manifest, the hijack is not.
    #[test]
    fn benign_work_is_in_scope() {
        let iam: BTreeMap<(&str, &str), &str> = Class::ALL
            .iter()
            .flat_map(|class| class.actions())
            .map(|action| ((action.source, action.name), action.iam))
            .chain([
                (("sts", "GetCallerIdentity"), "sts:GetCallerIdentity"),
                (("sts", "AssumeRole"), "sts:AssumeRole"),
                (("kms", "Decrypt"), "kms:Decrypt"),
                (("kms", "GenerateDataKey"), "kms:GenerateDataKey"),
                (("iam", "GetRole"), "iam:GetRole"),
                (("lambda", "UpdateFunctionCode20150331v2"), "lambda:UpdateFunctionCode"),
                (("s3express", "CreateSession"), "s3express:CreateSession"),
                (("s3express", "GetObject"), "s3:GetObject"),
                (("s3express", "PutObject"), "s3:PutObject"),
            ])
            .collect();
        let mut outside = 0;
        for spec in [demo_spec(), corpus_spec()] {
            let fleet = Fleet::new(spec);
            let scopes: BTreeMap<&str, (Vec<&str>, Vec<&str>)> = fleet
                .world()
                .agents()
                .iter()
                .map(|agent| (agent.id.as_str(), (agent.class.scope(), agent.regions())))
                .collect();
            for event in fleet.events() {
                let Some((actions, regions)) =
                    event.truth.agent.as_deref().map(|agent| &scopes[agent])
                else {
                    continue;
                };
                let value = parsed(&event);
                let source = text(&value, "/eventSource").trim_end_matches(".amazonaws.com");
                let action = iam.get(&(source, text(&value, "/eventName")));
                let inside = action.is_some_and(|action| actions.contains(action))
                    && regions.contains(&text(&value, "/awsRegion"));
                assert!(inside || event.truth.attack.is_some(), "{source} {value}");
                outside += usize::from(!inside);
            }
        }
        assert!(outside >= 5, "the hijack leaves the scope");
    }
}
