//! The agents met so far, with what is asked about their calls again and again, answered once.

use ahash::RandomState;
use hashbrown::HashTable;
use smallvec::SmallVec;
use tripline_attribution::Agent;
use tripline_baseline::{
    Call, Draw, Family, Home, RateClass, RateWindow, Scope, bytes_out, each_passed_role,
    each_passed_role_by,
};
use tripline_cloudtrail::{Record, keyed};

use crate::deed::{PASS_ROLE, bucket_name};
use crate::habits::{Habits, Learned};
use crate::model::Model;
use crate::told::{Scratch, Told};
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
