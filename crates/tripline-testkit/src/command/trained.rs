//! `trained`: builds the program optimised for what it does on a fleet that the generator makes.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context as _, Result, bail};
use clap::{Args, Parser};
use sha2::{Digest as _, Sha256};

use super::generate::Generate;
use super::package::target_directory;

/// Which program is built. Everything is written below `trained` in cargo's target directory, and may
/// be removed.
#[derive(Debug, Args)]
pub(crate) struct Trained {
    /// Without the AWS SDK, and all else that `--no-default-features` leaves out.
    #[arg(long)]
    no_aws: bool,
}

/// What it is trained on, some 180 MB of JSON. The seed is one that no bench uses, so that nothing is
/// measured on what was trained on: `benches/end_to_end.rs` has 7, `generate` has 1 unless told, and the
/// evaluation reports seeds from 100 on.
const FLEET: &[&str] = &[
    "--seed=99",
    "--agents=60",
    "--days=8",
    "--attacks=yes",
    "--json-bytes=150MB",
    "--file-json-bytes=2MB",
    "--level=6",
];

/// The generator by its own words, so that what is not said is what it is elsewhere.
#[derive(Parser)]
#[command(no_binary_name = true)]
struct Words {
    #[command(flatten)]
    generate: Generate,
}

/// Where things are while it is trained.
struct Training {
    logs: PathBuf,
    scopes: PathBuf,
    /// The scopes again, and what was learned beside them.
    learned: PathBuf,
    /// The logs as columns, and what was learned from those.
    export: PathBuf,
    learned_again: PathBuf,
    /// What each run counted.
    counts: PathBuf,
    /// The program that counts.
    program: PathBuf,
}

impl Trained {
    pub(crate) fn run(&self) -> Result<ExitCode> {
        let compiler = Compiler::ask()?;
        // Before minutes of building.
        let merger = pick(&compiler.mergers(env::var_os("LLVM_PROFDATA")), compiler.llvm, version)?;
        let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let home = target_directory(&cargo)?.join("trained");
        let dir = home.join("training");
        if dir.is_dir() {
            fs::remove_dir_all(&dir).with_context(|| format!("cannot remove {}", dir.display()))?;
        }
        let training = Training {
            logs: dir.join("logs"),
            scopes: dir.join("scopes"),
            learned: dir.join("learned"),
            export: dir.join("export"),
            learned_again: dir.join("learned-again"),
            counts: dir.join("counts"),
            program: dir.join(program_name()),
        };
        make(&training.counts)?;

        say("1 of 5: a program that counts what it does")?;
        let counting = flag("-Cprofile-generate=", &training.counts)?;
        let built = self.build(&cargo, &compiler.host, &home, &counting)?;
        // Out of the way: nobody is to take it for the trained one.
        rename(&built, &training.program)?;
        say("2 of 5: a fleet to train it on")?;
        training.generate()?;
        say("3 of 5: the training: the fleet is learned, scored, exported")?;
        training.train(!self.no_aws)?;
        say("4 of 5: what it counted, put together")?;
        let profile = training.merge(&merger, &dir)?;
        say("5 of 5: the program again, by what was counted")?;
        let built =
            self.build(&cargo, &compiler.host, &home, &flag("-Cprofile-use=", &profile)?)?;
        let program = home.join(program_name());
        rename(&built, &program)?;

        let bytes =
            fs::metadata(&program).with_context(|| format!("no {}", program.display()))?.len();
        writeln!(std::io::stdout(), "{}: {bytes} bytes", program.display())?;
        Ok(ExitCode::SUCCESS)
    }

