//! Whether Tripline can see and can still stop, for people and for programs.

use std::io::{self, Write};

use tripline_engine::doctor::{Answer, Check, Group};
use tripline_text::{Untrusted, escape};

use crate::table::{Style, cut};

/// Where text begins, and where it ends at a word.
const INDENT: usize = 13;
const COLUMNS: usize = 80;

/// All checks, under the question that they answer, and below each what to do next.
///
/// # Errors
/// Those of `out`.
pub fn write_checks(out: &mut impl Write, checks: &[Check], style: Style) -> io::Result<()> {
    let mut group: Option<Group> = None;
    for check in checks {
        if group != Some(check.group) {
            if group.is_some() {
                writeln!(out)?;
            }
            writeln!(out, "{}", style.title(&check.group.to_string()))?;
            group = Some(check.group);
        }
        write_check(out, check, style)?;
    }
    Ok(())
}

/// A check in a line, or as many as it takes at 80 columns.
fn write_check(out: &mut impl Write, check: &Check, style: Style) -> io::Result<()> {
    let about = match (&check.about, noun(check.id)) {
        // Who asks why must know of what.
        (None, _) if matches!(check.answer, Answer::NotChecked { .. }) => {
            format!("{}: ", check.id.replace('-', " "))
        }
        (None, _) => String::new(),
        (Some(about), noun) => format!("{noun}{}: ", cut(about, 100)),
    };
    write!(out, "{}", style.answer(check.answer))?;
    write_wrapped(out, &format!("{about}{}", check.says))?;
    if let Some(quoted) = &check.quoted {
        write!(out, "{:INDENT$}", "")?;
        write_wrapped(out, &format!("it said: {}", cut(quoted, 300)))?;
    }
    if !check.next.is_empty() {
        write!(out, "{:INDENT$}", "")?;
        write_wrapped(out, &format!("next: {}", check.next))?;
    }
    Ok(())
}

/// What kind of thing a name is of.
fn noun(check: &str) -> &'static str {
    match check.split('-').next().unwrap_or_default() {
        "trail" => "trail ",
        "notifications" => "bucket ",
        "queue" => "queue ",
        "table" => "table ",
        "model" => "agent ",
        "guard" | "heartbeat" => "account ",
        _ => "",
    }
}

/// The rest of a line that has [`INDENT`] columns already, and more lines below it.
fn write_wrapped(out: &mut impl Write, text: &str) -> io::Result<()> {
    let mut column = INDENT;
    for (nth, word) in text.split(' ').enumerate() {
        let columns = word.chars().count();
        if nth > 0 && column + 1 + columns > COLUMNS {
            write!(out, "\n{:INDENT$}", "")?;
            column = INDENT;
        } else if nth > 0 {
            write!(out, " ")?;
            column += 1;
        }
        write!(out, "{word}")?;
        column += columns;
    }
    writeln!(out)
}

/// A check as a line:
///
/// ```json
/// {"group":"trail","check":"trail-validation","about":"main","answer":"failed","says":"…",
///  "quoted":null,"next":"…"}
/// ```
///
/// `answer` is ok, warning, failed or not checked; `about` is null where there is only one such thing,
/// `quoted` is what the other side said, `next` may be empty.
///
/// # Errors
/// Those of `out`.
pub fn write_check_line(out: &mut impl Write, check: &Check) -> io::Result<()> {
    let (group, id, answer) = (check.group.word(), check.id, check.answer.word());
    write!(out, r#"{{"group":"{group}","check":"{id}","about":"#)?;
    write_text(out, check.about.as_ref())?;
    let says = Untrusted::borrowed(&check.says);
    write!(out, r#","answer":"{answer}","says":{},"quoted":"#, escape::json_string(&says))?;
    write_text(out, check.quoted.as_ref())?;
    let next = Untrusted::borrowed(&check.next);
    writeln!(out, r#","next":{}}}"#, escape::json_string(&next))
}

fn write_text(out: &mut impl Write, text: Option<&Untrusted<'_>>) -> io::Result<()> {
    match text {
        None => out.write_all(b"null"),
        Some(text) => write!(out, "{}", escape::json_string(text)),
    }
}

/// How many there were of each.
///
/// # Errors
/// Those of `out`.
pub fn write_summary(out: &mut impl Write, checks: &[Check]) -> io::Result<()> {
    let count = |is: fn(Answer) -> bool| checks.iter().filter(|check| is(check.answer)).count();
    writeln!(
        out,
        "{} checks: {} ok, {} warnings, {} failed, {} not checked",
        checks.len(),
        count(|answer| answer == Answer::Ok),
        count(|answer| answer == Answer::Warning),
        count(|answer| answer == Answer::Failed),
        count(|answer| matches!(answer, Answer::NotChecked { .. })),
    )
}

impl Style {
    /// The word for an answer, in its colour and with room behind it.
    fn answer(self, answer: Answer) -> String {
        let colour = match answer {
            Answer::Ok => "32",
            Answer::NotChecked { .. } => "2",
            Answer::Warning => "33",
            Answer::Failed => "1;31",
        };
        self.paint(colour, &format!("{:<13}", answer.word()))
    }
}

#[cfg(test)]
mod tests {
    use tripline_engine::doctor::Unknown;

    use super::*;

    fn check(group: Group, id: &'static str, answer: Answer) -> Check {
        Check {
            group,
            id,
            about: None,
            answer,
            says: "as it should be".to_owned(),
            quoted: None,
            next: String::new(),
        }
    }

    fn checks() -> Vec<Check> {
        let Unknown::Refused(said) = Unknown::refused("AccessDenied: \u{1b}[31mno\n") else {
            return Vec::new();
        };
        vec![
            check(Group::Trail, "trail-coverage", Answer::Ok),
            Check {
                about: Some(Untrusted::borrowed("main\u{7}")),
                says: "log file validation is off: nobody can tell a forged file from a real one"
                    .to_owned(),
                next: "aws cloudtrail update-trail --enable-log-file-validation".to_owned(),
                ..check(Group::Trail, "trail-validation", Answer::Failed)
            },
            Check {
                quoted: Some(said),
                says: "AWS gave no answer".to_owned(),
                ..check(Group::Parts, "table", Answer::NotChecked { is_wanted: true })
            },
        ]
    }

    #[test]
    fn people_get_a_line_each_of_eighty_columns() {
        let mut out = Vec::new();
        write_checks(&mut out, &checks(), Style::Plain).unwrap();
        write_summary(&mut out, &checks()).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.lines().all(|line| line.chars().count() <= COLUMNS), "{text}");
        insta::assert_snapshot!(text);
    }

    #[test]
    fn programs_get_an_object_each() {
        let mut out = Vec::new();
        checks().iter().try_for_each(|check| write_check_line(&mut out, check)).unwrap();
        insta::assert_snapshot!(String::from_utf8(out).unwrap());
    }
}
