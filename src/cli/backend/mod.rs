//! What commands speak to: the database, or a server over its API. It is chosen once; each thing that a command
//! needs is a method here that does it in both ways, and says the same either way.

mod bulk;
mod campaigns;
mod conversations;
mod exports;
mod files;
mod forecast;
mod imports;
mod jobs;
mod keys;
mod leads;
mod limits;
mod names;
mod people;
mod playbooks;
mod setup;
mod sheets;
mod subscribers;

pub(super) use conversations::Followed;
pub(super) use files::opened;
pub(super) use imports::Sending;
pub(super) use people::Entered;
pub(super) use playbooks::Kept;
pub(super) use setup::NewAccount;
pub(super) use sheets::{Linked, Said};
pub(super) use subscribers::{Delivered, Subscribed, told_with};

use clap::ArgMatches;
use clap::parser::ValueSource;
use outdial_jobs::operations::By;
use outdial_workflows::Moment;
use secrecy::SecretString;
use serde::Deserialize;
use url::Url;

use super::exit::usage;
use crate::app::App;
use crate::client::Client;
use crate::config::{Config, Global, Source};

/// Which of the two it is, before anything is opened.
pub(super) enum Way {
    Database,
    Server(Named),
}

/// A server, and what names it.
pub(super) struct Named {
    pub(super) server: Url,
    key: Option<SecretString>,
    from: Source,
}

impl Way {
    /// The command line decides, else a server that is configured comes before a database that is.
    pub(super) fn chosen(global: &Global, config: &Config, given: &ArgMatches) -> anyhow::Result<Self> {
        let flagged = |key| {
            let known = given.try_contains_id(key).is_ok();
            known && given.value_source(key) == Some(ValueSource::CommandLine)
        };
        let database = ["database.url", "database.data_dir"].into_iter().find(|key| flagged(key));
        match (&global.server, database) {
            (Some(_), Some(database)) if flagged("server.url") => {
                let flag = if database == "database.url" { "--database-url" } else { "--data-dir" };
                Err(usage(format!(
                    "--server and {flag} say different things of where to go; give one of them"
                )))
            }
            (None, _) | (Some(_), Some(_)) => Ok(Self::Database),
            (Some(server), None) => {
                let from = match flagged("server.url") {
                    true => Source::Flag { name: "--server".into() },
                    false => config.layers.source("server.url"),
                };
                let key = config.settings.api_key.api_key.clone();
                Ok(Self::Server(Named { server: server.clone(), key, from }))
            }
        }
    }

    /// That a command is not about a server.
    pub(super) fn not_a_server(&self, command: &str, instead: &str) -> anyhow::Result<()> {
        match self {
            Self::Database => Ok(()),
            Self::Server(Named { from, .. }) => Err(usage(format!(
                "`outdial {command}` is not done through a server, which {from} names: {instead}"
            ))),
        }
    }
}

impl Named {
    /// Somebody with the key that is configured.
    pub(super) fn client(&self) -> anyhow::Result<Client> {
        let key = self.key.clone().ok_or_else(|| {
            usage(
                "a server takes a key: set OUTDIAL_API_KEY, or server.api_key in the configuration file; \
                 `outdial key create` makes one where the database is",
            )
        })?;
        Ok(Client::new(self.server.clone(), key)?)
    }
}

/// What a command speaks to.
pub(super) enum Backend<'a> {
    /// The database, and who gives orders.
    Database(&'a App, &'a str),
    /// A server.
    Server(&'a Client),
}

impl Backend<'_> {
    /// The time where it counts.
    pub(super) async fn now(&self) -> anyhow::Result<Moment> {
        #[derive(Deserialize)]
        struct Ready {
            database_time: Moment,
        }
        match self {
            Self::Database(app, _) => Ok(app.engine.now().await?),
            Self::Server(client) => Ok(client.get::<Ready>("/ready").await?.database_time),
        }
    }
}

/// Who gives an order to the database, and why.
fn by<'a>(actor: &'a str, reason: Option<&'a str>) -> By<'a> {
    By { actor, reason }
}