    /// Builds the program with one more flag; where it is. Cargo makes the features, its profile and
    /// whether there is a `--target` a part of the names of symbols, by which the counts are found: both
    /// builds have them the same. With `--target` the flag is not for build scripts and macros, which
    /// would count as well.
    fn build(&self, cargo: &OsStr, host: &str, home: &Path, flag: &str) -> Result<PathBuf> {
        let encoded = env::var("CARGO_ENCODED_RUSTFLAGS").ok();
        let plain = env::var("RUSTFLAGS").ok();
        let mut build = Command::new(cargo);
        build.args(["build", "--release", "--locked", "--package", "tripline-cli"]);
        build.args(["--bin", "tripline", "--target", host]).arg("--target-dir").arg(home);
        if self.no_aws {
            build.arg("--no-default-features");
        }
        build.env("CARGO_ENCODED_RUSTFLAGS", flags(encoded.as_deref(), plain.as_deref(), flag));
        let status = build.status().context("cannot start cargo")?;
        if !status.success() {
            bail!("the program does not compile");
        }
        Ok(home.join(host).join("release").join(program_name()))
    }
}

impl Training {
    fn generate(&self) -> Result<()> {
        let mut words: Vec<OsString> = FLEET.iter().map(OsString::from).collect();
        for (option, path) in [("--out", &self.logs), ("--scopes", &self.scopes)] {
            words.extend([option.into(), path.into()]);
        }
        say(&Words::try_parse_from(words)?.generate.write_all()?)
    }

    /// With `--threads 1`: threads count over each other. All that is long at work is done once: what is not
    /// done at all is taken to be rare, and compiled to be small. `has_columns` says whether the program can
    /// export.
    fn train(&self, has_columns: bool) -> Result<()> {
        copy(&self.scopes, &self.learned)?;
        self.count(&["learn", "--out"], &self.learned, &self.logs)?;
        let score = ["score", "--format", "ndjson", "--baselines"];
        for baselines in [&self.learned, &self.scopes] {
            self.count(&score, baselines, &self.logs)?;
        }
        if has_columns {
            self.count(&["export", "--out"], &self.export, &self.logs)?;
            self.count(&["learn", "--out"], &self.learned_again, &self.export)?;
            self.count(&score, &self.learned, &self.export)?;
        }
        Ok(())
    }

    /// One run over these logs, whose output nobody wants unless it fails.
    fn count(&self, words: &[&str], last_word: &Path, logs: &Path) -> Result<()> {
        let mut run = Command::new(&self.program);
        run.args(words).arg(last_word).args(["--threads", "1"]).arg(logs);
        run.env("LLVM_PROFILE_FILE", self.counts.join("%p.profraw"));
        run.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let done = run.output().with_context(|| format!("cannot start {run:?}"))?;
        if !done.status.success() {
            bail!("{run:?} failed: {}", String::from_utf8_lossy(&done.stderr).trim_end());
        }
        Ok(())
    }

    /// All counts in one file. Cargo sees that a flag changed and not what is in the file that it names:
    /// so the file is named by its content.
    fn merge(&self, merger: &Path, dir: &Path) -> Result<PathBuf> {
        let merged = dir.join("merged");
        let mut merge = Command::new(merger);
        merge.args(["merge", "-o"]).arg(&merged);
        for child in
            fs::read_dir(&self.counts).with_context(|| format!("no {}", self.counts.display()))?
        {
            let path = child?.path();
            if path.extension() == Some(OsStr::new("profraw")) {
                merge.arg(path);
            }
        }
        let status = merge.status().with_context(|| format!("cannot start {merge:?}"))?;
        if !status.success() {
            bail!("{} cannot read what was counted", merger.display());
        }
        let bytes = fs::read(&merged).with_context(|| format!("no {}", merged.display()))?;
        let profile = dir.join(profile_name(&bytes));
        rename(&merged, &profile)?;
        Ok(profile)
    }
}

/// What has to be known of the compiler.
#[derive(Debug)]
struct Compiler {
    host: String,
    /// The major version of its LLVM: what it counts is read by that one's tools.
    llvm: u32,
    sysroot: PathBuf,
}

impl Compiler {
    fn ask() -> Result<Self> {
        let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        let about = answer(&rustc, &["-vV"])?;
        let host = about.lines().find_map(|line| line.strip_prefix("host: "));
        Ok(Self {
            host: host.context("`rustc -vV` names no host")?.trim().to_owned(),
            llvm: llvm_major(&about).context("`rustc -vV` names no version of LLVM")?,
            sysroot: answer(&rustc, &["--print", "sysroot"])?.trim().into(),
        })
    }

