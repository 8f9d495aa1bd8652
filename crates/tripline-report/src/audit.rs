//! What came out of checking digests and logs, for people and for programs.

use std::io::{self, Write};

use tripline_cloudtrail::digest::{Audit, Class, Counts, Finding, Kind, WalkedChain};
use tripline_text::{Untrusted, escape};

use crate::table::{Style, cut};

/// A finding: what it amounts to and where, and below it why.
///
/// # Errors
/// Those of `out`.
pub fn write_finding(out: &mut impl Write, finding: &Finding, style: Style) -> io::Result<()> {
    let class = finding.what.class();
    let title = match class {
        Class::Tampered => "TAMPERED".to_owned(),
        other => other.to_string(),
    };
    // Never cut: the end of a file's name is what tells it from its neighbours.
    writeln!(out, "{:<8}  {}", style.title(&title), escape::terminal(&finding.at))?;
    writeln!(out, "          {}", finding.what)
}

/// A finding as a line:
///
/// ```json
/// {"class":"tampered","kind":"log-changed","at":"AWSLogs/…","object":"s3://…","from":null,"to":null,
///  "why":"…"}
/// ```
///
/// `class` is tampered, gap, unproven or unread; `object` is null where it is not known; `from` and
/// `to` bound the time that a gap is about.
///
/// # Errors
/// Those of `out`.
pub fn write_finding_line(out: &mut impl Write, finding: &Finding) -> io::Result<()> {
    let (from, to) = finding.what.span();
    write!(
        out,
        r#"{{"class":"{}","kind":"{}","at":{},"object":"#,
        finding.what.class(),
        finding.what.word(),
        escape::json_string(&finding.at),
    )?;
    match &finding.object {
        None => out.write_all(b"null")?,
        Some(object) => {
            let (bucket, key) = (object.bucket.as_unescaped(), object.key.as_unescaped());
            let object = Untrusted::new(format!("s3://{bucket}/{key}"));
            write!(out, "{}", escape::json_string(&object))?;
        }
    }
    for (name, time) in [("from", from), ("to", to)] {
        match time {
            None => write!(out, r#","{name}":null"#)?,
            Some(time) => write!(out, r#","{name}":"{time}""#)?,
        }
    }
    let why = Untrusted::new(finding.what.to_string());
    writeln!(out, r#","why":{}}}"#, escape::json_string(&why))
}

/// How much there was of everything, and what it comes to.
///
/// # Errors
/// Those of `out`.
pub fn write_summary(out: &mut impl Write, audit: &Audit, style: Style) -> io::Result<()> {
    if audit.not_kept() > 0 {
        writeln!(out, "and {} more findings", audit.not_kept())?;
    }
    for chain in &audit.chains {
        write_chain(out, chain)?;
    }
    write_counts(out, &audit.counts)?;
    let seen = audit.counts.digests.seen - audit.counts.digests.outside;
    let words = [
        (Class::Tampered, "tampered with"),
        (Class::Gap, "gaps"),
        (Class::Unproven, "not proven"),
        (Class::Unread, "not read"),
    ];
    let not_covered = audit.counts.files.not_covered;
    let parts = words
        .iter()
        .map(|(class, word)| (audit.total(*class), word))
        .filter(|(total, _)| *total > 0)
        .map(|(total, word)| format!("{total} {word}"))
        .chain((not_covered > 0).then(|| format!("{not_covered} log files without a digest")));
    let parts: Vec<String> = parts.collect();
    let result = match (parts.is_empty(), seen) {
        (true, 0) => "no digest files of this period: nothing is proven".to_owned(),
        (true, _) => "all is as CloudTrail wrote it".to_owned(),
        (false, _) => parts.join(", "),
    };
    writeln!(out, "{}", style.title(&result))
}

fn write_chain(out: &mut impl Write, chain: &WalkedChain) -> io::Result<()> {
    let (account, region) = chain.id.scope();
    let (trail, home) = chain.id.trail();
    let kind = match chain.id.kind {
        Kind::Hourly => "",
        Kind::Backfill => ", backfill",
    };
    let covered = match chain.span {
        Some((from, to)) => format!("{from} to {to}"),
        None => "nothing of this period".to_owned(),
    };
    let buckets: Vec<String> = chain.buckets.iter().map(|bucket| cut(bucket, 63)).collect();
    let plural = if chain.digests == 1 { "" } else { "s" };
    writeln!(
        out,
        "trail {} ({}) in {} {}{kind}: {covered}, {} digest{plural}{}{}",
        cut(&trail, 128),
        cut(&home, 30),
        cut(&account, 12),
        cut(&region, 30),
        chain.digests,
        if buckets.is_empty() { "" } else { " of " },
        buckets.join(", "),
    )
}

fn write_counts(out: &mut impl Write, counts: &Counts) -> io::Result<()> {
    let digests = &counts.digests;
    writeln!(
        out,
        "digests {} seen = {} valid + {} unproven + {} tampered + {} unread + {} outside the period; {} missing",
        digests.seen,
        digests.valid,
        digests.unproven,
        digests.tampered,
        digests.unread,
        digests.outside,
        digests.missing,
    )?;
    let files = &counts.files;
    writeln!(
        out,
        "log files {} listed = {} valid + {} changed + {} missing + {} unread; {} of them only by unproven digests",
        files.listed, files.valid, files.changed, files.missing, files.unread, files.unproven,
    )?;
    writeln!(
        out,
        "files not listed {} = {} log files in times that digests cover + {} in others + {} outside the period + {} of other kinds",
        files.unlisted + files.not_covered + files.outside + files.other,
        files.unlisted,
        files.not_covered,
        files.outside,
        files.other,
    )
}

#[cfg(test)]
mod tests {
    use tripline_cloudtrail::EventTime;
    use tripline_cloudtrail::digest::{DigestName, ObjectRef, What};

    use super::*;

    /// Everything that a digest, a folder or a system can say, said by somebody hostile.
    #[test]
    fn nothing_reaches_the_terminal_unescaped() {
        const HOSTILE: &str = "\u{1b}]0;x\u{7}\n\u{202e}gz.nosj\"\\";
        let text = || Untrusted::borrowed(HOSTILE);
        let object = ObjectRef { bucket: text(), key: text() };
        let mut out = Vec::new();
        for what in [What::LogMissing, What::DigestMoved, What::Unread(HOSTILE.to_owned())] {
            let finding = Finding { at: text(), object: Some(object.clone()), what };
            write_finding(&mut out, &finding, Style::Plain).unwrap();
            let mut line = Vec::new();
            write_finding_line(&mut line, &finding).unwrap();
            let json: serde_json::Value = serde_json::from_slice(&line).unwrap();
            assert_eq!(json["at"], HOSTILE);
            assert_eq!(json["object"], format!("s3://{HOSTILE}/{HOSTILE}"));
            out.extend(line);
        }
        let name = format!("1_CloudTrail-Digest_{0}_{0}_{0}_20261120T100000Z.json.gz", "\u{1b}x");
        let name = DigestName::parse(&name).unwrap();
        let time = EventTime::EPOCH;
        let chain = WalkedChain {
            id: name.chain,
            buckets: vec![text()],
            digests: 1,
            span: Some((time, time)),
        };
        let mut audit = Audit::default();
        audit.chains.push(chain);
        write_summary(&mut out, &audit, Style::Plain).unwrap();
        let shown = String::from_utf8(out).unwrap();
        let is_harmful = |c: char| c.is_control() && c != '\n' || c == '\u{202e}';
        assert!(!shown.chars().any(is_harmful), "{shown:?}");
        assert_eq!(shown.lines().count(), 3 * 3 + 5, "{shown}");
    }
}
