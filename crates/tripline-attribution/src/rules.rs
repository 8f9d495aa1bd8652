//! How agents are named: the `[agents]` part of `tripline.toml`.

use globset::{Glob, GlobMatcher};
use serde::Deserialize;
use tripline_iam::{Arn, TagKey};
use tripline_text::Untrusted;

use crate::agent::{AgentId, Basis};

/// Which tags name an agent, and what does where there is no tag.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AgentRules {
    /// Session tags that name the agent, the first that is there; upper and lower case are alike,
    /// as in IAM.
    pub agent_tags: Vec<TagKey>,
    /// Session tags that name its class.
    pub class_tags: Vec<TagKey>,
    /// Session tags that name the tenant it works for.
    pub tenant_tags: Vec<TagKey>,
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
            tenant_tags: tags("TenantID"),
            fallbacks: Vec::new(),
        }
    }
}

/// A way of naming an agent whose session carries no tag. Patterns are globs: `*`, `?`, `[…]`,
/// `{…,…}`.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "by", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Fallback {
    /// The source identity is the agent's name, where it fits the pattern.
    SourceIdentity {
        /// Which source identities are agents'.
        #[serde(default)]
        matching: Pattern,
    },
    /// The role session name is, less what stands before and after it in every such name.
    SessionName {
        /// Which session names are agents'.
        #[serde(default)]
        matching: Pattern,
        /// Of which roles, by their names.
        #[serde(default)]
        role: Pattern,
        /// What is cut off the front of the session name.
        #[serde(default)]
        prefix: String,
    },
    /// The name of the role is.
    Role {
        /// Which roles are agents', by their names.
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

/// A glob; without one, anything fits.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(try_from = "String")]
pub struct Pattern(Option<GlobMatcher>);

impl TryFrom<String> for Pattern {
    type Error = globset::Error;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Ok(Self(Some(Glob::new(&text)?.compile_matcher())))
    }
}

impl Pattern {
    fn fits(&self, text: &str) -> bool {
        self.0.as_ref().is_none_or(|glob| glob.is_match(text))
    }
}

/// What a session offers for naming.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Names<'a> {
    pub(crate) source_identity: Option<&'a str>,
    pub(crate) principal: Option<&'a str>,
    pub(crate) role: Option<&'a str>,
    pub(crate) user: Option<&'a str>,
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

    /// The name that this fallback takes from a session.
    pub(crate) fn name(&self, names: Names<'_>) -> Option<AgentId> {
        let role_name = || role_name(names.role?);
        let text = match self {
            Self::SourceIdentity { matching } => {
                names.source_identity.filter(|name| matching.fits(name))?.to_owned()
            }
            Self::SessionName { matching, role, prefix } => {
                let (_, session) = names.principal?.split_once(':')?;
                let fits = matching.fits(session) && role.fits(&role_name()?);
                fits.then(|| session.strip_prefix(prefix.as_str()))??.to_owned()
            }
            Self::Role { matching } => role_name().filter(|name| matching.fits(name))?,
            Self::User { matching } => names.user.filter(|name| matching.fits(name))?.to_owned(),
        };
        AgentId::of(&text)
    }
}

fn role_name(arn: &str) -> Option<String> {
    Some(Arn::parse(arn).ok()?.role_name()?.as_str().to_owned())
}

/// The value of the first of `keys` that is among `tags` and not empty.
pub(crate) fn tag_value<'t>(
    keys: &[TagKey],
    tags: &'t [(TagKey, Untrusted<'static>)],
) -> Option<&'t Untrusted<'static>> {
    let value = |key: &TagKey| {
        tags.iter().find(|(tag, value)| tag == key && !value.is_empty()).map(|(_, value)| value)
    };
    keys.iter().find_map(value)
}
