//! A baseline from its text, strictly: only what this program writes is read.

use std::borrow::Cow;
use std::collections::BTreeMap;

use tripline_text::Untrusted;

use super::baseline::{
    BASELINE_BYTES_MAX, Baseline, DayCounts, Digested, Gone, Promoted, State, Whose,
};
use super::day::{Day, DaySet, First, Minute};
use super::encode::{parse_path, unfield};
use super::error::{BaselineError, BaselineProblem as Problem};
use super::family::Family;
use super::key::{Approval, Fact, KeyName, Provenance};
use super::rate::{Pace, PeakHistogram, RateClass, RateWindow};
use super::token::{self, DEPTH_MAX};
use super::trie::Node;
use super::version::Version;
use super::write::{DIGEST, MAGIC, VERSION, hex_digest};

impl Baseline {
    /// Reads a baseline. What comes out has this very text again.
    ///
    /// # Errors
    /// [`BaselineError`], with the line and the field: what is foreign, newer, cut off, damaged,
    /// impossible, or not in the form that [`Self::to_text`] gives.
    pub fn parse(text: &str) -> Result<Self, BaselineError> {
        Digested::parse(text).map(Digested::into_baseline)
    }
}

impl Digested {
    /// Reads a baseline, as [`Baseline::parse`] does.
    ///
    /// # Errors
    /// As there.
    pub fn parse(text: &str) -> Result<Self, BaselineError> {
        let (body, digest) = parts(text).map_err(BaselineError::whole)?;
        let mut reading = Reading::new(body);
        let baseline = reading.baseline()?;
        // Sorting, spelling of numbers and the like are not checked one by one.
        let again = baseline.body();
        if again != body {
            let same = again.lines().zip(body.lines()).take_while(|(one, other)| one == other);
            return Err(BaselineError { line: same.count() + 1, field: 0, problem: Problem::Form });
        }
        Ok(Self::new(baseline, digest))
    }
}

/// What stands before the digest, and the digest, once both are right.
fn parts(text: &str) -> Result<(&str, &str), Problem> {
    if text.len() > BASELINE_BYTES_MAX {
        return Err(Problem::TooLarge);
    }
    let first = text.lines().next().unwrap_or_default();
    let version = first.strip_prefix(MAGIC).and_then(|rest| rest.strip_prefix(' '));
    match version.and_then(|version| version.parse::<u32>().ok()) {
        Some(VERSION) => {}
        Some(found) if found > VERSION => return Err(Problem::Newer { found }),
        _ => return Err(Problem::Foreign),
    }
    let whole = text.strip_suffix('\n').ok_or(Problem::Truncated)?;
    let (body, last) = whole.rsplit_once('\n').ok_or(Problem::Truncated)?;
    let digest = last.strip_prefix(DIGEST).ok_or(Problem::Truncated)?;
    // With its last line feed.
    let body = text.get(..=body.len()).unwrap_or_default();
    if hex_digest(body) == digest { Ok((body, digest)) } else { Err(Problem::Damaged) }
}

/// Where the reader is.
struct Reading<'t> {
    lines: std::iter::Peekable<std::str::Lines<'t>>,
    /// The number of the line that is being read.
    line: usize,
}

/// The fields of one line, one after the other.
struct Fields<'t> {
    line: usize,
    field: usize,
    rest: std::str::Split<'t, char>,
}

impl<'t> Fields<'t> {
    fn error(&self, problem: Problem) -> BaselineError {
        BaselineError { line: self.line, field: self.field, problem }
    }

    fn next(&mut self) -> Option<&'t str> {
        self.field += 1;
        self.rest.next()
    }

    /// The next field, read by `read`; else an error that says what was expected.
    fn read<T>(
        &mut self,
        expected: &'static str,
        read: impl FnOnce(&'t str) -> Option<T>,
    ) -> Result<T, BaselineError> {
        let text = self.next().unwrap_or_default();
        read(text).ok_or_else(|| self.error(Problem::expected(expected, text)))
    }

    fn count(&mut self, expected: &'static str) -> Result<u32, BaselineError> {
        self.read(expected, |text| text.parse().ok())
    }

    fn text(&mut self, expected: &'static str) -> Result<Box<str>, BaselineError> {
        self.read(expected, |text| unfield(text).map(Box::from))
    }

    fn day(&mut self) -> Result<Day, BaselineError> {
        self.read("a day such as 2026-11-20", Day::parse)
    }

    fn minute(&mut self) -> Result<u32, BaselineError> {
        self.read("a minute such as 2026-11-20T10:00Z", Minute::parse).map(|minute| minute.0)
    }

    fn first(&mut self) -> Result<First, BaselineError> {
        self.read("a first episode such as 2026-11-20T10:00Z/1a2b", |text| {
            let (minute, root) = text.split_once('/')?;
            let root = u16::from_str_radix(root, 16).ok()?;
            Some(First { minute: Minute::parse(minute)?.0, root })
        })
    }

    fn pace(&mut self) -> Result<Pace, BaselineError> {
        let window = self.read("a window such as 10s", RateWindow::parse)?;
        Ok((window, self.read("a class of calls such as write", RateClass::parse)?))
    }

    fn end(mut self) -> Result<(), BaselineError> {
        match self.next() {
            None => Ok(()),
            Some(more) => Err(self.error(Problem::expected("the end of the line", more))),
        }
    }
}

