//! A baseline as text. The format is specified in `baselines/README.md`.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

use sha2::{Digest, Sha256};
use tripline_text::Untrusted;

use super::baseline::{Baseline, Promoted, State, Whose};
use super::day::{First, Minute};
use super::encode::{field, push_field, push_path};
use super::family::Family;
use super::key::{Approval, Fact, Provenance};
use super::token::STAR;
use super::trie::Node;

/// The first word of every baseline.
pub(crate) const MAGIC: &str = "tripline-baseline";

/// The version of the format that this program writes, and the newest that it reads.
pub(crate) const VERSION: u32 = 1;

/// What the last line begins with.
pub(crate) const DIGEST: &str = "digest sha256:";

impl Baseline {
    /// The baseline as text: sorted, one fact a line, printable ASCII, the last line a digest of
    /// those before.
    pub fn to_text(&self) -> String {
        let mut text = self.body();
        let digest = hex_digest(&text);
        // INVARIANT: writing to a string does not fail.
        let _ = writeln!(text, "{DIGEST}{digest}");
        text
    }

    /// All of that but the last line.
    pub(crate) fn body(&self) -> String {
        let mut text = String::new();
        // INVARIANT: as above.
        let _ = self.write(&mut text);
        text
    }

    /// The digest in the last line of [`Self::to_text`], 64 hex digits: it names this very content.
    pub fn digest(&self) -> String {
        hex_digest(&self.body())
    }

    fn write(&self, out: &mut String) -> fmt::Result {
        self.write_head(out)?;
        for (text, version) in &self.versions {
            write!(out, "version {} {} ", field(text), version.episodes)?;
            write!(
                out,
                "{}/{:04x} {} ",
                Minute(version.first.minute),
                version.first.root,
                version.last
            )?;
            match version.spent {
                Some(minute) => writeln!(out, "{}", Minute(minute))?,
                None => writeln!(out, "-")?,
            }
        }
        for ((window, class), anchor) in &self.anchors {
            writeln!(out, "anchor {window} {class} {anchor}")?;
        }
        for ((window, class), peaks) in &self.peaks {
            write!(out, "peak {window} {class} {}", peaks.max())?;
            peaks.parts().try_for_each(|(low, episodes)| write!(out, " {low}:{episodes}"))?;
            out.push('\n');
        }
        for (day, counts) in &self.days {
            write!(out, "day {day} {}", counts.episodes)?;
            let mut families = counts.draws.iter().zip(&counts.news);
            families.try_for_each(|(draws, news)| write!(out, " {draws}/{news}"))?;
            out.push('\n');
        }
        for family in Family::ALL {
            self.write_family(out, family)?;
        }
        for (name, gone) in &self.gone {
            write!(out, "gone {} ", name.family.name())?;
            if name.family.is_given_action() {
                write!(out, "{} ", field(&name.action))?;
            }
            writeln!(out, "{} {} {}", name.shown_value(), gone.last, gone.forgotten)?;
        }
        self.limits().iter().try_for_each(|limit| writeln!(out, "# {limit}"))
    }

    fn write_head(&self, out: &mut String) -> fmt::Result {
        writeln!(out, "{MAGIC} {VERSION}")?;
        let name = |name: &Untrusted<'_>| field(name.as_unescaped());
        match &self.whose {
            Whose::Agent { agent, class: None } => writeln!(out, "agent {}", name(agent))?,
            Whose::Agent { agent, class: Some(class) } => {
                writeln!(out, "agent {} {}", name(agent), name(class))?;
            }
            Whose::Class(class) => writeln!(out, "class {} {}", name(class), self.agents)?,
            Whose::Fleet => writeln!(out, "fleet {}", self.agents)?,
        }
        out.push_str(match self.state {
            State::Candidate => "state candidate\n",
            State::Live => "state live\n",
        });
        match self.span {
            Some((first, last)) => writeln!(out, "learned {first} {last} {}", self.episodes)?,
            None => out.push_str("learned nothing\n"),
        }
        if let Some(catalogue) = &self.catalogue {
            writeln!(out, "catalogue {}", field(catalogue))?;
        }
        for family in &self.overflow {
            writeln!(out, "overflow {}", family.name())?;
        }
        for Promoted { by, parent } in &self.history {
            let parent = parent.as_deref().unwrap_or("-");
            let Approval { minute, who, why } = by;
            writeln!(out, "promoted {} {parent} {} {}", Minute(*minute), field(who), field(why))?;
        }
        Ok(())
    }

    fn write_family(&self, out: &mut String, family: Family) -> fmt::Result {
        if family == Family::Resource {
            for (action, root) in &self.tries {
                out.push_str("resource ");
                push_field(action, out);
                out.push(' ');
                self.write_node(out, root)?;
                self.write_children(out, root, 1)?;
            }
            return Ok(());
        }
        for (name, fact) in self.keys.iter().filter(|(name, _)| name.family == family) {
            name.push_to(out);
            out.push(' ');
            self.write_counts(out, fact)?;
            write_times(out, fact)?;
        }
        Ok(())
    }

    fn write_children(&self, out: &mut String, node: &Node, depth: usize) -> fmt::Result {
        for (token, child) in &node.children {
            let mut path = Cow::Borrowed(&**token);
            let mut child = child;
            while let Some((token, next)) = only_child(child) {
                path.to_mut().push_str(token);
                child = next;
            }
            (0..depth).for_each(|_| out.push_str("  "));
            push_path(&path, out);
            out.push(' ');
            self.write_node(out, child)?;
            self.write_children(out, child, depth + 1)?;
        }
        Ok(())
    }

    fn write_node(&self, out: &mut String, node: &Node) -> fmt::Result {
        self.write_counts(out, &node.fact)?;
        write!(out, "{} ", node.found)?;
        write_times(out, &node.fact)
    }

    fn write_counts(&self, out: &mut String, fact: &Fact) -> fmt::Result {
        match &fact.provenance {
            Provenance::Pending => out.push_str("pending"),
            Provenance::Learned => out.push_str("learned"),
            Provenance::Approved(by) => {
                let Approval { minute, who, why } = &**by;
                write!(out, "approved,{},{},{}", Minute(*minute), field(who), field(why))?;
            }
        }
        if !matches!(self.whose, Whose::Agent { .. }) {
            write!(out, " {}", fact.agents)?;
        }
        write!(out, " {} ", fact.episodes)
    }
}

/// The child that says nothing which its parent does not: such a chain is one line.
fn only_child(node: &Node) -> Option<(&str, &Node)> {
    let (token, child) = node.children.first_key_value()?;
    let same = node.children.len() == 1 && node.found == 1 && child.fact == node.fact;
    (same && **token != *STAR).then_some((&**token, child))
}

fn write_times(out: &mut String, fact: &Fact) -> fmt::Result {
    let First { minute, root } = fact.first;
    writeln!(out, "{}/{root:04x} {} {:x}", Minute(minute), fact.days.last(), fact.days.bits())
}

/// The SHA-256 of a text, 64 hex digits.
pub(crate) fn hex_digest(text: &str) -> String {
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}
