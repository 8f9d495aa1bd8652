//! One JSON object a line: a contract. Keys come in the order given here, and new ones at the end.
//!
//! Text from records is written by [`escape::json_string`], which keeps lines harmless on a terminal
//! too.

use std::io::{self, Write};

use tripline_attribution::Session;
use tripline_engine::{ModelId, Scored};
use tripline_text::{Untrusted, escape};

/// Writes a call and what is thought of it:
///
/// ```json
/// {"event_id":"…","event_time":"2026-11-20T10:00:00Z","agent":"agent-42","session":"ASIA…",
///  "event_source":"iam.amazonaws.com","event_name":"CreateAccessKey","verdict":"kill","score":4.31,
///  "episode":"ASIA…/2026-11-20T10:00:00Z","basis":"session-tag","model":"sha256:…",
///  "reasons":[{"feature":"invariant","value":"iam:CreateAccessKey","weight":0,"detail":"…"}]}
/// ```
///
/// `agent` and `basis` are null where no agent could be attributed; `score` is the evidence of the
/// episode up to this call, log10 with two decimals, and null where no habits are known. A reason that
/// is an invariant has its `invariant` id and, where one fits, its ATT&CK `technique`.
///
/// # Errors
/// Those of `out`.
pub fn write_scored(out: &mut impl Write, scored: &Scored, model: ModelId) -> io::Result<()> {
    let call = &scored.call;
    write!(out, r#"{{"event_id":"{}","event_time":"{}","agent":"#, call.id, call.time)?;
    text_or_null(out, scored.agent.as_ref().map(|agent| agent.untrusted()).as_ref())?;
    write!(
        out,
        r#","session":{},"event_source":{},"event_name":{},"verdict":"{}","score":{},"episode":{},"basis":"#,
        escape::json_string(&scored.session.untrusted()),
        escape::json_string(&call.event_source),
        escape::json_string(&call.event_name),
        scored.assessment.verdict,
        scored.assessment.score.map_or_else(|| "null".to_owned(), |score| format!("{score:.2}")),
        escape::json_string(&scored.episode.to_untrusted()),
    )?;
    match scored.basis {
        Some(basis) => write!(out, r#""{basis}""#)?,
        None => out.write_all(b"null")?,
    }
    write!(out, r#","model":"{model}","reasons":["#)?;
    for (nth, reason) in scored.assessment.reasons.iter().enumerate() {
        let comma = if nth > 0 { "," } else { "" };
        let detail = Untrusted::borrowed(&reason.detail);
        write!(
            out,
            r#"{comma}{{"feature":"{}","value":{},"weight":{},"detail":{}"#,
            reason.feature,
            escape::json_string(&reason.value),
            reason.weight,
            escape::json_string(&detail),
        )?;
        for (key, value) in [("invariant", &reason.invariant), ("technique", &reason.technique)] {
            if let Some(value) = value {
                write!(out, r#","{key}":{}"#, escape::json_string(&Untrusted::borrowed(value)))?;
            }
        }
        out.write_all(b"}")?;
    }
    out.write_all(b"]}\n")
}

/// Writes a session:
///
/// ```json
/// {"agent":"agent-42","class":null,"session":"ASIA…","lineage":["ASIA…","ASIA…"],"role":"arn:…",
///  "account":"111122223333","first":"2026-11-20T10:00:00Z","last":"…","records":17,
///  "basis":"session-tag","inherited":false,"cause":null,"kind":"key","root":"ASIA…","parent":null,
///  "minted":"…"}
/// ```
///
/// `lineage` goes from the first credential of the chain to the session itself; `root` is the first
/// one in it that is the same agent's. `cause` says why `agent` is null. A credential that was minted
/// and never used has no records.
///
/// # Errors
/// Those of `out`.
pub fn write_session(out: &mut impl Write, session: &Session) -> io::Result<()> {
    let agent = session.agent();
    out.write_all(br#"{"agent":"#)?;
    text_or_null(out, agent.map(|agent| agent.id.untrusted()).as_ref())?;
    out.write_all(br#","class":"#)?;
    text_or_null(
        out,
        agent.and_then(|agent| agent.class.as_ref()).map(|class| class.untrusted()).as_ref(),
    )?;
    write!(out, r#","session":{},"lineage":["#, escape::json_string(&session.id.untrusted()))?;
    for (nth, link) in session.lineage.iter().enumerate() {
        let comma = if nth > 0 { "," } else { "" };
        write!(out, "{comma}{}", escape::json_string(&link.untrusted()))?;
    }
    out.write_all(br#"],"role":"#)?;
    text_or_null(out, session.role.as_ref())?;
    match session.account {
        Some(account) => write!(out, r#","account":"{account}""#)?,
        None => out.write_all(br#","account":null"#)?,
    }
    write!(
        out,
        r#","first":"{}","last":"{}","records":{},"basis":"#,
        session.first, session.last, session.records
    )?;
    match &session.named {
        Ok(named) => {
            write!(out, r#""{}","inherited":{},"cause":null"#, named.basis, named.inherited)?
        }
        Err(cause) => write!(out, r#"null,"inherited":false,"cause":"{cause}""#)?,
    }
    write!(
        out,
        r#","kind":"{}","root":{},"parent":"#,
        session.kind,
        escape::json_string(&session.root.untrusted())
    )?;
    text_or_null(out, session.parent.as_ref().map(|parent| parent.untrusted()).as_ref())?;
    match session.minted {
        Some(minted) => writeln!(out, r#","minted":"{minted}"}}"#),
        None => writeln!(out, r#","minted":null}}"#),
    }
}

fn text_or_null(out: &mut impl Write, text: Option<&Untrusted<'_>>) -> io::Result<()> {
    match text {
        Some(text) => write!(out, "{}", escape::json_string(text)),
        None => out.write_all(b"null"),
    }
}
