//! Statements put into, and taken out of, policy documents that others wrote.
//!
//! The text around a statement is never touched: what was put in can be taken out again and leaves the
//! very bytes that stood there before, whatever their order and white space. So an exact restore needs
//! no backup, only the document as it stands.

use std::ops::Range;

use serde::Deserialize;
use serde_json::value::RawValue;
use thiserror::Error;

use crate::denial::{Denial, DenialName};
use crate::incident::IncidentId;

/// A document that cannot be changed without guessing what it means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NotEditable {
    /// No JSON object with statements.
    #[error("the policy in place is not a policy document: put a correct one there first")]
    Malformed,
    /// A document of the language of 2008, in which `${` is not escaped.
    #[error(
        "the policy in place is of version 2008-10-17, in which this name cannot be written: set its version to 2012-10-17"
    )]
    OldLanguage,
}

/// A document without some of our statements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// What is left.
    pub text: String,
    /// How many statements were taken out.
    pub taken: usize,
    /// How many of ours are left, of other incidents.
    pub ours_left: usize,
    /// Whether no statement at all is left.
    pub is_empty: bool,
}

/// The document with these statements in it: the same bytes, if all are there already. One of ours
/// that somebody altered is put right. Without a document, one that has nothing else.
///
/// # Errors
/// [`NotEditable`].
pub fn put(document: Option<&str>, denials: &[Denial]) -> Result<String, NotEditable> {
    let Some(document) = document else { return Ok(fresh(denials)) };
    let mut outline = Outline::of(document)?;
    if outline.version != Some("2012-10-17")
        && denials.iter().any(|denial| denial.text().contains("${"))
    {
        return Err(NotEditable::OldLanguage);
    }
    let marked = outline.is_alone() || outline.ours().any(|(name, _)| name.was_alone);
    let denials: Vec<Denial> = denials
        .iter()
        .map(|denial| if marked { denial.beside_one_alone() } else { denial.clone() })
        .collect();
    let altered = |outline: &Outline<'_>, text: &str| {
        outline.entries.iter().any(|entry| {
            denials.iter().any(|denial| {
                entry.sid == Some(denial.sid()) && text.get(entry.at.clone()) != Some(denial.text())
            })
        })
    };
    let mut text = document.to_owned();
    let cleaned;
    if altered(&outline, document) {
        cleaned = cut(document, &outline, |name| {
            denials.iter().any(|denial| denial.sid() == name.to_string())
        })
        .text;
        text.clone_from(&cleaned);
        outline = Outline::of(&cleaned)?;
    }
    let missing: Vec<&str> = denials
        .iter()
        .filter(|denial| outline.entries.iter().all(|entry| entry.sid != Some(denial.sid())))
        .map(Denial::text)
        .collect();
    if missing.is_empty() {
        return Ok(text);
    }
    Ok(outline.with(&text, &missing.join(",")))
}

/// The document without the statements of an incident.
///
/// # Errors
/// [`NotEditable`].
pub fn take(document: &str, incident: IncidentId) -> Result<Taken, NotEditable> {
    let outline = Outline::of(document)?;
    Ok(cut(document, &outline, |name| name.incident == incident))
}

/// Our statements in a document, with their texts.
///
/// # Errors
/// [`NotEditable`].
pub fn ours(document: &str) -> Result<Vec<(DenialName, &str)>, NotEditable> {
    let outline = Outline::of(document)?;
    let found = outline
        .entries
        .iter()
        .filter_map(|entry| Some((entry.name()?, document.get(entry.at.clone())?)));
    Ok(found.collect())
}

/// Whether all of these statements stand in a document, unaltered.
pub fn holds(document: Option<&str>, denials: &[Denial]) -> bool {
    // To put what is there already changes nothing.
    document.is_some_and(|document| put(Some(document), denials).is_ok_and(|text| text == document))
}

fn fresh(denials: &[Denial]) -> String {
    let statements: Vec<&str> = denials.iter().map(Denial::text).collect();
    format!(r#"{{"Version":"2012-10-17","Statement":[{}]}}"#, statements.join(","))
}

/// Where the statements of a document stand.
struct Outline<'t> {
    version: Option<&'t str>,
    /// The value of `Statement`, brackets included.
    whole: Range<usize>,
    has_brackets: bool,
    entries: Vec<Entry<'t>>,
}

struct Entry<'t> {
    at: Range<usize>,
    sid: Option<&'t str>,
}

impl Entry<'_> {
    fn name(&self) -> Option<DenialName> {
        self.sid?.parse().ok()
    }
}

#[derive(Deserialize)]
struct Document<'t> {
    #[serde(rename = "Version")]
    version: Option<&'t str>,
    #[serde(borrow, rename = "Statement")]
    statement: &'t RawValue,
}

