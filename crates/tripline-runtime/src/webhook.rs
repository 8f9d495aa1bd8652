//! Channels over HTTPS: Slack by bot and by webhook, Microsoft Teams, and one's own webhook.

use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use tripline_chat::{SigningKey, signature};
use tripline_engine::doctor::{Found, Reached};
use tripline_text::Untrusted;

use crate::http::{Address, Http, said};
use crate::messenger::{Channel, Post, PostError, Posted};

/// A channel that is reached over HTTPS.
#[derive(Debug)]
pub struct HttpChannel {
    name: String,
    http: Http,
    to: To,
}

#[derive(Debug)]
enum To {
    Slack(Bot),
    SlackWebhook(Address),
    Teams(Address),
    Webhook(Address, SigningKey),
}

/// A bot of Slack's.
struct Bot {
    channel: String,
    token: String,
    post: Address,
    update: Address,
    test: Address,
}

impl std::fmt::Debug for Bot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bot").field("channel", &self.channel).finish_non_exhaustive()
    }
}

/// Where Slack's API is.
pub const SLACK_API: &str = "https://slack.com/api";

impl HttpChannel {
    /// An incoming webhook of Slack.
    pub fn slack_webhook(name: String, http: Http, url: Address) -> Self {
        Self { name, http, to: To::SlackWebhook(url) }
    }

    /// A channel of Slack, through the bot that has this token.
    ///
    /// # Errors
    /// When the URL of the API is none.
    pub fn slack(
        name: String,
        http: Http,
        channel: String,
        token: &str,
        api: &str,
    ) -> Result<Self, crate::http::InvalidAddress> {
        let method =
            |method: &str| Address::parse(&format!("{}/{method}", api.trim_end_matches('/')));
        let (post, update) = (method("chat.postMessage")?, method("chat.update")?);
        let (token, test) = (token.trim().to_owned(), method("auth.test")?);
        Ok(Self { name, http, to: To::Slack(Bot { channel, token, post, update, test }) })
    }

    /// A Workflows webhook of Microsoft Teams.
    pub fn teams(name: String, http: Http, url: Address) -> Self {
        Self { name, http, to: To::Teams(url) }
    }

    /// One's own webhook.
    pub fn signed(name: String, http: Http, url: Address, key: SigningKey) -> Self {
        Self { name, http, to: To::Webhook(url, key) }
    }

    async fn send(&self, post: Post<'_>) -> Result<Posted, PostError> {
        let Post { message, ways, now_unix_ms, .. } = post;
        let now_unix_secs = now_unix_ms.div_euclid(1_000);
        match &self.to {
            To::Slack(bot) => return self.by_bot(bot, post).await,
            To::SlackWebhook(url) => {
                self.http.post(url, None, &[], &message.to_slack(ways)).await?
            }
            To::Teams(url) => {
                let card = message.to_teams(ways, now_unix_secs);
                self.http.post(url, None, &[], &card).await?
            }
            To::Webhook(url, key) => {
                let body = message.to_webhook(ways, now_unix_secs);
                let signature = signature(key, now_unix_secs, body.to_string().as_bytes());
                let headers = [
                    ("tripline-timestamp", now_unix_secs.to_string()),
                    ("tripline-signature", signature),
                ];
                self.http.post(url, None, &headers, &body).await?
            }
        };
        Ok(Posted::default())
    }

    /// Posts by a bot: what is there already is changed, and its thread says how.
    async fn by_bot(&self, bot: &Bot, post: Post<'_>) -> Result<Posted, PostError> {
        let Post { message, before, is_news, ways, .. } = post;
        let place = before.and_then(|handle| handle.split_once(' '));
        if let Some((channel, at)) = place {
            let mut body = message.to_slack(ways);
            set(&mut body, &[("channel", channel), ("ts", at)]);
            match self.api(bot, &bot.update, &body).await {
                Err(PostError::Refused(why)) if GONE.iter().any(|gone| why.ends_with(gone)) => {}
                Err(error) => return Err(error),
                Ok(_) if !is_news => return Ok(Posted { handle: before.map(str::to_owned) }),
                Ok(_) => {
                    let mut reply = json!({"text": message.to_slack_reply()});
                    set(&mut reply, &[("channel", channel), ("thread_ts", at)]);
                    self.api(bot, &bot.post, &quiet(reply)).await?;
                    return Ok(Posted { handle: before.map(str::to_owned) });
                }
            }
        }
        let mut body = message.to_slack(ways);
        set(&mut body, &[("channel", &bot.channel)]);
        let answer = self.api(bot, &bot.post, &quiet(body)).await?;
        let part = |name| answer.get(name).and_then(Value::as_str);
        let handle = part("channel").zip(part("ts")).map(|(channel, at)| format!("{channel} {at}"));
        Ok(Posted { handle })
    }

