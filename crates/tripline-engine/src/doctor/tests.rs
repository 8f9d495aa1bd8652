//! What a doctor says of healthy and of sick deployments.

use std::collections::BTreeSet;

use tripline_containment::Description;
use tripline_iam::Arn;

use super::*;
use crate::brakes::Mode;

const NOW: &str = "2026-11-20T10:00:00Z";
const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:role/Runner"},"Action":"sts:AssumeRole"}]}"#;

fn text(text: &str) -> Untrusted<'static> {
    Untrusted::new(text.to_owned())
}

fn before(minutes: i64) -> Option<EventTime> {
    Some(EventTime::parse(NOW).unwrap().plus_secs(-60 * minutes))
}

fn source(region: &str) -> Source {
    let key =
        format!("111122223333_CloudTrail-Digest_{region}_main_us-east-1_20261120T090000Z.json.gz");
    crate::live::Pulse::of_digest(&key, before(0).unwrap()).unwrap().source().clone()
}

fn everything() -> Selector {
    let management = Management { reads: true, writes: true, ..Management::default() };
    Selector { management: Some(management), data: vec![(text("AWS::S3::Object"), true)] }
}

fn role(name: &str) -> RoleState {
    let description =
        Description { trust: Some(TRUST.to_owned()), inline_chars: 900, has_room_to_attach: true };
    RoleState {
        arn: Arn::parse(&format!("arn:aws:iam::111122223333:role/{name}")).unwrap(),
        opted_in: OptIn::Tag,
        described: Ok(description),
        is_guarded: false,
        rights: Ok(TO_CONTAIN.iter().map(|call| (*call, May::Allowed)).collect()),
    }
}

/// A deployment in which nothing is wrong.
fn healthy() -> Facts {
    let account = tripline_iam::AccountId::parse("111122223333").unwrap();
    let queue = |name: &str, used_for| QueueFacts {
        name: text(name),
        used_for,
        state: Ok(QueueState {
            arn: text(&format!("arn:aws:sqs:us-east-1:111122223333:{name}")),
            waiting: 0,
            dead_letters: Some(text("arn:aws:sqs:us-east-1:111122223333:dead")),
            senders: BTreeSet::from([text("events.amazonaws.com")]),
        }),
    };
    Facts {
        now: EventTime::parse(NOW).unwrap(),
        deployment: Ok(Deployment {
            mode: Mode::Enforce,
            functions: vec![FunctionFacts {
                name: text("tripline-detector"),
                is_active: true,
                fed_by: Ok(vec![(text("objects"), true)]),
            }],
        }),
        trails: Ok(vec![TrailFacts {
            name: text("main"),
            bucket: text("trail-logs"),
            is_multi_region: true,
            has_global_services: true,
            validates: true,
            status: Ok(TrailStatus {
                is_logging: true,
                delivered: before(4),
                delivery_error: None,
                digested: before(40),
                digest_error: None,
            }),
            selectors: Ok(vec![everything()]),
        }]),
        buckets: vec![BucketFacts {
            name: text("trail-logs"),
            notifications: Ok(Notifications { event_bridge: true, ..Notifications::default() }),
        }],
        beats: Ok([(source("us-east-1"), Beat::Steady), (source("eu-west-1"), Beat::Steady)].into()),
        queues: vec![
            queue("objects", QueueUse::Work),
            queue("plans", QueueUse::Plans),
            queue("dead", QueueUse::DeadLetters),
        ],
        table: Ok(TableState {
            name: text("tripline-state"),
            is_active: true,
            has_our_key: true,
            forgets: true,
            is_protected: true,
        }),
        models: Ok(ModelFacts {
            scopes: 1,
            learned: vec![(
                text("deploy-bot"),
                tripline_baseline::Maturity {
                    episodes: 400,
                    days: 30,
                    draws: 3_000,
                    news: 3,
                    is_whole: true,
                },
                before(24 * 60).map(tripline_baseline::Day::of),
            )],
            uses: [(DataEvents::S3, 1)].into(),
            calibration: None,
        }),
        fired: Ok(Default::default()),
        lines_of: LinesOf::Deployment,
        stop: StopFacts {
            responder: Ok(Arn::parse("arn:aws:iam::111122223333:role/TriplineResponder").unwrap()),
            is_halted: Ok(false),
            roles: Ok(vec![role("agents/Runtime")]),
            protected: BTreeSet::new(),
            management_accounts: BTreeSet::new(),
            guards: vec![(account, Ok(Guard::InForce))],
        },
        chat: vec![ChannelFacts { name: text("oncall"), reached: Ok(Reached::Takes) }],
        answers: Some(Vec::new()),
    }
}

