//! `tripline baseline show|diff|approve|promote|rollback|classes`

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tripline_baseline::{
    Alike, Approval, Baseline, BaselineDiff, Decisions, Draw, Family, KeyName, Likeness, Promotion,
    Provenance, RateClass, RateWindow, State, Whose, promote,
};
use tripline_engine::is_sensitive;
use tripline_history::waits_for_a_person;
use tripline_runtime::{
    Leaf, SettingsError, Shelf, all_baselines, baseline_of, peers_in_force, read_decisions,
    replace_file,
};
use tripline_text::{Untrusted, escape};

use super::learn::decided_by;
use super::publish;
use crate::args::{
    ApproveArgs, BaselineCommand, ClassesArgs, Color, DiffArgs, PromoteArgs, RollbackArgs,
    ShowArgs, WhoseArgs,
};
use crate::exit::{Ended, Failure};
use crate::input::{config_file, now, time};
use crate::output::Output;

pub(crate) fn run(command: &BaselineCommand) -> Result<Ended, Failure> {
    match command {
        BaselineCommand::Show(arguments) => show(arguments),
        BaselineCommand::Diff(arguments) => diff(arguments),
        BaselineCommand::Approve(arguments) => approve(arguments),
        BaselineCommand::Promote(arguments) => promote_agents(arguments),
        BaselineCommand::Rollback(arguments) => rollback(arguments),
        BaselineCommand::Classes(arguments) => classes(arguments),
    }?;
    Ok(Ended::default())
}

/// How many values of a family, or parts of resources, are listed.
const SHOWN_MAX: usize = 40;
/// How long baselines are kept that were in force before.
const VERSIONS_KEPT_DAYS: u32 = 30;

fn show(arguments: &ShowArgs) -> Result<(), Failure> {
    let shelf = Shelf::new(&arguments.whose.baselines);
    let leaf = if arguments.candidate { Leaf::Candidate } else { Leaf::Baseline };
    let mut out = Output::new(arguments.color);
    match arguments.whose.whose() {
        None => overview(&mut out, all_baselines(&shelf, leaf)?)?,
        Some(whose) => write_baseline(&mut out, &needed(&shelf, &whose, leaf)?)?,
    }
    Ok(out.flush()?)
}

/// One line each.
fn overview(
    out: &mut impl Write,
    baselines: impl Iterator<Item = Result<Baseline, SettingsError>>,
) -> Result<(), Failure> {
    writeln!(out, "{:<32} {:>8} {:>8} {:>8}  MATURITY", "WHOSE", "EPISODES", "VALUES", "PENDING")?;
    for baseline in baselines {
        let baseline = baseline?;
        let (mut values, mut pending) = (0, 0);
        baseline.each_key(|_, provenance, _| {
            values += 1;
            pending += usize::from(*provenance == Provenance::Pending);
        });
        writeln!(
            out,
            "{:<32} {:>8} {values:>8} {pending:>8}  {}",
            title(baseline.whose()),
            baseline.episodes(),
            baseline.maturity()
        )?;
    }
    Ok(())
}

fn write_baseline(out: &mut impl Write, baseline: &Baseline) -> io::Result<()> {
    let state = match baseline.state() {
        State::Live => "in force",
        State::Candidate => "a candidate: not in force",
    };
    writeln!(out, "{}: {state}; {}", title(baseline.whose()), baseline.maturity())?;
    if let Some((first, last)) = baseline.span() {
        writeln!(out, "learned from {first} to {last}, {} episodes", baseline.episodes())?;
    }
    for limit in baseline.limits() {
        writeln!(out, "  {limit}")?;
    }
    for grace in baseline.graces() {
        writeln!(out, "  a new version was given its time from minute {} on", grace.opens)?;
    }
    for family in Family::ALL {
        let mut lines: Vec<String> = Vec::new();
        baseline.each_key(|name, provenance, episodes| {
            if name.family() == family {
                lines.push(value_line(name, provenance, episodes));
            }
        });
        if lines.is_empty() {
            continue;
        }
        writeln!(out, "\n{family}: {}", baseline.maturity_of(family))?;
        for line in lines.iter().take(SHOWN_MAX) {
            writeln!(out, "  {line}")?;
        }
        if lines.len() > SHOWN_MAX {
            writeln!(out, "  … {} more", lines.len() - SHOWN_MAX)?;
        }
    }
    let mut promotions = baseline.promotions().peekable();
    if promotions.peek().is_some() {
        writeln!(out, "\npromotions:")?;
    }
    for by in promotions {
        let (who, why) = (by.who(), by.why());
        writeln!(out, "  {} {}: {}", by.when(), escape::terminal(&who), escape::terminal(&why))?;
    }
    Ok(())
}

