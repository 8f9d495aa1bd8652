//! Whether anybody is told, and whether what people answer can be believed.

use tripline_text::Untrusted;

use super::{Answer, Check, Facts, Found, Group, Unknown};

/// A place where people are told.
#[derive(Clone, Debug)]
pub struct ChannelFacts {
    /// Its name in the settings.
    pub name: Untrusted<'static>,
    /// What came of asking it.
    pub reached: Found<Reached>,
}

/// What came of asking a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reached {
    /// It takes messages.
    Takes,
    /// Somebody is there; only a message shows whether it would be taken.
    Answers,
    /// It takes messages, and nobody gets them.
    Unread,
    /// It takes none, and says why.
    Refuses(Untrusted<'static>),
}

/// What keeps people's answers from being believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnswerProblem {
    /// Whether it is so for the functions, too: a secret that whoever asks may not read, they may.
    pub is_certain: bool,
    /// What it is.
    pub said: Untrusted<'static>,
}

const REACHABLE: &str = "chat-reachable";
const ANSWERS: &str = "chat-answers";

pub(super) fn judge(facts: &Facts) -> Vec<Check> {
    let mut checks: Vec<Check> = facts.chat.iter().map(channel).collect();
    if checks.is_empty() {
        let none = Unknown::NotAsked("no channel is set up: `[[channels]]` in tripline.toml");
        checks.push(Check::unknown(Group::Chat, REACHABLE, &none));
    }
    match facts.answers.as_deref() {
        None => {}
        Some([]) => checks.push(Check::new(
            Group::Chat,
            ANSWERS,
            Answer::Ok,
            "what buttons, links and people are known by can be read",
        )),
        Some(problems) => checks.extend(problems.iter().map(answers)),
    }
    checks
}

fn channel(channel: &ChannelFacts) -> Check {
    let check = |answer, says: &str| Check::new(Group::Chat, REACHABLE, answer, says);
    let check = match &channel.reached {
        Ok(Reached::Takes) => check(Answer::Ok, "it takes messages"),
        Ok(Reached::Answers) => {
            check(Answer::Ok, "somebody is there; whether messages are taken, --post shows")
        }
        Ok(Reached::Unread) => check(Answer::Warning, "nobody gets what is posted there")
            .next("subscribe somebody to the topic, who confirms it"),
        Ok(Reached::Refuses(said)) => check(Answer::Failed, "it takes no messages")
            .quoting(said.clone())
            .next("look at the channel, and at its secret where that is kept"),
        Err(Unknown::Refused(said)) => {
            check(Answer::NotChecked { is_wanted: true }, "it could not be asked")
                .quoting(said.clone())
        }
        Err(unknown) => Check::unknown(Group::Chat, REACHABLE, unknown),
    };
    check.about(&channel.name)
}

fn answers(problem: &AnswerProblem) -> Check {
    let (answer, says) = match problem.is_certain {
        true => (Answer::Failed, "what people press cannot be believed"),
        false => (Answer::NotChecked { is_wanted: true }, "a secret cannot be read here"),
    };
    Check::new(Group::Chat, ANSWERS, answer, says).quoting(problem.said.clone())
}