/// Answers other than ok, as `check: answer: words`.
fn complaints(facts: &Facts) -> Vec<String> {
    let told = judge(facts).into_iter().filter(|check| check.answer != Answer::Ok);
    told.map(|check| format!("{}: {}: {}", check.id, check.answer.word(), check.says)).collect()
}

fn trail(change: impl FnOnce(&mut TrailFacts)) -> Facts {
    let mut facts = healthy();
    change(&mut facts.trails.as_mut().unwrap()[0]);
    facts
}

fn only(facts: &Facts, says: &str) {
    let told = complaints(facts);
    assert!(told.len() == 1 && told[0].contains(says), "{says}: {told:?}");
}

#[test]
fn nothing_is_said_where_nothing_is_wrong() {
    assert_eq!(complaints(&healthy()), Vec::<String>::new());
    assert!(judge(&healthy()).iter().all(|check| check.next.is_empty()));
}

#[test]
fn a_trail_must_record_all_and_be_on_and_validated() {
    let status = |facts: &mut TrailFacts, change: fn(&mut TrailStatus)| {
        change(facts.status.as_mut().unwrap());
    };
    only(&trail(|it| it.validates = false), "trail-validation: failed");
    only(&trail(|it| it.is_multi_region = false), "only one Region's");
    only(&trail(|it| it.has_global_services = false), "only one Region's");
    only(&trail(|it| status(it, |now| now.is_logging = false)), "switched off");
    only(&trail(|it| status(it, |now| now.delivered = before(600))), "last delivery 10 h ago");
    only(&trail(|it| status(it, |now| now.digested = before(300))), "last digest was 5 h ago");
    only(
        &trail(|it| status(it, |now| now.delivery_error = Some(text("NoSuchBucket")))),
        "could not be delivered",
    );
    let mut elsewhere = healthy();
    elsewhere.trails.as_mut().unwrap()[0].bucket = text("another");
    only(&elsewhere, "no trail of this account writes to the bucket");
}

#[test]
fn management_events_may_be_shared_out_among_selectors_but_none_left_out() {
    let with = |managements: Vec<Management>| {
        let mut selectors = vec![Selector { management: None, ..everything() }];
        selectors.extend(
            managements
                .into_iter()
                .map(|management| Selector { management: Some(management), data: Vec::new() }),
        );
        trail(|it| it.selectors = Ok(selectors))
    };
    let only_of = |reads, writes| Management { reads, writes, ..Management::default() };
    assert_eq!(
        complaints(&with(vec![only_of(true, false), only_of(false, true)])),
        Vec::<String>::new()
    );
    only(&with(vec![only_of(false, true)]), "AssumeRole is one");
    only(&with(vec![only_of(true, false)]), "that change something");
    only(&with(vec![]), "AssumeRole is one");
    let leaving_out = |source: &str| Management {
        leaves_out: BTreeSet::from([text(source)]),
        ..only_of(true, true)
    };
    assert_eq!(complaints(&with(vec![leaving_out("kms.amazonaws.com")])), Vec::<String>::new());
    only(&with(vec![leaving_out("sts.amazonaws.com")]), "not all recorded");
    only(&with(vec![Management { is_narrowed: true, ..only_of(true, true) }]), "not all recorded");
}

#[test]
fn data_events_are_needed_of_what_agents_use_and_no_more() {
    let data = |data: Vec<(Untrusted<'static>, bool)>| {
        trail(|it| it.selectors = Ok(vec![Selector { data, ..everything() }]))
    };
    only(&data(Vec::new()), "data events are not recorded; 1 agent uses them");
    only(&data(vec![(text("AWS::S3::Object"), false)]), "of some only");
    let uses = |patterns: &[&str]| {
        let patterns: Vec<_> =
            patterns.iter().map(|text| tripline_iam::ActionPattern::parse(text).unwrap()).collect();
        data_events_of(&patterns).collect::<Vec<_>>()
    };
    assert_eq!(uses(&["s3:Get*", "dynamodb:*", "ec2:*"]), [DataEvents::DynamoDb, DataEvents::S3]);
    assert_eq!(uses(&["lambda:InvokeFunction"]), [DataEvents::Lambda]);
    assert_eq!(uses(&["*", "s3:ListAllMyBuckets", "sqs:ListQueues"]), []);
}

