//! The agents met so far, with what is asked about their calls again and again, answered once.

use ahash::RandomState;
use hashbrown::HashTable;
use smallvec::SmallVec;
use tripline_attribution::Agent;
use tripline_baseline::{
    Call, Draw, Family, Home, RateClass, RateWindow, Scope, Touched, Touching, bytes_out,
    each_passed_role, each_passed_role_by, each_resource, each_resource_by, touching,
};
use tripline_cloudtrail::{JsonText, Record, keyed};
use tripline_iam::AccountId;

use crate::deed::{PASS_ROLE, bucket_name};
use crate::habits::{Habits, Learned};
use crate::model::Model;
use crate::vocabulary::{KnownEvent, UNKNOWN, Vocabulary, Word, action_of, region_of};

/// Agents by the attributor's numbers for them.
#[derive(Debug)]
pub(crate) struct KnownAgents<'m> {
    agents: Vec<Option<Box<KnownAgent<'m>>>>,
    hash_seed: u64,
}

impl<'m> KnownAgents<'m> {
    /// None so far. `hash_seed` keys the tables; no result depends on it.
    pub(crate) fn new(hash_seed: u64) -> Self {
        Self { agents: Vec::new(), hash_seed }
    }

    /// The agent with this number.
    #[inline]
    pub(crate) fn get(
        &mut self,
        model: &'m Model,
        number: u32,
        agent: &Agent,
    ) -> Option<&mut KnownAgent<'m>> {
        let number = number as usize;
        if number >= self.agents.len() {
            self.agents.resize_with(number + 1, || None);
        }
        let hash_seed = self.hash_seed;
        let known = self.agents.get_mut(number)?;
        Some(known.get_or_insert_with(|| Box::new(KnownAgent::new(model, agent, hash_seed))))
    }

    /// What is remembered of their calls, as far as there is room for it.
    pub(crate) fn into_normal(self) -> Normal {
        let mut room = NORMAL_MAX;
        let calls = self.agents.into_iter().map(|agent| {
            let calls = agent.map(|it| it.normal).unwrap_or_default();
            let rest = room.checked_sub(calls.hashes.capacity());
            room = rest.unwrap_or(room);
            rest.map(|_| calls).unwrap_or_default()
        });
        Normal { calls: calls.collect() }
    }

    /// The agent with this number, if it was met before.
    #[inline]
    pub(crate) fn met(&self, number: u32) -> Option<&KnownAgent<'m>> {
        self.agents.get(number as usize)?.as_deref()
    }

    /// The same, to ask it something new.
    #[inline]
    pub(crate) fn met_mut(&mut self, number: u32) -> Option<&mut KnownAgent<'m>> {
        self.agents.get_mut(number as usize)?.as_deref_mut()
    }
}

/// What was found to be normal of each agent while its calls came in: of those that were set aside before that
/// was known, as many need no second look.
#[derive(Debug, Default)]
pub struct Normal {
    /// By the agents' numbers.
    calls: Vec<Remembered>,
}

impl Normal {
    /// Whether a call of an agent was normal that [meant](Told::meant) the same.
    pub(crate) fn has(&self, number: u32, meant: u64) -> bool {
        self.calls.get(number as usize).is_some_and(|calls| calls.has(meant))
    }
}

/// What an agent is for and used to do, and answers given before.
#[derive(Debug)]
pub(crate) struct KnownAgent<'m> {
    pub(crate) scope: Option<&'m Scope>,
    pub(crate) habits: Habits<'m>,
    /// Whether the scope is content, by the event's number.
    answers: Vec<Answer>,
    /// Whether the event is no news by its action and Region, by its number.
    familiar: Vec<Answer>,
    /// Networks and user agent families that are no news.
    networks: SmallVec<[u32; 4]>,
    user_agents: SmallVec<[u32; 4]>,
    /// Resources that are no news, each with its event and the caller's account. A resource costs a walk
    /// through a trie to ask about, and most are used again and again.
    resources: Remembered,
    /// Calls that scope and habits are content with, by what is [meant](Told::meant): most calls mean the same
    /// as one before.
    normal: Remembered,
    /// Not where the scope asks for an address, since what is told names its network; nor for what is the
    /// session's, or for how many calls there are.
    remembers_calls: bool,
    hasher: RandomState,
}

