//! Findings as other tools read them: each against the schema of its format.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::{Map, Value};
use tripline_tests::{stderr, stdout, tripline, workspace};

fn score(format: &str) -> String {
    let baselines = workspace().join("baselines");
    let output = tripline()
        .args(["score", "--format", format, "--baselines"])
        .arg(baselines)
        .arg(workspace().join("fixtures/demo"))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    stdout(&output)
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// What OCSF says of a class and its objects, as far as a finding must keep to it.
struct Ocsf(Value);

impl Ocsf {
    fn load() -> Self {
        let path = workspace().join("tests/it/schemas/ocsf-detection-finding.json");
        Self(serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap())
    }

    fn check(&self, finding: &Value) -> Vec<String> {
        let mut wrong = Vec::new();
        let members = finding.as_object().unwrap();
        self.members("", members, &self.0["detection_finding"], &mut wrong);
        wrong
    }

    fn members(
        &self,
        path: &str,
        found: &Map<String, Value>,
        known: &Value,
        wrong: &mut Vec<String>,
    ) {
        for (name, attribute) in known.as_object().unwrap() {
            if attribute["required"] == true && !found.contains_key(name) {
                wrong.push(format!("{path}/{name} is missing"));
            }
        }
        for (name, value) in found {
            let path = format!("{path}/{name}");
            match &known[name] {
                Value::Null => wrong.push(format!("{path} is not known")),
                attribute if attribute["array"] == true => match value.as_array() {
                    Some(items) => {
                        items.iter().for_each(|item| self.value(&path, item, attribute, wrong));
                    }
                    None => wrong.push(format!("{path} is no array")),
                },
                attribute => self.value(&path, value, attribute, wrong),
            }
        }
    }

    fn value(&self, path: &str, value: &Value, attribute: &Value, wrong: &mut Vec<String>) {
        let name = attribute["type"].as_str().unwrap();
        let fits = match self.0["types"][name].as_str() {
            Some("string_t") => value.is_string(),
            Some("integer_t" | "long_t") => value.is_i64(),
            Some("boolean_t") => value.is_boolean(),
            Some("float_t") => value.is_number(),
            Some(_) => true,
            None if name == "object" => value.is_object(),
            None => {
                let object = &self.0["objects"][name];
                match value.as_object() {
                    Some(members) if object.is_object() => {
                        self.members(path, members, &object["attributes"], wrong);
                        let one_of = object["constraints"]["at_least_one"].as_array();
                        one_of.is_none_or(|names| {
                            names.iter().any(|name| members.contains_key(name.as_str().unwrap()))
                        })
                    }
                    _ => false,
                }
            }
        };
        let in_enum = attribute["enum"].as_array().is_none_or(|allowed| {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            allowed.iter().any(|one| *one == Value::String(text.clone()))
        });
        if !fits || !in_enum {
            wrong.push(format!("{path} is {value}, not a sound {name}"));
        }
    }
}

#[test]
fn ocsf_findings_keep_to_the_schema() {
    let ocsf = Ocsf::load();
    let findings = lines(&score("ocsf"));
    assert_eq!(findings.len(), lines(&score("ndjson")).len());
    for finding in &findings {
        assert_eq!(ocsf.check(finding), Vec::<String>::new(), "{finding:#}");
        assert_eq!(finding["type_uid"], 200_401);
    }
    let severities: BTreeSet<i64> =
        findings.iter().map(|finding| finding["severity_id"].as_i64().unwrap()).collect();
    assert_eq!(severities.into_iter().collect::<Vec<_>>(), [4, 5]);
    let kill = findings.iter().find(|finding| finding["severity_id"] == 5).unwrap();
    insta::assert_snapshot!("ocsf_finding", format!("{kill:#}"));
}

#[test]
fn the_check_of_ocsf_finds_mistakes() {
    let ocsf = Ocsf::load();
    let sound = lines(&score("ocsf")).remove(0);
    let check = |change: &dyn Fn(&mut Value)| {
        let mut finding = sound.clone();
        change(&mut finding);
        ocsf.check(&finding).len()
    };
    assert_eq!(check(&|_| ()), 0);
    assert_eq!(check(&|finding| finding["severity_id"] = 7.into()), 1);
    assert_eq!(check(&|finding| finding["time"] = "now".into()), 1);
    assert_eq!(check(&|finding| finding["agent_name"] = "x".into()), 1);
    assert_eq!(check(&|finding| finding["evidences"] = Value::from(vec![Value::from(1)])), 1);
    assert_eq!(check(&|finding| finding["metadata"]["product"] = Map::new().into()), 1);
    let remove = |finding: &mut Value| drop(finding.as_object_mut().unwrap().remove("cloud"));
    assert_eq!(check(&remove), 1);
}

#[test]
fn sarif_has_every_finding_and_what_it_rests_on() {
    let sarif: Value = serde_json::from_str(&score("sarif")).unwrap();
    let run = &sarif["runs"][0];
    let results = run["results"].as_array().unwrap();
    assert_eq!(results.len(), lines(&score("ndjson")).len());
    let ids = |list: &Value| -> BTreeSet<String> {
        list.as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
    };
    let (rules, taxa) = (ids(&run["tool"]["driver"]["rules"]), ids(&run["taxonomies"][0]["taxa"]));
    for result in results {
        assert!(rules.contains(result["ruleId"].as_str().unwrap()));
        for taxon in result["taxa"].as_array().unwrap() {
            assert!(taxa.contains(taxon["id"].as_str().unwrap()));
        }
    }
    let kill = results.iter().find(|result| result["level"] == "error").unwrap();
    insta::assert_snapshot!("sarif_result", format!("{kill:#}"));
}

#[test]
fn sarif_keeps_to_the_schema() {
    let modules = std::env::var_os("TRIPLINE_COMPONENTS")
        .map(|path| std::path::PathBuf::from(path).join("browser"))
        .filter(|path| path.join("node_modules/ajv").is_dir());
    let Some(modules) = modules else {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "the validator is not installed");
        eprintln!("skipped: the schema of SARIF is not installed; ./tests/run installs it");
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let check = |text: &str| {
        let file = dir.path().join("findings.sarif");
        std::fs::write(&file, text).unwrap();
        let output = Command::new("node")
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/it/sarif.mjs"))
            .args([&modules, &file])
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        serde_json::from_str::<Value>(&stdout(&output)).unwrap()
    };
    let sound = score("sarif");
    assert_eq!(check(&sound), Value::Null);
    let quiet = tripline()
        .args(["score", "--format", "sarif", "--until", "2000-01-01"])
        .arg(workspace().join("fixtures/demo"))
        .output()
        .unwrap();
    assert_eq!(check(&stdout(&quiet)), Value::Null, "no findings make a sound document too");
    assert_ne!(check(&sound.replace("\"level\":\"error\"", "\"level\":\"awful\"")), Value::Null);
}

#[test]
fn findings_are_known_again_in_another_run() {
    let uids = |format: &str, of: &dyn Fn(&Value) -> Value| -> Vec<Value> {
        lines(&score(format)).iter().map(of).collect()
    };
    let uid = |finding: &Value| finding["finding_info"]["uid"].clone();
    let once = uids("ocsf", &uid);
    assert_eq!(once, uids("ocsf", &uid));
    let different: BTreeSet<String> = once.iter().map(Value::to_string).collect();
    assert_eq!(different.len(), once.len(), "each has its own");
    let behaviour = uids("ocsf", &|finding| finding["finding_info"]["uid_alt"].clone());
    let different: BTreeSet<String> = behaviour.iter().map(Value::to_string).collect();
    assert!(different.len() < behaviour.len(), "the same again is known as the same");
}
