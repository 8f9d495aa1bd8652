//! Whether every account and Region is heard of that was within a week.

use std::collections::BTreeMap;

use tripline_text::Untrusted;

use super::{Answer, Check, Facts, Group};
use crate::live::{Beat, Source};

const NEXT: &str = "find out who stopped the trail, its notifications or the Region; \
    tripline doctor --stack NAME looks at all three";

/// A check for each source, in their order.
pub fn heartbeats(beats: &BTreeMap<Source, Beat>) -> Vec<Check> {
    beats.iter().map(|(source, beat)| heartbeat(source, *beat)).collect()
}

fn heartbeat(source: &Source, beat: Beat) -> Check {
    let about = Untrusted::new(source.to_string());
    let check =
        |answer, says: String| Check::new(Group::Delivery, "heartbeat", answer, says).about(&about);
    match beat {
        Beat::Steady => check(Answer::Ok, "its files arrive".to_owned()),
        Beat::Late(u16::MAX) => check(Answer::Warning, "its files are hours late".to_owned())
            .next("look at the age of messages in the queue of files, then at the trail's status"),
        Beat::Late(minutes) => {
            check(Answer::Warning, format!("its files are up to {minutes} minutes late")).next(
                "look at the age of messages in the queue of files, then at the trail's status",
            )
        }
        Beat::NoDigest(hours) => {
            check(Answer::Failed, format!("no digest for more than {hours} hours")).next(NEXT)
        }
        Beat::Nothing(hours) => {
            check(Answer::Failed, format!("no file for more than {hours} hours")).next(NEXT)
        }
    }
}

/// The same for people: those that are well in one line.
pub(super) fn judge(facts: &Facts) -> Vec<Check> {
    let beats = match &facts.beats {
        Ok(beats) => beats,
        Err(unknown) => return vec![Check::unknown(Group::Delivery, "heartbeat", unknown)],
    };
    let (well, mut checks): (Vec<_>, Vec<_>) =
        heartbeats(beats).into_iter().partition(|check| check.answer == Answer::Ok);
    let (says, answer) = match (well.len(), beats.len()) {
        (_, 0) => ("no file has arrived within a week".to_owned(), Answer::Failed),
        (well, all) => (format!("{well} of {all} accounts and Regions are heard of"), Answer::Ok),
    };
    let all = Check::new(Group::Delivery, "heartbeats", answer, says);
    let next = if answer == Answer::Failed { NEXT } else { "" };
    checks.insert(0, all.next(next));
    checks
}