/// Things of which it is known that they are no news, by hashes under a secret key. Among a thousand
/// million calls, the chance that one is taken for another is one in a million, about.
#[derive(Debug, Default)]
struct Remembered {
    hashes: HashTable<u64>,
}

impl Remembered {
    #[inline]
    fn has(&self, hash: u64) -> bool {
        self.hashes.find(hash, |it| *it == hash).is_some()
    }

    fn note(&mut self, hash: u64) {
        // What is still used is asked about once more; what is not makes room.
        if self.hashes.len() >= REMEMBERED_MAX {
            self.hashes.clear();
        }
        self.hashes.insert_unique(hash, hash, |it| *it);
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Answer {
    #[default]
    NotAsked,
    /// Whatever it is done to, and from wherever.
    Yes,
    /// It depends, or no.
    LookCloser,
}

/// How many calls of all agents together are, when the calls are in: 18 MB of them.
const NORMAL_MAX: usize = 2_000_000;
/// How many networks, and user agents, are remembered of an agent.
const FAMILIAR_MAX: usize = 64;
/// How many resources are, and how many calls: 36 KB each, all that a table of this size holds.
const REMEMBERED_MAX: usize = 3_584;

impl<'m> KnownAgent<'m> {
    fn new(model: &'m Model, agent: &Agent, hash_seed: u64) -> Self {
        let scope = model.scope_of(agent);
        Self {
            remembers_calls: scope.is_none_or(|scope| {
                let needs = scope.needs();
                !(needs.network || needs.tenant || needs.limits)
            }),
            scope,
            habits: model.habits_of(agent),
            answers: Vec::new(),
            familiar: Vec::new(),
            networks: SmallVec::new(),
            user_agents: SmallVec::new(),
            resources: Remembered::default(),
            normal: Remembered::default(),
            hasher: keyed(hash_seed, 53),
        }
    }

    /// Whether it is known how much it touches.
    #[inline]
    pub(crate) fn counts_touched(&self) -> bool {
        let most = |own: &Learned| own.known.limit(RateWindow::Episode, RateClass::Resources);
        self.habits.own.and_then(most).is_some()
    }

    /// Whether there is anything that its calls are held against.
    #[inline]
    pub(crate) fn is_judged(&self) -> bool {
        self.scope.is_some() || self.habits.is_known()
    }

    /// Whether the scope, if there is one, is content with an event whatever else there is to the
    /// call. `call` is asked for one of these when the answer is not known yet.
    #[inline]
    pub(crate) fn is_content(&mut self, event: u32, call: impl FnOnce() -> Option<Call>) -> bool {
        let Some(scope) = self.scope else { return true };
        let needs = scope.needs();
        if needs.resources || needs.network || needs.tenant || needs.limits {
            return false;
        }
        let Some(answer) = answer_to(&mut self.answers, event) else { return false };
        if *answer == Answer::NotAsked
            && let Some(call) = call()
        {
            let content = scope.check(&call, None).is_empty()
                && (scope.allows_passing_roles() || !Scope::may_pass_role(&call));
            *answer = if content { Answer::Yes } else { Answer::LookCloser };
        }
        *answer == Answer::Yes
    }

    /// Whether a call that meant the same was normal: then this one is. `meant` is [`Told::meant`].
    #[inline]
    pub(crate) fn remembers(&self, meant: u64) -> bool {
        self.normal.has(meant)
    }

    /// Whether nothing in a call is news against the agent's habits. A call of which this is said
    /// shows no value that [`Habits::is_news`] would be said of.
    ///
    /// Asked only of what the scope is content with: what is remembered of it holds for both. `told` is
    /// what [`Scratch::told`] just said of the call.
    pub(crate) fn is_familiar(
        &mut self,
        record: &Record<'_>,
        event: u32,
        told: Option<&Told>,
        words: &mut Vocabulary,
        scratch: &mut Scratch,
    ) -> bool {
        let habits = self.habits;
        if !habits.is_known() {
            return true;
        }
        let newly_named;
        let (network, user_agent) = match told {
            Some(told) => (&told.network, &told.user_agent),
            None => {
                newly_named = words.around(record);
                (&newly_named.0, &newly_named.1)
            }
        };
        let words = &*words;
        let Scratch { text, account, found, hasher: told_by, .. } = scratch;
        let (action, region);
        let (action, region) = match words.known_event(event) {
            Some(event) => (event.action.as_str(), &*event.region),
            None => {
                (action, region) = (action_of(record), region_of(record));
                (action.as_str(), &*region)
            }
        };
        let account = (!account.is_empty()).then_some(account.as_str());
        let home = Home { account, region: Some(region) };
        let is_new = |family, action, value: &str| {
            !value.is_empty() && habits.is_news(&Draw { family, action, value }, &home)
        };
        if let Some(code) = record.error_code()
            && is_new(Family::Error, Some(action), &code.decode())
        {
            return false;
        }
        let is_denied = record.is_denied();
        let in_region = || !is_new(Family::Region, None, region);
        let is_usual = match answer_to(&mut self.familiar, event) {
            _ if is_denied => in_region(),
            None => in_region() && !is_new(Family::Action, None, action),
            Some(answer) => {
                if *answer == Answer::NotAsked {
                    let usual = in_region() && !is_new(Family::Action, None, action);
                    *answer = if usual { Answer::Yes } else { Answer::LookCloser };
                }
                *answer == Answer::Yes
            }
        };
        if !is_usual {
            return false;
        }
        if !remembered(&mut self.networks, network, || {
            !is_new(Family::Network, None, words.network_text(network))
        }) {
            return false;
        }
        if !remembered(&mut self.user_agents, user_agent, || {
            !is_new(Family::UserAgent, None, words.user_agent_text(user_agent))
        }) {
            return false;
        }
        if is_denied {
            return true;
        }
        let bytes_out = told.map_or_else(|| bytes_out(record), |told| told.bytes_out);
        if let Some(bytes) = bytes_out
            && is_new(Family::Bytes, Some(action), bucket_name(bytes))
        {
            return false;
        }
        let Self { hasher, resources, normal, .. } = self;
        found.look(record, words.known_event(event), told, text, told_by);
        let (mut usual, mut is_repeated) = (true, true);
        for resource in found.resources() {
            let hash = hasher.hash_one((event, account, resource));
            if resources.has(hash) {
                continue;
            }
            (usual, is_repeated) = (!is_new(Family::Resource, Some(action), resource), false);
            if !usual {
                break;
            }
            if event != UNKNOWN {
                resources.note(hash);
            }
        }
        if usual {
            let mut look = |role: &str| {
                usual = usual
                    && !is_new(Family::Action, None, PASS_ROLE)
                    && !is_new(Family::Resource, Some(PASS_ROLE), role);
            };
            match words.known_event(event) {
                Some(event) => each_passed_role_by(&event.naming, record, text, &mut look),
                None => each_passed_role(record, text, &mut look),
            }
        }
        // Whoever touches what was never touched before may do so all the time.
        if usual
            && is_repeated
            && self.remembers_calls
            && let Some(told) = told
        {
            normal.note(told.meant);
        }
        usual
    }
}

#[inline]
fn answer_to(answers: &mut Vec<Answer>, event: u32) -> Option<&mut Answer> {
    if event == UNKNOWN {
        return None;
    }
    let event = event as usize;
    if event >= answers.len() {
        answers.resize(event + 1, Answer::NotAsked);
    }
    answers.get_mut(event)
}

/// Whether a word is among those that are no news; if it is not, `ask`.
#[inline]
fn remembered(
    familiar: &mut SmallVec<[u32; 4]>,
    word: &Word<'_>,
    ask: impl FnOnce() -> bool,
) -> bool {
    let Word::Known(number) = word else { return ask() };
    if familiar.contains(number) {
        return true;
    }
    let is_familiar = ask();
    if is_familiar && familiar.len() < FAMILIAR_MAX {
        familiar.push(*number);
    }
    is_familiar
}

/// What a record says of its call, but for when and in which session it was: calls of which the same is
/// told are the same to scope and habits. Numbers under a secret key, as in [`Remembered`].
#[derive(Debug)]
pub(crate) struct Told {
    /// What tells which resources it touches.
    touching: u64,
    /// All the rest.
    beside: u64,
    /// What it all means. At first that is every word; once it is known what the call touches
    /// ([`Scratch::touched`]), the resources themselves stand in place of what tells which they are: the same is
    /// told of one resource in many words, and scope and habits ask for the resource alone. Of a call that was
    /// refused, or that may hand a role over, it stays every word.
    ///
    /// One call may be known in either form: that costs a second look, and nothing else.
    pub(crate) meant: u64,
    pub(crate) bytes_out: Option<u64>,
    network: Word<'static>,
    user_agent: Word<'static>,
}

/// Room for texts that have to be put together, and what they came to the last time.
#[derive(Debug)]
pub(crate) struct Scratch {
    text: String,
    /// The account of the last call, and as text: most calls are of the same one as the call before.
    last: Option<AccountId>,
    account: String,
    hasher: RandomState,
    found: Found,
    touched: TouchedBy,
}

/// The resources of one call.
#[derive(Debug, Default)]
struct Found {
    /// What was told of the call; none where another one may be told of in the same words.
    told: Option<u64>,
    texts: String,
    ends: Vec<usize>,
    touched: Touched,
    /// A hash of them, under a secret key.
    hash: u64,
}

/// What calls touched, each in the place that follows from what was told of it: in the lower 16 bits, below
/// the upper 48 of what was told; and a hash of the resources.
#[derive(Debug, Default)]
struct TouchedBy {
    places: Vec<(u64, u64)>,
}

/// How many calls are remembered of which it is known what they touched: 512 KiB.
const TOUCHED_MAX: usize = 32_768;

impl TouchedBy {
    #[inline]
    fn of(&self, told: u64) -> Option<(Touched, u64)> {
        let (place, hash) = self.places.get(told as usize % TOUCHED_MAX)?;
        ((place ^ told) >> 16 == 0).then_some((Touched::from_bits(*place as u16), *hash))
    }

    fn note(&mut self, told: u64, touched: Touched, hash: u64) {
        if self.places.is_empty() {
            self.places.resize(TOUCHED_MAX, (0, 0));
        }
        if let Some(place) = self.places.get_mut(told as usize % TOUCHED_MAX) {
            *place = (told >> 16 << 16 | u64::from(touched.bits()), hash);
        }
    }
}

impl Found {
    /// Looks for the resources of a call, unless it was for them that one looked last.
    fn look(
        &mut self,
        record: &Record<'_>,
        event: Option<&KnownEvent>,
        told: Option<&Told>,
        text: &mut String,
        hasher: &RandomState,
    ) {
        let told = told.map(|told| told.touching);
        if told.is_some() && self.told == told {
            return;
        }
        let Self { texts, ends, .. } = self;
        texts.clear();
        ends.clear();
        let mut touching = Touching::default();
        let mut note = |resource: &str| {
            touching.add(resource);
            texts.push_str(resource);
            ends.push(texts.len());
        };
        match event {
            Some(event) => each_resource_by(&event.naming, record, text, &mut note),
            None => each_resource(record, text, &mut note),
        }
        self.hash = hasher.hash_one((texts.as_str(), ends.as_slice()));
        self.touched = touching.finish();
        self.told = told;
    }

    fn resources(&self) -> impl Iterator<Item = &str> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(from, to)| self.texts.get(from..*to).unwrap_or_default())
    }
}