fn value_line(name: &KeyName, provenance: &Provenance, episodes: u32) -> String {
    let sensitive = if is_sensitive_name(name) { "  sensitive" } else { "" };
    let waiting = if *provenance == Provenance::Pending { "  not known yet" } else { "" };
    let approved = match provenance {
        Provenance::Approved(by) => format!("  approved by {}", escape::terminal(&by.who())),
        _ => String::new(),
    };
    // Percent-encoded by itself.
    format!("{name}  {episodes} episodes{sensitive}{waiting}{approved}")
}

fn is_sensitive_name(name: &KeyName) -> bool {
    let value = name.shown_value();
    name.family() == Family::Action
        && is_sensitive(&Draw { family: Family::Action, action: None, value: &value })
}

fn diff(arguments: &DiffArgs) -> Result<(), Failure> {
    let shelf = Shelf::new(&arguments.whose.baselines);
    let mut out = Output::new(arguments.color);
    let pairs = match (&arguments.from, &arguments.to) {
        (Some(from), Some(to)) => pairs_of(from, to)?,
        _ => {
            let Some(whose) = arguments.whose.whose() else {
                return Err(Failure::Usage {
                    message: "no agent given".to_owned(),
                    hint: "tripline baseline diff AGENT, or --from and --to a file or folder each",
                });
            };
            let live = needed(&shelf, &whose, Leaf::Baseline)?;
            let candidate = needed(&shelf, &whose, Leaf::Candidate)?;
            write_promotion(&mut out, &live, &candidate, &read_decisions(&shelf)?)?;
            return Ok(out.flush()?);
        }
    };
    for (before, after) in &pairs {
        let diff = BaselineDiff::between(before, after, &is_sensitive);
        if !diff.is_empty() || pairs.len() == 1 {
            writeln!(out, "{diff}")?;
        }
    }
    Ok(out.flush()?)
}

/// What a promotion would change and what it would hold back, and why.
fn write_promotion(
    out: &mut impl Write,
    live: &Baseline,
    candidate: &Baseline,
    decisions: &Decisions,
) -> Result<(), Failure> {
    let by = decided_by(Some("nobody"), "to see what would change")?;
    let promotion = promote(Some(live), candidate, decisions, &is_sensitive, &by);
    let Promotion { next, held } = promotion.map_err(refused)?;
    writeln!(out, "{}", BaselineDiff::between(live, &next, &is_sensitive))?;
    if !held.is_empty() {
        writeln!(out, "a promotion would hold back:")?;
    }
    for held in held.iter().take(SHOWN_MAX) {
        writeln!(out, "  {}: {}", held.what, held.why)?;
    }
    if held.len() > SHOWN_MAX {
        writeln!(out, "  … {} more", held.len() - SHOWN_MAX)?;
    }
    Ok(())
}

/// Two files, or those of two folders that belong together.
fn pairs_of(from: &Path, to: &Path) -> Result<Vec<(Baseline, Baseline)>, Failure> {
    if from.is_dir() && to.is_dir() {
        let (from, to) = (Shelf::new(from), Shelf::new(to));
        let mut pairs = Vec::new();
        for before in all_baselines(&from, Leaf::Candidate)? {
            let before = before?;
            if let Some(after) = baseline_of(&to, before.whose(), Leaf::Candidate)? {
                pairs.push((before, after));
            }
        }
        return Ok(pairs);
    }
    Ok(vec![(read(from)?, read(to)?)])
}

fn read(path: &Path) -> Result<Baseline, Failure> {
    let text = fs::read_to_string(path)
        .map_err(|source| Failure::Unreadable { path: path.to_owned(), source })?;
    Baseline::parse(&text).map_err(|error| Failure::Usage {
        message: format!("`{}`: {error}", path.display()),
        hint: "a learned baseline is a baseline.txt or candidate.txt",
    })
}

