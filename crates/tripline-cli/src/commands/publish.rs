//! `tripline baseline promote --to`: what is in force here, put in force for the live functions.

use std::io::Write;
use std::path::{Path, PathBuf};

use tripline_runtime::{Depot, LocalDepot, publish};
use tripline_text::{Untrusted, escape};

use crate::exit::Failure;
use crate::input::now;
use crate::output::Output;
use crate::switch;

/// Writes what is in force in `baselines`, with the settings, to a bucket or another folder.
pub(super) fn run(
    baselines: &Path,
    config: Option<&PathBuf>,
    to: &str,
    out: &mut Output,
) -> Result<(), Failure> {
    // What was named and is not there is a mistake, not a fleet without habits.
    if !baselines.is_dir() {
        return Err(Failure::Usage {
            message: format!("`{}` is not there", baselines.display()),
            hint: "name the folder of baselines: --baselines DIR",
        });
    }
    switch::runtime()?.block_on(async {
        let depot = depot(to).await?;
        let published =
            publish(baselines, config.map(PathBuf::as_path), depot.as_ref(), now()).await?;
        let what = if published.is_new { "in force" } else { "in force as before" };
        let place = Untrusted::new(depot.name());
        writeln!(
            out,
            "{}: {what}, {} agents, {} of them new or changed, sha256:{}",
            escape::terminal(&place),
            published.agents,
            published.new_agents,
            published.root,
        )?;
        Ok(())
    })
}

async fn depot(to: &str) -> Result<Box<dyn Depot>, Failure> {
    if !to.starts_with("s3://") {
        return Ok(Box::new(LocalDepot::new(Path::new(to))));
    }
    #[cfg(feature = "aws")]
    {
        let aws = aws_config::load_defaults(aws_config::BehaviorVersion::latest()).await;
        let depot = tripline_aws::S3Depot::parse(&aws, to).ok_or_else(|| Failure::Usage {
            message: "--to names no bucket".to_owned(),
            hint: "it is a folder, or s3://bucket/prefix",
        })?;
        Ok(Box::new(depot))
    }
    #[cfg(not(feature = "aws"))]
    Err(Failure::Usage {
        message: "this program was built without AWS".to_owned(),
        hint: "build it with its default features: cargo build --release --bin tripline",
    })
}