#[test]
fn what_is_announced_must_find_an_open_door() {
    let told = |notifications: Notifications| {
        let mut facts = healthy();
        facts.buckets[0].notifications = Ok(notifications);
        facts
    };
    only(&told(Notifications::default()), "nobody of ours is told");
    let topics = BTreeSet::from([text("arn:aws:sns:us-east-1:111122223333:new")]);
    only(&told(Notifications { topics, ..Notifications::default() }), "our queue lets nobody send");
    let elsewhere = BTreeSet::from([text("arn:aws:sqs:us-east-1:111122223333:theirs")]);
    let queues = Notifications { queues: elsewhere, ..Notifications::default() };
    only(&told(queues), "nobody of ours is told");
}

#[test]
fn a_class_whose_calibration_does_not_hold_is_told() {
    let mut facts = healthy();
    let day = tripline_baseline::Day::of(before(24 * 60).unwrap());
    facts.fired.as_mut().unwrap().insert(None, day);
    only(&facts, "calibration: warning: by ");
    let about = judge(&facts).into_iter().find(|it| it.id == "calibration").unwrap().about;
    assert_eq!(about.unwrap().as_unescaped(), "agents without a class");
    // It says so where it may be of other lines than those in force.
    let says = |facts: &Facts| {
        let checks = judge(facts);
        checks.into_iter().find(|it| it.id == "calibration").unwrap().says
    };
    assert!(!says(&facts).contains("in the folder"));
    facts.lines_of = LinesOf::Folder;
    assert!(says(&facts).contains("in the folder"));
    facts.fired = Ok(Default::default());
    assert!(says(&facts).contains("in the folder"));
}

#[test]
fn silence_and_lateness_of_a_region_are_told() {
    let with = |beat: Beat| {
        let mut facts = healthy();
        facts.beats.as_mut().unwrap().insert(source("eu-west-1"), beat);
        facts
    };
    only(&with(Beat::NoDigest(3)), "heartbeat: failed: no digest for more than 3 hours");
    only(&with(Beat::Nothing(24)), "no file for more than 24 hours");
    only(&with(Beat::Late(45)), "heartbeat: warning: its files are up to 45 minutes late");
    let says: Vec<String> = judge(&with(Beat::NoDigest(3))).into_iter().map(|it| it.says).collect();
    assert!(says.contains(&"1 of 2 accounts and Regions are heard of".to_owned()), "{says:?}");
    let mut nothing = healthy();
    nothing.beats = Ok(Default::default());
    only(&nothing, "no file has arrived within a week");
}

#[test]
fn queues_tables_and_functions_have_to_work() {
    let sick = |change: fn(&mut Facts)| {
        let mut facts = healthy();
        change(&mut facts);
        facts
    };
    only(&sick(|it| it.queues[2].state.as_mut().unwrap().waiting = 2), "2 messages that could not");
    only(&sick(|it| it.queues[1].state.as_mut().unwrap().waiting = 1), "wait for the responder");
    only(&sick(|it| it.queues[0].state.as_mut().unwrap().dead_letters = None), "not put aside");
    only(&sick(|it| it.table.as_mut().unwrap().forgets = false), "TTL is off");
    only(&sick(|it| it.table.as_mut().unwrap().is_active = false), "cannot be used now");
    let function = |it: &mut Facts| {
        it.deployment.as_mut().unwrap().functions[0].fed_by = Ok(vec![(text("objects"), false)]);
    };
    only(&sick(function), "a queue that should feed it is switched off");
}

