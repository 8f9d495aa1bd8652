//! Scope manifests: what each class of agent is declared to do.

use std::fmt::Write as _;

use crate::world::Agent;

/// The manifest of a generated agent: actions and regions, nothing else. Every benign call is inside.
#[must_use]
pub fn scope(agent: &Agent) -> String {
    let list = |items: &[&str]| {
        items.iter().map(|item| format!("\"{item}\"")).collect::<Vec<_>>().join(", ")
    };
    let mut text = format!("version = 1\nagent = \"{}\"\n\n[allow]\n", agent.id);
    // Writing to a `String` cannot fail.
    // Some calls hand a role over to the service.
    let mut actions = agent.class.scope();
    actions.push("iam:PassRole");
    let _ = writeln!(text, "actions = [{}]", list(&actions));
    let _ = writeln!(text, "resources = []");
    let _ = writeln!(text, "regions = [{}]", list(&agent.regions()));
    let _ = writeln!(text, "networks = []\n\n[never]\nactions = []\nresources = []");
    text
}
