//! The manifest of a scope as text: `baselines/<agent>/scope.toml`.

use std::fmt;

use serde::Deserialize;
use toml::Spanned;
use tripline_iam::{ActionPattern, Region};
use tripline_text::{Untrusted, escape};

use super::check::{Actions, Resources, Scope, Subject};
use super::limits::Limits;
use super::networks::Networks;
use crate::pattern::ResourcePattern;

/// How large a manifest may be, in bytes.
pub const MANIFEST_BYTES_MAX: usize = 1 << 20;

/// How many entries one list of a manifest may have.
pub const PATTERNS_MAX: usize = 10_000;

/// How long the name of an agent, a class or a tenant may be, in bytes: the longest session tag
/// value (IAM/id_session-tags), of which each character may take four bytes.
const NAME_BYTES_MAX: usize = 4 * 256;

/// The version of the format that this program reads.
const VERSION: i64 = 1;

/// Why a manifest is no scope: where, which key, what is wrong. It may be printed as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScopeError {
    /// The line, from 1, where it is known.
    pub line: Option<usize>,
    /// The key, such as `allow.actions`; empty if the text is no such TOML at all.
    pub key: &'static str,
    /// What is wrong with it.
    pub problem: ScopeProblem,
}

/// What is wrong with a manifest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScopeProblem {
    /// Not TOML, an unknown key, a missing key or a value of the wrong type; in the words of the
    /// TOML reader, escaped.
    #[error("{0}")]
    Toml(String),
    /// Larger than [`MANIFEST_BYTES_MAX`].
    #[error("is larger than {MANIFEST_BYTES_MAX} bytes")]
    TooLarge,
    /// A list with more than [`PATTERNS_MAX`] entries.
    #[error("has more than {PATTERNS_MAX} entries")]
    TooMany,
    /// A format that this program does not know.
    #[error("is not {VERSION}, the version of the format that this program reads")]
    Version,
    /// Neither `agent` nor `class`, or both.
    #[error("exactly one of `agent` and `class` must say whose scope it is")]
    Subject,
    /// A name that is empty or too long.
    #[error("must have 1 to {NAME_BYTES_MAX} bytes")]
    Name,
    /// `allow.actions` or `allow.services` written, and nothing in them.
    #[error("is an empty list: leave it out to allow any action")]
    Empty,
    /// An entry that is not what the key asks for: the entry (escaped), and what is asked for.
    #[error("`{entry}` {expected}")]
    Entry {
        /// The entry, escaped as for a terminal.
        entry: String,
        /// What is wrong with it.
        expected: String,
    },
}

impl fmt::Display for ScopeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        if !self.key.is_empty() {
            write!(f, "`{}`: ", self.key)?;
        }
        self.problem.fmt(f)
    }
}

impl std::error::Error for ScopeError {}