    /// Where LLVM's `llvm-profdata` may be, the best first: what the environment names and nothing else,
    /// or the toolchain's, those on `PATH`, and where Debian puts it.
    fn mergers(&self, named: Option<OsString>) -> Vec<PathBuf> {
        if let Some(named) = named.filter(|named| !named.is_empty()) {
            return vec![named.into()];
        }
        let Self { host, llvm, sysroot } = self;
        vec![
            sysroot.join("lib/rustlib").join(host).join("bin/llvm-profdata"),
            "llvm-profdata".into(),
            format!("llvm-profdata-{llvm}").into(),
            format!("/usr/lib/llvm-{llvm}/bin/llvm-profdata").into(),
        ]
    }
}

fn answer(program: &OsStr, words: &[&str]) -> Result<String> {
    let mut ask = Command::new(program);
    ask.args(words);
    let done = ask.output().with_context(|| format!("cannot start {ask:?}"))?;
    if !done.status.success() {
        bail!("{ask:?} failed: {}", String::from_utf8_lossy(&done.stderr).trim_end());
    }
    String::from_utf8(done.stdout).with_context(|| format!("{ask:?} answers no UTF-8"))
}

/// The first of them that is there and of this LLVM: one cannot read what another one's compiler counted.
fn pick(mergers: &[PathBuf], llvm: u32, version: impl Fn(&Path) -> Option<u32>) -> Result<PathBuf> {
    if let Some(found) = mergers.iter().find(|merger| version(merger) == Some(llvm)) {
        return Ok(found.clone());
    }
    let tried: Vec<String> = mergers.iter().map(|merger| merger.display().to_string()).collect();
    bail!(
        "no llvm-profdata of LLVM {llvm}, which is the compiler's (looked for: {}): install it by `rustup component add llvm-tools` or as Debian's package llvm-{llvm}, or name it in LLVM_PROFDATA",
        tried.join(", ")
    )
}

/// Of which LLVM a tool is, if it can be started.
fn version(tool: &Path) -> Option<u32> {
    answer(tool.as_os_str(), &["--version"]).ok().as_deref().and_then(llvm_major)
}

/// 22 of `LLVM version: 22.1.2`, as the compiler says it, and of `Debian LLVM version 22.1.8`.
fn llvm_major(text: &str) -> Option<u32> {
    let (_, behind) = text.split_once("LLVM version")?;
    let number = behind.trim_start_matches(':').trim_start();
    number.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// The flags of the environment and one more, for `CARGO_ENCODED_RUSTFLAGS`, which takes paths with
/// blanks. Cargo reads that one before `RUSTFLAGS`, and its files only where there is neither.
fn flags(encoded: Option<&str>, plain: Option<&str>, flag: &str) -> String {
    const BETWEEN: &str = "\u{1f}";
    let mut all: Vec<&str> = match encoded {
        Some(encoded) => encoded.split(BETWEEN).filter(|flag| !flag.is_empty()).collect(),
        None => plain.unwrap_or_default().split_whitespace().collect(),
    };
    all.push(flag);
    all.join(BETWEEN)
}

fn flag(name: &str, path: &Path) -> Result<String> {
    let path = path.to_str().with_context(|| format!("{} is no UTF-8", path.display()))?;
    Ok(format!("{name}{path}"))
}

fn profile_name(bytes: &[u8]) -> String {
    let hash: String =
        Sha256::digest(bytes).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("{hash}.profdata")
}

fn program_name() -> String {
    format!("tripline{}", env::consts::EXE_SUFFIX)
}

fn say(line: &str) -> Result<()> {
    Ok(writeln!(std::io::stderr(), "{line}")?)
}

fn make(dir: &Path) -> Result<()> {
    fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))
}

fn rename(from: &Path, to: &Path) -> Result<()> {
    fs::rename(from, to)
        .with_context(|| format!("cannot move {} to {}", from.display(), to.display()))
}