impl<'t> Reading<'t> {
    fn new(body: &'t str) -> Self {
        let mut lines = body.lines().peekable();
        lines.next();
        Self { lines, line: 1 }
    }

    /// The fields after the keyword, if the next line begins with it.
    fn line(&mut self, keyword: &str) -> Option<Fields<'t>> {
        let line = *self.lines.peek()?;
        let mut rest = line.split(' ');
        if rest.next() != Some(keyword) {
            return None;
        }
        self.lines.next();
        self.line += 1;
        Some(Fields { line: self.line, field: 1, rest })
    }

    /// The error that the next line is not what belongs there.
    fn unexpected(&mut self, expected: &'static str) -> BaselineError {
        let found = self.lines.peek().copied().unwrap_or_default();
        BaselineError { line: self.line + 1, field: 0, problem: Problem::expected(expected, found) }
    }

    fn required(
        &mut self,
        keyword: &str,
        expected: &'static str,
    ) -> Result<Fields<'t>, BaselineError> {
        self.line(keyword).ok_or_else(|| self.unexpected(expected))
    }

    fn baseline(&mut self) -> Result<Baseline, BaselineError> {
        let mut baseline = self.whose()?;
        let mut fields = self.required("state", "`state candidate` or `state live`")?;
        baseline.state = fields.read("`candidate` or `live`", |text| match text {
            "candidate" => Some(State::Candidate),
            "live" => Some(State::Live),
            _ => None,
        })?;
        fields.end()?;
        self.learned(&mut baseline)?;
        self.head(&mut baseline)?;
        self.rates(&mut baseline)?;
        self.days(&mut baseline)?;
        for family in Family::ALL {
            self.family(&mut baseline, family)?;
        }
        while let Some(mut fields) = self.line("gone") {
            let name = key_name(&mut fields)?;
            let gone = Gone { last: fields.day()?, forgotten: fields.day()? };
            put(&mut baseline.gone, name, gone, &fields)?;
            fields.end()?;
        }
        // Comments repeat what the peaks say; that they do is seen when the text is written again.
        while self.line("#").is_some() {}
        match self.lines.peek() {
            None => Ok(baseline),
            Some(_) => Err(self.unexpected("a line of a baseline, in order")),
        }
    }

    fn whose(&mut self) -> Result<Baseline, BaselineError> {
        let name = |text: Cow<'_, str>| Untrusted::new(text.into_owned());
        if let Some(mut fields) = self.line("agent") {
            let agent = name(fields.read("the name of an agent", unfield)?);
            let class = match fields.next() {
                None => None,
                Some(class) => Some(unfield(class).map(name).ok_or_else(|| {
                    fields.error(Problem::expected("the name of a class", class))
                })?),
            };
            fields.end()?;
            return Ok(Baseline::empty(Whose::Agent { agent, class }, State::Candidate));
        }
        let (mut fields, whose) = if let Some(mut fields) = self.line("class") {
            let class = name(fields.read("the name of a class", unfield)?);
            (fields, Whose::Class(class))
        } else {
            (self.required("fleet", "`agent`, `class` or `fleet`")?, Whose::Fleet)
        };
        let mut baseline = Baseline::empty(whose, State::Live);
        baseline.agents = fields.count("a number of agents")?;
        fields.end()?;
        Ok(baseline)
    }

    fn learned(&mut self, baseline: &mut Baseline) -> Result<(), BaselineError> {
        let mut fields = self.required("learned", "`learned` and the days")?;
        let mut peek = fields.rest.clone();
        if peek.next() == Some("nothing") {
            fields.next();
            return fields.end();
        }
        let (first, last) = (fields.day()?, fields.day()?);
        if first > last {
            return Err(fields.error(Problem::Impossible("the last day is before the first")));
        }
        baseline.span = Some((first, last));
        baseline.episodes = fields.count("a number of episodes")?;
        fields.end()
    }

    fn head(&mut self, baseline: &mut Baseline) -> Result<(), BaselineError> {
        if let Some(mut fields) = self.line("catalogue") {
            baseline.catalogue = Some(fields.text("the version of the catalogue")?);
            fields.end()?;
        }
        while let Some(mut fields) = self.line("overflow") {
            let family = fields.read("a family such as network", Family::parse)?;
            if !baseline.overflow.insert(family) {
                return Err(fields.error(Problem::Twice));
            }
            fields.end()?;
        }
        while let Some(mut fields) = self.line("promoted") {
            let minute = fields.minute()?;
            let parent =
                fields.read("`-` or the digest of the baseline before", |text| match text {
                    "-" => Some(None),
                    _ => is_digest(text).then(|| Some(Box::from(text))),
                })?;
            let (who, why) = (fields.text("who promoted it")?, fields.text("why")?);
            baseline.history.push(Promoted { by: Approval { minute, who, why }, parent });
            fields.end()?;
        }
        while let Some(mut fields) = self.line("version") {
            let text = fields.text("a version of the agent")?;
            let episodes = fields.count("a number of episodes")?;
            let (first, last) = (fields.first()?, fields.day()?);
            let spent = fields.read("`-` or a minute", |text| match text {
                "-" => Some(None),
                _ => Minute::parse(text).map(|minute| Some(minute.0)),
            })?;
            let version = Version { first, last, episodes, spent };
            put(&mut baseline.versions, text, version, &fields)?;
            fields.end()?;
        }
        Ok(())
    }

    fn rates(&mut self, baseline: &mut Baseline) -> Result<(), BaselineError> {
        while let Some(mut fields) = self.line("anchor") {
            let pace = fields.pace()?;
            let anchor = fields.read("a number", |text| text.parse().ok())?;
            put(&mut baseline.anchors, pace, anchor, &fields)?;
            fields.end()?;
        }
        while let Some(mut fields) = self.line("peak") {
            let pace = fields.pace()?;
            let max = fields.read("the highest peak", |text| text.parse().ok())?;
            let mut parts: Vec<(u64, u32)> = Vec::new();
            while let Some(part) = fields.next() {
                let read = part
                    .split_once(':')
                    .and_then(|(low, episodes)| Some((low.parse().ok()?, episodes.parse().ok()?)));
                let expected = "a peak and its episodes such as 14:3";
                parts.push(read.ok_or_else(|| fields.error(Problem::expected(expected, part)))?);
            }
            let impossible = Problem::Impossible("these are no peaks of episodes");
            let peaks = PeakHistogram::from_parts(max, &parts);
            let peaks = peaks.ok_or_else(|| fields.error(impossible))?;
            put(&mut baseline.peaks, pace, peaks, &fields)?;
        }
        Ok(())
    }

    fn days(&mut self, baseline: &mut Baseline) -> Result<(), BaselineError> {
        while let Some(mut fields) = self.line("day") {
            let day = fields.day()?;
            let mut counts = DayCounts {
                episodes: fields.count("a number of episodes")?,
                ..DayCounts::default()
            };
            for (draws, news) in counts.draws.iter_mut().zip(&mut counts.news) {
                (*draws, *news) = fields.read("draws and news such as 120/3", |text| {
                    let (draws, news) = text.split_once('/')?;
                    Some((draws.parse().ok()?, news.parse().ok()?))
                })?;
            }
            put(&mut baseline.days, day, counts, &fields)?;
            fields.end()?;
        }
        Ok(())
    }

    fn family(&mut self, baseline: &mut Baseline, family: Family) -> Result<(), BaselineError> {
        while let Some(mut fields) = self.line(family.name()) {
            if family == Family::Resource {
                let action = fields.text("an action")?;
                let mut root = node(&mut fields, baseline)?;
                fields.end()?;
                self.children(baseline, &mut root, 1, 0)?;
                if baseline.tries.insert(action, root).is_some() {
                    let problem = Problem::Twice;
                    return Err(BaselineError { line: self.line, field: 0, problem });
                }
            } else {
                let name = key_name_of(&mut fields, family)?;
                let (provenance, agents, episodes) = counts(&mut fields, baseline)?;
                let fact = times(&mut fields, provenance, agents, episodes)?;
                put(&mut baseline.keys, name, fact, &fields)?;
                fields.end()?;
            }
        }
        Ok(())
    }

    /// The lines that are indented `indent` times, below a node that has `depth` parts above it.
    fn children(
        &mut self,
        baseline: &Baseline,
        parent: &mut Node,
        indent: usize,
        depth: usize,
    ) -> Result<(), BaselineError> {
        while let Some(line) = self.lines.peek().copied() {
            let text = line.trim_start_matches(' ');
            if line.len() - text.len() != 2 * indent {
                return Ok(());
            }
            self.lines.next();
            self.line += 1;
            let mut fields = Fields { line: self.line, field: 0, rest: text.split(' ') };
            let path = fields.read("a part of a resource's name", |text| {
                parse_path(text).filter(|path| !path.is_empty())
            })?;
            let mut child = node(&mut fields, baseline)?;
            fields.field = 1;
            let tokens: Vec<&str> = token::split(&path).collect();
            let depth = depth + tokens.len();
            if depth > DEPTH_MAX {
                return Err(fields.error(Problem::Impossible("the name has too many parts")));
            }
            fields.end()?;
            self.children(baseline, &mut child, indent + 1, depth)?;
            let (first, more) = match tokens.split_first() {
                Some((first, more)) => (*first, more),
                None => continue,
            };
            // A chain of parts that says the same all along was one line.
            for token in more.iter().rev() {
                let mut above = Node::new(child.fact.clone(), 1);
                above.children.insert((*token).into(), child);
                child = above;
            }
            if parent.children.insert(first.into(), child).is_some() {
                return Err(BaselineError { line: self.line, field: 0, problem: Problem::Twice });
            }
        }
        Ok(())
    }
}