fn approve(arguments: &ApproveArgs) -> Result<(), Failure> {
    let shelf = Shelf::new(&arguments.baselines);
    let by = decided_by(arguments.by.as_deref(), &arguments.why)?;
    let mut decisions = read_decisions(&shelf)?;
    let agent = Untrusted::new(arguments.agent.clone());
    let whose = Whose::Agent { agent: agent.clone(), class: None };
    let mut keys = arguments.keys.clone();
    if arguments.all_pending {
        let live = needed(&shelf, &whose, Leaf::Baseline)?;
        live.each_key(|name, provenance, _| {
            if *provenance == Provenance::Pending && name.family() != Family::Resource {
                keys.push(name.to_string());
            }
        });
    }
    if keys.is_empty() {
        return Err(Failure::Usage {
            message: "nothing to approve".to_owned(),
            hint: "name values as `tripline baseline show` prints them, for example \"action iam:CreateRole\"",
        });
    }
    let mut out = Output::new(arguments.color);
    let until = match &arguments.until {
        Some(text) => Some(time(text, now().unix_secs())?),
        None => None,
    };
    for key in &keys {
        decide(&mut decisions, &agent, key, &by, until)?;
        writeln!(
            out,
            "{}: {}",
            escape::terminal(&agent),
            escape::terminal(&Untrusted::borrowed(key))
        )?;
    }
    let path = shelf.decisions_path();
    replace_file(&path, &decisions.to_text()).map_err(|source| Failure::File { path, source })?;
    match until {
        Some(until) => {
            writeln!(out, "expected until {until}: no verdict is made of these by then")?
        }
        None => writeln!(out, "approved; known from the next `tripline baseline promote` on")?,
    }
    Ok(out.flush()?)
}

/// Takes in one decision on a value written as `show` prints it.
fn decide(
    decisions: &mut Decisions,
    agent: &Untrusted<'_>,
    key: &str,
    by: &Approval,
    until: Option<tripline_cloudtrail::EventTime>,
) -> Result<(), Failure> {
    let unknown = || Failure::Usage {
        message: format!("`{}` is no value", escape::terminal(&Untrusted::borrowed(key))),
        hint: "FAMILY VALUE, or FAMILY ACTION VALUE for resource, error and bytes; or rate WINDOW CLASS ANCHOR",
    };
    let words: Vec<&str> = key.split_ascii_whitespace().collect();
    if let ["rate", window, class, anchor] = words[..] {
        let (Some(window), Some(class), Ok(anchor)) =
            (RateWindow::parse(window), RateClass::parse(class), anchor.parse())
        else {
            return Err(unknown());
        };
        decisions.approve_rate(agent, window, class, anchor, by.clone());
        return Ok(());
    }
    let name = match words[..] {
        [family, value] => Family::parse(family).and_then(|it| KeyName::parse(it, None, value)),
        [family, action, value] => {
            Family::parse(family).and_then(|it| KeyName::parse(it, Some(action), value))
        }
        _ => None,
    };
    let name = name.ok_or_else(unknown)?;
    match until {
        Some(until) => decisions.expect(agent, name, by.clone(), until),
        None => decisions.approve(agent, name, by.clone()),
    }
    Ok(())
}

fn promote_agents(arguments: &PromoteArgs) -> Result<(), Failure> {
    let mut out = Output::new(arguments.color);
    let names_some = arguments.all || !arguments.agents.is_empty();
    if names_some || arguments.to.is_none() {
        promote_here(arguments, &mut out)?;
    }
    if let Some(to) = &arguments.to {
        let config = config_file(arguments.config.as_deref());
        publish::run(&arguments.baselines, config.as_ref(), to, &mut out)?;
    }
    Ok(out.flush()?)
}

