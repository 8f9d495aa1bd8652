//! `tripline policy guard` and `tripline policy require-tags`

use std::collections::BTreeSet;
use std::io::Write;

use tripline_containment::guard::{Guard, NamedAgents, Unwritable, trust_policy};
use tripline_iam::policy::PolicyText;
use tripline_iam::{Arn, TagKey};
use tripline_text::{Untrusted, escape};

use crate::args::{Color, GuardArgs, GuardForm, PolicyCommand, RequireTagsArgs, TagsForm};
use crate::exit::{Ended, Failure};
use crate::output::Output;

pub(crate) fn run(command: &PolicyCommand) -> Result<Ended, Failure> {
    let text = match command {
        PolicyCommand::Guard(arguments) => guard(arguments)?,
        PolicyCommand::RequireTags(arguments) => require_tags(arguments)?,
    };
    let mut out = Output::new(Color::Never);
    writeln!(out, "{text}")?;
    out.flush()?;
    Ok(Ended::default())
}

fn guard(arguments: &GuardArgs) -> Result<String, Failure> {
    let guard = Guard {
        roles: patterns(&arguments.role)?,
        users: patterns(&arguments.user)?,
        responders: patterns(&arguments.responder)?,
    };
    let written = match arguments.form {
        GuardForm::Scp => guard.service_control_policy(),
        GuardForm::Boundary => guard.boundary(),
    };
    written.map_err(unwritable)
}

fn require_tags(arguments: &RequireTagsArgs) -> Result<String, Failure> {
    let tag = TagKey::parse(&arguments.tag).map_err(|error| Failure::Usage {
        message: error.to_string(),
        hint: "the key of the session tag that names agents, for example AgentID",
    })?;
    let written = match arguments.form {
        TagsForm::Scp => NamedAgents {
            tag,
            roles: patterns(&arguments.role)?,
            minters: patterns(&arguments.minter)?,
        }
        .service_control_policy(),
        TagsForm::Trust => {
            let minters: Option<BTreeSet<Arn>> =
                arguments.minter.iter().map(|text| Arn::parse(text).ok()).collect();
            let minters = minters.ok_or_else(|| not_an_arn("a minter"))?;
            let names: Vec<Untrusted<'_>> =
                arguments.name.iter().map(|name| Untrusted::borrowed(name)).collect();
            trust_policy(&tag, minters, &names)
        }
    };
    written.map_err(unwritable)
}

fn patterns(texts: &[String]) -> Result<BTreeSet<PolicyText>, Failure> {
    texts
        .iter()
        .map(|text| {
            let shown = Untrusted::borrowed(text);
            PolicyText::arn_pattern(text)
                .ok_or_else(|| not_an_arn(&format!("`{}`", escape::terminal(&shown))))
        })
        .collect()
}

fn not_an_arn(what: &str) -> Failure {
    Failure::Usage {
        message: format!("{what} is not an ARN"),
        hint: "for example 'arn:aws:iam::*:role/agents/*'",
    }
}

fn unwritable(error: Unwritable) -> Failure {
    Failure::Usage { message: error.to_string(), hint: "see `tripline help policy`" }
}