impl<'t> Outline<'t> {
    fn of(text: &'t str) -> Result<Self, NotEditable> {
        let document: Document<'t> =
            serde_json::from_str(text).map_err(|_| NotEditable::Malformed)?;
        let raw = document.statement.get();
        let whole = range_in(text, raw);
        let has_brackets = raw.starts_with('[');
        let statements: Vec<&'t RawValue> = match has_brackets {
            true => serde_json::from_str(raw).map_err(|_| NotEditable::Malformed)?,
            false => vec![document.statement],
        };
        let entries: Result<Vec<Entry<'t>>, NotEditable> = statements
            .into_iter()
            .map(|statement| {
                let statement = statement.get();
                Ok(Entry { at: range_in(text, statement), sid: sid_of(statement)? })
            })
            .collect();
        Ok(Self { version: document.version, whole, has_brackets, entries: entries? })
    }

    fn is_alone(&self) -> bool {
        !self.has_brackets
    }

    fn ours(&self) -> impl Iterator<Item = (DenialName, &Entry<'t>)> {
        self.entries.iter().filter_map(|entry| Some((entry.name()?, entry)))
    }

    /// The text with more statements after the last.
    fn with(&self, text: &str, statements: &str) -> String {
        match self.entries.last() {
            Some(last) if self.has_brackets => {
                spliced(text, last.at.end, &format!(",{statements}"))
            }
            Some(only) => {
                let end = spliced(text, only.at.end, &format!(",{statements}]"));
                spliced(&end, only.at.start, "[")
            }
            None => spliced(text, self.whole.start.saturating_add(1), statements),
        }
    }
}

/// A statement's id, if it has one; one with an escape in it is none of ours.
fn sid_of(statement: &str) -> Result<Option<&str>, NotEditable> {
    #[derive(Deserialize)]
    struct Named<'t> {
        #[serde(borrow, rename = "Sid")]
        sid: Option<&'t RawValue>,
    }
    let named: Named<'_> = serde_json::from_str(statement).map_err(|_| NotEditable::Malformed)?;
    Ok(named.sid.and_then(|sid| serde_json::from_str(sid.get()).ok()))
}

/// Where a part stands in the text that it was borrowed from.
fn range_in(text: &str, part: &str) -> Range<usize> {
    let start = (part.as_ptr() as usize).saturating_sub(text.as_ptr() as usize);
    start..start.saturating_add(part.len())
}

fn spliced(text: &str, at: usize, insert: &str) -> String {
    // INVARIANT: `at` is where a JSON value begins or ends, hence between two characters.
    let (before, after) = text.split_at_checked(at).unwrap_or((text, ""));
    format!("{before}{insert}{after}")
}

fn cut(text: &str, outline: &Outline<'_>, goes: impl Fn(DenialName) -> bool) -> Taken {
    let mut left = String::with_capacity(text.len());
    let mut copied = 0;
    let mut taken = 0;
    let mut was_alone = false;
    let mut kept: Vec<&Entry<'_>> = Vec::new();
    for (nth, entry) in outline.entries.iter().enumerate() {
        let Some(name) = entry.name().filter(|name| goes(*name)) else {
            kept.push(entry);
            continue;
        };
        taken += 1;
        was_alone |= name.was_alone;
        // What was put in is a comma and the statement, after another one: exactly that goes. Where
        // the first of all goes, so does the comma behind it.
        let before = nth.checked_sub(1).and_then(|nth| outline.entries.get(nth));
        let after = outline.entries.get(nth.saturating_add(1));
        let gone = match (kept.is_empty(), before, after) {
            (false, Some(before), _) => before.at.end..entry.at.end,
            (_, _, Some(after)) => entry.at.start..after.at.start,
            _ => entry.at.start..entry.at.end,
        };
        left.push_str(text.get(copied..gone.start.max(copied)).unwrap_or_default());
        copied = gone.end;
    }
    left.push_str(text.get(copied..).unwrap_or_default());
    let ours_left = kept.iter().filter(|entry| entry.name().is_some()).count();
    let is_empty = kept.is_empty();
    if was_alone && kept.len() == 1 && ours_left == 0 {
        left = without_brackets(left);
    }
    Taken { text: left, taken, ours_left, is_empty }
}