    /// Calls a method of Slack's API, which answers 200 whatever happened.
    async fn api(&self, bot: &Bot, method: &Address, body: &Value) -> Result<Value, PostError> {
        let answered = self.http.post(method, Some(&bot.token), &[], body).await?;
        let answer: Value = serde_json::from_slice(&answered).unwrap_or_default();
        if answer.get("ok") == Some(&Value::Bool(true)) {
            return Ok(answer);
        }
        let error = answer.get("error").and_then(Value::as_str).unwrap_or("no JSON");
        let why = format!("Slack answered: {}", said(error.as_bytes()));
        Err(match PASSING.contains(&error) {
            true => PostError::Again { after_secs: None, why },
            false => PostError::Refused(why),
        })
    }
}

/// Slack's errors that pass (Web API, errors of chat.postMessage), and those of chat.update after which
/// the message is posted afresh.
const PASSING: &[&str] = &[
    "ratelimited",
    "rate_limited",
    "fatal_error",
    "internal_error",
    "request_timeout",
    "service_unavailable",
    "no JSON",
];
const GONE: &[&str] = &["message_not_found", "cant_update_message", "edit_window_closed"];

/// No previews: they would fetch what somebody else wrote.
fn quiet(mut body: Value) -> Value {
    if let Some(body) = body.as_object_mut() {
        body.insert("unfurl_links".to_owned(), Value::Bool(false));
        body.insert("unfurl_media".to_owned(), Value::Bool(false));
    }
    body
}

fn set(body: &mut Value, fields: &[(&str, &str)]) {
    if let Some(body) = body.as_object_mut() {
        for (name, value) in fields {
            body.insert((*name).to_owned(), json!(value));
        }
    }
}

/// What Slack says to a message without a text, which it does not post (Slack, "Handling errors" of
/// incoming webhooks).
const EMPTY_IS_REFUSED_BY: [&str; 3] =
    ["no_text", "invalid_payload", "missing_text_or_fallback_or_attachments"];

impl HttpChannel {
    /// Whether it takes messages, as far as that shows without one.
    async fn ask(&self) -> Result<Reached, PostError> {
        match &self.to {
            // Whether the bot may post into its channel, only a post shows.
            To::Slack(bot) => self.api(bot, &bot.test, &json!({})).await.map(|_| Reached::Answers),
            // An empty message is refused for being empty by a webhook that works, and for other reasons
            // by one that does not.
            To::SlackWebhook(url) => match self.http.post(url, None, &[], &json!({})).await {
                Err(PostError::Refused(why))
                    if EMPTY_IS_REFUSED_BY.iter().any(|word| why.contains(word)) =>
                {
                    Ok(Reached::Takes)
                }
                answer => answer.map(|_| Reached::Takes),
            },
            // Whatever would be posted here sets something going.
            To::Teams(url) | To::Webhook(url, _) => {
                self.http.knock(url).await.map(|()| Reached::Answers)
            }
        }
    }
}

impl Channel for HttpChannel {
    fn name(&self) -> &str {
        &self.name
    }

    fn is_in_place(&self) -> bool {
        matches!(self.to, To::Slack(_))
    }

    fn reach<'a>(&'a self) -> BoxFuture<'a, Found<Reached>> {
        Box::pin(async move {
            let refuses = |error: PostError| Reached::Refuses(Untrusted::new(error.to_string()));
            Ok(self.ask().await.unwrap_or_else(refuses))
        })
    }

    fn post<'a>(&'a self, post: Post<'a>) -> BoxFuture<'a, Result<Posted, PostError>> {
        Box::pin(self.send(post))
    }
}

#[cfg(test)]
mod tests;
