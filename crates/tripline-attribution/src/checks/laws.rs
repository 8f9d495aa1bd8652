//! No order, no split and no repetition leaves a trace; and what was certain stays so.

use std::collections::BTreeMap;

use proptest::prelude::*;
use tripline_cloudtrail::Record;
use tripline_text::Untrusted;

use super::{
    ASSUME, assumed, at, call, key, observe_all, record, resolve_by, role_session, settle_copies,
    shown,
};
use crate::counted::Attributor;
use crate::rules::Names;
use crate::{AgentId, AgentRules, Cause, Fallback, NamePattern, Pattern, Sessions, Use};

/// Something that happens among a few keys, roles and names, so that they meet often: also what only
/// a forger writes.
#[derive(Clone, Debug)]
enum Happening {
    Call {
        caller: Caller,
        secs: i64,
    },
    Mint {
        child: usize,
        caller: Caller,
        tags: Tags,
        role: usize,
        name: usize,
        secs: i64,
    },
    /// A mint in two accounts' logs.
    CrossAccount {
        child: usize,
        caller: Caller,
        tags: Tags,
        secs: i64,
    },
    /// A mint that a service asked for, logged by both.
    Front {
        child: usize,
        caller: Caller,
        tags: Tags,
        secs: i64,
    },
    Express {
        child: usize,
        caller: Caller,
        secs: i64,
    },
    Failed {
        caller: Caller,
    },
}

#[derive(Clone, Debug)]
struct Caller {
    /// None: an AKIA key.
    key: Option<usize>,
    role: usize,
    name: usize,
    created: i64,
    manner: Manner,
    source_identity: Option<usize>,
}

#[derive(Clone, Copy, Debug)]
enum Manner {
    Direct,
    Forwarded,
    Console,
    SignIn,
}

#[derive(Clone, Debug)]
struct Tags {
    agent: Option<usize>,
    class: Option<usize>,
    tenant: Option<usize>,
}

