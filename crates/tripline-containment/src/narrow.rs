//! Many actions in few characters: patterns that let in as little as possible that can do harm.

use std::collections::{BTreeMap, BTreeSet};

use tripline_iam::{Action, ActionPattern, Catalogue};

/// Patterns that cover all of `allowed` and, listed in a policy, take at most `chars_max` characters;
/// none if there are none.
///
/// Actions of one service whose names begin alike are drawn together, time and again, where it costs
/// least: first where no further action that can do harm is let in, then where the fewest are for each
/// character saved. Only as much as is needed to fit.
pub(crate) fn narrowed(
    allowed: &BTreeSet<ActionPattern>,
    chars_max: usize,
) -> Option<BTreeSet<ActionPattern>> {
    let harm = Harm::outside(allowed);
    let mut kept: BTreeSet<String> =
        allowed.iter().map(|pattern| pattern.as_str().to_owned()).collect();
    let mut length: usize = kept.iter().map(|pattern| listed(pattern)).sum();
    while length > chars_max {
        let best = best(&kept, &harm)?;
        let covered: Vec<String> = best.covered(&kept).cloned().collect();
        for pattern in covered {
            length = length.saturating_sub(listed(&pattern));
            kept.remove(&pattern);
        }
        length = length.saturating_add(listed(&best.pattern()));
        kept.insert(best.pattern());
    }
    kept.iter().map(|pattern| ActionPattern::parse(pattern).ok()).collect()
}

/// What a text takes in a list: quotes and a comma.
fn listed(pattern: &str) -> usize {
    pattern.len().saturating_add(3)
}

/// A beginning that stands for all that begins so.
struct Drawn {
    prefix: String,
    saved: usize,
    let_in: usize,
}

impl Drawn {
    fn pattern(&self) -> String {
        format!("{}*", self.prefix)
    }

    fn covered<'k>(&self, kept: &'k BTreeSet<String>) -> impl Iterator<Item = &'k String> {
        covered(&self.prefix, kept)
    }

    /// Less is better: harm let in for each character saved, exactly, without a division.
    fn is_better_than(&self, other: &Self) -> bool {
        let (mine, theirs) = (self.let_in * other.saved, other.let_in * self.saved);
        (mine, other.saved, &self.prefix) < (theirs, self.saved, &other.prefix)
    }
}

fn covered<'k>(prefix: &str, kept: &'k BTreeSet<String>) -> impl Iterator<Item = &'k String> {
    let from = prefix.to_owned();
    let prefix = prefix.to_owned();
    kept.range(from..).take_while(move |pattern| pattern.starts_with(&prefix))
}

fn best(kept: &BTreeSet<String>, harm: &Harm) -> Option<Drawn> {
    let mut best: Option<Drawn> = None;
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    for pattern in kept {
        for prefix in beginnings(pattern) {
            if !seen.insert(prefix) {
                continue;
            }
            let (count, length) = covered(prefix, kept)
                .fold((0_usize, 0_usize), |(count, length), pattern| {
                    (count + 1, length + listed(pattern))
                });
            let saved = length.saturating_sub(listed(prefix) + 1);
            if count < 2 || saved == 0 {
                continue;
            }
            let drawn =
                Drawn { prefix: prefix.to_owned(), saved, let_in: harm.beginning_with(prefix) };
            if best.as_ref().is_none_or(|best| drawn.is_better_than(best)) {
                best = Some(drawn);
            }
        }
    }
    best
}

/// Where words of a name end: `s3:`, `s3:Get`, `s3:GetBucket`.
fn beginnings(pattern: &str) -> impl Iterator<Item = &str> {
    let name = pattern.find(':').map_or(pattern.len(), |colon| colon + 1);
    pattern
        .char_indices()
        .filter(move |(at, letter)| *at == name || (*at > name && letter.is_ascii_uppercase()))
        .filter_map(|(at, _)| pattern.get(..at))
}

/// Actions that can do harm and are not allowed, for counting by how they begin.
struct Harm(BTreeMap<String, ()>);

impl Harm {
    fn outside(allowed: &BTreeSet<ActionPattern>) -> Self {
        let harmful = Catalogue::iter().filter(|entry| !entry.risks().is_empty());
        let outside = harmful.filter(|entry| {
            Action::parse(entry.name())
                .is_ok_and(|action| !allowed.iter().any(|pattern| pattern.matches(&action)))
        });
        Self(outside.map(|entry| (entry.name().to_owned(), ())).collect())
    }

    fn beginning_with(&self, prefix: &str) -> usize {
        let range = self.0.range(prefix.to_owned()..);
        range.take_while(|(name, ())| name.starts_with(prefix)).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patterns(texts: &[&str]) -> BTreeSet<ActionPattern> {
        texts.iter().map(|text| ActionPattern::parse(text).unwrap()).collect()
    }

    #[test]
    fn harmless_beginnings_go_first_and_only_as_needed() {
        let allowed = patterns(&[
            "ec2:DescribeImages",
            "ec2:DescribeInstances",
            "ec2:DescribeVpcs",
            "iam:CreateAccessKey",
            "iam:CreateRole",
        ]);
        assert_eq!(narrowed(&allowed, 1_000).unwrap(), allowed);
        let fitted = narrowed(&allowed, 70).unwrap();
        assert!(fitted.contains(&ActionPattern::parse("ec2:Describe*").unwrap()), "{fitted:?}");
        assert!(fitted.contains(&ActionPattern::parse("iam:CreateRole").unwrap()), "{fitted:?}");
        assert_eq!(narrowed(&allowed, 3), None);
    }
}
