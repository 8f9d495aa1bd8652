//! What people press in the chat, from the request to the agent's next call.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use aws_lc_rs::hmac;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use crate::live::{AGENTS, OBJECT, deployed, deployed_with, until_denied};
use crate::service::{Answer, Service};
use crate::world::World;

const SECRET: &str = "8f742231b10e8888abcd99yyyzzz85a5";

const CONFIG: &str = r#"
version = 1
[[channels]]
name = "oncall"
service = "slack"
channel = "C1"
token = "env:SLACK_TOKEN"
api = "API"
[[channels]]
name = "own"
service = "webhook"
url = "env:HOOK"
key = "env:LINK_KEY"
[approvals]
slack_signing_secret = "env:SLACK_SIGNING_SECRET"
url = "http://localhost"
link_key = "env:LINK_KEY"
[[people]]
name = "alice"
slack = "UA"
passphrase = "env:ALICE"
[[people]]
name = "bob"
slack = "UB"
passphrase = "env:BOB"
may = ["restore", "reject"]
"#;

/// What was posted, by path.
type Posts = Arc<Mutex<Vec<(String, Value)>>>;

/// Slack's API and a webhook.
fn chat() -> (Service, Posts) {
    let posts = Posts::default();
    let noted = Arc::clone(&posts);
    let service = Service::start(move |asked| {
        let body = serde_json::from_str(&asked.body).unwrap();
        noted.lock().unwrap().push((asked.path.clone(), body));
        Answer::json(200, &json!({"ok": true, "channel": "C1", "ts": "17.5"}))
    });
    (service, posts)
}

/// Waits until something was posted there that has all of these in it; the last of it.
fn until_posted(posts: &Posts, path: &str, parts: &[&str]) -> Value {
    let until = Instant::now() + Duration::from_secs(60);
    loop {
        let posts = posts.lock().unwrap().clone();
        let has = |post: &Value| parts.iter().all(|part| post.to_string().contains(part));
        let mut found = posts.iter().rev().filter(|(to, _)| to == path);
        if let Some((_, post)) = found.find(|(_, post)| has(post)) {
            return post.clone();
        }
        assert!(Instant::now() < until, "{parts:?}: {posts:#?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// A watch that hears what is pressed.
struct Watch {
    child: Child,
    err: BufReader<ChildStderr>,
    at: String,
}

impl Watch {
    fn start(world: &mut World, chat: &Service) -> Self {
        std::fs::create_dir_all(world.logs()).unwrap();
        let config = world.directory.path().join("chat.toml");
        std::fs::write(&config, CONFIG.replace("API", &chat.url)).unwrap();
        let mut watch = world.tripline("responder");
        watch.args(["watch", "--mode", "approve", "--every", "1", "--format", "ndjson"]);
        watch.args(["--listen", "127.0.0.1:0", "--config"]).arg(config).arg(world.logs());
        watch.env("SLACK_TOKEN", "xoxb-1").env("SLACK_SIGNING_SECRET", SECRET);
        watch.env("HOOK", format!("{}/hook", chat.url)).env("LINK_KEY", "link key of the test");
        watch.env("ALICE", "passphrase of alice").env("BOB", "passphrase of bob");
        let mut child = watch.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut err = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        err.read_line(&mut line).unwrap();
        let at = line.strip_prefix("listening at http://");
        let at = at.unwrap_or_else(|| unreachable!("{line}")).trim().to_owned();
        Self { child, err, at }
    }

    /// Ends it; what it said.
    fn stop(mut self) -> String {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        let mut said = String::new();
        self.err.read_to_string(&mut said).unwrap();
        assert!(self.child.wait().unwrap().success(), "{said}");
        said
    }

    /// Sends a request as it is; the status of the answer, its head and its body.
    fn send(&self, head: &str, body: &str) -> (u16, String, String) {
        let mut stream = TcpStream::connect(&self.at).unwrap();
        let length = body.len();
        let request = format!("{head}\r\nhost: x\r\ncontent-length: {length}\r\n\r\n{body}");
        // Whoever is refused early may be hung up on.
        let _ = stream.write_all(request.as_bytes());
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer);
        let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (status, head.to_lowercase(), body.to_owned())
    }

    /// Presses a button as Slack would say it; what was answered.
    fn press(&self, user: &str, button: &Value, secret: &str, late_secs: i64) -> u16 {
        let [time, signed, body] = pressed_in_slack(user, button, secret, late_secs);
        let head = format!(
            "POST /slack HTTP/1.1\r\nx-slack-request-timestamp: {time}\r\nx-slack-signature: {signed}"
        );
        self.send(&head, &body).0
    }

    /// Posts what a page behind a link asks for; the status, and the page.
    fn post(&self, link: &str, name: &str, passphrase: &str) -> (u16, String) {
        let body = form(link, name, passphrase);
        let (status, _, page) = self.send("POST /press HTTP/1.1", &body);
        (status, page)
    }
}

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// Slack's request: what its headers say, and its body.
fn pressed_in_slack(user: &str, button: &Value, secret: &str, late_secs: i64) -> [String; 3] {
    let payload = json!({"type": "block_actions", "user": {"id": user}, "actions": [
        {"action_id": button["action_id"], "value": button["value"]}]});
    let body = format!("payload={}", encoded(&payload.to_string()));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let time = i64::try_from(now).unwrap() - late_secs;
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let signed = hmac::sign(&key, format!("v0:{time}:{body}").as_bytes());
    let signed: String = signed.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    [time.to_string(), format!("v0={signed}"), body]
}

/// What is posted behind a link.
fn form(link: &str, name: &str, passphrase: &str) -> String {
    let token = encoded(link.split_once("?t=").unwrap().1);
    format!("t={token}&name={}&passphrase={}", encoded(name), encoded(passphrase))
}

/// A button under a message.
fn button<'m>(message: &'m Value, press: &str) -> &'m Value {
    let elements = message["blocks"].as_array().unwrap().last().unwrap()["elements"].as_array();
    let id = format!("tripline:{press}");
    elements.unwrap().iter().find(|button| button["action_id"] == id.as_str()).unwrap()
}

