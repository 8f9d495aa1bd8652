//! Whether the lines of evidence hold for the agents that they are held against.

use std::collections::BTreeMap;

use tripline_attribution::AgentId;
use tripline_baseline::Day;
use tripline_text::Untrusted;

use crate::drift::off_from;

use super::{Answer, Check, Facts, Group, LinesOf};

const NEXT: &str = "find out what changed in these agents' work, learn from newer logs, promote, and draw \
    new lines: tripline backtest --save";

/// Whose package holds other baselines has other lines.
const HERE: &str = "; this is of the lines in the folder of baselines here, and of the deployment only if its \
    package has the same";

/// A check for each class of which the calibration does not hold, each with the day on which that turned
/// out; one where it holds for all. No class is that of all agents without one.
pub fn calibrations(fired: &BTreeMap<Option<AgentId>, Day>) -> Vec<Check> {
    let check = |answer, says: String| Check::new(Group::Models, "calibration", answer, says);
    if fired.is_empty() {
        return vec![check(Answer::Ok, "its lines hold as they were drawn".to_owned())];
    }
    let fired = fired.iter().map(|(class, day)| {
        let says = format!(
            "by {day} too many days came above the line of one in a hundred: from {} on evidence kills \
             none of these agents any more, it fences them; rules are as they were",
            off_from(*day),
        );
        let nobodys = Untrusted::borrowed("agents without a class");
        let about = class.as_ref().map_or(nobodys, AgentId::untrusted);
        check(Answer::Warning, says).about(&about).next(NEXT)
    });
    fired.collect()
}

pub(super) fn judge(facts: &Facts) -> Vec<Check> {
    match &facts.fired {
        Ok(fired) => {
            let mut checks = calibrations(fired);
            if facts.lines_of == LinesOf::Folder {
                checks.iter_mut().for_each(|check| check.says.push_str(HERE));
            }
            checks
        }
        Err(unknown) => vec![Check::unknown(Group::Models, "calibration", unknown)],
    }
}