fn put<K: Ord, V>(
    map: &mut BTreeMap<K, V>,
    key: K,
    value: V,
    fields: &Fields<'_>,
) -> Result<(), BaselineError> {
    match map.insert(key, value) {
        None => Ok(()),
        Some(_) => Err(BaselineError { field: 0, ..fields.error(Problem::Twice) }),
    }
}

fn key_name(fields: &mut Fields<'_>) -> Result<KeyName, BaselineError> {
    let family = fields.read("a family such as action", Family::parse)?;
    key_name_of(fields, family)
}

fn key_name_of(fields: &mut Fields<'_>, family: Family) -> Result<KeyName, BaselineError> {
    let action = if family.is_given_action() { fields.text("an action")? } else { Box::default() };
    let value = match family {
        Family::Resource => fields.read("a resource's name", parse_path)?.into(),
        _ => fields.text("a value")?,
    };
    Ok(KeyName { family, action, value })
}

fn node(fields: &mut Fields<'_>, baseline: &Baseline) -> Result<Node, BaselineError> {
    let (provenance, agents, episodes) = counts(fields, baseline)?;
    let found = fields.count("a number of discoveries")?;
    Ok(Node::new(times(fields, provenance, agents, episodes)?, found))
}

fn counts(
    fields: &mut Fields<'_>,
    baseline: &Baseline,
) -> Result<(Provenance, u32, u32), BaselineError> {
    let provenance = fields.read("`pending`, `learned` or `approved,…`", provenance)?;
    let agents = match baseline.whose {
        Whose::Agent { .. } => 1,
        Whose::Class(_) | Whose::Fleet => fields.count("a number of agents")?,
    };
    if agents == 0 || agents > baseline.agents {
        return Err(fields.error(Problem::Impossible("more agents than there are, or none")));
    }
    let episodes = fields.count("a number of episodes")?;
    if episodes == 0 || episodes > baseline.episodes {
        return Err(fields.error(Problem::Impossible("more episodes than there were, or none")));
    }
    Ok((provenance, agents, episodes))
}

