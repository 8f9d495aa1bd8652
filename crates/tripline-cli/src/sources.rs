//! Paths, as they were typed → logs, listed.

use std::path::PathBuf;

use tripline_engine::Filter;
use tripline_runtime::{LocalLogs, Source};

use crate::args::{AnyFormat, InputArgs};
use crate::exit::Failure;
use crate::input::is_export;

#[cfg(feature = "aws")]
pub(crate) use remote::{bucket, role};

/// The logs that were named, of which `filter` tells what is needed.
pub(crate) fn of<F: AnyFormat>(
    arguments: &InputArgs<F>,
    filter: &Filter,
) -> Result<Vec<Box<dyn Source>>, Failure> {
    let is_remote = |path: &&PathBuf| path.to_string_lossy().contains("://");
    let logs = arguments.paths.iter().filter(|path| !is_export(path));
    let (remote, local): (Vec<_>, Vec<_>) = logs.partition(is_remote);
    let mut sources: Vec<Box<dyn Source>> = Vec::new();
    if !local.is_empty() || remote.is_empty() {
        let local: Vec<PathBuf> = local.into_iter().cloned().collect();
        sources.push(Box::new(LocalLogs::list(&local)));
    }
    sources.append(&mut remote::of(arguments, &remote, filter)?);
    Ok(sources)
}

#[cfg(feature = "aws")]
mod remote {
    use std::path::{Path, PathBuf};

    use tripline_aws::{BucketLogs, BucketOptions, LookupLogs, LookupUrl, Remote, S3Url};
    use tripline_engine::Filter;
    use tripline_iam::Arn;
    use tripline_runtime::Source;
    use tripline_text::{Untrusted, escape};

    use crate::args::{AnyFormat, InputArgs};
    use crate::exit::Failure;
    use crate::input::{now, usage};
    use crate::progress::Listing;

    pub(super) fn of<F: AnyFormat>(
        arguments: &InputArgs<F>,
        paths: &[&PathBuf],
        filter: &Filter,
    ) -> Result<Vec<Box<dyn Source>>, Failure> {
        let urls = paths.iter().map(|path| parse(path)).collect::<Result<Vec<_>, _>>()?;
        if urls.is_empty() {
            return Ok(Vec::new());
        }
        let role = arguments.read_role.as_deref().map(role).transpose()?;
        let remote = Remote::connect(role.as_ref())?;
        let options = BucketOptions { requester_pays: arguments.requester_pays };
        let listing = Listing::new("listing", arguments.quiet);
        let list = |url: &Url| -> Box<dyn Source> {
            match url {
                Url::Bucket(url) => {
                    let found = |count| listing.found(&url.bucket, count);
                    Box::new(BucketLogs::list(&remote, url, options, filter, &found))
                }
                Url::History(url) => Box::new(LookupLogs::list(&remote, url, filter, now())),
            }
        };
        let sources = urls.iter().map(list).collect();
        listing.finish();
        Ok(sources)
    }

    enum Url {
        Bucket(S3Url),
        History(LookupUrl),
    }

    fn parse(path: &Path) -> Result<Url, Failure> {
        let text = path.to_string_lossy();
        let url = match LookupUrl::is_meant(&text) {
            true => LookupUrl::parse(&text).ok().map(Url::History),
            false => S3Url::parse(&text).ok().map(Url::Bucket),
        };
        url.map_or_else(
            || {
                usage(
                    format!("`{}` is no place that logs are read from", shown(&text)),
                    "for example logs/, s3://BUCKET/AWSLogs/111122223333, or lookup-events://eu-central-1?days=7",
                )
            },
            Ok,
        )
    }

    /// A bucket, as it was typed.
    pub(crate) fn bucket(path: &Path) -> Result<S3Url, Failure> {
        let text = path.to_string_lossy();
        S3Url::parse(&text).or_else(|_| {
            usage(format!("`{}` is no bucket", shown(&text)), "for example s3://BUCKET/AWSLogs")
        })
    }

    /// A role, as it was typed.
    pub(crate) fn role(text: &str) -> Result<Arn, Failure> {
        match Arn::parse(text) {
            Ok(arn) if arn.role_name().is_some() => Ok(arn),
            _ => usage(
                format!("`{}` is not a role", shown(text)),
                "for example arn:aws:iam::111122223333:role/TriplineReader",
            ),
        }
    }

    fn shown(text: &str) -> String {
        escape::terminal(&Untrusted::borrowed(text)).to_string()
    }
}

#[cfg(not(feature = "aws"))]
mod remote {
    use std::path::PathBuf;

    use tripline_engine::Filter;
    use tripline_runtime::Source;

    use crate::args::{AnyFormat, InputArgs};
    use crate::exit::Failure;
    use crate::input::usage;

    pub(super) fn of<F: AnyFormat>(
        _: &InputArgs<F>,
        paths: &[&PathBuf],
        _: &Filter,
    ) -> Result<Vec<Box<dyn Source>>, Failure> {
        if paths.is_empty() {
            return Ok(Vec::new());
        }
        usage(
            "this program was built without AWS, and reads directories only".to_owned(),
            "build it with its default features: cargo build --release --bin tripline",
        )
    }
}