/// A link in a message of the webhook, as what follows the host.
fn link(message: &Value, press: &str) -> String {
    let links = message["links"].as_array().unwrap();
    let link = links.iter().find(|link| link["press"] == press).unwrap();
    link["url"].as_str().unwrap().strip_prefix("http://localhost").unwrap().to_owned()
}

fn with_responder() -> Option<World> {
    let mut world = deployed("observe")?;
    world.session("runner", "responder", "arn:aws:iam::123456789012:role/Responder", &[]);
    Some(world)
}

#[test]
fn one_person_stops_an_agent_in_slack_and_two_give_it_back() {
    let Some(mut world) = with_responder() else { return };
    let (service, posts) = chat();
    let watch = Watch::start(&mut world, &service);
    let until_told = |parts: &[&str]| until_posted(&posts, "/chat.postMessage", parts);
    let until_shown = |parts: &[&str]| until_posted(&posts, "/chat.update", parts);

    world.write_logs();
    let asked = until_told(&["WAITS FOR YOU", "tripline:approve", "tripline:reject"]);
    assert!(!world.is_denied("hijacked", "s3"));
    let approve = button(&asked, "approve");
    // Whoever cannot show Slack's signature, or shows an old one, presses nothing.
    assert_eq!(watch.press("UA", approve, "another secret, as long", 0), 401);
    assert_eq!(watch.press("UA", approve, SECRET, 301), 401);
    // Nor does a stranger, nor whoever may do other things; everybody is told.
    assert_eq!(watch.press("UX", approve, SECRET, 0), 200);
    until_told(&["thread_ts", "UX pressed approve, which was REFUSED: nobody known"]);
    assert_eq!(watch.press("UB", approve, SECRET, 0), 200);
    until_told(&["thread_ts", "bob pressed approve, which was REFUSED: this person may not"]);
    // An incident that nobody was told of.
    let mut unknown = approve.clone();
    unknown["value"] = json!("000000000000feed 0");
    assert_eq!(watch.press("UA", &unknown, SECRET, 0), 200);
    assert!(!world.is_denied("hijacked", "s3"));

    assert_eq!(watch.press("UA", approve, SECRET, 0), 200);
    until_denied(&mut world, "hijacked");
    let killed = until_shown(&["KILLED", "tripline:restore", "stopped by alice"]);
    let restore = button(&killed, "restore");
    assert_eq!(watch.press("UA", approve, SECRET, 0), 200);
    until_told(&["alice pressed approve, which was REFUSED: it was carried out already"]);

    assert_eq!(watch.press("UA", restore, SECRET, 0), 200);
    until_told(&["alice pressed restore: another person has to"]);
    assert_eq!(watch.press("UA", restore, SECRET, 0), 200);
    until_told(&["alice pressed restore, which was REFUSED: the same person"]);
    assert!(world.is_denied("hijacked", "s3"));
    assert_eq!(watch.press("UB", restore, SECRET, 0), 200);
    until_told(&["RESTORED", "given back by bob: pressed in the chat by alice, bob"]);
    assert!(!world.is_denied("hijacked", "s3"));
    assert_eq!(watch.press("UB", restore, SECRET, 0), 200);
    until_told(&["bob pressed restore, which was REFUSED: nothing of it is in force"]);

    let said = watch.stop();
    assert_eq!(said.matches("was refused: ").count(), 2, "{said}");
    // All of it is on record, but for what nobody can be believed to have pressed.
    let log = std::fs::read_to_string(world.directory.path().join("state/actions.jsonl")).unwrap();
    assert_eq!(log.matches(r#""event":{"pressed":"#).count(), 9, "{log}");
    assert!(log.contains(r#""declined":"unknown""#), "{log}");
    assert!(!log.contains(SECRET) && !said.contains(SECRET));
    let mut verify = world.tripline("responder");
    assert!(verify.args(["log", "verify"]).output().unwrap().status.success());
}

#[test]
fn a_link_acts_once_and_only_when_somebody_known_posts_it() {
    let Some(mut world) = with_responder() else { return };
    let (service, posts) = chat();
    let watch = Watch::start(&mut world, &service);
    let until_told = |parts: &[&str]| until_posted(&posts, "/hook", parts);

    world.write_logs();
    let asked = until_told(&["waiting", "/press?t="]);
    let approve = link(&asked, "approve");
    // Services open links by themselves; that only shows.
    for method in ["GET", "HEAD"] {
        let (status, head, page) = watch.send(&format!("{method} {approve} HTTP/1.1"), "");
        assert_eq!(status, 200);
        assert!(head.contains("content-security-policy: default-src 'none'"), "{head}");
        assert!(head.contains("referrer-policy: no-referrer"), "{head}");
        assert_eq!(page.contains("Nothing was done so far"), method == "GET", "{page}");
    }
    let (status, ..) =
        watch.send(&format!("GET {} HTTP/1.1", approve.replace("approve", "reject")), "");
    assert_eq!(status, 401);
    assert_eq!(watch.send(&format!("PUT {approve} HTTP/1.1"), "").0, 405);
    assert_eq!(watch.send("GET /elsewhere HTTP/1.1", "").0, 404);
    assert_eq!(watch.send("POST /press HTTP/1.1", &"x".repeat(140_000)).0, 413);
    assert_eq!(watch.send("POST /press HTTP/1.1", "t=x").0, 400);
    assert_eq!(watch.post(&approve, "alice", "passphrase of bob").0, 403);
    assert_eq!(watch.post(&approve, "eve", "passphrase of alice").0, 403);
    let (status, page) = watch.post(&approve, "bob", "passphrase of bob");
    assert!(status == 403 && page.contains("this person may not press it"), "{page}");
    assert!(!world.is_denied("hijacked", "s3"));

    let (status, page) = watch.post(&approve, "alice", "passphrase of alice");
    assert!(status == 200 && page.contains("The plan is carried out"), "{page}");
    assert!(world.is_denied("hijacked", "s3"));
    let (status, page) = watch.post(&approve, "alice", "passphrase of alice");
    assert!(status == 403 && page.contains("carried out already"), "{page}");

    let killed = until_told(&["killed", "restore"]);
    let restore = link(&killed, "restore");
    let (status, page) = watch.post(&restore, "alice", "passphrase of alice");
    assert!(status == 200 && page.contains("So many more people have to: 1"), "{page}");
    // It was used; the other person has a link of his own.
    let (status, page) = watch.post(&restore, "bob", "passphrase of bob");
    assert!(status == 403 && page.contains("used already"), "{page}");
    let told = until_told(&["alice pressed restore: another person has to"]);
    let (status, page) = watch.post(&link(&told, "restore"), "bob", "passphrase of bob");
    assert!(status == 200 && page.contains("is given back"), "{page}");
    assert!(!world.is_denied("hijacked", "s3"));

    let said = watch.stop();
    let log = std::fs::read_to_string(world.directory.path().join("state/actions.jsonl")).unwrap();
    for secret in ["passphrase of", "link key of the test", "xoxb-1"] {
        assert!(!said.contains(secret) && !log.contains(secret), "{said}\n{log}");
    }
    assert!(said.contains("was refused: the request is larger than"), "{said}");
    assert!(log.contains(r#""way":"link","address":"127.0.0.1""#), "{log}");
}

#[test]
fn who_is_left_alone_stays_so_until_there_is_something_new() {
    let Some(mut world) = with_responder() else { return };
    let (service, posts) = chat();
    let watch = Watch::start(&mut world, &service);
    world.write_logs();
    let asked = until_posted(&posts, "/chat.postMessage", &["tripline:reject"]);
    assert_eq!(watch.press("UB", button(&asked, "reject"), SECRET, 0), 200);
    let left = until_posted(&posts, "/chat.update", &["LEFT ALONE", "left alone by bob"]);
    assert!(!left.to_string().contains("tripline:approve"), "{left}");
    assert_eq!(watch.press("UA", button(&asked, "approve"), SECRET, 0), 200);
    until_posted(&posts, "/chat.postMessage", &["alice pressed approve, which was REFUSED"]);
    assert!(!world.is_denied("hijacked", "s3"));
    // The same again, in another second: the question is another one.
    std::thread::sleep(Duration::from_millis(1_100));
    world.tell(json!({"do": "stop_logging", "id": "hijacked"}));
    world.write_logs();
    let waits = ["WAITS FOR YOU", "tripline:approve", "REFUSED"];
    let again = until_posted(&posts, "/chat.update", &waits);
    assert_eq!(watch.press("UA", button(&again, "approve"), SECRET, 0), 200);
    until_denied(&mut world, "hijacked");
    watch.stop();
}

#[test]
fn of_a_storm_each_agent_is_answered_by_itself() {
    let Some(mut world) = with_responder() else { return };
    for nth in 0..5 {
        let id = format!("agent-{nth}");
        world.session("runner", &id, AGENTS, &[("AgentID", &id)]);
        world.tell(json!({"do": "stop_logging", "id": id}));
    }
    let (service, posts) = chat();
    let watch = Watch::start(&mut world, &service);
    world.write_logs();
    let storm = ["6 agents at once", "WAITS FOR YOU"];
    let asked = until_posted(&posts, "/chat.postMessage", &storm);
    // Below what is said of an agent stands what may be pressed about it.
    let blocks = asked["blocks"].as_array().unwrap();
    let of = |block: &Value| block["text"]["text"].as_str().unwrap_or("").contains("agent-3");
    let at = blocks.iter().position(of).unwrap();
    let buttons = blocks[at + 1]["elements"].as_array().unwrap();
    assert_eq!(watch.press("UA", &buttons[0], SECRET, 0), 200);
    until_denied(&mut world, "agent-3");
    assert!(!world.is_denied("agent-2", "s3") && !world.is_denied("hijacked", "s3"));
    let own = ["[KILLED] agent-3", "tripline:restore", "alice pressed approve"];
    until_posted(&posts, "/chat.postMessage", &own);
    let shown = ["6 agents at once", "answered: see its own message"];
    until_posted(&posts, "/chat.update", &shown);
    // Elsewhere by links.
    let told = until_posted(&posts, "/hook", &storm);
    let listed = told["listed"].as_array().unwrap();
    let of = |one: &&Value| one["text"].as_str().unwrap().contains("agent-4");
    let approve = link(listed.iter().find(of).unwrap(), "approve");
    let (status, page) = watch.post(&approve, "alice", "passphrase of alice");
    assert!(status == 200 && page.contains("The plan is carried out"), "{page}");
    assert!(world.is_denied("agent-4", "s3") && !world.is_denied("agent-2", "s3"));
    let own = until_posted(&posts, "/hook", &["killed", "agent-4", "restore"]);
    let (status, _) = watch.post(&link(&own, "restore"), "alice", "passphrase of alice");
    assert_eq!(status, 200);
    let again = ["agent-4", "alice pressed restore: another person has to"];
    let again = until_posted(&posts, "/hook", &again);
    let (status, page) = watch.post(&link(&again, "restore"), "bob", "passphrase of bob");
    assert!(status == 200 && page.contains("is given back"), "{page}");
    assert!(!world.is_denied("agent-4", "s3") && world.is_denied("agent-3", "s3"));
    watch.stop();
    report_tells(&mut world);
}

/// The report tells what was done, by the log that the watch wrote.
fn report_tells(world: &mut World) {
    let page = world.directory.path().join("report.html");
    let (state, logs) = (world.directory.path().join("state"), world.logs());
    let mut report = world.tripline("responder");
    report.args(["report", "--out"]).arg(&page).arg("--state").arg(state).arg(logs);
    let output = report.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let page = std::fs::read_to_string(page).unwrap();
    assert_eq!(page.matches("<h4>What was done</h4>").count(), 6);
    assert_eq!(page.matches("Nothing of it is in force.").count(), 4, "four merely wait");
    for told in [
        "people were asked whether to stop it",
        "another incident's part stays in force",
        "closed: given back",
    ] {
        assert!(page.contains(told), "{told}");
    }
}

/// Calls the desk by its URL, as Lambda hands it on; the status of the answer, and its page.
fn call(
    world: &mut World,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> (u64, String) {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let headers: std::collections::BTreeMap<_, _> = headers.iter().copied().collect();
    let http = json!({"method": method, "path": path, "sourceIp": "203.0.113.77"});
    let event = json!({"version": "2.0", "rawPath": path, "rawQueryString": query,
        "headers": headers, "requestContext": {"http": http},
        "body": BASE64_STANDARD.encode(body), "isBase64Encoded": true});
    let answer = world.tell(json!({"do": "invoke", "function": "desk", "event": event}));
    let answer = &answer["answer"];
    assert!(answer["headers"]["content-security-policy"].is_string(), "{answer}");
    (answer["statusCode"].as_u64().unwrap(), answer["body"].as_str().unwrap().to_owned())
}

#[test]
fn what_is_pressed_reaches_the_responder_by_way_of_a_function_that_can_do_nothing_else() {
    let settings = tempfile::tempdir().unwrap();
    let (service, posts) = chat();
    let config = CONFIG.replace("API", &service.url).replace("url = \"http://localhost\"\n", "");
    std::fs::write(settings.path().join("tripline.toml"), config).unwrap();
    let hook = format!("{}/hook", service.url);
    let environment = json!({"TRIPLINE_CONFIG": settings.path(), "HOOK": hook,
        "SLACK_TOKEN": "xoxb-1", "SLACK_SIGNING_SECRET": SECRET,
        "TRIPLINE_APPROVALS_URL": "http://localhost/", "LINK_KEY": "link key of the test",
        "ALICE": "passphrase of alice", "BOB": "passphrase of bob"});
    let Some(mut world) = deployed_with("approve", &environment) else { return };
    world.tell(json!({"do": "deliver", "key": OBJECT}));
    let asked = until_posted(&posts, "/chat.postMessage", &["WAITS FOR YOU", "tripline:approve"]);
    let approve = button(&asked, "approve");
    let press = |world: &mut World, secret: &str, late_secs: i64| {
        let [time, signed, body] = pressed_in_slack("UA", approve, secret, late_secs);
        let headers = [("x-slack-request-timestamp", &*time), ("x-slack-signature", &*signed)];
        call(world, "POST", "/slack", &headers, body.as_bytes()).0
    };
    assert_eq!(press(&mut world, "another secret, as long", 0), 401);
    assert_eq!(press(&mut world, SECRET, 301), 401);
    assert_eq!(call(&mut world, "POST", "/slack", &[], &[0xff; 140_000]).0, 413);
    assert_eq!(call(&mut world, "POST", "/slack", &[], &[0xff]).0, 400);
    assert_eq!(call(&mut world, "GET", "/", &[], &[]).0, 404);
    // Nor is anything believed that lies in the queue without being signed.
    let sealed = json!({"slack": {"timestamp": "1", "signature": "v0=00", "body": "payload=x"}});
    let body = json!({"tripline-pressed": {"version": 1, "sealed": sealed, "address": null}});
    let record = json!({"eventSource": "aws:sqs", "messageId": "m", "body": body.to_string()});
    let event = json!({"Records": [record]});
    let answer = world.tell(json!({"do": "invoke", "function": "responder", "event": event}));
    assert_eq!(answer["answer"]["batchItemFailures"], json!([]), "{answer}");
    assert!(!world.is_denied("hijacked", "s3"));

    assert_eq!(press(&mut world, SECRET, 0), 200);
    until_denied(&mut world, "hijacked");
    let killed = until_posted(&posts, "/hook", &["killed", "restore"]);
    let restore = link(&killed, "restore");
    let (status, page) = call(&mut world, "GET", &restore, &[], &[]);
    assert!(status == 200 && page.contains("Nothing was done so far"), "{page}");
    let body = form(&restore, "alice", "passphrase of alice");
    let (status, page) = call(&mut world, "POST", "/press", &[], body.as_bytes());
    assert!(status == 200 && page.contains("Taken in"), "{page}");
    let told = until_posted(&posts, "/hook", &["alice pressed restore: another person has to"]);
    assert!(world.is_denied("hijacked", "s3"));
    let body = form(&link(&told, "restore"), "bob", "passphrase of bob");
    assert_eq!(call(&mut world, "POST", "/press", &[], body.as_bytes()).0, 200);
    until_posted(&posts, "/hook", &["restored", "given back by bob"]);
    assert!(!world.is_denied("hijacked", "s3"));
    let log = crate::live::log(&world);
    for secret in [SECRET, "passphrase of", "link key of the test", "xoxb-1"] {
        let said = log.lines().filter(|line| line.contains("\"level\"") && line.contains(secret));
        assert_eq!(said.count(), 0, "{secret}");
    }
}

#[test]
fn the_first_message_follows_the_decision_and_a_channel_that_is_down_holds_up_nothing() {
    let Some(mut world) = with_responder() else { return };
    // Whoever posts here waits for an answer that never comes.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let arrived = Arc::new(Mutex::new(Vec::<(i64, String)>::new()));
    let noted = Arc::clone(&arrived);
    let log = world.directory.path().join("state/actions.jsonl");
    let decided = move || -> Option<i64> {
        let log = std::fs::read_to_string(&log).unwrap_or_default();
        let line = log.lines().find(|line| line.contains(r#""event":{"decided":"#))?;
        serde_json::from_str::<Value>(line).unwrap()["time_unix_ms"].as_i64()
    };
    let up = Service::start(move |asked| {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let now = i64::try_from(now.as_millis()).unwrap();
        noted.lock().unwrap().push((now, asked.body.clone()));
        Answer::json(200, &json!({}))
    });
    std::fs::create_dir_all(world.logs()).unwrap();
    let config = world.directory.path().join("chat.toml");
    let channel = |name: &str| {
        format!("[[channels]]\nname = \"{name}\"\nservice = \"teams\"\nurl = \"env:{name}\"\n")
    };
    std::fs::write(&config, format!("version = 1\n{}{}", channel("DOWN"), channel("UP"))).unwrap();
    let mut watch = world.tripline("responder");
    watch.args(["watch", "--mode", "enforce", "--every", "1", "--config"]).arg(config);
    watch.arg(world.logs()).stdout(Stdio::null()).stderr(Stdio::null());
    watch.env("DOWN", format!("http://{}", silent.local_addr().unwrap())).env("UP", &up.url);
    let mut watch = watch.spawn().unwrap();
    world.write_logs();
    until_denied(&mut world, "hijacked");
    let until_told_of = |agent: &str| {
        let until = Instant::now() + Duration::from_secs(30);
        loop {
            let arrived = arrived.lock().unwrap().clone();
            let mut posts = arrived.into_iter().filter(|(_, post)| post.contains(agent));
            if let Some((at, _)) = posts.next() {
                return at;
            }
            assert!(Instant::now() < until, "nobody was told of {agent}");
            std::thread::sleep(Duration::from_millis(10));
        }
    };
    let told = until_told_of("oncall");
    println!("from the decision to the first message: {} ms", told - decided().unwrap());
    // While the one channel keeps its caller waiting, the next agent is stopped, and that is told too.
    world.tell(json!({"do": "stop_logging", "id": "other"}));
    world.write_logs();
    until_denied(&mut world, "other");
    until_told_of("reports");
    watch.kill().unwrap();
    watch.wait().unwrap();
}