fn provenance(text: &str) -> Option<Provenance> {
    match text {
        "pending" => Some(Provenance::Pending),
        "learned" => Some(Provenance::Learned),
        _ => {
            let mut parts = text.strip_prefix("approved,")?.split(',');
            let minute = Minute::parse(parts.next()?)?.0;
            let (who, why) = (unfield(parts.next()?)?.into(), unfield(parts.next()?)?.into());
            let approval = Approval { minute, who, why };
            parts.next().is_none().then(|| Provenance::Approved(Box::new(approval)))
        }
    }
}

fn times(
    fields: &mut Fields<'_>,
    provenance: Provenance,
    agents: u32,
    episodes: u32,
) -> Result<Fact, BaselineError> {
    let first = fields.first()?;
    let last = fields.day()?;
    let bits = fields.read("days as hex digits", |text| u64::from_str_radix(text, 16).ok())?;
    let days = DaySet::from_parts(last, bits).filter(|_| Day::of_minute(first.minute) <= last);
    let impossible = Problem::Impossible("the days do not fit the first and the last");
    let days = days.ok_or_else(|| fields.error(impossible))?;
    Ok(Fact { provenance, agents, episodes, first, days })
}

fn is_digest(text: &str) -> bool {
    text.len() == 64
        && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}
