//! Channels against a server that answers as the services do.

use std::collections::BTreeSet;
use std::sync::Mutex;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tripline_chat::{Line, Message, SigningKey, Stage, Ways};
use tripline_containment::IncidentId;
use tripline_text::Untrusted;

use super::*;

/// A message about a hostile name.
pub(crate) fn message(stage: Stage) -> Message {
    let name = Line::name(&Untrusted::borrowed("<!channel> [x](https://evil.example)"));
    Message {
        incident: IncidentId::new(7),
        stage,
        verdict: Some(tripline_detector::Verdict::Kill),
        headline: name.clone().and(" called iam:CreateAccessKey, which it must never do"),
        subject: name,
        who: vec![("role".to_owned(), Line::code(&Untrusted::borrowed("arn:aws:iam::1:role/a")))],
        reasons: vec![Line::ours("it never did")],
        listed: Vec::new(),
        done: vec![Line::ours(format!("what was done: {}", stage.word()))],
        damage: Line::ours("nothing of it succeeded"),
        next: Line::code(&Untrusted::borrowed("tripline status")),
        answers: Default::default(),
    }
}

static NO_WAYS: Ways = Ways { has_buttons: false, links: None, presses: BTreeSet::new() };

pub(crate) fn post(message: &Message) -> Post<'_> {
    Post { message, before: None, is_news: true, now_unix_ms: 1_795_168_800_000, ways: &NO_WAYS }
}

const FINE: &str = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok";

fn json_answer(body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}")
}

/// Reads one request: its head, and its body as long as its head says.
async fn request(stream: &mut TcpStream) -> String {
    let mut request = Vec::new();
    let mut buffer = [0; 4_096];
    loop {
        let count = stream.read(&mut buffer).await.unwrap();
        request.extend_from_slice(&buffer[..count]);
        let text = String::from_utf8_lossy(&request).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            if body.len() >= length.and_then(|length| length.parse().ok()).unwrap_or(0) {
                return text;
            }
        }
        assert!(count > 0, "{text}");
    }
}