impl Scope {
    /// Reads a manifest.
    ///
    /// ```toml
    /// version = 1
    /// agent = "oncall-investigator"     # or class = "…": exactly one of the two
    ///
    /// [allow]                           # what is not allowed is a breach; a list left out allows any
    /// services  = ["logs"]              # IAM service prefixes: short for the action "logs:*"
    /// actions   = ["s3:GetObject", "s3:List*"]
    /// resources = ["arn:aws:s3:::incident-logs-*"]   # for calls whose resources are known
    /// regions   = ["us-east-1"]         # calls of global services (IAM, Organizations…) always pass
    /// networks  = ["10.0.0.0/8", "vpce-0a1b2c3d", "cloudformation.amazonaws.com"]
    /// tenants   = ["acme"]              # values of the tenant tag, for sessions whose tag is known
    ///
    /// [never]                           # beats allow
    /// actions   = ["iam:*"]
    /// resources = ["arn:aws:s3:::payroll-*"]
    ///
    /// [canary]                          # decoys: whoever touches one breaks an invariant
    /// resources = ["arn:aws:secretsmanager:*:*:secret:canary-*"]
    ///
    /// [limits]                          # of the agent, over all its sessions, by clock minute and hour
    /// calls_per_minute = 600
    /// calls_per_hour   = 10000
    /// ```
    ///
    /// Every table and every key but `version` and `agent` or `class` may be left out. `allow.services`
    /// and `allow.actions` add up; if both are left out, any action is allowed. Actions are patterns
    /// with `*` and `?`, case not mattering; resources as in [`ResourcePattern`]. A call with several
    /// resources needs each of them allowed. A bucket in `never` or `canary` means its objects, too; in
    /// `allow`, as in IAM, it does not.
    ///
    /// # Errors
    /// [`ScopeError`], with the line and the key. An unknown key is an error: a typing mistake in a
    /// never-rule must not silently forbid nothing.
    pub fn parse(text: &str) -> Result<Self, ScopeError> {
        if text.len() > MANIFEST_BYTES_MAX {
            return Err(ScopeError { line: None, key: "", problem: ScopeProblem::TooLarge });
        }
        let manifest: Manifest = toml::from_str(text).map_err(|error| ScopeError {
            line: error.span().map(|span| line_of(text, span.start)),
            key: "",
            problem: ScopeProblem::Toml(escaped(error.message())),
        })?;
        Reading { text }.scope(manifest)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    version: Spanned<i64>,
    agent: Option<Spanned<String>>,
    class: Option<Spanned<String>>,
    #[serde(default)]
    allow: Allow,
    #[serde(default)]
    never: Never,
    #[serde(default)]
    canary: Canary,
    #[serde(default)]
    limits: Limits,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Allow {
    services: Option<Texts>,
    actions: Option<Texts>,
    #[serde(default)]
    resources: Vec<Spanned<String>>,
    #[serde(default)]
    regions: Vec<Spanned<String>>,
    #[serde(default)]
    networks: Vec<Spanned<String>>,
    #[serde(default)]
    tenants: Vec<Spanned<String>>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Never {
    #[serde(default)]
    actions: Vec<Spanned<String>>,
    #[serde(default)]
    resources: Vec<Spanned<String>>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Canary {
    #[serde(default)]
    resources: Vec<Spanned<String>>,
}

type Texts = Spanned<Vec<Spanned<String>>>;

/// Turns the manifest's texts into what they mean, with the text at hand for line numbers.
struct Reading<'t> {
    text: &'t str,
}

impl Reading<'_> {
    fn scope(&self, manifest: Manifest) -> Result<Scope, ScopeError> {
        if *manifest.version.get_ref() != VERSION {
            return Err(self.error("version", &manifest.version, ScopeProblem::Version));
        }
        let mut networks = Networks::default();
        self.each("allow.networks", &manifest.allow.networks, |text| {
            networks.add(text).ok_or(
                "is no address, CIDR block, VPC endpoint (`vpce-…`) or AWS service name (`….amazonaws.com`)",
            )
        })?;
        Ok(Scope {
            subject: self.subject(manifest.agent, manifest.class)?,
            allow_actions: self.allowed(manifest.allow.services, manifest.allow.actions)?,
            allow_resources: self.resources("allow.resources", &manifest.allow.resources)?,
            allow_regions: self.each("allow.regions", &manifest.allow.regions, Region::parse)?,
            allow_networks: networks,
            allow_tenants: self.names("allow.tenants", &manifest.allow.tenants)?,
            never_actions: self.actions("never.actions", &manifest.never.actions)?,
            never_resources: self.resources("never.resources", &manifest.never.resources)?,
            canaries: self.resources("canary.resources", &manifest.canary.resources)?,
            limits: manifest.limits,
        })
    }

    fn subject(
        &self,
        agent: Option<Spanned<String>>,
        class: Option<Spanned<String>>,
    ) -> Result<Subject, ScopeError> {
        match (agent, class) {
            (Some(agent), None) => Ok(Subject::Agent(self.name("agent", &agent)?)),
            (None, Some(class)) => Ok(Subject::Class(self.name("class", &class)?)),
            _ => Err(ScopeError { line: None, key: "", problem: ScopeProblem::Subject }),
        }
    }

    fn allowed(
        &self,
        services: Option<Texts>,
        actions: Option<Texts>,
    ) -> Result<Actions, ScopeError> {
        // An empty list could be meant either way (any, or none), and one reading is no protection.
        for (key, list) in [("allow.services", &services), ("allow.actions", &actions)] {
            if let Some(list) = list.as_ref().filter(|list| list.get_ref().is_empty()) {
                return Err(self.error(key, list, ScopeProblem::Empty));
            }
        }
        let services = services.map(Spanned::into_inner).unwrap_or_default();
        let services = self.each("allow.services", &services, |service| {
            ActionPattern::parse(&format!("{service}:*"))
                .ok()
                .filter(|_| !service.contains([':', '*']))
                .ok_or("is no IAM service prefix, such as `s3`")
        })?;
        let mut allowed = Actions(services);
        let actions = actions.map(Spanned::into_inner).unwrap_or_default();
        allowed.append(self.actions("allow.actions", &actions)?);
        Ok(allowed)
    }

    fn actions(&self, key: &'static str, texts: &[Spanned<String>]) -> Result<Actions, ScopeError> {
        self.each(key, texts, |text| {
            ActionPattern::parse(text).map_err(|_| "is no action pattern, such as `s3:Get*`")
        })
        .map(Actions)
    }

    fn resources(
        &self,
        key: &'static str,
        texts: &[Spanned<String>],
    ) -> Result<Resources, ScopeError> {
        self.each(key, texts, ResourcePattern::parse).map(Resources)
    }

    fn names(
        &self,
        key: &'static str,
        texts: &[Spanned<String>],
    ) -> Result<Vec<Untrusted<'static>>, ScopeError> {
        self.each(key, texts, |_| Ok::<_, &str>(()))?;
        texts.iter().map(|text| self.name(key, text)).collect()
    }

    fn name(
        &self,
        key: &'static str,
        text: &Spanned<String>,
    ) -> Result<Untrusted<'static>, ScopeError> {
        if !(1..=NAME_BYTES_MAX).contains(&text.get_ref().len()) {
            return Err(self.error(key, text, ScopeProblem::Name));
        }
        Ok(Untrusted::new(text.get_ref().clone()))
    }

