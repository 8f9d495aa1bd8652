//! One file a command.

mod backtest;
mod baseline;
mod completions;
mod contain;
mod doctor;
mod export;
mod learn;
mod log;
mod policy;
mod publish;
mod report;
mod restore;
mod score;
mod sessions;
mod status;
mod verify_logs;
mod watch;

use crate::args::{Arguments, Command, LogCommand, SessionsCommand};
use crate::demo;
use crate::exit::{Ended, Failure};

pub(crate) fn run(arguments: &Arguments) -> Result<Ended, Failure> {
    match &arguments.command {
        Command::Demo(arguments) => demo::run(arguments),
        Command::Baseline(arguments) => baseline::run(&arguments.command),
        Command::Brake(arguments) => log::brake(arguments),
        Command::Doctor(arguments) => doctor::run(arguments),
        Command::Export(arguments) => export::run(arguments),
        Command::Fence(arguments) => contain::fence(arguments),
        Command::Kill(arguments) => contain::kill(arguments),
        Command::Learn(arguments) => learn::run(arguments),
        Command::Log(arguments) => match &arguments.command {
            LogCommand::Verify(arguments) => log::verify(arguments),
        },
        Command::Policy(arguments) => policy::run(&arguments.command),
        Command::Report(arguments) => report::run(arguments),
        Command::Restore(arguments) => restore::run(arguments),
        Command::Status(arguments) => status::run(arguments),
        Command::Backtest(arguments) => backtest::run(arguments),
        Command::Score(arguments) => score::run(arguments),
        Command::Watch(arguments) => watch::run(arguments),
        Command::VerifyLogs(arguments) => verify_logs::run(arguments),
        Command::Sessions(arguments) => match (&arguments.command, &arguments.input) {
            (Some(SessionsCommand::Show(arguments)), _) => sessions::show(arguments),
            (Some(SessionsCommand::List(arguments)), _) => {
                sessions::list(&arguments.input, arguments.baselines.as_deref())
            }
            (None, Some(input)) => sessions::list(input, arguments.baselines.as_deref()),
            (None, None) => Err(Failure::Usage {
                message: "no PATH given".to_owned(),
                hint: "tripline sessions PATH...",
            }),
        },
        Command::Completions(arguments) => completions::run(arguments),
    }
}