/// A server with these answers, one a connection; its URL, and what it was asked.
pub(crate) async fn server(answers: Vec<String>) -> (String, std::sync::Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let asked = std::sync::Arc::new(Mutex::new(Vec::new()));
    let noted = std::sync::Arc::clone(&asked);
    tokio::spawn(async move {
        for answer in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            let request = request(&mut stream).await;
            noted.lock().unwrap().push(request);
            // An empty answer is none: the line stays silent.
            if answer.is_empty() {
                tokio::spawn(async move {
                    std::future::pending::<()>().await;
                    drop(stream);
                });
                continue;
            }
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    (url, asked)
}

fn body_of(request: &str) -> Value {
    serde_json::from_str(request.split_once("\r\n\r\n").unwrap().1).unwrap()
}

fn http() -> Http {
    Http::new().unwrap()
}

#[tokio::test]
async fn what_a_service_answers_tells_whether_to_try_again() {
    let with = |status: &str| {
        format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: 4\r\n\r\nwhy\n")
    };
    let answers = vec![
        with("429 Too Many Requests\r\nretry-after: 7"),
        with("503 Unavailable"),
        with("404 Not Found"),
        FINE.to_owned(),
    ];
    let (url, asked) = server(answers).await;
    let url = Address::parse(&format!("{url}/services/SECRET")).unwrap();
    let channel = HttpChannel::slack_webhook("wall".to_owned(), http(), url);
    assert!(!format!("{channel:?}").contains("SECRET"));
    let message = message(Stage::Killed);
    let again = |after_secs, status| {
        let why = format!("the service answered {status}: why\\n");
        Err(PostError::Again { after_secs, why })
    };
    assert_eq!(channel.post(post(&message)).await, again(Some(7), 429));
    assert_eq!(channel.post(post(&message)).await, again(None, 503));
    let refused = PostError::Refused("the service answered 404: why\\n".to_owned());
    assert_eq!(channel.post(post(&message)).await, Err(refused));
    assert_eq!(channel.post(post(&message)).await, Ok(Posted::default()));
    let asked = asked.lock().unwrap();
    assert!(asked.iter().all(|asked| asked.starts_with("POST /services/SECRET HTTP/1.1")));
    assert!(!asked[3].contains("<!channel>") && !asked[3].contains("https://evil"));
}

#[tokio::test(start_paused = true)]
async fn a_service_that_is_silent_or_gone_is_tried_again() {
    let (url, _asked) = server(vec![String::new()]).await;
    let silent = HttpChannel::teams("t".to_owned(), http(), Address::parse(&url).unwrap());
    let message = message(Stage::Open);
    let error = silent.post(post(&message)).await.unwrap_err();
    assert_eq!(error.to_string(), "no answer in time");
    let gone = Address::parse("http://127.0.0.1:1/x").unwrap();
    let gone = HttpChannel::teams("t".to_owned(), http(), gone).post(post(&message)).await;
    assert!(matches!(gone, Err(PostError::Again { after_secs: None, .. })), "{gone:?}");
}

#[tokio::test]
async fn a_bot_changes_its_message_and_answers_in_its_thread() {
    let posted = r#"{"ok":true,"channel":"C1","ts":"17.5"}"#;
    let answers = [
        posted,
        r#"{"ok":true}"#,
        r#"{"ok":true}"#,
        r#"{"ok":true}"#,
        r#"{"ok":false,"error":"message_not_found"}"#,
        r#"{"ok":true,"channel":"C1","ts":"18.0"}"#,
        r#"{"ok":false,"error":"internal_error"}"#,
        r#"{"ok":false,"error":"invalid_auth"}"#,
        "<html>",
    ];
    let (url, asked) = server(answers.iter().map(|answer| json_answer(answer)).collect()).await;
    let bot = HttpChannel::slack("oncall".to_owned(), http(), "#x".to_owned(), " xoxb-1\n", &url);
    let bot = bot.unwrap();
    assert!(!format!("{bot:?}").contains("xoxb"));
    let (opened, killed) = (message(Stage::Open), message(Stage::Killed));
    let first = bot.post(post(&opened)).await.unwrap();
    assert_eq!(first.handle.as_deref(), Some("C1 17.5"));
    let later = |message| Post { before: first.handle.as_deref(), ..post(message) };
    assert_eq!(bot.post(later(&killed)).await.unwrap(), first);
    // More of the same is changed in place, and not told again.
    assert_eq!(bot.post(Post { is_news: false, ..later(&killed) }).await.unwrap(), first);
    // Somebody deleted it.
    let afresh = bot.post(later(&killed)).await.unwrap();
    assert_eq!(afresh.handle.as_deref(), Some("C1 18.0"));
    let passing = bot.post(post(&killed)).await.unwrap_err();
    assert!(matches!(passing, PostError::Again { .. }), "{passing:?}");
    let lasting = PostError::Refused("Slack answered: invalid_auth".to_owned());
    assert_eq!(bot.post(post(&killed)).await, Err(lasting));
    assert!(matches!(bot.post(post(&killed)).await, Err(PostError::Again { .. })));
    let asked = asked.lock().unwrap();
    let called: Vec<_> = asked.iter().map(|asked| asked.split(' ').nth(1).unwrap()).collect();
    let (posts, updates) = ("/chat.postMessage", "/chat.update");
    assert_eq!(called, [posts, updates, posts, updates, updates, posts, posts, posts, posts]);
    assert!(asked.iter().all(|asked| asked.contains("authorization: Bearer xoxb-1\r\n")));
    assert_eq!(body_of(&asked[1])["ts"], "17.5");
    assert_eq!(body_of(&asked[2])["thread_ts"], "17.5");
    assert_eq!(body_of(&asked[2])["text"], "[KILLED]\nwhat was done: KILLED");
}

#[tokio::test]
async fn ones_own_webhook_can_tell_who_called_and_when() {
    let (url, asked) = server(vec![FINE.to_owned()]).await;
    let key = SigningKey::new(b"0123456789abcdef").unwrap();
    let url = Address::parse(&url).unwrap();
    let channel = HttpChannel::signed("own".to_owned(), http(), url, key.clone());
    channel.post(post(&message(Stage::Holds))).await.unwrap();
    let asked = asked.lock().unwrap();
    let (head, body) = asked[0].split_once("\r\n\r\n").unwrap();
    let signed = signature(&key, 1_795_168_800, body.as_bytes());
    assert!(head.contains(&format!("tripline-signature: {signed}")), "{head}");
    assert!(head.contains("tripline-timestamp: 1795168800"), "{head}");
    assert_eq!(body_of(&asked[0])["stage"], "holds");
}

#[test]
fn an_address_is_https_or_here() {
    use crate::http::InvalidAddress;
    assert!(matches!(Address::parse("http://example.org/x"), Err(InvalidAddress::NotHttps)));
    assert!(matches!(Address::parse("not a url"), Err(InvalidAddress::NoUrl)));
    assert!(Address::parse("https://hooks.slack.com/services/x").is_ok());
}

#[tokio::test]
async fn a_channel_is_asked_without_posting() {
    let refused = |status: &str, why: &str| {
        let length = why.len();
        format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{why}")
    };
    let answers = vec![
        refused("400 Bad Request", "no_text"),
        refused("404 Not Found", "no_service"),
        json_answer(r#"{"ok":true}"#),
        json_answer(r#"{"ok":false,"error":"invalid_auth"}"#),
        "HTTP/1.1 405 No\r\nconnection: close\r\n\r\n".to_owned(),
    ];
    let (url, asked) = server(answers).await;
    let at = Address::parse(&format!("{url}/SECRET")).unwrap();
    let hook = HttpChannel::slack_webhook("a".to_owned(), http(), at.clone());
    let bot = HttpChannel::slack("b".to_owned(), http(), "C1".to_owned(), "xoxb-1", &url).unwrap();
    let teams = HttpChannel::teams("c".to_owned(), http(), at);
    let refuses = |why: &'static str| Ok(Reached::Refuses(Untrusted::borrowed(why)));
    assert_eq!(hook.reach().await, Ok(Reached::Takes));
    assert_eq!(hook.reach().await, refuses("the service answered 404: no_service"));
    assert_eq!(bot.reach().await, Ok(Reached::Answers));
    assert_eq!(bot.reach().await, refuses("Slack answered: invalid_auth"));
    assert_eq!(teams.reach().await, Ok(Reached::Answers));
    let gone = Address::parse("http://127.0.0.1:1/SECRET").unwrap();
    let gone = HttpChannel::teams("d".to_owned(), http(), gone).reach().await;
    assert!(matches!(&gone, Ok(Reached::Refuses(_))), "{gone:?}");
    assert!(!format!("{gone:?}").contains("SECRET"), "{gone:?}");
    let asked = asked.lock().unwrap();
    assert!(asked[2].starts_with("POST /auth.test HTTP/1.1"), "{}", asked[2]);
    assert!(asked[4].starts_with("HEAD /SECRET HTTP/1.1"), "{}", asked[4]);
}
