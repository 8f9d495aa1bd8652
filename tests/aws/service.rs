//! A service of AWS's on this machine, as far as a test answers for it: for what the emulator does not
//! have, or not as AWS does.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::thread;

/// A request.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    pub(crate) method: String,
    /// With the query.
    pub(crate) path: String,
    /// The action of a JSON protocol.
    pub(crate) target: String,
    /// For which Region it is signed.
    pub(crate) region: String,
    pub(crate) body: String,
}

/// What is answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) kind: &'static str,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(status: u16, body: &serde_json::Value) -> Self {
        Self { status, kind: "application/x-amz-json-1.1", body: body.to_string() }
    }
}

/// A server, for as long as the test lasts.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) url: String,
}

impl Service {
    pub(crate) fn start(answer: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let answer = Arc::new(answer);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let answer = Arc::clone(&answer);
                thread::spawn(move || serve(stream, &*answer));
            }
        });
        Self { url }
    }

    /// The program, which takes this for AWS.
    pub(crate) fn tripline(&self) -> Command {
        let mut command = tripline_tests::tripline();
        command
            .env("AWS_ENDPOINT_URL", &self.url)
            .env("AWS_REGION", "us-east-1")
            .env("AWS_ACCESS_KEY_ID", "AKIAXXXXXXXXXXXXXXXX")
            .env("AWS_SECRET_ACCESS_KEY", "secret")
            .env("AWS_EC2_METADATA_DISABLED", "true");
        command
    }
}

fn serve(stream: TcpStream, answer: &dyn Fn(&Asked) -> Answer) {
    let mut reader = BufReader::new(stream);
    let (mut asked, mut length, mut line) = (Asked::default(), 0, String::new());
    reader.read_line(&mut line).unwrap();
    let mut words = line.split(' ').map(str::to_owned);
    (asked.method, asked.path) =
        (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    loop {
        line.clear();
        if reader.read_line(&mut line).unwrap_or(0) == 0 || line.trim().is_empty() {
            break;
        }
        let (name, value) = line.trim().split_once(": ").unwrap_or_default();
        match name.to_lowercase().as_str() {
            "content-length" => length = value.parse().unwrap(),
            "x-amz-target" => value.clone_into(&mut asked.target),
            "authorization" => asked.region = value.split('/').nth(2).unwrap_or_default().into(),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    asked.body = String::from_utf8(body).unwrap();
    let Answer { status, kind, body } = answer(&asked);
    let head = format!(
        "HTTP/1.1 {status} Said\r\ncontent-type: {kind}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    // Whoever asked may have gone.
    let _ = reader.into_inner().write_all((head + &body).as_bytes());
}
