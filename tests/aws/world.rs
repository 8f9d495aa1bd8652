//! An AWS emulator that enforces IAM, and agents at work on it: started by each test for itself.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

/// The account that the emulator is at home in.
pub(crate) const HOME: &str = "123456789012";
/// Another one.
pub(crate) const AWAY: &str = "444455556666";

/// Everything is allowed.
pub(crate) const ALLOW_ALL: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;

/// Where the components of `tests/run` are, or a reason to skip.
pub(crate) fn components() -> Option<PathBuf> {
    let found = std::env::var_os("TRIPLINE_COMPONENTS").map(PathBuf::from);
    let found = found.filter(|path| path.join("python/bin/ministack").is_file());
    if found.is_none() {
        assert!(
            std::env::var("CI").as_deref() != Ok("true"),
            "the components of tests/run are not installed"
        );
        eprintln!("skipped: the components are not installed; ./tests/run installs them");
    }
    found
}

/// The emulator, the agents, and a directory for logs and state.
pub(crate) struct World {
    emulator: Child,
    agents: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    endpoint: String,
    pub(crate) directory: TempDir,
}

impl Drop for World {
    fn drop(&mut self) {
        for child in [&mut self.agents, &mut self.emulator] {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl World {
    /// None where the components are not installed.
    pub(crate) fn start() -> Option<Self> {
        let components = components()?;
        let directory = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let log = std::fs::File::create(directory.path().join("emulator.log")).unwrap();
        let emulator = Command::new(components.join("python/bin/ministack"))
            .env("AUTH", "true")
            .env("BIND_HOST", "127.0.0.1")
            .env("GATEWAY_PORT", port.to_string())
            .env("MINISTACK_ACCOUNT_ID", HOME)
            .current_dir(directory.path())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        wait_until_ready(port);
        let endpoint = format!("http://127.0.0.1:{port}");
        let mut agents = Command::new(components.join("python/bin/python"))
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/aws/agents.py"))
            .env("AWS_ENDPOINT_URL", &endpoint)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (to, from) = (agents.stdin.take().unwrap(), agents.stdout.take().unwrap());
        Some(Self { emulator, agents, to, from: BufReader::new(from), endpoint, directory })
    }

    /// Where the emulator answers.
    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Sends a command; `ok` in the answer says how the call went.
    pub(crate) fn ask(&mut self, command: Value) -> Value {
        writeln!(self.to, "{command}").unwrap();
        self.to.flush().unwrap();
        let mut line = String::new();
        self.from.read_line(&mut line).unwrap();
        let answer: Value = serde_json::from_str(&line).unwrap();
        assert!(answer.get("broken").is_none(), "{command}: {answer}");
        answer
    }

    /// Sends a command that must succeed.
    pub(crate) fn tell(&mut self, command: Value) -> Value {
        let answer = self.ask(command.clone());
        assert_eq!(answer["ok"], true, "{command}: {answer}");
        answer
    }

    /// A role that these principals may assume and tag, and that may do everything.
    pub(crate) fn role(&mut self, account: &str, name: &str, trusted: &[&str]) {
        let trust = trust(trusted);
        let inline = json!({"all": ALLOW_ALL});
        self.tell(json!({"do": "role", "account": account, "name": name, "trust": trust, "inline": inline}));
    }

    /// A session of a role, which must come about.
    pub(crate) fn session(&mut self, by: &str, id: &str, role: &str, tags: &[(&str, &str)]) {
        let tags: BTreeMap<&str, &str> = tags.iter().copied().collect();
        self.tell(
            json!({"do": "assume", "by": by, "id": id, "role": role, "name": id, "tags": tags}),
        );
    }

    /// Whether a session is refused when it asks for a session.
    pub(crate) fn is_kept_out(&mut self, by: &str, role: &str, tags: &[(&str, &str)]) -> bool {
        let tags: BTreeMap<&str, &str> = tags.iter().copied().collect();
        let answer = self.ask(
            json!({"do": "assume", "by": by, "id": "another", "role": role, "name": "another", "tags": tags}),
        );
        answer["ok"] == false && answer["code"].as_str().unwrap().contains("AccessDenied")
    }

    /// Whether one call is refused.
    pub(crate) fn is_denied(&mut self, id: &str, service: &str) -> bool {
        let answer = self.ask(json!({"do": "call", "id": id, "service": service}));
        answer["ok"] == false
    }

    /// What a session's work came to, by service.
    pub(crate) fn report(&mut self, id: &str) -> BTreeMap<String, Value> {
        let answer = self.tell(json!({"do": "report", "id": id}));
        serde_json::from_value(answer["services"].clone()).unwrap()
    }

    /// A role's policies as they stand.
    pub(crate) fn policies(&mut self, account: &str, role: &str) -> Value {
        self.tell(json!({"do": "inspect", "account": account, "role": role}))
    }

    /// Writes down what happened so far, where `logs` finds it.
    pub(crate) fn write_logs(&mut self) {
        std::fs::create_dir_all(self.logs()).unwrap();
        let file = self.logs().join("trail.json.gz");
        self.tell(json!({"do": "log", "file": file}));
    }

    /// The directory of the logs.
    pub(crate) fn logs(&self) -> PathBuf {
        self.directory.path().join("logs")
    }

    /// The program, with a session's credentials, its own state, and nothing of this machine's.
    pub(crate) fn tripline(&mut self, responder: &str) -> Command {
        let credentials = self.tell(json!({"do": "credentials", "id": responder}));
        let text = |name: &str| credentials[name].as_str().unwrap_or_default().to_owned();
        let mut command = tripline_tests::tripline();
        command
            .env("AWS_ENDPOINT_URL", &self.endpoint)
            .env("AWS_REGION", "us-east-1")
            .env("AWS_ACCESS_KEY_ID", text("key"))
            .env("AWS_SECRET_ACCESS_KEY", text("secret"))
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("TRIPLINE_STATE", self.directory.path().join("state"))
            .current_dir(self.directory.path());
        if !text("token").is_empty() {
            command.env("AWS_SESSION_TOKEN", text("token"));
        }
        command
    }
}

/// A trust policy with odd white space, which must come back as it is.
pub(crate) fn trust(trusted: &[&str]) -> String {
    format!(
        "{{\n  \"Version\": \"2012-10-17\",\n  \"Statement\": [\n    {{ \"Effect\": \"Allow\", \"Principal\": {{ \"AWS\": {} }}, \"Action\": [\"sts:AssumeRole\", \"sts:TagSession\", \"sts:SetSourceIdentity\"] }}\n  ]\n}}",
        json!(trusted)
    )
}

fn wait_until_ready(port: u16) {
    let until = Instant::now() + Duration::from_secs(30);
    loop {
        if is_ready(port) {
            return;
        }
        assert!(Instant::now() < until, "the emulator does not start");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn is_ready(port: u16) -> bool {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else { return false };
    let request = "GET /_ministack/health HTTP/1.0\r\nHost: localhost\r\n\r\n";
    let mut answer = String::new();
    stream.write_all(request.as_bytes()).is_ok()
        && stream.read_to_string(&mut answer).is_ok()
        && answer.contains(" 200 ")
}