/// A file, or a folder with all that is in it.
fn copy(from: &Path, to: &Path) -> Result<()> {
    if !from.is_dir() {
        fs::copy(from, to).with_context(|| format!("cannot write {}", to.display()))?;
        return Ok(());
    }
    make(to)?;
    for child in fs::read_dir(from).with_context(|| format!("no {}", from.display()))? {
        let name = child?.file_name();
        copy(&from.join(&name), &to.join(&name))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compiler() -> Compiler {
        Compiler { host: "x86_64-unknown-linux-gnu".into(), llvm: 22, sysroot: "/tools".into() }
    }

    #[test]
    fn the_version_of_llvm_is_read_from_compiler_and_tools() {
        let rustc = "rustc 1.95.0 (59807616e 2026-04-14)\nhost: x86_64-unknown-linux-gnu\nrelease: 1.95.0\nLLVM version: 22.1.2\n";
        assert_eq!(llvm_major(rustc), Some(22));
        assert_eq!(llvm_major("Debian LLVM version 22.1.8\n  Optimized build.\n"), Some(22));
        assert_eq!(
            llvm_major("LLVM (http://llvm.org/):\n  LLVM version 9.0.1-rust-1.40.0-stable\n"),
            Some(9)
        );
        assert_eq!(llvm_major("rustc 1.95.0\nrelease: 1.95.0\n"), None);
        assert_eq!(llvm_major("LLVM version: unknown"), None);
    }

    #[test]
    fn the_tool_is_the_toolchains_before_any_other() {
        let found = pick(&compiler().mergers(None), 22, |_| Some(22)).unwrap();
        assert_eq!(
            found,
            Path::new("/tools/lib/rustlib/x86_64-unknown-linux-gnu/bin/llvm-profdata")
        );
    }

    #[test]
    fn a_tool_of_another_llvm_is_passed_over() {
        let version = |tool: &Path| match tool.to_str().unwrap() {
            "llvm-profdata" => Some(19),
            "llvm-profdata-22" => Some(22),
            _ => None,
        };
        let found = pick(&compiler().mergers(None), 22, version).unwrap();
        assert_eq!(found, Path::new("llvm-profdata-22"));
        let debian = |tool: &Path| tool.starts_with("/usr/lib/llvm-22").then_some(22);
        let found = pick(&compiler().mergers(None), 22, debian).unwrap();
        assert_eq!(found, Path::new("/usr/lib/llvm-22/bin/llvm-profdata"));
    }

    #[test]
    fn a_tool_that_is_named_is_the_only_one() {
        let named = compiler().mergers(Some("mine".into()));
        assert_eq!(pick(&named, 22, |_| Some(22)).unwrap(), Path::new("mine"));
        assert!(pick(&named, 22, |tool| (tool != Path::new("mine")).then_some(22)).is_err());
        assert_eq!(compiler().mergers(Some("".into())), compiler().mergers(None));
    }

    #[test]
    fn without_a_tool_the_error_says_what_to_install() {
        let error = pick(&compiler().mergers(None), 22, |_| None).unwrap_err().to_string();
        for part in ["LLVM 22", "rustup component add llvm-tools", "llvm-22,", "LLVM_PROFDATA"] {
            assert!(error.contains(part), "{part}: {error}");
        }
    }

    #[test]
    fn flags_of_the_environment_stay() {
        assert_eq!(flags(None, None, "-Cx=/a b"), "-Cx=/a b");
        assert_eq!(
            flags(None, Some(" -Ctarget-cpu=native  -g "), "-Cx"),
            "-Ctarget-cpu=native\u{1f}-g\u{1f}-Cx"
        );
        assert_eq!(flags(Some("-L/a b\u{1f}-g"), Some("-O"), "-Cx"), "-L/a b\u{1f}-g\u{1f}-Cx");
        // Set, though to nothing: cargo does not look at the other either.
        assert_eq!(flags(Some(""), Some("-O"), "-Cx"), "-Cx");
    }

    #[test]
    fn another_profile_has_another_name() {
        assert_eq!(profile_name(b"a"), "ca978112ca1bbdca.profdata");
        assert_ne!(profile_name(b"a"), profile_name(b"b"));
    }

    #[test]
    fn the_generator_takes_the_fleets_words() {
        let words = FLEET.iter().copied().chain(["--out", "logs", "--scopes", "scopes"]);
        assert!(Words::try_parse_from(words).is_ok());
    }
}