impl Scratch {
    /// Remembers nothing. `hash_seed` keys the tables; no result depends on it.
    pub(crate) fn new(hash_seed: u64) -> Self {
        Self {
            text: String::new(),
            last: None,
            account: String::new(),
            hasher: keyed(hash_seed, 54),
            found: Found::default(),
            touched: TouchedBy::default(),
        }
    }

    /// What a record says of its call; nothing where the event is not one of those that are known.
    #[inline]
    pub(crate) fn told(
        &mut self,
        record: &Record<'_>,
        event: u32,
        words: &mut Vocabulary,
    ) -> Option<Told> {
        self.note_home(record);
        let (network, user_agent) = words.around(record);
        let around = (words.network_hash(&network), words.user_agent_hash(&user_agent));
        let event = words.known_event(event)?.hash;
        let touching = self.hasher.hash_one((event, self.last, touching(record)));
        let bytes_out = bytes_out(record);
        // Of the bytes the magnitude is asked about.
        let magnitude = bytes_out.map(|bytes| bytes.leading_zeros());
        let error = record.error_code().map(JsonText::as_written);
        let account = record.recipient_account_text().map(JsonText::as_written);
        let beside = (event, self.last, account, magnitude, around, error);
        let beside = self.hasher.hash_one(beside);
        let meant = self.hasher.hash_one((touching, beside));
        Some(Told { touching, beside, meant, bytes_out, network, user_agent })
    }

