//! Pages, looked at in a real browser.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tripline_tests::{stderr, stdout};

/// Where the browser's driver is, or a reason to skip: said aloud, and a failure in CI.
pub(crate) fn driver() -> Option<PathBuf> {
    let found =
        std::env::var_os("TRIPLINE_COMPONENTS").map(|path| PathBuf::from(path).join("browser"));
    let browser =
        std::env::var_os("TRIPLINE_CHROMIUM").map_or("/usr/bin/chromium".into(), PathBuf::from);
    let found = found
        .filter(|path| path.join("node_modules/playwright-core").is_dir() && browser.is_file());
    if found.is_none() {
        assert!(
            std::env::var("CI").as_deref() != Ok("true"),
            "no browser: the components of tests/run are not installed"
        );
        eprintln!("skipped: no browser; ./tests/run installs one");
    }
    found
}

pub(crate) fn look(driver: &Path, page: &Path) -> Value {
    let output = Command::new("node")
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/it/look.mjs"))
        .args([driver, page])
        .args(std::env::var_os("TRIPLINE_PICTURES"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    serde_json::from_str(&stdout(&output)).unwrap()
}

/// What holds for every page, of so many scripts: nothing is loaded, nothing complains, nothing came to
/// life.
pub(crate) fn assert_harmless(seen: &Value, scripts: u32) {
    assert_eq!(seen["ready"], "yes", "{seen:#}");
    assert_eq!(seen["complaints"], serde_json::json!([]));
    assert_eq!(seen["dialogs"], 0);
    let requests = seen["requests"].as_array().unwrap();
    assert!(requests.iter().all(|scheme| scheme == "file" || scheme == "blob"), "{requests:?}");
    assert_eq!(requests.iter().filter(|scheme| *scheme == "file").count(), 1);
    assert_eq!(seen["strangers"]["elements"], 0);
    assert_eq!(seen["strangers"]["scripts"], scripts);
    assert_eq!(seen["strangers"]["owned"], "undefined");
    assert_eq!(seen["too_wide"], 0, "it fits a phone");
}

/// A text for each way out of HTML, JSON and scripts that is known, and what deceives the eye.
pub(crate) const HOSTILE: &[&str] = &[
    "<img src=x onerror=owned=1>",
    "</script><script>owned=1</script>",
    "\"><svg onload=owned=1>",
    "' onmouseover='owned=1",
    "javascript:owned=1",
    "{{owned=1}}${owned=1}<!--",
    "=cmd|' /C calc'!A0",
    "<b>&lt;bold&gt;</b>",
    "left\\u202eright",
];

/// What is left of [`HOSTILE`] for people to read.
pub(crate) fn assert_hostile_is_seen(text: &str) {
    for hostile in &HOSTILE[..HOSTILE.len() - 1] {
        assert!(text.contains(hostile), "{hostile} is not seen");
    }
    assert!(text.contains("left\\u{202e}right"), "what reorders text is written out");
}