    /// Reads each entry of a list; the first that fails is the error.
    fn each<T, E: fmt::Display>(
        &self,
        key: &'static str,
        texts: &[Spanned<String>],
        mut read: impl FnMut(&str) -> Result<T, E>,
    ) -> Result<Vec<T>, ScopeError> {
        if let Some(text) = texts.get(PATTERNS_MAX) {
            return Err(self.error(key, text, ScopeProblem::TooMany));
        }
        let read = |text: &Spanned<String>| {
            read(text.get_ref()).map_err(|why| {
                let entry = escaped(text.get_ref());
                self.error(key, text, ScopeProblem::Entry { entry, expected: why.to_string() })
            })
        };
        texts.iter().map(read).collect()
    }

    fn error<T>(&self, key: &'static str, at: &Spanned<T>, problem: ScopeProblem) -> ScopeError {
        ScopeError { line: Some(line_of(self.text, at.span().start)), key, problem }
    }
}

/// The line, from 1, of the byte at `offset`.
fn line_of(text: &str, offset: usize) -> usize {
    let before = text.as_bytes().get(..offset).unwrap_or(text.as_bytes());
    before.iter().filter(|&&byte| byte == b'\n').count() + 1
}

/// The manifest is read from disk and may have come with somebody's pull request.
fn escaped(text: &str) -> String {
    escape::terminal(&Untrusted::borrowed(text)).to_string()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const WHOLE: &str = r#"
version = 1
agent = "oncall-investigator"
[allow]
services = ["logs", "cloudwatch"]
actions = ["s3:GetObject", "s3:List*"]
resources = ["arn:aws:s3:::incident-logs-*"]
regions = ["us-east-1"]
networks = ["10.0.0.0/8", "vpce-0a1b2c3d", "cloudformation.amazonaws.com"]
tenants = ["acme"]
[never]
actions = ["iam:*"]
resources = ["arn:aws:s3:::payroll-*"]
[canary]
resources = ["arn:aws:secretsmanager:*:*:secret:canary-*"]
[limits]
calls_per_minute = 600
calls_per_hour = 10000
"#;

    fn error(text: &str) -> String {
        Scope::parse(text).unwrap_err().to_string()
    }

    #[test]
    fn the_whole_format_parses() {
        let scope = Scope::parse(WHOLE).unwrap();
        assert_eq!(scope.subject(), &Subject::Agent(Untrusted::borrowed("oncall-investigator")));
        assert_eq!(scope.limits().calls_per_hour.map(u32::from), Some(10_000));
        assert!(Scope::parse("version = 1\nclass = \"any\"").is_ok());
    }

    #[test]
    fn errors_name_line_key_and_reason() {
        let with = |from: &str, to: &str| error(&WHOLE.replace(from, to));
        assert_eq!(
            with("\"s3:List*\"", "\"List\""),
            "line 6: `allow.actions`: `List` is no action pattern, such as `s3:Get*`"
        );
        assert_eq!(
            with("\"logs\"", "\"s3:*\""),
            "line 5: `allow.services`: `s3:*` is no IAM service prefix, such as `s3`"
        );
        assert!(with("version = 1", "version = 2").starts_with("line 2: `version`: is not 1"));
        assert!(
            with("\"10.0.0.0/8\"", "\"office\"")
                .starts_with("line 9: `allow.networks`: `office` is no address")
        );
        assert!(
            with("\"arn:aws:s3:::payroll-*\"", "\"arn:aws:s3\"")
                .contains("`never.resources`: `arn:aws:s3` is not a whole ARN")
        );
        assert!(
            with("[\"us-east-1\"]", "[\"\\u001B\"]")
                .contains(r"`allow.regions`: `\u{1b}` not an AWS Region")
        );
        assert!(with("agent =", "klass =").starts_with("line 3: unknown field `klass`"));
        assert!(
            with("agent = \"oncall-investigator\"", "")
                .contains("exactly one of `agent` and `class`")
        );
        assert!(with("calls_per_minute = 600", "calls_per_minute = 0").starts_with("line 17: "));
        assert!(
            with("[\"s3:GetObject\", \"s3:List*\"]", "[]")
                .contains("`allow.actions`: is an empty list")
        );
        assert!(with("oncall-investigator", "").contains("`agent`: must have 1 to"));
        assert_eq!(error(&"#".repeat(MANIFEST_BYTES_MAX + 1)), "is larger than 1048576 bytes");
    }

    #[test]
    fn the_number_of_entries_is_limited() {
        let list = |count: usize| {
            format!("version=1\nagent=\"a\"\n[never]\nactions=[{}]", "\"s3:*\",".repeat(count))
        };
        assert!(Scope::parse(&list(PATTERNS_MAX)).is_ok());
        assert!(
            error(&list(PATTERNS_MAX + 1)).contains("`never.actions`: has more than 10000 entries")
        );
    }

    proptest! {
        #[test]
        fn parsing_never_panics(text in any::<String>()) {
            let _ = Scope::parse(&text);
        }

        #[test]
        fn a_damaged_manifest_is_an_error_or_a_scope(at in 0..WHOLE.len(), cut in 0..8_usize, put in "[\\PC\\n\"\\]\\[=]{0,3}") {
            let mut text = WHOLE.to_owned();
            text.replace_range(at..(at + cut).min(WHOLE.len()), &put);
            if let Err(error) = Scope::parse(&text) {
                prop_assert!(!error.to_string().chars().any(char::is_control));
            }
        }
    }
}
