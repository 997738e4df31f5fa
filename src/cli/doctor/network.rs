//! What others must do: carriers take the accounts' credentials, and reach us.

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream;
use outdial_jobs::operations::By;
use outdial_jobs::operations::{Part, setup};
use outdial_jobs::providers::http_client;
use outdial_jobs::store;
use outdial_jobs::store::accounts::Account;
use url::Url;

use super::Finding;
use crate::app::{App, INSTALLATION};

/// The most accounts that are looked at.
const MOST: i64 = 1_000;

/// How long a carrier, or the way to ourselves, may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// So many carriers are asked at once.
const AT_ONCE: usize = 8;

/// So much of a stranger's answer is shown, in characters.
const SHOWN: usize = 80;

/// All accounts, with whether the key opens what is stored of each.
pub(super) async fn accounts(app: &App, findings: &mut Vec<Finding>) -> anyhow::Result<Vec<Account>> {
    let accounts = setup::accounts(&app.engine, None, Part::newest(MOST)).await?;
    let mut sealed = 0;
    let mut conn = app.engine.pool().acquire().await?;
    for account in &accounts {
        let Some(stored) = store::accounts::read(&mut conn, account.client, account.id).await? else {
            continue;
        };
        if let Err(error) = app.engine.carriers().open(account.client, &stored) {
            sealed += 1;
            findings.push(Finding::problem(named(account), error.to_string()));
        }
    }
    if sealed == 0 {
        let says = format!("opens the credentials of all {} accounts", accounts.len());
        findings.push(Finding::ok("encryption key", says));
    }
    Ok(accounts)
}

fn named(account: &Account) -> String {
    format!("account `{}`", account.name)
}

/// Asks each carrier whether it takes the credentials. Rings nobody.
pub(super) async fn tried(app: &App, accounts: &[Account]) -> Vec<Finding> {
    let enabled = accounts.iter().filter(|account| account.enabled);
    let asked = enabled.map(|account| async move {
        let check = setup::check_account(
            &app.engine,
            account.client,
            account.id,
            By { actor: "doctor", reason: None },
        );
        match tokio::time::timeout(PATIENCE, check).await {
            Ok(Ok(check)) if check.ok => Some(Finding::ok(named(account), check.message)),
            Ok(Ok(check)) => Some(Finding::problem(named(account), check.message)),
            // What cannot be opened was told already.
            Ok(Err(_)) => None,
            Err(_) => {
                let says = format!("{} did not answer within {} s", account.base_url, PATIENCE.as_secs());
                Some(Finding::problem(named(account), says).remedy("check the way there, and --base-url"))
            }
        }
    });
    let asked: Vec<_> = asked.collect();
    stream::iter(asked).buffered(AT_ONCE).filter_map(async |found| found).collect().await
}

/// Whether carriers would reach us, as far as that can be seen from here.
pub(super) async fn callback(app: &App, public_url: Option<&Url>, accounts: &[Account]) -> Finding {
    const WHAT: &str = "public address";
    let Some(public_url) = public_url else {
        let real = accounts.iter().any(|account| account.enabled && !account.emulated);
        return match real {
            false => Finding::ok(WHAT, "none is set, and no account needs one"),
            true => Finding::problem(WHAT, "none is set, so that carriers cannot tell how calls went")
                .remedy("set serve.public_url (OUTDIAL_PUBLIC_URL), or give --public-url as serve is given"),
        };
    };
    let address = format!("{}/health", public_url.as_str().trim_end_matches('/'));
    match answer(&address).await {
        Ok(seen) => seen.finding(WHAT, &address, &app.engine.key().fingerprint()),
        Err(error) => Finding::problem(WHAT, format!("{address} cannot be reached from here: {error:#}"))
            .remedy("check that `outdial serve` runs, and the name, the proxy and the firewall before it"),
    }
}

/// What came of asking for our own health.
struct Seen {
    status: u16,
    installation: Option<String>,
    location: Option<String>,
    body: String,
}

async fn answer(address: &str) -> anyhow::Result<Seen> {
    let response =
        http_client()?.get(address).timeout(PATIENCE).send().await.map_err(reqwest::Error::without_url)?;
    let header = |name: &str| {
        let value = response.headers().get(name)?.to_str().ok()?;
        Some(value.to_owned())
    };
    let (installation, location) = (header(INSTALLATION), header("location"));
    let status = response.status().as_u16();
    // A stranger may send anything, and without end: its beginning is enough.
    let mut body = vec![];
    let mut chunks = response.bytes_stream();
    while body.len() < SHOWN * 4
        && let Some(chunk) = chunks.next().await
    {
        body.extend_from_slice(&chunk?);
    }
    let body = String::from_utf8_lossy(&body).chars().filter(|c| !c.is_control()).take(SHOWN).collect();
    Ok(Seen { status, installation, location, body })
}

impl Seen {
    fn finding(self, what: &str, address: &str, ours: &str) -> Finding {
        let Self { status, installation, location, body } = self;
        match (installation, location) {
            (Some(theirs), _) if theirs == ours => {
                Finding::ok(what, format!("{address} reaches this installation"))
            }
            (Some(theirs), _) => {
                let says = format!("{address} reaches an outdial with another encryption key, {theirs}");
                Finding::problem(what, says)
                    .remedy(format!("have it lead to an `outdial serve` of this installation, {ours}"))
            }
            (None, Some(location)) if (300..400).contains(&status) => {
                let location: String = location.chars().take(SHOWN).collect();
                Finding::problem(what, format!("{address} sends elsewhere, with {status} to {location}"))
                    .remedy("set the address that it leads to: carriers do not follow")
            }
            (None, _) => {
                Finding::problem(what, format!("{address} reaches something else: {status}, `{body}`"))
                    .remedy("have it lead to `outdial serve`")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_answers_at_the_public_address_is_told_apart() {
        let seen = |status, installation: Option<&str>, location: Option<&str>| {
            let (installation, location) = (installation.map(str::to_owned), location.map(str::to_owned));
            Seen { status, installation, location, body: "Hello".into() }.finding(
                "public address",
                "x/health",
                "a1",
            )
        };
        assert!(seen(200, Some("a1"), None).ok);
        for (found, told) in [
            (seen(200, Some("b2"), None), "another encryption key, b2"),
            (seen(301, None, Some("https://y/")), "with 301 to https://y/"),
            (seen(404, None, None), "something else: 404, `Hello`"),
            (seen(200, None, None), "something else: 200, `Hello`"),
        ] {
            assert!(!found.ok && found.says.contains(told) && found.remedy.is_some(), "{found:?}");
        }
    }
}