    /// The same of a call that was set aside, with what it [meant](Told::meant), where that is known.
    pub(crate) fn told_again(
        &mut self,
        record: &Record<'_>,
        event: u32,
        words: &mut Vocabulary,
        meant: Option<u64>,
    ) -> Option<Told> {
        let told = self.told(record, event, words)?;
        Some(Told { meant: meant.unwrap_or(told.meant), ..told })
    }

    /// What a call touched; what it [means](Told::meant) follows from that. What was refused touched nothing.
    pub(crate) fn touched(
        &mut self,
        record: &Record<'_>,
        event: Option<&KnownEvent>,
        mut told: Option<&mut Told>,
    ) -> Touched {
        if record.is_denied() {
            return Touched::NOTHING;
        }
        let Self { text, found, touched, hasher, .. } = self;
        let known = told.as_ref().and_then(|told| touched.of(told.touching));
        let (what, hash) = known.unwrap_or_else(|| {
            found.look(record, event, told.as_deref(), text, hasher);
            if let Some(told) = &told {
                touched.note(told.touching, found.touched, found.hash);
            }
            (found.touched, found.hash)
        });
        // Which roles a call hands over is told in many places: then every word counts.
        if let Some(told) = &mut told
            && event.is_some_and(|event| !event.naming.may_pass_role())
        {
            told.meant = hasher.hash_one((told.beside, hash));
        }
        what
    }

