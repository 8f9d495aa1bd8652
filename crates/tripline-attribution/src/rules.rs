//! How agents are named: the `[agents]` part of `tripline.toml`.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, de};
use tripline_iam::{Arn, TagKey};
use tripline_text::{Untrusted, escape};

use crate::agent::{AgentId, Basis};
use crate::facts::SessionFacts;
use crate::known::KnownMint;
use crate::pattern::{NamePattern, Pattern};
use crate::texts::{Text, Texts};

/// Which tags name an agent, and what does where there is no tag.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AgentRules {
    /// Session tags that name the agent, the first that is there; upper and lower case are alike,
    /// as in IAM.
    pub agent_tags: Vec<TagKey>,
    /// Session tags that name its class.
    pub class_tags: Vec<TagKey>,
    /// The class of agents whose sessions carry no tag of it.
    #[serde(deserialize_with = "class_by_agent")]
    pub classes: BTreeMap<AgentId, AgentId>,
    /// Session tags that name the tenant it works for.
    pub tenant_tags: Vec<TagKey>,
    /// Session tags that name the version of the agent: a new one is a deployment.
    pub version_tags: Vec<TagKey>,
    /// What names an agent without a tag, tried in this order; nothing by default, since people and
    /// services have source identities, roles and users too.
    pub fallbacks: Vec<Fallback>,
}

impl Default for AgentRules {
    fn default() -> Self {
        let tags = |name| TagKey::parse(name).into_iter().collect();
        Self {
            agent_tags: tags("AgentID"),
            class_tags: tags("AgentClass"),
            classes: BTreeMap::new(),
            tenant_tags: tags("TenantID"),
            version_tags: tags("AgentVersion"),
            fallbacks: Vec::new(),
        }
    }
}

/// Turns `class = ["agent", …]`, as people write it, round.
fn class_by_agent<'de, D: Deserializer<'de>>(
    from: D,
) -> Result<BTreeMap<AgentId, AgentId>, D::Error> {
    let name = |text: &str| {
        let error = || de::Error::custom("names of classes and agents have 1 to 256 characters");
        AgentId::of(text).ok_or_else(error)
    };
    let mut classes = BTreeMap::new();
    for (class, agents) in BTreeMap::<String, Vec<String>>::deserialize(from)? {
        let class = name(&class)?;
        for agent in agents {
            if let Some(other) = classes.insert(name(&agent)?, class.clone())
                && other != class
            {
                let (agent, other) = (Untrusted::new(agent), other.untrusted());
                return Err(de::Error::custom(format!(
                    "`{}` is in two classes: `{}` and `{}`",
                    escape::terminal(&agent),
                    escape::terminal(&other),
                    escape::terminal(&class.untrusted()),
                )));
            }
        }
    }
    Ok(classes)
}

/// A way of naming an agent whose session carries no tag.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "by", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Fallback {
    /// The source identity is the agent's name, where it fits the pattern.
    SourceIdentity {
        /// Which source identities are agents'.
        #[serde(default)]
        matching: Pattern,
    },
    /// A part of the role session name is, or all of it. Whoever may assume the role chooses it.
    SessionName {
        /// Which session names are agents'.
        #[serde(default)]
        matching: Pattern,
        /// Of which roles, by their names or ARNs.
        #[serde(default)]
        role: Pattern,
        /// What is cut off the front of the session name.
        #[serde(default)]
        prefix: String,
        /// Which part of what is left is the agent's name.
        #[serde(default)]
        session: NamePattern,
    },
    /// The name of the role is.
    Role {
        /// Which roles are agents', by their names or ARNs.
        #[serde(default)]
        matching: Pattern,
    },
    /// The name of the IAM user is.
    User {
        /// Which users are agents'.
        #[serde(default)]
        matching: Pattern,
    },
}

/// What a session offers for naming.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Names<'a> {
    pub(crate) source_identity: Option<&'a str>,
    pub(crate) principal: Option<&'a str>,
    pub(crate) role: Option<&'a str>,
    pub(crate) user: Option<&'a str>,
}

impl<'a> Names<'a> {
    /// What its records say of a session, or else its mint.
    pub(crate) fn of(session: &SessionFacts, mint: Option<&KnownMint>, texts: &'a Texts) -> Self {
        let either = |facts: Text, minted: fn(&KnownMint) -> Text| {
            texts.get(facts).or_else(|| texts.get(minted(mint?)))
        };
        Self {
            source_identity: either(session.source_identity, |mint| mint.source_identity),
            principal: either(session.principal, |mint| mint.principal),
            role: either(session.role, |mint| mint.role),
            user: texts.get(session.user),
        }
    }
}

impl Fallback {
    /// What the attribution then rests on.
    pub(crate) fn basis(&self) -> Basis {
        match self {
            Self::SourceIdentity { .. } => Basis::SourceIdentity,
            Self::SessionName { .. } => Basis::SessionName,
            Self::Role { .. } => Basis::Role,
            Self::User { .. } => Basis::User,
        }
    }

    /// Whether of a chain the session nearest to its beginning names the agent, rather than the one
    /// nearest to its end: an agent known by its role stays itself when it assumes another.
    pub(crate) fn is_by_origin(&self) -> bool {
        matches!(self, Self::Role { .. } | Self::User { .. })
    }

    /// The name that this fallback takes from a session.
    pub(crate) fn name(&self, names: Names<'_>) -> Option<AgentId> {
        match self {
            Self::SourceIdentity { matching } => {
                AgentId::of(names.source_identity.filter(|name| matching.fits(name))?)
            }
            Self::SessionName { matching, role, prefix, session: part } => {
                let (_, session) = names.principal?.split_once(':')?;
                let fits = role.is_any() || names.role.is_some_and(|arn| role_fits(role, arn));
                let fits = fits && matching.fits(session);
                let rest = session.strip_prefix(prefix.as_str()).filter(|_| fits)?;
                AgentId::of(part.agent_of(rest)?)
            }
            Self::Role { matching } => {
                let arn = names.role.filter(|arn| role_fits(matching, arn))?;
                AgentId::of(Arn::parse(arn).ok()?.role_name()?.as_str())
            }
            Self::User { matching } => AgentId::of(names.user.filter(|name| matching.fits(name))?),
        }
    }
}

fn role_fits(pattern: &Pattern, arn: &str) -> bool {
    let name = || Arn::parse(arn).ok()?.role_name();
    pattern.fits(arn) || name().is_some_and(|name| pattern.fits(name.as_str()))
}

/// The first of `keys` whose value among `tags` can be a name, and that value. An empty value names
/// nobody: IAM allows it.
pub(crate) fn tag_value<'k, 't>(
    keys: &'k [TagKey],
    tags: &[(TagKey, Untrusted<'t>)],
) -> Option<(&'k TagKey, Untrusted<'t>)> {
    let value = |key: &TagKey| {
        let mut values = tags.iter().filter(|(tag, _)| tag == key).map(|(_, value)| value);
        values.find(|value| AgentId::of(value.as_unescaped()).is_some()).cloned()
    };
    keys.iter().find_map(|key| Some((key, value(key)?)))
}
