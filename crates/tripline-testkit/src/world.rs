//! The made-up company: accounts, roles, agents, and when each agent works.

use crate::attack::Attack;
use crate::identity::Role;
use crate::json::unique_id;
use crate::rng::hash;
use crate::work::Class;

/// Regions in use; the first is where global services and the global STS endpoint log.
pub const REGIONS: [&str; 4] = ["us-east-1", "eu-central-1", "us-west-2", "ap-southeast-2"];

/// How the credentials of an agent's sessions come to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MintShape {
    /// The runner's role session calls `AssumeRole` with a `tags` array.
    AssumeRole,
    /// An IAM user with a long-term key calls `AssumeRole` with a `tags` array.
    UserAssumeRole,
    /// `AssumeRoleWithWebIdentity` with a `principalTags` map and no key of the caller.
    WebIdentity,
    /// `AssumeRoleWithSAML` with a `principalTags` map and no key of the caller.
    Saml,
    /// `GetFederationToken` with tags.
    Federation,
    /// EKS Pod Identity: the Kubernetes tags only.
    PodIdentity,
    /// IAM Roles Anywhere: certificate tags, source identity `CN=...`.
    RolesAnywhere,
    /// `AssumeRole` with a source identity and without tags.
    SourceIdentity,
    /// `AssumeRole` with neither: only the session name says who it is.
    SessionName,
}

impl MintShape {
    const TAGGED: [Self; 10] = [
        Self::AssumeRole,
        Self::AssumeRole,
        Self::WebIdentity,
        Self::UserAssumeRole,
        Self::Saml,
        Self::AssumeRole,
        Self::Federation,
        Self::AssumeRole,
        Self::WebIdentity,
        Self::AssumeRole,
    ];
    const UNTAGGED: [Self; 4] =
        [Self::PodIdentity, Self::RolesAnywhere, Self::SourceIdentity, Self::SessionName];

    /// What an attribution of such a session can rest on.
    pub(crate) const fn basis(self) -> &'static str {
        match self {
            Self::AssumeRole
            | Self::UserAssumeRole
            | Self::WebIdentity
            | Self::Saml
            | Self::Federation => "session-tag",
            Self::PodIdentity => "pod-tag",
            Self::RolesAnywhere | Self::SourceIdentity => "source-identity",
            Self::SessionName => "session-name",
        }
    }
}

/// Which sessions are attacked.
#[derive(Clone, Debug)]
pub enum AttackPlan {
    /// None.
    None,
    /// These: agent, session (counted from 0), attack.
    Listed(Vec<(u32, u32, Attack)>),
    /// One session in so many, chosen by the seed.
    OneIn(u64),
}

/// An agent asked for by name.
#[derive(Clone, Debug)]
pub struct NamedAgent {
    /// The agent's id.
    pub id: String,
    /// Its job.
    pub class: Class,
    /// How its credentials come to be.
    pub mint: MintShape,
    /// Which of the accounts.
    pub account: u16,
}

/// What fleet to make. The same spec gives the same bytes.
#[derive(Clone, Debug)]
pub struct FleetSpec {
    /// Where all chance comes from.
    pub seed: u64,
    /// Agents, named ones included.
    pub agents: u32,
    /// Agents with a name and job of their own, before the others.
    pub named: Vec<NamedAgent>,
    /// The first moment, seconds since 1970.
    pub start: i64,
    /// How long sessions begin, in seconds.
    pub span_secs: u32,
    /// Accounts, at least 1.
    pub accounts: u16,
    /// How many of [`REGIONS`] are in use, at least 1.
    pub regions: u8,
    /// Sessions an agent opens a day.
    pub sessions_per_day: u32,
    /// Agents whose mint carries an agent tag, in 1,000.
    pub tagged_permille: u32,
    /// Who is attacked.
    pub attacks: AttackPlan,
    /// Records that a second trail delivers too, in 1,000.
    pub duplicate_permille: u32,
    /// Every so many seconds each account shows everything that is not an agent at work; 0 is never.
    pub background_secs: u32,
    /// An organization trail has this id in its keys.
    pub organization: Option<String>,
    /// From when on the newer version of the agents does more, as seconds from the start.
    pub deployed_after_secs: u32,
}