/// A document whose list has one statement, with that statement alone.
fn without_brackets(text: String) -> String {
    let Ok(outline) = Outline::of(&text) else { return text };
    let Some(only) = outline.entries.first() else { return text };
    let parts =
        [text.get(..outline.whole.start), text.get(only.at.clone()), text.get(outline.whole.end..)];
    parts.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;
    use tripline_iam::ActionPattern;
    use tripline_iam::policy::{Actions, Effect, Resources, Statement};

    use super::*;
    use crate::denial::Purpose;

    pub(crate) fn denial(incident: u64, number: u8) -> Denial {
        let incident = IncidentId::new(incident);
        let name = DenialName { incident, purpose: Purpose::Kill, number, was_alone: false };
        Denial::new("everybody".to_owned(), name, |sid| {
            let actions = Actions::Only(BTreeSet::from([ActionPattern::any()]));
            Statement::new(sid, Effect::Deny, actions, Resources::any(), Vec::new())
        })
        .unwrap()
    }

    const ODD: &str = "{ \"Version\" : \"2012-10-17\",\n \"Statement\" : [ {\"Effect\":\"Allow\", \"Sid\":\"Theirs\",\"Action\":\"s3:*\",\"Resource\":\"*\"}\n ] , \"Id\":\"x\" }\n";
    const ALONE: &str = r#"{"Statement":{"Effect":"Allow","Action":"sts:AssumeRole","Principal":"*"} ,"Version":"2012-10-17"}"#;
    const EMPTY: &str = r#"{"Version":"2012-10-17","Statement":[ ]}"#;

    #[test]
    fn what_was_put_in_comes_out_and_leaves_the_same_bytes() {
        for original in [ODD, ALONE, EMPTY] {
            let one = put(Some(original), &[denial(1, 0), denial(1, 1)]).unwrap();
            let two = put(Some(&one), &[denial(2, 0)]).unwrap();
            assert_eq!(ours(&two).unwrap().len(), 3, "{two}");
            assert!(holds(Some(&two), &[denial(1, 0)]) && holds(Some(&two), &[denial(2, 0)]));
            // Trap 7: the second does not undo the first, nor giving the first back the second.
            let without_first = take(&two, IncidentId::new(1)).unwrap();
            assert_eq!((without_first.taken, without_first.ours_left), (2, 1));
            assert!(holds(Some(&without_first.text), &[denial(2, 0)]));
            assert!(!holds(Some(&without_first.text), &[denial(1, 0)]));
            let restored = take(&without_first.text, IncidentId::new(2)).unwrap();
            assert_eq!(restored.text, original);
            let other_way = take(&two, IncidentId::new(2)).unwrap();
            assert_eq!(take(&other_way.text, IncidentId::new(1)).unwrap().text, original);
        }
    }

    #[test]
    fn a_document_of_ours_alone_ends_empty() {
        let text = put(None, &[denial(1, 0)]).unwrap();
        assert_eq!(put(Some(&text), &[denial(1, 0)]).unwrap(), text);
        let taken = take(&text, IncidentId::new(1)).unwrap();
        assert!(taken.is_empty && taken.taken == 1);
        assert_eq!(take(&text, IncidentId::new(9)).unwrap().text, text);
    }

    #[test]
    fn what_somebody_altered_is_put_right_and_what_they_added_stays() {
        let text = put(Some(ODD), &[denial(1, 0), denial(1, 1)]).unwrap();
        let weakened =
            text.replacen("\"Deny\",\"Action\":\"*\"", "\"Deny\",\"Action\":\"s3:Get*\"", 1);
        assert_ne!(weakened, text);
        assert!(!holds(Some(&weakened), &[denial(1, 0)]));
        let right = put(Some(&weakened), &[denial(1, 0), denial(1, 1)]).unwrap();
        assert!(holds(Some(&right), &[denial(1, 0), denial(1, 1)]));
        assert_eq!(take(&right, IncidentId::new(1)).unwrap().text, ODD);
        let added = text.replace("[ {", r#"[ {"Effect":"Deny","Action":"x:Y","Resource":"*"},{"#);
        let given_back = take(&added, IncidentId::new(1)).unwrap().text;
        assert_eq!(
            given_back,
            ODD.replace("[ {", r#"[ {"Effect":"Deny","Action":"x:Y","Resource":"*"},{"#)
        );
    }

    #[test]
    fn what_is_no_policy_is_left_alone() {
        for text in ["", "null", "[]", r#"{"Version":"2012-10-17"}"#, r#"{"Statement":"x"}"#] {
            assert_eq!(put(Some(text), &[denial(1, 0)]), Err(NotEditable::Malformed), "{text}");
        }
    }

    fn statement() -> impl Strategy<Value = String> {
        ("[ \n\t]{0,2}", "[A-Za-z0-9]{0,6}", "[ \n]{0,2}").prop_map(|(before, sid, after)| {
            format!(r#"{before}{{"Sid":"{sid}",{after}"Effect":"Allow","Action":["a:*","b:C\u0041"],"Resource":"*"}}{after}"#)
        })
    }

    proptest! {
        #[test]
        fn any_document_is_given_back_byte_for_byte(
            statements in prop::collection::vec(statement(), 0..4), brackets: bool, first in 0_u8..3, second in 1_u8..3, swap: bool
        ) {
            let list = match (brackets, statements.first()) {
                (false, Some(only)) => only.clone(),
                _ => format!("[{}]", statements.join(",")),
            };
            let original = format!(r#" {{"Version":"2012-10-17" ,"Statement": {list} ,"Id":"i"}} "#);
            let batch = |incident, count| (0..count).map(|number| denial(incident, number)).collect::<Vec<_>>();
            let one = put(Some(&original), &batch(1, first)).unwrap();
            let two = put(Some(&one), &batch(2, second)).unwrap();
            prop_assert!(holds(Some(&two), &batch(1, first)) && holds(Some(&two), &batch(2, second)));
            let order = if swap { [2, 1] } else { [1, 2] };
            let back = order.into_iter().fold(two, |text, incident| take(&text, IncidentId::new(incident)).unwrap().text);
            prop_assert_eq!(back, original);
        }
    }
}
