//! The outbox: once, later, in order, and never in the way.

use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};

use futures_util::future::BoxFuture;
use tripline_chat::{Answers, Line, Stage};
use tripline_containment::{Entry, Event, Plan, Press, Response, Round};
use tripline_detector::Verdict;
use tripline_text::Untrusted;

use super::*;
use crate::messenger::LeastTold;
use crate::state::EmbeddedState;

/// A clock that goes on only while somebody waits.
#[derive(Debug)]
struct Hand(AtomicI64);

impl Clock for Hand {
    fn now_unix_ms(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }

    async fn sleep(&self, milliseconds: u64) {
        self.0.fetch_add(i64::try_from(milliseconds).unwrap(), Ordering::SeqCst);
    }
}

impl Hand {
    fn new() -> Self {
        Self(AtomicI64::new(1_795_168_800_000))
    }

    fn minutes(&self, minutes: i64) {
        self.0.fetch_add(minutes * 60_000, Ordering::SeqCst);
    }
}

/// What a channel was asked to post, and what it answers.
#[derive(Debug, Default)]
struct Wall {
    is_in_place: bool,
    posts: Mutex<Vec<(String, Option<String>, bool)>>,
    errors: Mutex<Vec<PostError>>,
}

#[derive(Debug)]
struct On(&'static str, std::sync::Arc<Wall>);

impl Channel for On {
    fn name(&self) -> &str {
        self.0
    }

    fn is_in_place(&self) -> bool {
        self.1.is_in_place
    }

    fn post<'a>(&'a self, post: Post<'a>) -> BoxFuture<'a, Result<Posted, PostError>> {
        Box::pin(async move {
            // Whoever else is at work goes on meanwhile.
            tokio::task::yield_now().await;
            if let Some(error) = self.1.errors.lock().unwrap().pop() {
                return Err(error);
            }
            let text = post.message.to_text().lines().next().unwrap().to_owned();
            let mut posts = self.1.posts.lock().unwrap();
            posts.push((text, post.before.map(str::to_owned), post.is_news));
            Ok(Posted { handle: Some(format!("handle-{}", posts.len())) })
        })
    }
}

impl Wall {
    fn texts(&self) -> Vec<String> {
        self.posts.lock().unwrap().iter().map(|(text, ..)| text.clone()).collect()
    }
}

fn walls() -> (std::sync::Arc<Wall>, std::sync::Arc<Wall>, Vec<Box<dyn Channel>>) {
    let bot = std::sync::Arc::new(Wall { is_in_place: true, ..Wall::default() });
    let hook = std::sync::Arc::new(Wall::default());
    let channels: Vec<Box<dyn Channel>> = vec![
        Box::new(On("bot", std::sync::Arc::clone(&bot))),
        Box::new(On("hook", std::sync::Arc::clone(&hook))),
    ];
    (bot, hook, channels)
}

fn message(nth: u64, stage: Stage, damage: &str) -> Message {
    let name = Line::name(&Untrusted::new(format!("agent-{nth}")));
    Message {
        incident: IncidentId::new(nth),
        stage,
        verdict: Some(Verdict::Kill),
        headline: name.clone(),
        subject: name,
        who: Vec::new(),
        reasons: Vec::new(),
        listed: Vec::new(),
        done: vec![Line::ours("done")],
        damage: Line::ours(damage.to_owned()),
        next: Line::ours("next"),
        answers: Default::default(),
    }
}

fn state() -> (tempfile::TempDir, EmbeddedState) {
    let directory = tempfile::tempdir().unwrap();
    let state = EmbeddedState::open(directory.path()).unwrap();
    (directory, state)
}

#[tokio::test]
async fn an_incident_is_one_message_that_changes_and_news_are_told() {
    let ((_directory, state), clock) = (state(), Hand::new());
    let (bot, hook, channels) = walls();
    let outbox = Outbox::new(&state, &channels, &clock);
    let steps = [
        message(1, Stage::Open, "one"),
        message(1, Stage::Open, "one"),
        message(1, Stage::Open, "two"),
        message(1, Stage::Killed, "two"),
    ];
    for message in &steps {
        outbox.put(message).await.unwrap();
        outbox.drain().await.unwrap();
        outbox.drain().await.unwrap();
        clock.minutes(1);
    }
    let first = |text: &str, before: Option<&str>, is_news| {
        (text.to_owned(), before.map(str::to_owned), is_news)
    };
    assert_eq!(
        *bot.posts.lock().unwrap(),
        [
            first("[OPEN] agent-1", None, true),
            first("[OPEN] agent-1", Some("handle-1"), false),
            first("[KILLED] agent-1", Some("handle-2"), true),
        ]
    );
    // Who cannot change what is posted is not told the same thing twice.
    assert_eq!(hook.texts(), ["[OPEN] agent-1", "[KILLED] agent-1"]);
}

#[tokio::test]
async fn what_was_said_before_is_news_again_once_something_else_was_said() {
    let ((_directory, state), clock) = (state(), Hand::new());
    let (_, hook, channels) = walls();
    let outbox = Outbox::new(&state, &channels, &clock);
    for stage in [Stage::Blind, Stage::Sees, Stage::Blind, Stage::Sees] {
        outbox.put_of_itself(&message(1, stage, "unknown")).await.unwrap();
        outbox.drain().await.unwrap();
        outbox.drain().await.unwrap();
        clock.minutes(1);
    }
    let told =
        ["[BLIND] agent-1", "[SEES AGAIN] agent-1", "[BLIND] agent-1", "[SEES AGAIN] agent-1"];
    assert_eq!(hook.texts(), told);
}

#[tokio::test]
async fn a_channel_that_is_down_is_told_later_and_once_and_keeps_nobody_waiting() {
    let ((_directory, state), clock) = (state(), Hand::new());
    let (bot, hook, channels) = walls();
    let outbox = Outbox::new(&state, &channels, &clock);
    let down = PostError::Again { after_secs: None, why: "down".to_owned() };
    *bot.errors.lock().unwrap() = vec![down; 6];
    outbox.put(&message(1, Stage::Open, "")).await.unwrap();
    let drained = outbox.drain().await.unwrap();
    assert_eq!((drained.posted, drained.due, drained.failed.len()), (1, 1, 1));
    assert_eq!(hook.texts(), ["[OPEN] agent-1"]);
    clock.minutes(1);
    assert_eq!(outbox.drain().await.unwrap().due, 1);
    // Meanwhile it goes on.
    outbox.put(&message(1, Stage::Killed, "")).await.unwrap();
    clock.minutes(1);
    let drained = outbox.drain().await.unwrap();
    assert_eq!((drained.posted, drained.due), (2, 0));
    assert_eq!(bot.texts(), ["[KILLED] agent-1"]);
    clock.minutes(1);
    assert_eq!(outbox.drain().await.unwrap().posted, 0);
}

#[tokio::test]
async fn a_channel_that_asks_for_time_is_left_alone_that_long() {
    let ((_directory, state), clock) = (state(), Hand::new());
    let (bot, _, channels) = walls();
    let outbox = Outbox::new(&state, &channels, &clock);
    let busy = PostError::Again { after_secs: Some(150), why: "busy".to_owned() };
    *bot.errors.lock().unwrap() = vec![busy];
    outbox.put(&message(1, Stage::Open, "")).await.unwrap();
    outbox.drain().await.unwrap();
    for minutes in 1..=2 {
        clock.minutes(1);
        let drained = outbox.drain().await.unwrap();
        assert_eq!((drained.due, drained.failed.len()), (1, 0), "after {minutes} minutes");
    }
    clock.minutes(1);
    assert_eq!(outbox.drain().await.unwrap().posted, 1);
    assert_eq!(bot.texts().len(), 1);
}

#[tokio::test]
async fn of_many_at_work_at_once_one_posts() {
    let ((_directory, state), clock) = (state(), Hand::new());
    let (bot, hook, channels) = walls();
    let outbox = Outbox::new(&state, &channels, &clock);
    let message = message(1, Stage::Open, "");
    let work = async || {
        outbox.put(&message).await.unwrap();
        outbox.drain().await.unwrap()
    };
    tokio::join!(work(), work(), work(), work());
    assert_eq!((bot.texts().len(), hook.texts().len()), (1, 1));
}

#[tokio::test]
async fn two_whose_clocks_differ_do_not_both_post() {
    let ((_directory, state), clock) = (state(), Hand::new());
    let (bot, hook, channels) = walls();
    let outbox = Outbox::new(&state, &channels, &clock);
    outbox.put(&message(1, Stage::Open, "")).await.unwrap();
    // The clock of the other is in the next half minute already.
    let late = Hand::new();
    late.0.fetch_add(SLOT_MS, Ordering::SeqCst);
    let other = Outbox::new(&state, &channels, &late);
    let (one, two) = tokio::join!(outbox.drain(), other.drain());
    let posted = one.unwrap().posted + two.unwrap().posted;
    assert!(posted <= 2, "{posted}");
    // Whatever both left is posted by the next round.
    clock.minutes(2);
    outbox.drain().await.unwrap();
    assert_eq!((bot.texts().len(), hook.texts().len()), (1, 1));
}

#[tokio::test]
async fn who_dies_while_posting_is_followed_by_another() {
    let ((_directory, state), clock) = (state(), Hand::new());
    let (bot, _, channels) = walls();
    let outbox = Outbox::new(&state, &channels, &clock);
    outbox.put(&message(1, Stage::Open, "")).await.unwrap();
    // Dead at its first pause, which is in the middle of a post.
    let is_done = tokio::select! {
        biased;
        _ = outbox.drain() => true,
        () = std::future::ready(()) => false,
    };
    assert!(!is_done);
    // All channels are posted to at once.
    assert_eq!(outbox.drain().await.unwrap().due, 2, "both may still be under way");
    clock.minutes(1);
    assert_eq!(outbox.drain().await.unwrap().due, 0);
    assert_eq!(bot.texts(), ["[OPEN] agent-1"]);
}

#[tokio::test]
async fn a_storm_is_one_message() {
    let ((_directory, state), clock) = (state(), Hand::new());
    let (bot, hook, channels) = walls();
    let outbox = Outbox::new(&state, &channels, &clock);
    for nth in 0..30 {
        outbox.put(&message(nth, Stage::Killed, "")).await.unwrap();
        if nth % 10 == 9 {
            outbox.drain().await.unwrap();
            clock.minutes(1);
        }
    }
    let texts = bot.texts();
    assert!(texts.iter().all(|text| text.contains("agents at once")), "{texts:?}");
    assert_eq!(texts.len(), 3);
    // Told again only as it doubles.
    assert_eq!(hook.texts().len(), 2);
    outbox.put(&message(3, Stage::Holds, "")).await.unwrap();
    outbox.drain().await.unwrap();
    assert_eq!((bot.texts().len(), hook.texts().len()), (4, 2));
}

#[tokio::test]
async fn a_channel_is_told_from_its_own_verdict_on() {
    let ((_directory, state), clock) = (state(), Hand::new());
    let (bot, hook, mut channels) = walls();
    let pager = LeastTold { least: Verdict::Kill, channel: channels.pop().unwrap() };
    channels.push(Box::new(pager));
    let outbox = Outbox::new(&state, &channels, &clock);
    let said = |verdict, stage| Message { verdict, ..message(1, stage, "") };
    let steps = [
        (said(Some(Verdict::Alert), Stage::Alert), (1, 0)),
        (said(Some(Verdict::Fence), Stage::Fenced), (2, 0)),
        (said(Some(Verdict::Kill), Stage::Killed), (3, 1)),
        // What Tripline says of itself goes everywhere.
        (Message { incident: IncidentId::new(2), ..said(None, Stage::Blind) }, (4, 2)),
    ];
    for (message, posted) in steps {
        clock.minutes(1);
        outbox.put(&message).await.unwrap();
        outbox.drain().await.unwrap();
        assert_eq!((bot.texts().len(), hook.texts().len()), posted, "{message:?}");
    }
}

#[tokio::test]
async fn a_kill_that_waits_is_told_while_there_is_a_fence_and_after_it() {
    let ((_directory, state), clock) = (state(), Hand::new());
    let (bot, _, channels) = walls();
    let outbox = Outbox::new(&state, &channels, &clock);
    outbox.put(&message(1, Stage::Waiting, "")).await.unwrap();
    let mut ledger = Ledger::default();
    let mut note = |event| {
        let (actor, incident) = (Untrusted::borrowed("test"), Some(IncidentId::new(1)));
        let time_unix_ms = clock.now_unix_ms();
        ledger.record(&Entry { time_unix_ms, actor, incident, event }).unwrap();
        ledger.clone()
    };
    let told = async |ledger: Ledger| {
        outbox.follow(&ledger).await.unwrap();
        outbox.drain().await.unwrap();
        let marks = outbox.marks(IncidentId::new(1)).await.unwrap();
        let card = card(&marks).unwrap().1.clone();
        (card.stage, card.answers.presses.clone(), card.done_text())
    };
    let plan = |response| {
        let incident = IncidentId::new(1);
        let (agent, steps, sessions) = (None, Vec::new(), Vec::new());
        let (refused, survives, offered) = (Vec::new(), Vec::new(), Vec::new());
        let created = Vec::new();
        let plan = Plan {
            incident,
            response,
            agent,
            steps,
            sessions,
            refused,
            survives,
            offered,
            created,
        };
        Box::new(plan)
    };
    note(Event::Asked { plan: plan(Response::Kill) });
    let until_unix_secs = clock.now_unix_ms() / 1_000 + 1_800;
    let fenced = note(Event::Decided {
        plan: plan(Response::Fence { until_unix_secs }),
        reason: Untrusted::borrowed("nobody answered"),
        event_unix_ms: None,
        seen_unix_ms: None,
        is_automatic: true,
        class: None,
    });
    clock.minutes(1);
    for _ in 0..2 {
        let (stage, presses, done) = told(fenced.clone()).await;
        assert_eq!(stage, Stage::Waiting);
        assert_eq!(presses, [Press::Approve, Press::Reject, Press::Restore]);
        assert!(done.contains("held to its known work on its own"), "{done}");
        assert_eq!(done.matches("a person has to say yes to a kill besides").count(), 1, "{done}");
    }
    clock.minutes(30);
    let over =
        note(Event::Closed { reason: Untrusted::borrowed("its time is over"), has_expired: true });
    clock.minutes(1);
    for _ in 0..2 {
        let (stage, presses, done) = told(over.clone()).await;
        assert_eq!((stage, presses), (Stage::Waiting, vec![Press::Approve, Press::Reject]));
        assert!(done.starts_with("nothing yet: a person has to say yes"), "{done}");
    }
    assert_eq!(bot.texts().len(), 2);
}

/// One of many that wait for an answer.
fn waiting(nth: u64) -> Message {
    let answers = Answers {
        presses: vec![Press::Approve, Press::Reject],
        round: Round { era: 1, counted: 0 },
        ..Answers::default()
    };
    Message { answers, ..message(nth, Stage::Waiting, "") }
}

#[tokio::test]
async fn of_a_storm_each_incident_can_be_answered_and_who_is_answered_is_told_by_itself() {
    let ((_directory, state), clock) = (state(), Hand::new());
    let (bot, hook, channels) = walls();
    let outbox = Outbox::new(&state, &channels, &clock);
    for nth in 0..6 {
        outbox.put(&waiting(nth)).await.unwrap();
    }
    outbox.drain().await.unwrap();
    assert_eq!((bot.texts().len(), hook.texts().len()), (1, 1));
    // One more, which the message does not have: a channel that changes its message has it at once, the
    // other when some time has passed.
    clock.minutes(1);
    outbox.put(&waiting(6)).await.unwrap();
    let drained = outbox.drain().await.unwrap();
    assert_eq!((drained.posted, drained.due), (1, 0));
    assert_eq!((bot.texts().len(), hook.texts().len()), (2, 1));
    clock.minutes(10);
    outbox.drain().await.unwrap();
    outbox.drain().await.unwrap();
    assert_eq!((bot.texts().len(), hook.texts().len()), (2, 2));
    // Somebody pressed: the other person needs a message under which to press it, too.
    let mut answered = waiting(3);
    answered.answers.lines = vec![Line::ours("alice pressed approve: another person has to, too")];
    outbox.put(&answered).await.unwrap();
    outbox.drain().await.unwrap();
    for wall in [&bot, &hook] {
        assert!(wall.texts().contains(&"[WAITS FOR YOU] agent-3".to_owned()), "{:?}", wall.texts());
    }
    assert_eq!(hook.texts().len(), 3);
}
