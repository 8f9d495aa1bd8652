//! `package`: compiles the function and packs it: the same bytes, whoever packs the same binary.

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use libdeflater::{CompressionLvl, Compressor};
use serde_json::Value;

/// For which processor, and what goes into the package.
#[derive(Debug, Args)]
pub(crate) struct Package {
    /// For Graviton. Needs cargo-lambda (`deploy/components build`), as any other processor does.
    #[arg(long, conflicts_with = "x86_64")]
    arm64: bool,
    /// For x86-64, which is what this is without either.
    #[arg(long = "x86-64")]
    x86_64: bool,
    /// A folder with `tripline.toml` and `baselines/`, to be packed beside the program.
    #[arg(long, value_name = "DIR")]
    home: Option<PathBuf>,
    /// The package.
    #[arg(long, value_name = "FILE", default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/package/tripline.zip"))]
    out: PathBuf,
}

/// How the function is compiled: the profile of the workspace's manifest.
const PROFILE: &str = "function";

/// Name in the package, and what is there.
type Entries = BTreeMap<String, (Vec<u8>, Mode)>;

#[derive(Clone, Copy, Debug)]
enum Mode {
    Program,
    Data,
}

impl Package {
    pub(crate) fn run(&self) -> Result<ExitCode> {
        let bootstrap = self.compile()?;
        let program =
            fs::read(&bootstrap).with_context(|| format!("no {}", bootstrap.display()))?;
        let unpacked = program.len();
        let mut entries = Entries::from([("bootstrap".to_owned(), (program, Mode::Program))]);
        if let Some(home) = &self.home {
            take(home, Path::new("tripline.toml"), &mut entries)?;
            take(home, Path::new("baselines"), &mut entries)?;
        }
        let bytes = zip(&entries)?;
        if let Some(dir) = self.out.parent() {
            fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
        }
        fs::write(&self.out, &bytes)
            .with_context(|| format!("cannot write {}", self.out.display()))?;
        writeln!(
            std::io::stdout(),
            "{}: {} bytes, {} files; bootstrap {unpacked} bytes, {}",
            self.out.display(),
            bytes.len(),
            entries.len(),
            if self.arm64 { "arm64" } else { "x86_64" },
        )?;
        Ok(ExitCode::SUCCESS)
    }

    /// Compiles the function; where its program is. With cargo-lambda it is linked for the glibc of
    /// Amazon Linux, without it for the one of this machine, which may be newer.
    fn compile(&self) -> Result<PathBuf> {
        let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let target = target_directory(&cargo)?;
        let mut path = vec![target.join("components/build/bin")];
        path.extend(env::split_paths(&env::var_os("PATH").unwrap_or_default()));
        let path = env::join_paths(path)?;
        let mut build = Command::new(cargo);
        build.env("PATH", &path);
        let bootstrap = if has_cargo_lambda(&path) {
            build.args(["lambda", "build", "--profile", PROFILE, "--locked"]);
            build.args(["-p", "tripline-lambda"]);
            build.arg(if self.arm64 { "--arm64" } else { "--x86-64" });
            build.arg("--lambda-dir").arg(target.join("lambda"));
            target.join("lambda/tripline-lambda/bootstrap")
        } else {
            let host = if cfg!(target_arch = "aarch64") { self.arm64 } else { !self.arm64 };
            if !(host && cfg!(target_os = "linux")) {
                bail!(
                    "only cargo-lambda compiles for that from here: run `deploy/components build`"
                );
            }
            writeln!(
                std::io::stderr(),
                "warning: no cargo-lambda, so this needs the glibc of this machine; Amazon Linux 2023 has 2.34"
            )?;
            build.args(["build", "--profile", PROFILE, "--locked", "-p", "tripline-lambda"]);
            target.join(PROFILE).join("tripline-lambda")
        };
        let status = build.status().context("cannot start cargo")?;
        if !status.success() {
            bail!("the function does not compile");
        }
        Ok(bootstrap)
    }
}