    fn note_home(&mut self, record: &Record<'_>) {
        if record.identity().account_text().is_some_and(|it| it.as_written() == self.account) {
            return;
        }
        let account = record.identity().account();
        if account == self.last {
            return;
        }
        self.last = account;
        self.account.clear();
        if let Some(account) = account {
            // INVARIANT: writing to a string does not fail.
            let _ = std::fmt::Write::write_fmt(&mut self.account, format_args!("{account}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tripline_baseline::Network;

    use super::*;

    /// What is told of a record with these changes.
    fn told(words: &mut Vocabulary, changes: &[(&str, &str)]) -> (u64, u64) {
        let mut text = r#"{"eventTime":"2026-11-20T10:00:00Z","eventID":"a",
            "eventSource":"s3.amazonaws.com","eventName":"GetObject","awsRegion":"eu-west-1",
            "sourceIPAddress":"192.0.2.1","userAgent":"Boto3/1","errorCode":"NoSuchKey",
            "recipientAccountId":"210987654321",
            "userIdentity":{"type":"AssumedRole","arn":"arn:aws:x","accountId":"123456789012"},
            "requestParameters":{"bucketName":"b","key":"k"},
            "additionalEventData":{"bytesTransferredOut":100.0,"x":1}}"#
            .to_owned();
        for (from, to) in changes {
            assert!(text.contains(from), "{from}");
            text = text.replace(from, to);
        }
        let record = Record::parse(&text).unwrap();
        let event = words.event(&record);
        let told = Scratch::new(1).told(&record, event, words).unwrap();
        (told.meant, told.touching)
    }

    #[test]
    fn the_same_is_told_of_calls_that_habits_cannot_tell_apart() {
        let told = |changes: &[_]| told(&mut Vocabulary::new(1), changes);
        let (all, touching) = told(&[]);
        let when = [("10:00:00", "11:00:00"), (r#""a""#, r#""b""#)];
        let alike = [
            when[0],
            when[1],
            ("192.0.2.1", "192.0.2.77"),
            ("100.0", "127"),
            (":1}", ":2}"),
            ("Boto3/1", "Boto3/1 m/n"),
        ];
        assert_eq!(told(&alike), (all, touching));
        // Of an endpoint, whose it is if it is somebody else's.
        let through = |owner: &str| {
            let endpoint = format!(r#""vpcEndpointId":"vpce-1"{owner},"errorCode""#);
            super::tests::told(&mut Vocabulary::new(1), &[(r#""errorCode""#, &endpoint)])
        };
        let owned = |account: &str| through(&format!(r#","vpcEndpointAccountId":"{account}""#));
        let own = through("");
        assert!(own.0 != all && own.1 == touching);
        for account in ["123456789012", "210987654321", "AWS Internal", "", "33333333333"] {
            assert_eq!(owned(account), own, "{account}");
        }
        let foreign = owned("333333333333");
        assert!(foreign.0 != own.0 && foreign.1 == touching);
        assert!(owned("444444444444").0 != foreign.0);
        for change in [
            ("192.0.2.1", "192.0.3.1"),
            ("Boto3/1", "curl/1"),
            ("NoSuchKey", "AccessDenied"),
            (r#","errorCode":"NoSuchKey""#, ""),
            ("100.0", "128"),
            (r#""bytesTransferredOut":100.0,"#, ""),
        ] {
            let (other, same) = told(&[change]);
            assert!(other != all && same == touching, "{change:?}");
        }
        for change in [
            ("s3.amazonaws", "x.amazonaws"),
            ("GetObject", "PutObject"),
            ("eu-west-1", "eu-west-2"),
            ("210987654321", "210987654322"),
            ("123456789012", "123456789013"),
            ("arn:aws:", "arn:aws-cn:"),
            (r#":"k""#, r#":"l""#),
            (r#""userIdentity""#, r#""resources":[{"ARN":"arn:y"}],"userIdentity""#),
        ] {
            let (other, touches_other) = told(&[change]);
            assert!(other != all && touches_other != touching, "{change:?}");
        }
    }

    /// What is meant by a record with these changes, once it is known what it touches.
    fn meant(scratch: &mut Scratch, changes: &[(&str, &str)]) -> u64 {
        let mut text = r#"{"eventTime":"2026-11-20T10:00:00Z","eventID":"a",
            "eventSource":"s3.amazonaws.com","eventName":"GetObject","awsRegion":"eu-west-1",
            "sourceIPAddress":"192.0.2.1","userAgent":"Boto3/1","errorCode":"NoSuchKey",
            "recipientAccountId":"210987654321",
            "userIdentity":{"type":"AssumedRole","arn":"arn:aws:x","accountId":"123456789012"},
            "requestParameters":{"bucketName":"b","key":"k"},
            "additionalEventData":{"bytesTransferredOut":100.0}}"#
            .to_owned();
        for (from, to) in changes {
            assert!(text.contains(from), "{from}");
            text = text.replace(from, to);
        }
        let record = Record::parse(&text).unwrap();
        let mut words = Vocabulary::new(1);
        let event = words.event(&record);
        let mut told = scratch.told(&record, event, &mut words);
        let touched = scratch.touched(&record, words.known_event(event), told.as_mut());
        assert_eq!(touched == Touched::NOTHING, record.is_denied());
        told.unwrap().meant
    }

    /// The same resource, in other words.
    const IN_OTHER_WORDS: (&str, &str) = (r#""key":"k""#, r#""key":"k","Host":"b.s3""#);

    #[test]
    fn the_same_is_meant_of_a_resource_in_whatever_words() {
        let scratch = &mut Scratch::new(1);
        let plain = meant(scratch, &[]);
        // Known the second time, without a look.
        assert_eq!(meant(scratch, &[]), plain);
        assert_eq!(meant(scratch, &[IN_OTHER_WORDS]), plain);
        assert_eq!(meant(&mut Scratch::new(1), &[IN_OTHER_WORDS]), plain);
        let mut all = vec![plain];
        for change in [
            ("GetObject", "HeadObject"),
            ("eu-west-1", "eu-west-2"),
            ("210987654321", "210987654322"),
            ("123456789012", "123456789013"),
            ("192.0.2.1", "192.0.3.1"),
            ("Boto3/1", "curl/1"),
            ("NoSuchKey", "NoSuchBucket"),
            (r#","errorCode":"NoSuchKey""#, ""),
            ("100.0", "128"),
            (r#"{"bytesTransferredOut":100.0}"#, "{}"),
            (r#":"k""#, r#":"l""#),
            (r#""bucketName":"b","key":"k""#, r#""bucketName":"b/k""#),
        ] {
            all.push(meant(scratch, &[change]));
        }
        let copied = (r#""key":"k""#, r#""key":"k","x-amz-copy-source":"c/d""#);
        all.push(meant(scratch, &[copied]));
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        // All but one of an object whose name is that of a bucket's object: habits and scope ask for the ARN.
        assert_eq!(all.len(), count - 1);
    }

    #[test]
    fn of_what_was_refused_or_may_hand_over_a_role_every_word_counts() {
        let refused = ("NoSuchKey", "AccessDenied");
        let hands_over = [("s3.", "lambda."), ("GetObject", "CreateFunction20150331")];
        let named = (r#""bucketName":"b","key":"k""#, r#""functionName":"f""#);
        let with_role = (
            r#""bucketName":"b","key":"k""#,
            r#""functionName":"f","role":"arn:aws:iam::1:role/r""#,
        );
        let scratch = &mut Scratch::new(1);
        assert_ne!(meant(scratch, &[refused]), meant(scratch, &[refused, IN_OTHER_WORDS]));
        let [source, name] = hands_over;
        assert_ne!(
            meant(scratch, &[source, name, named]),
            meant(scratch, &[source, name, with_role])
        );
    }

    /// Calls that differ in a few things, each in a few ways.
    fn any_call() -> impl Strategy<Value = String> {
        let of = |texts: &'static [&'static str]| prop::sample::select(texts);
        let request = of(&[
            r#"{"bucketName":"b","key":"k"}"#,
            r#"{"key":"k","bucketName":"b","Host":"x"}"#,
            r#"{"bucketName":"b","key":"k","x-amz-copy-source":"c/d"}"#,
            r#"{"bucketName":"b/k"}"#,
            r#"{"tableName":"t"}"#,
            r#"{"tableName":"t","limit":5}"#,
            r#"{"functionName":"f"}"#,
            r#"{"functionName":"f","role":"arn:aws:iam::1:role/r"}"#,
            "null",
        ]);
        let event = of(&[
            r#""s3.amazonaws.com","eventName":"GetObject""#,
            r#""s3.amazonaws.com","eventName":"CopyObject""#,
            r#""dynamodb.amazonaws.com","eventName":"Query""#,
            r#""lambda.amazonaws.com","eventName":"UpdateFunctionConfiguration20150331v2""#,
        ]);
        let error = of(&["", r#""errorCode":"NoSuchKey","#, r#""errorCode":"AccessDenied","#]);
        let around = of(&[
            r#""sourceIPAddress":"192.0.2.1","userAgent":"Boto3/1.2""#,
            r#""sourceIPAddress":"192.0.2.9","userAgent":"Boto3/1.3""#,
            r#""sourceIPAddress":"198.51.100.1","userAgent":"Boto3/1""#,
            r#""sourceIPAddress":"192.0.2.1","userAgent":"curl/8""#,
        ]);
        let accounts = of(&[
            r#""123456789012"},"recipientAccountId":"123456789012""#,
            r#""123456789012"},"recipientAccountId":"210987654321""#,
            r#""210987654321"},"recipientAccountId":"123456789012""#,
        ]);
        let bytes = of(&["100", "127.0", "128", "0"]);
        (request, event, error, around, accounts, bytes).prop_map(
            |(request, event, error, around, accounts, bytes)| {
                format!(
                    r#"{{"eventTime":"2026-11-20T10:00:00Z","eventID":"a","eventSource":{event},
                    "awsRegion":"eu-west-1",{error}{around},"requestParameters":{request},
                    "additionalEventData":{{"bytesTransferredOut":{bytes}}},
                    "userIdentity":{{"type":"AssumedRole","arn":"arn:aws:x","accountId":{accounts}}}"#
                )
            },
        )
    }

    proptest! {
        /// All that scope and habits ask a call for is the same of calls that mean the same; and the other way
        /// round, but where every word counts.
        #[test]
        fn calls_mean_the_same_that_are_the_same_to_scope_and_habits(
            calls in prop::collection::vec(any_call(), 2..12),
        ) {
            let (mut scratch, mut words) = (Scratch::new(1), Vocabulary::new(1));
            let mut known: Vec<(u64, String, bool)> = Vec::new();
            for text in &calls {
                let record = Record::parse(text).unwrap();
                let event = words.event(&record);
                let mut told = scratch.told(&record, event, &mut words);
                scratch.touched(&record, words.known_event(event), told.as_mut());
                let may_pass_role = words.known_event(event).unwrap().naming.may_pass_role();
                let mut call = Call::of(&record);
                call.bytes_out = call.bytes_out.map(|bytes| bytes.checked_ilog2().unwrap_or(64).into());
                let network = std::mem::replace(&mut call.network, Network::Unknown).key();
                let call = format!("{network:?} {call:?}");
                let by_words = record.is_denied() || may_pass_role;
                known.push((told.unwrap().meant, call, by_words));
            }
            for (meant, call, by_words) in &known {
                for (other, other_call, _) in &known {
                    if meant == other {
                        prop_assert_eq!(call, other_call);
                    } else if !by_words {
                        prop_assert_ne!(call, other_call);
                    }
                }
            }
        }
    }

    #[test]
    fn what_is_told_is_the_same_by_any_vocabulary() {
        let mut words = Vocabulary::new(1);
        let first = told(&mut words, &[]);
        let other = told(&mut words, &[("GetObject", "PutObject"), ("192.0.2.1", "192.0.3.1")]);
        let mut words = Vocabulary::new(1);
        assert_eq!(
            told(&mut words, &[("GetObject", "PutObject"), ("192.0.2.1", "192.0.3.1")]),
            other
        );
        assert_eq!(told(&mut words, &[]), first);
    }

    #[test]
    fn an_endpoint_is_its_callers_own_or_not_whichever_came_before() {
        let endpoint =
            r#""vpcEndpointId":"vpce-1","vpcEndpointAccountId":"333333333333","errorCode""#;
        let of = |words: &mut Vocabulary, account: &str| {
            told(words, &[(r#""errorCode""#, endpoint), ("123456789012", account)]).0
        };
        let accounts = ["333333333333", "555555555555"];
        let alone = accounts.map(|account| of(&mut Vocabulary::new(1), account));
        let mut words = Vocabulary::new(1);
        assert_eq!(accounts.map(|account| of(&mut words, account)), alone);
        let mut words = Vocabulary::new(1);
        let [own, foreign] = accounts;
        assert_eq!([of(&mut words, foreign), of(&mut words, own)], [alone[1], alone[0]]);
        let texts: Vec<_> = words.texts_of_networks().collect();
        assert_eq!(texts, ["vpce-1@333333333333", "vpce-1"]);
    }

    #[test]
    fn what_calls_touched_is_remembered_until_another_takes_its_place() {
        let mut touched = TouchedBy::default();
        let (one, alike) = (0xabcd_0000_0000_0003, 0xabcd_0000_0001_0003);
        let (much, nothing) = ((Touched::from_bits(0xffff), 7), (Touched::NOTHING, 8));
        assert_eq!(touched.of(one), None);
        touched.note(one, much.0, much.1);
        assert_eq!((touched.of(one), touched.of(alike)), (Some(much), None));
        touched.note(alike, nothing.0, nothing.1);
        assert_eq!((touched.of(one), touched.of(alike)), (None, Some(nothing)));
    }
}