fn promote_here(arguments: &PromoteArgs, out: &mut Output) -> Result<(), Failure> {
    let shelf = Shelf::new(&arguments.baselines);
    let by = decided_by(arguments.by.as_deref(), arguments.why.as_deref().unwrap_or_default())?;
    let decisions = read_decisions(&shelf)?;
    let candidates: Vec<Baseline> = match (arguments.all, arguments.agents.as_slice()) {
        (true, _) => all_baselines(&shelf, Leaf::Candidate)?.collect::<Result<_, _>>()?,
        (false, []) => {
            return Err(Failure::Usage {
                message: "no agent given".to_owned(),
                hint: "tripline baseline promote AGENT... or --all",
            });
        }
        (false, agents) => agents
            .iter()
            .map(|agent| needed(&shelf, &agent_of(agent), Leaf::Candidate))
            .collect::<Result<_, _>>()?,
    };
    for candidate in &candidates {
        let live = baseline_of(&shelf, candidate.whose(), Leaf::Baseline)?;
        let promotion = promote(live.as_ref(), candidate, &decisions, &is_sensitive, &by);
        let Promotion { next, held } = promotion.map_err(refused)?;
        if let Some(live) = &live {
            writeln!(out, "{}", BaselineDiff::between(live, &next, &is_sensitive))?;
        }
        for held in held.iter().filter(|held| waits_for_a_person(held)).take(SHOWN_MAX) {
            writeln!(out, "  held back: {}: {}", held.what, held.why)?;
        }
        let later = held.iter().filter(|held| !waits_for_a_person(held)).count();
        if later > 0 {
            writeln!(out, "  held back until they were seen more often: {later}")?;
        }
        if !arguments.dry_run {
            put_in_force(&shelf, live.as_ref(), &next)?;
            writeln!(out, "{}: in force", title(next.whose()))?;
        }
    }
    if !arguments.dry_run {
        refresh_peers(&shelf)?;
    }
    Ok(())
}

/// Keeps the baseline that was in force, then replaces it.
fn put_in_force(shelf: &Shelf, live: Option<&Baseline>, next: &Baseline) -> Result<(), Failure> {
    let failed = |path: PathBuf| move |source| Failure::File { path, source };
    if let Some(live) = live {
        let path = shelf.versions(live.whose()).join(version_name(live));
        replace_file(&path, &live.to_text()).map_err(failed(path.clone()))?;
    }
    let path = shelf.path(next.whose(), Leaf::Baseline);
    replace_file(&path, &next.to_text()).map_err(failed(path.clone()))?;
    prune(&shelf.versions(next.whose())).map_err(failed(shelf.versions(next.whose())))
}

/// The day of its last promotion, or of what it was learned from, and its digest.
fn version_name(baseline: &Baseline) -> String {
    let promoted = baseline.promotions().map(|by| by.when().to_string()).max();
    let day = promoted.unwrap_or_else(|| "0000-00-00".to_owned());
    let digest = baseline.digest();
    format!("{}-{}.txt", day.get(..10).unwrap_or_default(), digest.get(..12).unwrap_or_default())
}

/// Removes versions older than a month, but never the newest.
fn prune(folder: &Path) -> io::Result<()> {
    if !folder.is_dir() {
        return Ok(());
    }
    let mut versions = versions(folder)?;
    versions.pop();
    let kept_secs = i64::from(VERSIONS_KEPT_DAYS) * 86_400;
    let oldest = now().plus_secs(-kept_secs).to_string();
    for path in versions {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.get(..10) < oldest.get(..10) {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

/// Versions in order of their days.
fn versions(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        found.push(entry?.path());
    }
    // By name, which begins with the day; of one day the last that was written.
    let written = |path: &PathBuf| fs::metadata(path).and_then(|it| it.modified()).ok();
    let day = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        name.get(..10).map(str::to_owned)
    };
    found.sort_by_key(|path| (day(path), written(path)));
    Ok(found)
}

/// What classes and the fleet know together follows from what is in force.
fn refresh_peers(shelf: &Shelf) -> Result<(), Failure> {
    for together in peers_in_force(shelf)? {
        let path = shelf.path(together.whose(), Leaf::Baseline);
        replace_file(&path, &together.to_text())
            .map_err(|source| Failure::File { path: path.clone(), source })?;
    }
    Ok(())
}

fn rollback(arguments: &RollbackArgs) -> Result<(), Failure> {
    let shelf = Shelf::new(&arguments.baselines);
    let by = decided_by(arguments.by.as_deref(), &arguments.why)?;
    let whose = agent_of(&arguments.agent);
    let live = needed(&shelf, &whose, Leaf::Baseline)?;
    let folder = shelf.versions(&whose);
    let found = if folder.is_dir() {
        versions(&folder).map_err(|source| Failure::Unreadable { path: folder.clone(), source })?
    } else {
        Vec::new()
    };
    let is_wanted = |path: &&PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        arguments.to.as_ref().is_none_or(|digest| name.contains(digest.as_str()))
    };
    let Some(path) = found.iter().rev().find(is_wanted) else {
        return Err(Failure::Usage {
            message: "there is no such version".to_owned(),
            hint: "versions are kept for 30 days, in the agent's folder under versions/",
        });
    };
    let before = read(path)?.rolled_back(&live, &by).map_err(refused)?;
    put_in_force(&shelf, Some(&live), &before)?;
    fs::remove_file(path).map_err(|source| Failure::File { path: path.clone(), source })?;
    refresh_peers(&shelf)?;
    let mut out = Output::new(arguments.color);
    writeln!(out, "{}", BaselineDiff::between(&live, &before, &is_sensitive))?;
    writeln!(out, "{}: in force again", title(&whose))?;
    Ok(out.flush()?)
}

