//! `tripline verify-logs`

use crate::args::VerifyLogsArgs;
use crate::exit::{Ended, Failure};

#[cfg(not(feature = "signatures"))]
pub(crate) fn run(_: &VerifyLogsArgs) -> Result<Ended, Failure> {
    Err(Failure::Usage {
        message: "this program was built without signatures".to_owned(),
        hint: "build it with its default features: cargo build --release --bin tripline",
    })
}

#[cfg(feature = "signatures")]
pub(crate) use with_signatures::run;

#[cfg(feature = "signatures")]
mod with_signatures {
    use std::fs;
    use std::io::Write;
    use std::path::PathBuf;

    use tripline_cloudtrail::digest::{Audit, Class, public_keys};
    use tripline_report::audit;
    use tripline_runtime::{LocalTrail, Period, RsaKeys, verify_trail};

    use super::{Ended, Failure, VerifyLogsArgs};
    use crate::args::Format;
    use crate::input::period;
    use crate::output::Output;
    use crate::switch;

    pub(crate) fn run(arguments: &VerifyLogsArgs) -> Result<Ended, Failure> {
        let (since, until) = period(arguments.since.as_deref(), arguments.until.as_deref())?;
        let keys = keys(&arguments.keys)?;
        let period = Period { since, until };
        let audit = match arguments.path.to_string_lossy().contains("://") {
            true => in_bucket::audit(arguments, &keys, period)?,
            false => audit_copy(arguments, &keys, period)?,
        };
        let mut out = Output::new(arguments.color);
        let style = out.style();
        for finding in audit.findings() {
            match arguments.format {
                Format::Table => audit::write_finding(&mut out, finding, style)?,
                Format::Ndjson => audit::write_finding_line(&mut out, finding)?,
            }
        }
        out.flush()?;
        let mut summary = out.for_summary(arguments.format, arguments.quiet);
        let style = summary.style();
        audit::write_summary(&mut summary, &audit, style)?;
        summary.flush()?;
        let findings = audit.total(Class::Tampered) > 0;
        let is_proven = audit.counts.digests.valid > 0
            && audit.counts.files.not_covered == 0
            && [Class::Gap, Class::Unproven, Class::Unread]
                .iter()
                .all(|class| audit.total(*class) == 0);
        // Who tampers can leave files out as well: that must not turn a 1 into a 3.
        Ok(Ended { findings, unread: !is_proven && !findings, ..Ended::default() })
    }

    fn audit_copy(
        arguments: &VerifyLogsArgs,
        keys: &RsaKeys,
        period: Period,
    ) -> Result<Audit, Failure> {
        if !arguments.path.is_dir() {
            return Err(Failure::Usage {
                message: format!("`{}` is not a directory", arguments.path.display()),
                hint: "name the bucket, s3://BUCKET, or a copy of it: aws s3 sync s3://BUCKET/AWSLogs logs/",
            });
        }
        let mut trail = LocalTrail::new(arguments.path.clone());
        Ok(switch::runtime()?.block_on(verify_trail(&mut trail, keys, period)))
    }

    #[cfg(feature = "aws")]
    mod in_bucket {
        use tripline_aws::{BucketOptions, BucketTrail, Remote};

        use super::{Audit, Failure, Period, RsaKeys, VerifyLogsArgs};
        use crate::progress::Listing;
        use crate::sources;

        pub(super) fn audit(
            arguments: &VerifyLogsArgs,
            keys: &RsaKeys,
            period: Period,
        ) -> Result<Audit, Failure> {
            let url = sources::bucket(&arguments.path)?;
            let role = arguments.read_role.as_deref().map(sources::role).transpose()?;
            let remote = Remote::connect(role.as_ref())?;
            let options = BucketOptions { requester_pays: arguments.requester_pays };
            let checking = Listing::new("checking", arguments.quiet);
            let fetched = |count| checking.found(&url.bucket, count);
            let trail = BucketTrail::open(&remote, &url, options, period, &fetched);
            let audit = trail.verify(keys, period);
            checking.finish();
            Ok(audit)
        }
    }

    #[cfg(not(feature = "aws"))]
    mod in_bucket {
        use super::{Audit, Failure, Period, RsaKeys, VerifyLogsArgs};

        pub(super) fn audit(_: &VerifyLogsArgs, _: &RsaKeys, _: Period) -> Result<Audit, Failure> {
            Err(crate::switch::without_aws())
        }
    }

    fn keys(files: &[PathBuf]) -> Result<RsaKeys, Failure> {
        let hint = "`aws cloudtrail list-public-keys --start-time … --end-time …` prints the keys of a Region";
        let mut keys = Vec::new();
        for path in files {
            let text = fs::read_to_string(path)
                .map_err(|source| Failure::Unreadable { path: path.clone(), source })?;
            let read = public_keys(&text).map_err(|why| Failure::Usage {
                message: format!("`{}` has no public keys: {why}", path.display()),
                hint,
            })?;
            keys.extend(read);
        }
        RsaKeys::new(keys)
            .map_err(|unusable| Failure::Usage { message: unusable.to_string(), hint })
    }
}
