//! One file a command.

mod baseline;
mod learn;
mod score;
mod sessions;

use crate::args::{Arguments, Command, SessionsCommand};
use crate::demo;
use crate::exit::{Ended, Failure};

pub(crate) fn run(arguments: &Arguments) -> Result<Ended, Failure> {
    match &arguments.command {
        Command::Demo(arguments) => demo::run(arguments),
        Command::Baseline(arguments) => baseline::run(&arguments.command),
        Command::Learn(arguments) => learn::run(arguments),
        Command::Score(arguments) => score::run(arguments),
        Command::Sessions(arguments) => match (&arguments.command, &arguments.input) {
            (Some(SessionsCommand::List(input)), _) | (None, Some(input)) => sessions::run(input),
            (None, None) => Err(Failure::Usage {
                message: "no PATH given".to_owned(),
                hint: "tripline sessions PATH...",
            }),
        },
    }
}
