//! What people agreed to, and numbers that must not be called.

use std::path::Path;

use indicatif::ProgressBar;
use outdial_jobs::import::Options;
use outdial_jobs::operations::Part;
use outdial_jobs::operations::consents::{self, ConsentSpec};
use outdial_jobs::operations::erasing::{self, Certificate};
use outdial_jobs::operations::suppressions::{self, Added, Listed, Taken, Whose};
use outdial_jobs::store::consents::Recorded;
use outdial_workflows::Moment;
use outdial_workflows::ids::ClientId;
use outdial_workflows::packs::Purpose;
use outdial_workflows::phone::PhoneNumber;
use reqwest::Method;
use serde::Deserialize;
use serde_json::json;

use super::{Backend, by, files};
use crate::client::Call;

#[derive(Deserialize)]
struct Found<T> {
    items: Vec<T>,
}

/// What came of recording a consent, as the API tells it.
#[derive(Deserialize)]
struct OnRecord {
    new: bool,
    released: usize,
}

#[derive(Deserialize)]
struct Revoked {
    taken_back: u64,
}

/// How numbers are put on a list.
pub(in crate::cli) struct Entered<'a> {
    /// Where they come from.
    pub(in crate::cli) source: &'a str,
    /// When that ends by itself.
    pub(in crate::cli) until: Option<Moment>,
    /// Why they are, for the record.
    pub(in crate::cli) reason: Option<&'a str>,
}