fn refused(error: tripline_baseline::PromotionError) -> Failure {
    Failure::Usage { message: error.to_string(), hint: "nothing was changed" }
}

fn agent_of(name: &str) -> Whose {
    Whose::Agent { agent: Untrusted::new(name.to_owned()), class: None }
}

/// A baseline that must be there.
fn needed(shelf: &Shelf, whose: &Whose, leaf: Leaf) -> Result<Baseline, Failure> {
    baseline_of(shelf, whose, leaf)?.ok_or_else(|| Failure::Usage {
        message: format!("`{}` is not there", shelf.path(whose, leaf).display()),
        hint: "`tripline learn --out DIR LOGS` makes it; `tripline baseline show` lists what there is",
    })
}

fn title(whose: &Whose) -> String {
    match whose {
        Whose::Agent { agent, .. } => escape::terminal(agent).to_string(),
        Whose::Class(class) => format!("class {}", escape::terminal(class)),
        Whose::Fleet => "the fleet".to_owned(),
    }
}

impl WhoseArgs {
    fn whose(&self) -> Option<Whose> {
        match (&self.agent, &self.class, self.fleet) {
            (Some(agent), _, _) => Some(agent_of(agent)),
            (None, Some(class), _) => Some(Whose::Class(Untrusted::new(class.clone()))),
            (None, None, true) => Some(Whose::Fleet),
            (None, None, false) => None,
        }
    }
}

/// How many actions are named as what a class has in common.
const COMMON_SHOWN_MAX: usize = 6;

/// Proposes classes. They are written as comments and TOML: what is pasted into `tripline.toml`, a
/// person has approved.
fn classes(arguments: &ClassesArgs) -> Result<(), Failure> {
    let mut likeness = Likeness::default();
    for baseline in all_baselines(&Shelf::new(&arguments.baselines), Leaf::Baseline)? {
        likeness.add(&baseline?);
    }
    let unknown = likeness.unknown();
    let groups = likeness.groups();
    let mut out = Output::new(Color::Never);
    if unknown > 0 {
        writeln!(out, "# {unknown} more agents are hardly known yet")?;
    }
    if groups.is_empty() {
        writeln!(out, "# no agents without a class do alike")?;
        return Ok(out.flush()?);
    }
    writeln!(
        out,
        "# Agents that do alike. Look at each, rename it, and put it into tripline.toml."
    )?;
    writeln!(out, "[agents.classes]")?;
    for (nth, group) in groups.iter().enumerate() {
        write_class(&mut out, nth + 1, group)?;
    }
    Ok(out.flush()?)
}

fn write_class(out: &mut impl Write, nth: usize, group: &Alike) -> io::Result<()> {
    let Alike { agents, common, actions } = group;
    writeln!(
        out,
        "\n# {} agents; {} of {actions} actions are common to all",
        agents.len(),
        common.len()
    )?;
    for action in common.iter().take(COMMON_SHOWN_MAX) {
        writeln!(out, "#   {}", escape::terminal(&Untrusted::borrowed(action)))?;
    }
    if common.len() > COMMON_SHOWN_MAX {
        writeln!(out, "#   … {} more", common.len() - COMMON_SHOWN_MAX)?;
    }
    let name = group.name().map_or_else(|| format!("class-{nth}"), str::to_owned);
    writeln!(out, "{} = [", escape::toml_string(&Untrusted::new(name)))?;
    for agent in agents {
        writeln!(out, "  {},", escape::toml_string(agent))?;
    }
    writeln!(out, "]")
}
