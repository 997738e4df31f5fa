//! A server: whether it is there, of which version, and whether it takes the key.

use outdial_jobs::operations::keys::ApiKey;
use reqwest::Method;
use serde::Deserialize;
use serde_json::Value;

use super::Finding;
use crate::cli::backend::Named;
use crate::client::{Call, Client, ClientError, is_here};

/// The part of the API's document that is looked at.
#[derive(Deserialize)]
struct Document {
    info: Info,
}

#[derive(Deserialize)]
struct Info {
    version: String,
}

pub(super) async fn looked(named: &Named) -> Vec<Finding> {
    let mut findings = vec![way(named)];
    let client = match named.client() {
        Ok(client) => client,
        Err(error) => {
            findings.push(Finding::problem("key", format!("{error:#}")));
            return findings;
        }
    };
    let ready = asked::<Value>(&client, "/ready").await;
    let there = ready.is_ok();
    findings.push(match ready {
        Ok(_) => Finding::ok("server", format!("{} answers, and its database does", client.server())),
        Err(error) => Finding::problem("server", told(error))
            .remedy("check the address, and that `outdial serve` runs there with the role api"),
    });
    if there {
        findings.push(version(asked(&client, "/v1/openapi.json").await));
        findings.push(key(asked(&client, "/v1/me").await));
    }
    findings
}

/// Once: whoever asks a doctor wants to see what there is now.
async fn asked<T: serde::de::DeserializeOwned>(client: &Client, path: &str) -> Result<T, ClientError> {
    client.read_once(&Call::new(Method::GET, path)).await
}

fn told(error: ClientError) -> String {
    format!("{:#}", anyhow::Error::from(error))
}

/// A key is a secret, and so is what is told of people.
fn way(named: &Named) -> Finding {
    let server = &named.server;
    match server.scheme() == "https" || is_here(server) {
        true => Finding::ok("way there", "what is sent cannot be read on the way"),
        false => Finding::problem("way there", format!("{server} is not encrypted, and the key can be read"))
            .remedy("give an https:// address, of a proxy in front of the server that speaks TLS"),
    }
}

fn version(document: Result<Document, ClientError>) -> Finding {
    const OURS: &str = env!("CARGO_PKG_VERSION");
    match document {
        Ok(Document { info: Info { version } }) if version == OURS => {
            Finding::ok("versions", format!("{OURS}, both"))
        }
        Ok(Document { info: Info { version } }) => {
            Finding::problem("versions", format!("the server's is {version}, and this program's {OURS}"))
                .remedy("use the server's version here")
        }
        Err(error) => Finding::problem("versions", told(error)),
    }
}

fn key(key: Result<ApiKey, ClientError>) -> Finding {
    match key {
        Ok(key) => {
            let of = key.client.map_or("all clients".to_owned(), |client| format!("client {client}"));
            let until = key.expires_at.map(|at| at.format(", until %Y-%m-%d %H:%M UTC").to_string());
            let (name, hint, role) = (key.name, key.hint, key.role.name());
            let says = format!("`{name}` (…{hint}), {role} for {of}{}", until.unwrap_or_default());
            Finding::ok("key", says)
        }
        Err(error) => Finding::problem("key", told(error)).remedy(
            "set OUTDIAL_API_KEY to a good one; `outdial key create` makes one where the database is",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_of_another_version_is_a_problem() {
        let of = |version: &str| Ok(Document { info: Info { version: version.into() } });
        assert!(version(of(env!("CARGO_PKG_VERSION"))).ok);
        let other = version(of("9.9.9"));
        assert!(!other.ok && other.says.contains("the server's is 9.9.9"), "{other:?}");
    }
}