impl FleetSpec {
    /// A fleet with usual settings: 2 accounts, 3 regions, 14 sessions a day, 90 % tagged, no attack.
    #[must_use]
    pub fn new(seed: u64, agents: u32, days: u32) -> Self {
        let span_secs = days.saturating_mul(86_400);
        Self {
            seed,
            agents,
            named: Vec::new(),
            start: 1_794_787_200, // 2026-11-16T00:00:00Z, a Monday
            span_secs,
            accounts: 2,
            regions: 3,
            sessions_per_day: 14,
            tagged_permille: 900,
            attacks: AttackPlan::None,
            duplicate_permille: 10,
            background_secs: 21_600,
            organization: None,
            deployed_after_secs: span_secs / 10 * 6,
        }
    }
}

/// An agent of the fleet.
#[derive(Clone, Debug)]
pub struct Agent {
    /// Its number.
    pub index: u32,
    /// Its id, which is the value of its tag.
    pub id: String,
    /// Its job.
    pub class: Class,
    /// How its credentials come to be.
    pub mint: MintShape,
    pub(crate) account: u16,
    pub(crate) region: u8,
    pub(crate) other_region: u8,
    pub(crate) role: Role,
    pub(crate) taste: u64,
}

impl Agent {
    /// One in `n` agents has this habit; habits are independent of each other.
    pub(crate) fn has_habit(&self, habit: u64, n: u64) -> bool {
        hash(self.taste, &[habit]).is_multiple_of(n)
    }

    /// `AgentID`, or the same key in another case: IAM compares keys without case.
    pub(crate) fn tag_key(&self) -> &'static str {
        if self.has_habit(1, 9) { "agentid" } else { "AgentID" }
    }

    /// Whether the agent's sessions carry a source identity.
    pub(crate) fn sets_source_identity(&self) -> bool {
        match self.mint {
            MintShape::RolesAnywhere | MintShape::SourceIdentity => true,
            MintShape::AssumeRole | MintShape::WebIdentity | MintShape::Saml => {
                self.has_habit(2, 3)
            }
            _ => false,
        }
    }

    /// Whether its tag goes on to the sessions it opens itself.
    pub(crate) fn tag_is_transitive(&self) -> bool {
        self.has_habit(3, 2)
    }

    /// Calls the global STS endpoint, so that its mint is logged in us-east-1.
    pub(crate) fn mints_globally(&self) -> bool {
        self.has_habit(4, 3)
    }

    /// Regions its calls are logged in.
    #[must_use]
    pub fn regions(&self) -> Vec<&'static str> {
        let mut regions =
            vec![REGIONS[0], REGIONS[self.region as usize], REGIONS[self.other_region as usize]];
        regions.sort_unstable();
        regions.dedup();
        regions
    }
}

/// The spec, worked out.
#[derive(Clone, Debug)]
pub struct World {
    pub(crate) spec: FleetSpec,
    pub(crate) accounts: Vec<String>,
    pub(crate) agents: Vec<Agent>,
}

impl World {
    /// Works a spec out.
    #[must_use]
    pub fn new(spec: FleetSpec) -> Self {
        let accounts = (0..spec.accounts.max(1)).map(account_id).collect::<Vec<_>>();
        let mut world = Self { spec, accounts, agents: Vec::new() };
        world.agents = (0..world.spec.agents).map(|index| world.agent(index)).collect();
        world
    }