impl Backend<'_> {
    /// Records what a person agreed to.
    pub(in crate::cli) async fn add_consent(
        &self,
        (client, phone): (ClientId, &PhoneNumber),
        consent: &ConsentSpec,
        reason: Option<&str>,
    ) -> anyhow::Result<consents::Added> {
        match self {
            Self::Database(app, actor) => {
                Ok(consents::add(&app.engine, client, phone, consent, by(actor, reason)).await?)
            }
            Self::Server(server) => {
                let call = Call::post(format!("/v1/clients/{client}/consents")).because(reason)?;
                let call = call.json(json!({ "phone": phone, "consent": consent }));
                let OnRecord { new, released } = server.read(&call).await?;
                Ok(consents::Added { new: new.into(), released })
            }
        }
    }

    /// Records that a person took consent back. Returns how many consents that ended.
    pub(in crate::cli) async fn revoke_consent(
        &self,
        (client, phone): (ClientId, &PhoneNumber),
        purpose: Option<Purpose>,
        reason: Option<&str>,
    ) -> anyhow::Result<u64> {
        match self {
            Self::Database(app, actor) => {
                Ok(consents::revoke(&app.engine, client, phone, purpose, by(actor, reason)).await?)
            }
            Self::Server(server) => {
                let call = Call::post(format!("/v1/clients/{client}/consents/revoke")).because(reason)?;
                let call = call.json(json!({ "phone": phone, "purpose": purpose }));
                Ok(server.read::<Revoked>(&call).await?.taken_back)
            }
        }
    }

    /// What is recorded of a person's consent.
    pub(in crate::cli) async fn consents(
        &self,
        (client, phone): (ClientId, &PhoneNumber),
    ) -> anyhow::Result<Vec<Recorded>> {
        match self {
            Self::Database(app, _) => Ok(consents::list(&app.engine, client, phone).await?),
            Self::Server(server) => {
                let call = Call::new(Method::GET, format!("/v1/clients/{client}/consents"));
                Ok(server.read::<Found<_>>(&call.query("phone", phone.as_str())).await?.items)
            }
        }
    }

    /// Erases a person.
    pub(in crate::cli) async fn erase(
        &self,
        (client, phone): (ClientId, &PhoneNumber),
        lists_too: bool,
        reason: Option<&str>,
    ) -> anyhow::Result<Certificate> {
        match self {
            Self::Database(app, actor) => {
                Ok(erasing::erase(&app.engine, client, phone, lists_too, by(actor, reason)).await?)
            }
            Self::Server(server) => {
                let call = Call::post(format!("/v1/clients/{client}/erasures")).because(reason)?;
                Ok(server.read(&call.json(json!({ "phone": phone, "lists_too": lists_too }))).await?)
            }
        }
    }

    /// The certificates of a person's erasures.
    pub(in crate::cli) async fn erasures(
        &self,
        (client, phone): (ClientId, &PhoneNumber),
    ) -> anyhow::Result<Vec<Certificate>> {
        match self {
            Self::Database(app, _) => Ok(erasing::certificates(&app.engine, client, phone).await?),
            Self::Server(server) => {
                let call = Call::new(Method::GET, format!("/v1/clients/{client}/erasures"));
                Ok(server.read::<Found<_>>(&call.query("phone", phone.as_str())).await?.items)
            }
        }
    }

    /// Puts a number on a list.
    pub(in crate::cli) async fn suppress(
        &self,
        whose: Whose,
        phone: &PhoneNumber,
        entered: Entered<'_>,
    ) -> anyhow::Result<Added> {
        let Entered { source, until, reason } = entered;
        match self {
            Self::Database(app, actor) => {
                let (phones, by) = ([phone.clone()], by(actor, reason));
                Ok(suppressions::add(&app.engine, whose, &phones, source, until, by).await?)
            }
            Self::Server(server) => {
                let Whose { client, campaign } = whose;
                let body =
                    json!({ "phones": [phone], "campaign": campaign, "source": source, "expires_at": until });
                let call = Call::post(format!("/v1/clients/{client}/suppressions")).because(reason)?;
                Ok(server.read(&call.json(body)).await?)
            }
        }
    }

    /// Takes a number off a list. Tells whether it was on it.
    pub(in crate::cli) async fn lift_suppression(
        &self,
        whose: Whose,
        phone: &PhoneNumber,
        reason: Option<&str>,
    ) -> anyhow::Result<bool> {
        let server = match self {
            Self::Database(app, actor) => {
                return Ok(suppressions::remove(&app.engine, whose, phone, by(actor, reason)).await?);
            }
            Self::Server(server) => server,
        };
        // A client's lists are told together, and one of them is meant.
        let listed = self.suppressions(whose, Some(phone), usize::MAX).await?;
        let mut lifted = false;
        for entry in listed.into_iter().filter(|entry| entry.campaign == whose.campaign) {
            let path = format!("/v1/clients/{}/suppressions/{}", whose.client, entry.id);
            server.send(&Call::new(Method::DELETE, path).because(reason)?).await?;
            lifted = true;
        }
        Ok(lifted)
    }

    /// What is in force, the newest first, at most so many.
    pub(in crate::cli) async fn suppressions(
        &self,
        whose: Whose,
        phone: Option<&PhoneNumber>,
        most: usize,
    ) -> anyhow::Result<Vec<Listed>> {
        match self {
            Self::Database(app, _) => {
                let part = Part::newest(i64::try_from(most).unwrap_or(i64::MAX));
                Ok(suppressions::list(&app.engine, whose, phone, part).await?)
            }
            Self::Server(server) => {
                let campaign = whose.campaign.map(|campaign| campaign.to_string());
                let asked = [("campaign", campaign.as_deref()), ("phone", phone.map(PhoneNumber::as_str))];
                let query: Vec<_> =
                    asked.into_iter().filter_map(|(name, value)| value.map(|value| (name, value))).collect();
                Ok(server.list(&format!("/v1/clients/{}/suppressions", whose.client), &query, most).await?)
            }
        }
    }

    /// Puts the numbers of a file on a list. `bar` is told how many rows were read, or what was sent.
    pub(in crate::cli) async fn suppress_file(
        &self,
        whose: Whose,
        path: &Path,
        region: Option<String>,
        entered: Entered<'_>,
        bar: &ProgressBar,
    ) -> anyhow::Result<Taken> {
        let Entered { source, until, reason } = entered;
        let name = path.display().to_string();
        let file = files::opened(path)?;
        match self {
            Self::Database(app, actor) => {
                let options = Options { default_region: region, ..Options::default() };
                let mut numbers =
                    suppressions::read(file, &options).map_err(|error| files::of(&name, error))?;
                while let Some(page) = numbers.page() {
                    let by = by(actor, reason);
                    numbers.count(suppressions::add(&app.engine, whose, &page, source, until, by).await?);
                    bar.set_position(numbers.taken().rows);
                }
                Ok(numbers.into_taken())
            }
            Self::Server(server) => {
                let call = Call::post(format!("/v1/clients/{}/suppressions/import", whose.client));
                let asked = [
                    ("campaign", whose.campaign.map(|campaign| campaign.to_string())),
                    ("source", Some(source.to_owned())),
                    ("region", region),
                    ("expires_at", until.map(|until| until.to_rfc3339())),
                ];
                let mut call = call.because(reason)?;
                for (about, value) in asked {
                    if let Some(value) = value {
                        call = call.query(about, value);
                    }
                }
                let body = || files::csv(&file, bar.clone());
                server.read(&call.csv(&body)).await.map_err(|error| files::told(&name, error))
            }
        }
    }
}
