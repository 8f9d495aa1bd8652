//! `tripline log verify` and `tripline brake`

use std::fs;
use std::io::Write;

use tripline_containment::{Chain, Event};
use tripline_text::Untrusted;

use crate::args::{BrakeArgs, BrakeTo, Color, LogVerifyArgs};
use crate::exit::{Ended, Failure};
use crate::logbook::{self, LogPlace};
use crate::output::Output;
use crate::switch::{self, now_unix_ms};

pub(crate) fn verify(arguments: &LogVerifyArgs) -> Result<Ended, Failure> {
    let text = match &arguments.file {
        Some(file) => fs::read_to_string(file)
            .map_err(|source| Failure::Unreadable { path: file.clone(), source })?,
        None => {
            let place = LogPlace::meant(arguments.log.state.as_ref())?;
            switch::runtime()?.block_on(logbook::text(place))?
        }
    };
    let mut chain = Chain::default();
    let mut had_head = arguments.head.is_none();
    let mut out = Output::new(Color::Auto);
    for line in text.lines() {
        if let Err(broken) = chain.follow(line) {
            writeln!(out, "{broken}")?;
            writeln!(out, "{} entries before it hold", chain.len())?;
            out.flush()?;
            return Ok(Ended { unproven: true, ..Ended::default() });
        }
        had_head |= arguments.head.as_deref() == Some(chain.head());
    }
    writeln!(out, "{} entries hold; the last has the digest {}", chain.len(), chain.head())?;
    if !had_head {
        writeln!(out, "the digest that was given is of none of them: the end was cut off")?;
    }
    out.flush()?;
    Ok(Ended { unproven: !had_head, ..Ended::default() })
}

pub(crate) fn brake(arguments: &BrakeArgs) -> Result<Ended, Failure> {
    let runtime = switch::runtime()?;
    runtime.block_on(async {
        let journal = logbook::journal(arguments.log.state.as_ref()).await?;
        let reason = Untrusted::new(arguments.reason.clone());
        let (event, text) = match arguments.to {
            BrakeTo::On => (Event::Halted { reason }, "all automatic action is stopped"),
            BrakeTo::Off => (Event::Resumed { reason }, "automatic action goes on"),
        };
        journal.append(None, now_unix_ms(), event).await?;
        let mut out = Output::new(Color::Auto);
        writeln!(out, "{text}")?;
        out.flush()?;
        Ok(Ended::default())
    })
}