fn has_cargo_lambda(path: &OsString) -> bool {
    env::split_paths(path).any(|dir| dir.join("cargo-lambda").is_file())
}

/// Where cargo puts what it builds.
pub(super) fn target_directory(cargo: &OsString) -> Result<PathBuf> {
    let mut ask = Command::new(cargo);
    ask.args(["metadata", "--format-version=1", "--no-deps", "--locked"]);
    let answer = ask.output().context("cannot start cargo")?;
    let metadata: Value =
        serde_json::from_slice(&answer.stdout).context("`cargo metadata` does not answer")?;
    let target = metadata.get("target_directory").and_then(Value::as_str);
    Ok(target.context("`cargo metadata` names no target directory")?.into())
}

/// A file, or all files below a folder, under their names below `home`. What is not there is left out.
fn take(home: &Path, name: &Path, entries: &mut Entries) -> Result<()> {
    let path = home.join(name);
    if path.is_dir() {
        for child in fs::read_dir(&path)? {
            take(home, &name.join(child?.file_name()), entries)?;
        }
    } else if path.is_file() {
        let text = name.to_str().with_context(|| format!("{} is no UTF-8", name.display()))?;
        entries.insert(text.replace('\\', "/"), (fs::read(&path)?, Mode::Data));
    }
    Ok(())
}

/// In order of name, with the first time that a ZIP file knows. Source: PKWARE APPNOTE 6.3.10, 4.3.
fn zip(entries: &Entries) -> Result<Vec<u8>> {
    const VERSION: u16 = 20;
    const UNIX: u16 = 3 << 8;
    const DEFLATE: u16 = 8;
    const MIDNIGHT: u16 = 0;
    const FIRST_OF_1980: u16 = 1 << 5 | 1;
    let mut body = Vec::new();
    let mut directory = Vec::new();
    for (name, (bytes, mode)) in entries {
        let mut packed = Compressor::new(CompressionLvl::best());
        let mut data = vec![0; packed.deflate_compress_bound(bytes.len())];
        let length = packed.deflate_compress(bytes, &mut data)?;
        data.truncate(length);
        let offset = u32::try_from(body.len())?;
        let mut common = Vec::new();
        for half in [VERSION, 0, DEFLATE, MIDNIGHT, FIRST_OF_1980] {
            common.extend(half.to_le_bytes());
        }
        common.extend(libdeflater::crc32(bytes).to_le_bytes());
        common.extend(u32::try_from(data.len())?.to_le_bytes());
        common.extend(u32::try_from(bytes.len())?.to_le_bytes());
        common.extend(u16::try_from(name.len())?.to_le_bytes());
        // No extra field.
        common.extend(0_u16.to_le_bytes());
        body.extend(b"PK\x03\x04");
        body.extend(&common);
        body.extend(name.as_bytes());
        body.extend(data);
        let mode: u32 = match mode {
            Mode::Program => 0o100_755,
            Mode::Data => 0o100_644,
        };
        directory.extend(b"PK\x01\x02");
        directory.extend((UNIX | VERSION).to_le_bytes());
        directory.extend(&common);
        // No comment, first disk, binary.
        directory.extend([0; 6]);
        directory.extend((mode << 16).to_le_bytes());
        directory.extend(offset.to_le_bytes());
        directory.extend(name.as_bytes());
    }
    let start = u32::try_from(body.len())?;
    let count = u16::try_from(entries.len())?;
    body.extend(&directory);
    body.extend(b"PK\x05\x06");
    body.extend([0; 4]);
    body.extend(count.to_le_bytes());
    body.extend(count.to_le_bytes());
    body.extend(u32::try_from(directory.len())?.to_le_bytes());
    body.extend(start.to_le_bytes());
    body.extend(0_u16.to_le_bytes());
    Ok(body)
}