impl Caller {
    fn identity(&self) -> String {
        let Some(number) = self.key else {
            return format!(
                r#"{{"type":"IAMUser","principalId":"AIDA{0}","accessKeyId":"AKIA00000000000000{0:02}","userName":"u{0}"}}"#,
                self.name
            );
        };
        let mut identity = role_session(
            &key(number),
            &format!("r{}", self.role),
            &format!("n{}", self.name),
            self.created,
        );
        let mut with = |text: &str, before: &str| {
            identity = identity.replace(before, &format!("{text},{before}"));
        };
        match self.manner {
            Manner::Forwarded => {
                with(r#""invokedBy":"athena.amazonaws.com""#, r#""sessionContext""#)
            }
            Manner::SignIn => with(r#""signInSessionArn":"arn:s""#, r#""attributes""#),
            Manner::Direct | Manner::Console => {}
        }
        if let Some(name) = self.source_identity {
            with(&format!(r#""sourceIdentity":"si{name}""#), r#""attributes""#);
        }
        identity
    }

    fn more(&self) -> &'static str {
        match self.manner {
            Manner::Console => r#","sessionCredentialFromConsole":"true""#,
            _ => "",
        }
    }
}

impl Tags {
    fn asked(&self) -> String {
        let tag = |name: &str, letter: &str, value: Option<usize>| {
            value.map(|value| format!(r#"{{"key":"{name}","value":"{letter}{value}"}}"#))
        };
        let tags = [
            tag("AgentID", "a", self.agent),
            tag("AgentClass", "c", self.class),
            tag("TenantID", "t", self.tenant),
        ];
        let tags: Vec<String> = tags.into_iter().flatten().collect();
        format!(r#","tags":[{}]"#, tags.join(","))
    }
}

impl Happening {
    /// Its records; `number` makes their ids.
    fn records(&self, number: usize) -> Vec<String> {
        let id = number * 2;
        let credentials = |child: usize| {
            format!(r#","responseElements":{{"credentials":{{"accessKeyId":"{}"}}}}"#, key(child))
        };
        match self {
            Self::Call { caller, secs } => {
                vec![record(id, *secs, ("s3", "GetObject"), &caller.identity(), caller.more())]
            }
            Self::Mint { child, caller, tags, role, name, secs } => {
                let (role, name) = (format!("r{role}"), format!("n{name}"));
                let more = assumed(&key(*child), &role, &name, &tags.asked()) + caller.more();
                vec![record(id, *secs, ASSUME, &caller.identity(), &more)]
            }
            Self::CrossAccount { child, caller, tags, secs } => {
                let more = assumed(&key(*child), "far", "n0", &tags.asked())
                    + &format!(r#","sharedEventID":"shared {number}""#);
                let owner =
                    r#"{"type":"AWSAccount","principalId":"AROA","accountId":"111122223333"}"#;
                vec![
                    record(id, *secs, ASSUME, &caller.identity(), &more),
                    record(id + 1, *secs, ASSUME, owner, &more),
                ]
            }
            Self::Front { child, caller, tags, secs } => {
                let service =
                    r#"{"type":"AWSService","invokedBy":"access-grants.s3.amazonaws.com"}"#;
                let sts = assumed(&key(*child), "location", "n0", &tags.asked());
                vec![
                    record(
                        id,
                        *secs,
                        ("s3", "GetDataAccess"),
                        &caller.identity(),
                        &credentials(*child),
                    ),
                    record(id + 1, *secs + 1, ASSUME, service, &sts),
                ]
            }
            Self::Express { child, caller, secs } => {
                let event = ("s3express", "CreateSession");
                vec![record(id, *secs, event, &caller.identity(), &credentials(*child))]
            }
            Self::Failed { caller } => {
                let more = r#","errorCode":"AccessDenied""#;
                vec![record(id, 5, ASSUME, &caller.identity(), more)]
            }
        }
    }
}

fn seconds() -> impl Strategy<Value = i64> {
    prop::sample::select(vec![0, 1, 2, 4, 60, 1_900, 4_000, 90_000])
}

fn caller() -> impl Strategy<Value = Caller> {
    let manner = prop::sample::select(vec![
        Manner::Direct,
        Manner::Direct,
        Manner::Direct,
        Manner::Forwarded,
        Manner::Forwarded,
        Manner::Console,
        Manner::SignIn,
    ]);
    let key = prop::option::weighted(0.9, 0_usize..8);
    (key, 0_usize..2, 0_usize..2, seconds(), manner, prop::option::weighted(0.2, 0_usize..2))
        .prop_map(|(key, role, name, created, manner, source_identity)| Caller {
            key,
            role,
            name,
            created,
            manner,
            source_identity,
        })
}

fn tags() -> impl Strategy<Value = Tags> {
    let tag = |weight| prop::option::weighted(weight, 0_usize..2);
    (tag(0.4), tag(0.2), tag(0.2)).prop_map(|(agent, class, tenant)| Tags { agent, class, tenant })
}

fn happening() -> impl Strategy<Value = Happening> {
    let child = 0_usize..12;
    prop_oneof![
        3 => (caller(), seconds()).prop_map(|(caller, secs)| Happening::Call { caller, secs }),
        5 => (child.clone(), caller(), tags(), 0_usize..2, 0_usize..2, seconds()).prop_map(
            |(child, caller, tags, role, name, secs)| Happening::Mint { child, caller, tags, role, name, secs }),
        1 => (child.clone(), caller(), tags(), seconds()).prop_map(
            |(child, caller, tags, secs)| Happening::CrossAccount { child, caller, tags, secs }),
        1 => (child.clone(), caller(), tags(), seconds()).prop_map(
            |(child, caller, tags, secs)| Happening::Front { child, caller, tags, secs }),
        1 => (child, caller(), seconds()).prop_map(
            |(child, caller, secs)| Happening::Express { child, caller, secs }),
        1 => caller().prop_map(|caller| Happening::Failed { caller }),
    ]
}

fn records() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec(happening(), 1..16).prop_map(|happenings| {
        happenings
            .iter()
            .zip(0..)
            .flat_map(|(happening, number)| happening.records(number))
            .collect()
    })
}

fn rules() -> impl Strategy<Value = AgentRules> {
    let name = |text: &str| NamePattern::try_from(text.to_owned()).unwrap();
    let glob = |text: &str| Pattern::try_from(text.to_owned()).unwrap();
    let all = vec![
        Fallback::SourceIdentity { matching: Pattern::default() },
        Fallback::SessionName {
            matching: glob("n*"),
            role: Pattern::default(),
            prefix: "n".to_owned(),
            session: name("1"),
        },
        Fallback::Role { matching: glob("r1") },
        Fallback::User { matching: Pattern::default() },
    ];
    prop::sample::subsequence(all, 0..=4)
        .prop_shuffle()
        .prop_map(|fallbacks| AgentRules { fallbacks, ..AgentRules::default() })
}

/// Everything that can be seen of sessions.
fn seen(sessions: &Sessions) -> String {
    shown(sessions)
}

/// The same by the definition, walking up the chain for each session.
fn named_plainly(sessions: &Sessions, id: &str) -> Result<(AgentId, bool), ()> {
    let facts = &sessions.facts;
    let mut chain = Vec::new();
    let mut next = sessions.by_id(&Untrusted::borrowed(id));
    while let Some(session) = next {
        next = session
            .parent
            .as_ref()
            .map(|parent| sessions.by_id(&parent.untrusted()).expect("a parent has a row"));
        chain.push(session);
    }
    let rows: Vec<_> = chain
        .iter()
        .map(|link| {
            facts.sessions.iter().find(|row| row.id.is(link.id.untrusted().as_unescaped())).unwrap()
        })
        .collect();
    for (nth, row) in rows.iter().enumerate() {
        if chain[nth].named == Err(Cause::Contested) {
            return Err(());
        }
        let tag = facts.mint_of(row).and_then(|mint| facts.texts.get(mint.agent));
        if let Some(tag) = tag {
            return Ok((AgentId::of(tag).unwrap(), nth > 0));
        }
    }
    for fallback in &facts.rules.fallbacks {
        let mut hits: Vec<(AgentId, bool)> = Vec::new();
        for (nth, row) in rows.iter().enumerate() {
            let names = Names::of(row, facts.mint_of(row), &facts.texts);
            hits.extend(fallback.name(names).map(|id| (id, nth > 0)));
        }
        let hit = if fallback.is_by_origin() { hits.pop() } else { hits.into_iter().next() };
        if let Some(hit) = hit {
            return Ok(hit);
        }
    }
    Err(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn any_order_is_the_same(rules in rules(), (ordered, shuffled) in records().prop_flat_map(
        |records| (Just(records.clone()), Just(records).prop_shuffle()))
    ) {
        let expected = seen(&resolve_by(rules.clone(), &ordered));
        prop_assert_eq!(seen(&resolve_by(rules, &shuffled)), expected);
    }

    /// Records that a filter leaves out may mint all the same.
    #[test]
    fn any_order_of_what_is_left_out_is_the_same(rules in rules(), (ordered, shuffled) in records()
        .prop_flat_map(|records| (Just(records.clone()), Just(records).prop_shuffle())), kept: u64)
    {
        let observed = |records: &[String]| {
            let mut attributor = Attributor::new(rules.clone(), 7);
            for text in records {
                let record = Record::parse(text).unwrap();
                attributor.note_mint(&record);
                if kept >> (record.id().bits() % 64) & 1 == 1 {
                    attributor.observe_call(&Use::of(&record));
                }
            }
            seen(&attributor.resolve())
        };
        prop_assert_eq!(observed(&shuffled), observed(&ordered));
    }

    #[test]
    fn a_mint_told_again_changes_nothing(rules in rules(), records in records()) {
        let expected = seen(&resolve_by(rules.clone(), &records));
        let mut attributor = Attributor::new(rules, 7);
        let mut copies = BTreeMap::new();
        for text in &records {
            observe_all(&mut attributor, [text], &mut copies);
            attributor.note_mint(&Record::parse(text).unwrap());
        }
        settle_copies(&mut attributor, copies);
        prop_assert_eq!(seen(&attributor.resolve()), expected);
    }

    #[test]
    fn a_use_counts_as_its_record_does(rules in rules(), records in records()) {
        let (mut whole, mut parts) =
            (Attributor::new(rules.clone(), 7), Attributor::new(rules, 8));
        for text in &records {
            let record = Record::parse(text).unwrap();
            whole.observe(&record);
            parts.note_mint(&record);
            parts.observe_call(&Use::of(&record));
            let (kind, id) = Use::anchor_of(&record);
            let used = Use::of(&record);
            prop_assert_eq!((kind, id.as_unescaped()), used.anchor());
        }
        prop_assert_eq!(seen(&whole.resolve()), seen(&parts.resolve()));
    }

    #[test]
    fn what_is_certain_stays_so_or_is_contested(
        rules in rules(), records in records().prop_shuffle(),
    ) {
        let mut attributor = Attributor::new(rules, 7);
        let mut copies = BTreeMap::new();
        let mut certain = Vec::new();
        for text in &records {
            let record = Record::parse(text).unwrap();
            if record.shared_id().is_some() {
                observe_all(&mut attributor, [text], &mut copies);
                continue;
            }
            let used = Use::of(&record);
            let attributed = attributor.observe(&record);
            let agent = attributed.agent().and_then(|nth| attributor.agent_at(nth)).cloned();
            if agent.is_some() || !attributed.may_be_an_agent() {
                certain.push((used, agent));
            }
        }
        settle_copies(&mut attributor, copies);
        let sessions = attributor.resolve();
        for (used, agent) in certain {
            let (kind, id) = used.anchor();
            let session = sessions.by_anchor(kind, id);
            prop_assert!(
                session.agent() == agent.as_ref() || session.named == Err(Cause::Contested),
                "{:?} was {:?} and is {:?}", id, agent, session.named
            );
        }
    }

    #[test]
    fn names_are_as_the_whole_chain_says(rules in rules(), records in records()) {
        let sessions = resolve_by(rules, &records);
        for session in sessions.iter() {
            if matches!(session.named, Err(Cause::Ambiguous | Cause::Contested | Cause::Service)) {
                continue;
            }
            let named = session.named.as_ref().map_err(|_| ());
            let named = named.map(|named| (named.agent.id.clone(), named.inherited));
            // A row that is undecided lends its name to what it mints: another rule.
            if sessions.folds.undecided.is_empty() {
                let id = session.id.untrusted();
                prop_assert_eq!(named, named_plainly(&sessions, id.as_unescaped()));
            }
        }
    }

    #[test]
    fn lineages_partition_the_sessions(rules in rules(), records in records()) {
        let sessions = resolve_by(rules, &records);
        let all = sessions.iter().count();
        let mut counted = 0;
        for session in sessions.iter() {
            if session.root == session.id {
                let lineage = sessions.lineage_of(&session);
                prop_assert!(lineage.contains(&session));
                counted += lineage.len();
            }
        }
        prop_assert_eq!(counted, all);
    }
}

/// The laws above are worth little if the records never fold, contest or inherit.
#[test]
fn the_records_of_the_laws_reach_every_case() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;

    let mut runner = TestRunner::deterministic();
    let mut reached = [0; 6];
    for _ in 0..200 {
        let records = records().new_tree(&mut runner).unwrap().current();
        let sessions = resolve_by(AgentRules::default(), &records);
        reached[0] += sessions.folds.into.len();
        reached[1] += sessions.folds.undecided.len();
        for session in sessions.iter() {
            let named = session.named.as_ref();
            reached[2] += usize::from(named.is_ok_and(|named| named.inherited));
            reached[3] += usize::from(session.named == Err(Cause::Contested));
            reached[4] += usize::from(session.named == Err(Cause::NoTag));
            reached[5] += usize::from(session.root != session.id);
        }
    }
    assert!(reached.iter().all(|count| *count >= 10), "{reached:?}");
}

#[test]
fn a_call_is_counted_in_the_minute_it_was_made() {
    let sessions = resolve_by(AgentRules::default(), &[call(1, 61, &super::runner())]);
    assert_eq!(sessions.iter().next().unwrap().first, at(61));
}