    fn agent(&self, index: u32) -> Agent {
        let seed = self.spec.seed;
        let draw = |what: u64| hash(seed, &[2, u64::from(index), what]);
        let named = self.spec.named.get(index as usize);
        let class = named
            .map_or_else(|| Class::ALL[index as usize % Class::ALL.len()], |agent| agent.class);
        let round = index as usize / Class::ALL.len() + index as usize;
        let tagged = draw(0) % 1000 < u64::from(self.spec.tagged_permille);
        let mint = named.map_or_else(
            || {
                if tagged {
                    MintShape::TAGGED[round % MintShape::TAGGED.len()]
                } else {
                    MintShape::UNTAGGED[round % MintShape::UNTAGGED.len()]
                }
            },
            |agent| agent.mint,
        );
        let account = named.map_or_else(
            || (draw(1) % self.accounts.len() as u64) as u16,
            |agent| agent.account % self.accounts.len() as u16,
        );
        let regions = u64::from(self.spec.regions.clamp(1, REGIONS.len() as u8));
        let region = if named.is_some() { 0 } else { (draw(2) % regions) as u8 };
        let id =
            named.map_or_else(|| format!("{}-{index}", class.name()), |agent| agent.id.clone());
        Agent {
            index,
            id,
            class,
            mint,
            account,
            region,
            other_region: if draw(3).is_multiple_of(3) && named.is_none() {
                (draw(4) % regions) as u8
            } else {
                region
            },
            role: self.role(account, class.role_name()),
            taste: draw(5),
        }
    }

    /// A role of an account, the same each time.
    pub(crate) fn role(&self, account: u16, name: &str) -> Role {
        let number =
            name.bytes().fold(hash(self.spec.seed, &[3, u64::from(account)]), |acc, byte| {
                hash(acc, &[u64::from(byte)])
            });
        Role {
            account: self.account(account).to_owned(),
            name: name.to_owned(),
            id: unique_id("AROA", 17, number),
        }
    }

    pub(crate) fn account(&self, account: u16) -> &str {
        &self.accounts[account as usize % self.accounts.len()]
    }

    /// The agents.
    #[must_use]
    pub fn agents(&self) -> &[Agent] {
        &self.agents
    }

    /// When the fleet starts.
    pub(crate) fn deployed(&self, at: i64) -> bool {
        at >= self.spec.start + i64::from(self.spec.deployed_after_secs)
    }

    /// The agent's sessions that begin in a window of seconds from the start, with their beginnings.
    pub(crate) fn sessions(&self, agent: &Agent, from: u64, to: u64) -> Vec<(u32, i64)> {
        let period = (86_400 / u64::from(self.spec.sessions_per_day.max(1))).max(1);
        let (first, last) = (from / period, to / period);
        (first..=last)
            .map(|ordinal| {
                let spread = hash(self.spec.seed, &[4, u64::from(agent.index), ordinal]);
                (ordinal, ordinal * period + spread % period)
            })
            .filter(|(_, begin)| (from..to).contains(begin))
            .map(|(ordinal, begin)| (ordinal as u32, self.spec.start + begin as i64))
            .collect()
    }

    /// The attack on a session, if there is one.
    pub(crate) fn attack(&self, agent: &Agent, ordinal: u32) -> Option<Attack> {
        match &self.spec.attacks {
            AttackPlan::None => None,
            AttackPlan::Listed(list) => list
                .iter()
                .find(|(who, when, _)| *who == agent.index && *when == ordinal)
                .map(|(_, _, attack)| *attack),
            AttackPlan::OneIn(n) => {
                let draw = hash(self.spec.seed, &[5, u64::from(agent.index), u64::from(ordinal)]);
                draw.is_multiple_of((*n).max(1))
                    .then(|| Attack::ALL[(draw >> 40) as usize % Attack::ALL.len()])
            }
        }
    }
}

/// Documentation's account numbers first, then made-up ones.
fn account_id(index: u16) -> String {
    match index {
        0 => "111122223333".to_owned(),
        1 => "444455556666".to_owned(),
        2 => "777788889999".to_owned(),
        _ => format!("{:012}", 200_000_000_000_u64 + 1_000_003 * u64::from(index)),
    }
}
