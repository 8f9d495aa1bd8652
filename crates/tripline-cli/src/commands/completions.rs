//! `tripline completions SHELL`

use std::io::Write;

use clap::CommandFactory;

use crate::args::{Arguments, CompletionsArgs};
use crate::exit::{Ended, Failure};

pub(crate) fn run(arguments: &CompletionsArgs) -> Result<Ended, Failure> {
    // Into memory first: the generator panics where its output is closed.
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Arguments::command(), "tripline", &mut script);
    std::io::stdout().write_all(&script)?;
    Ok(Ended::default())
}
