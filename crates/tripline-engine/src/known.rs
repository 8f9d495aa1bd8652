//! The agents met so far, with what is asked about their calls again and again, answered once.

use ahash::RandomState;
use hashbrown::HashTable;
use smallvec::SmallVec;
use tripline_attribution::Agent;
use tripline_baseline::{
    Call, Draw, Family, Home, RateClass, RateWindow, Scope, Touched, Touching, bytes_out,
    each_passed_role, each_resource, touching,
};
use tripline_cloudtrail::Record;
use tripline_iam::AccountId;

use crate::deed::{PASS_ROLE, bucket_name};
use crate::habits::{Habits, Learned};
use crate::model::Model;
use crate::vocabulary::{UNKNOWN, Vocabulary, Word, action_of, region_of};

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
    /// The same of all that a call touches, by what its record says of it: half of all calls are told
    /// in the words of one before, and their resources need not even be put together.
    touched: Remembered,
    hasher: RandomState,
}

/// Things of which it is known that they are no news, by hashes under a secret key. Among a thousand
/// million calls, the chance that one is taken for another is one in two million.
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

/// How many networks, and user agents, are remembered of an agent.
const FAMILIAR_MAX: usize = 64;
/// How many resources are: 36 KB, all that a table of this size holds.
const REMEMBERED_MAX: usize = 3_584;

impl<'m> KnownAgent<'m> {
    fn new(model: &'m Model, agent: &Agent, hash_seed: u64) -> Self {
        Self {
            scope: model.scope_of(agent),
            habits: model.habits_of(agent),
            answers: Vec::new(),
            familiar: Vec::new(),
            networks: SmallVec::new(),
            user_agents: SmallVec::new(),
            resources: Remembered::default(),
            touched: Remembered::default(),
            hasher: RandomState::with_seeds(hash_seed, 51, 52, 53),
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

    /// Whether nothing in a call is news against the agent's habits. A call of which this is said
    /// shows no value that [`Habits::is_news`] would be said of. `told` is what [`Scratch::told`] says of
    /// it, where that was asked for already.
    pub(crate) fn is_familiar(
        &mut self,
        record: &Record<'_>,
        event: u32,
        told: Option<u64>,
        words: &mut Vocabulary,
        scratch: &mut Scratch,
    ) -> bool {
        let habits = self.habits;
        if !habits.is_known() {
            return true;
        }
        let (network, user_agent) = (words.network(record), words.user_agent(record));
        let words = &*words;
        let told = told.unwrap_or_else(|| scratch.told(record, event));
        let Scratch { text, account, found, .. } = scratch;
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
        if !remembered(&mut self.networks, &network, || {
            !is_new(Family::Network, None, words.network_text(&network))
        }) {
            return false;
        }
        if !remembered(&mut self.user_agents, &user_agent, || {
            !is_new(Family::UserAgent, None, words.user_agent_text(&user_agent))
        }) {
            return false;
        }
        if is_denied {
            return true;
        }
        if let Some(bytes) = bytes_out(record)
            && is_new(Family::Bytes, Some(action), bucket_name(bytes))
        {
            return false;
        }
        let Self { hasher, resources, touched, .. } = self;
        if event != UNKNOWN && touched.has(told) {
            return true;
        }
        found.look(record, event, told, text);
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
            each_passed_role(record, text, &mut |role| {
                usual = usual
                    && !is_new(Family::Action, None, PASS_ROLE)
                    && !is_new(Family::Resource, Some(PASS_ROLE), role);
            });
        }
        // Whoever touches what was never touched before may do so all the time.
        if usual && is_repeated && event != UNKNOWN {
            touched.note(told);
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

/// Room for texts that have to be put together, and what they came to the last time.
#[derive(Debug)]
pub(crate) struct Scratch {
    text: String,
    /// The account of the last call, and as text: most calls are of the same one as the call before.
    last: Option<AccountId>,
    account: String,
    hasher: RandomState,
    found: Found,
    /// What calls touched, each in the place that follows from what was told of it.
    touched: Vec<(u64, Touched)>,
}

/// The resources of one call.
#[derive(Debug, Default)]
struct Found {
    /// What was told of the call; none where another one may be told of in the same words.
    told: Option<u64>,
    texts: String,
    ends: Vec<usize>,
    touched: Touched,
}

/// How many calls are remembered of which it is known what they touched: 64 KiB.
const TOUCHED_MAX: usize = 4_096;

impl Found {
    /// Looks for the resources of a call, unless it was for them that one looked last.
    fn look(&mut self, record: &Record<'_>, event: u32, told: u64, text: &mut String) {
        if self.told == Some(told) {
            return;
        }
        let Self { texts, ends, .. } = self;
        texts.clear();
        ends.clear();
        let mut touching = Touching::default();
        each_resource(record, text, &mut |resource| {
            touching.add(resource);
            texts.push_str(resource);
            ends.push(texts.len());
        });
        self.touched = touching.finish();
        self.told = (event != UNKNOWN).then_some(told);
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
            hasher: RandomState::with_seeds(hash_seed, 51, 52, 54),
            found: Found::default(),
            touched: Vec::new(),
        }
    }

    /// All that a record says of what its call touches, as a number, once the event has one of its own.
    #[inline]
    pub(crate) fn told(&mut self, record: &Record<'_>, event: u32) -> u64 {
        self.note_home(record);
        self.hasher.hash_one((event, self.last, touching(record)))
    }

    /// What a call touched that is told of so. What was refused touched nothing.
    pub(crate) fn touched(&mut self, record: &Record<'_>, event: u32, told: u64) -> Touched {
        if record.is_denied() {
            return Touched::NOTHING;
        }
        if self.touched.is_empty() {
            self.touched.resize(TOUCHED_MAX, (0, Touched::NOTHING));
        }
        let Self { text, found, touched, .. } = self;
        let place = told as usize % TOUCHED_MAX;
        if event != UNKNOWN
            && let Some((_, known)) = touched.get(place).filter(|(known, _)| *known == told)
        {
            return *known;
        }
        found.look(record, event, told, text);
        if event != UNKNOWN
            && let Some(place) = touched.get_mut(place)
        {
            *place = (told, found.touched);
        }
        found.touched
    }

    fn note_home(&mut self, record: &Record<'_>) {
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