#[test]
fn a_role_must_be_of_a_kind_have_room_and_be_within_reach() {
    let of = |role: RoleState| {
        let mut facts = healthy();
        facts.stop.roles = Ok(vec![role]);
        facts
    };
    let full = |inline_chars, has_room_to_attach| {
        let described =
            Description { trust: Some(TRUST.to_owned()), inline_chars, has_room_to_attach };
        RoleState { described: Ok(described), ..role("agents/Runtime") }
    };
    only(&of(full(10_000, true)), "a managed policy would be attached");
    only(&of(full(10_000, false)), "no room for a denial");
    only(&of(role("aws-service-role/x.amazonaws.com/AWSServiceRoleForX")), "service-linked");
    only(&of(role("aws-reserved/sso.amazonaws.com/AWSReservedSSO_Admin_1")), "Identity Center");
    let mut protected = of(role("agents/Runtime"));
    protected.stop.protected = BTreeSet::from([role("agents/Runtime").arn]);
    only(&protected, "role-kind: warning");
    let rights = |may, opted_in| {
        let rights = Ok(vec![("iam:GetRole", May::Allowed), ("iam:PutRolePolicy", may)]);
        of(RoleState { rights, opted_in, ..role("agents/Runtime") })
    };
    only(&rights(May::NotAllowed, OptIn::No), "nothing lets the responder: iam:PutRolePolicy");
    only(&rights(May::NotByOrganization, OptIn::Tag), "the organization does not let");
    let next =
        judge(&rights(May::NotAllowed, OptIn::No)).into_iter().find(|it| it.id == "role-rights");
    assert!(next.unwrap().next.contains("tripline:contain"));
    // Where the role has no right to write by design, that is no failure of the role's.
    let mut observing = rights(May::NotAllowed, OptIn::Tag);
    observing.deployment.as_mut().unwrap().mode = Mode::Observe;
    let told = complaints(&observing);
    assert!(told.iter().any(|line| line.starts_with("role-rights: not checked")), "{told:?}");
}

#[test]
fn without_a_guard_it_says_so_unless_every_role_has_one_of_its_own() {
    let mut facts = healthy();
    facts.stop.guards[0].1 = Ok(Guard::Missing);
    only(&facts, "can take a denial off itself");
    facts.stop.guards[0].1 = Err(Unknown::refused("AccessDenied"));
    only(&facts, "organizations cannot be asked from here");
    for role in facts.stop.roles.as_mut().unwrap() {
        role.is_guarded = true;
    }
    assert_eq!(complaints(&facts), Vec::<String>::new());
}

#[test]
fn what_could_not_be_asked_is_never_ok() {
    let refused = || Unknown::refused("AccessDenied");
    let mut facts = healthy();
    facts.trails = Err(refused());
    facts.beats = Err(refused());
    facts.deployment = Err(refused());
    facts.table = Err(refused());
    facts.models = Err(refused());
    facts.fired = Err(refused());
    facts.chat[0].reached = Err(refused());
    facts.answers = Some(vec![AnswerProblem { is_certain: false, said: text("AccessDenied") }]);
    facts.buckets[0].notifications = Err(refused());
    facts.stop.responder = Err(refused());
    facts.stop.is_halted = Err(refused());
    facts.stop.roles = Err(refused());
    facts.stop.guards[0].1 = Err(refused());
    facts.queues.iter_mut().for_each(|queue| queue.state = Err(refused()));
    for check in judge(&facts) {
        assert!(matches!(check.answer, Answer::NotChecked { .. }), "{check:?}");
        assert_eq!(check.quoted, Some(text("AccessDenied")), "{check:?}");
    }
}

#[test]
fn every_channel_is_a_line_of_its_own() {
    let mut facts = healthy();
    let mut add = |name: &'static str, reached| {
        facts.chat.push(ChannelFacts { name: text(name), reached: Ok(reached) });
    };
    add("wall", Reached::Refuses(text("invalid_auth")));
    add("mail", Reached::Unread);
    add("own", Reached::Answers);
    let checks = judge(&facts);
    let chat: Vec<_> = checks.iter().filter(|check| check.id == "chat-reachable").collect();
    let answers: Vec<_> = chat.iter().map(|check| check.answer).collect();
    assert_eq!(answers, [Answer::Ok, Answer::Failed, Answer::Warning, Answer::Ok]);
    assert_eq!(chat[1].about, Some(text("wall")));
    facts.chat.clear();
    facts.answers = Some(vec![AnswerProblem { is_certain: true, said: text("too short") }]);
    let told = complaints(&facts);
    assert!(told[0].starts_with("chat-reachable: not checked: no channel is set up"), "{told:?}");
    assert_eq!(told[1], "chat-answers: failed: what people press cannot be believed");
}
