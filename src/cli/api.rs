//! `outdial api`: any request, for whatever has no command.

use std::io::{Read, Write};

use anyhow::Context;
use clap::Args;
use futures_util::StreamExt;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Method, Response};
use serde_json::{Value, json};
use url::form_urlencoded;

use super::exit::usage;
use super::output::Output;
use crate::client::{Call, Client};

#[derive(Args, Debug)]
pub(super) struct ApiArgs {
    /// GET, POST, PUT, PATCH or DELETE.
    #[arg(value_parser = method)]
    method: Method,
    /// As /v1/clients, or clients for short.
    path: String,
    /// What to send, in JSON; @FILE takes it from a file, and - from standard input.
    #[arg(long, value_name = "JSON")]
    data: Option<String>,
    /// What is to stand behind the question mark, as limit=10; given again and again.
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair::<'='>)]
    query: Vec<(String, String)>,
    /// A header, as 'If-Match: "3"'; given again and again.
    #[arg(long, value_name = "NAME: VALUE", value_parser = pair::<':'>)]
    header: Vec<(String, String)>,
    /// Why, for the record.
    #[arg(long)]
    reason: Option<String>,
    /// Of a list, all pages as one.
    #[arg(long, conflicts_with_all = ["data", "header", "reason"])]
    all: bool,
}

fn method(text: &str) -> Result<Method, String> {
    let known = [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
    let found = known.into_iter().find(|known| known.as_str().eq_ignore_ascii_case(text));
    found.ok_or_else(|| "none of: GET, POST, PUT, PATCH, DELETE".to_owned())
}

fn pair<const BETWEEN: char>(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once(BETWEEN).ok_or_else(|| format!("give it as NAME{BETWEEN}VALUE"))?;
    Ok((name.trim().to_owned(), value.trim_start().to_owned()))
}

impl ApiArgs {
    pub(super) async fn run(mut self, client: &Client, output: &Output) -> anyhow::Result<()> {
        let (path, behind) = match self.path.split_once('?') {
            Some((path, behind)) => {
                (whole(path), form_urlencoded::parse(behind.as_bytes()).into_owned().collect())
            }
            None => (whole(&self.path), vec![]),
        };
        self.query.splice(0..0, behind);
        if self.all {
            return self.list(client, &path, output).await;
        }
        let mut call = Call::new(self.method, path).because(self.reason.as_deref())?.long();
        for (name, value) in self.query {
            call = call.query(&name, value);
        }
        for (name, value) in &self.header {
            call = call.header(name, value)?;
        }
        if let Some(data) = &self.data {
            call = call.json(body(data)?);
        }
        told(client.send(&call).await?, output).await
    }

    async fn list(&self, client: &Client, path: &str, output: &Output) -> anyhow::Result<()> {
        if self.method != Method::GET {
            return Err(usage("--all is for GET"));
        }
        if self.query.iter().any(|(name, _)| name == "limit" || name == "cursor") {
            return Err(usage("--all asks for page after page by itself: leave limit and cursor out"));
        }
        let query: Vec<(&str, &str)> =
            self.query.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let items: Vec<Value> = client.list(path, &query, usize::MAX).await?;
        let all = json!({ "items": items });
        output.say(serde_json::to_string_pretty(&all)?, &all);
        Ok(())
    }
}

fn whole(path: &str) -> String {
    if path.starts_with('/') { path.to_owned() } else { format!("/v1/{path}") }
}

fn body(data: &str) -> anyhow::Result<Value> {
    let text = match (data, data.strip_prefix('@')) {
        ("-", _) => {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text).context("standard input")?;
            text
        }
        (_, Some(path)) => std::fs::read_to_string(path).with_context(|| format!("cannot read {path}"))?,
        (text, None) => text.to_owned(),
    };
    serde_json::from_str(&text).map_err(|error| usage(format!("--data is no JSON: {error}")))
}

/// JSON as all commands print it, and everything else as it comes.
async fn told(response: Response, output: &Output) -> anyhow::Result<()> {
    let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    if kind.is_some_and(|kind| kind.starts_with("application/json")) {
        let value: Value = response.json().await.context("the answer cannot be read")?;
        output.say(serde_json::to_string_pretty(&value)?, &value);
        return Ok(());
    }
    let mut pieces = response.bytes_stream();
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(reqwest::Error::without_url).context("the answer was cut short")?;
        let mut out = std::io::stdout().lock();
        match out.write_all(&piece).and_then(|()| out.flush()) {
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => break,
            written => written?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_to_be_sent_is_read_as_people_write_it() {
        assert_eq!(method("post"), Ok(Method::POST));
        assert!(method("fetch").is_err());
        assert_eq!(pair::<'='>("name=a = b"), Ok(("name".into(), "a = b".into())));
        assert_eq!(pair::<':'>("If-Match: \"3\""), Ok(("If-Match".into(), "\"3\"".into())));
        assert_eq!(whole("clients"), "/v1/clients");
        assert_eq!(whole("/ready"), "/ready");
        assert_eq!(body("{\"a\": 1}").expect("JSON"), json!({ "a": 1 }));
        assert!(body("{").is_err());
    }
}
