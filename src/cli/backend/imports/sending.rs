//! A file of leads, on its way into a campaign: read here and written to the database, or sent to a server,
//! which keeps it and takes it in.

use std::fs::File;
use std::io::{self, Seek};
use std::time::Duration;

use anyhow::{Context, bail};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use indicatif::{ProgressBar, ProgressStyle};
use outdial_jobs::import::{self, Options, Summary};
use outdial_jobs::operations::By;
use outdial_jobs::operations::imports::{self, Import, ImportState, Sent};
use outdial_workflows::ids::{CampaignId, ClientId};
use reqwest::multipart::{Form, Part};

use super::{Told, read, summary};
use crate::app::App;
use crate::cli::backend::{Backend, files};
use crate::client::{Call, Client};

/// How long until it is asked again how far an import is.
const LOOK: Duration = Duration::from_millis(300);

/// A file that is to be taken in, and what is said of it.
pub(in crate::cli) struct Sending<'a> {
    /// What it is called.
    pub(in crate::cli) name: &'a str,
    /// It can be read again from its beginning.
    pub(in crate::cli) file: File,
    pub(in crate::cli) options: &'a Options,
    /// Write nothing.
    pub(in crate::cli) dry_run: bool,
    /// Do not wait until a server has taken it in.
    pub(in crate::cli) no_wait: bool,
    /// Where it is shown how far it is.
    pub(in crate::cli) bar: ProgressBar,
}

impl Backend<'_> {
    /// Takes a file in. One that an interruption cut short is gone on with where it stands.
    pub(in crate::cli) async fn take_in(
        &self,
        place: (ClientId, CampaignId),
        sending: Sending<'_>,
    ) -> anyhow::Result<Summary> {
        match self {
            Self::Database(app, actor) => sending.here(app, place, actor).await,
            Self::Server(server) => sending.there(server, place.1).await,
        }
    }
}

impl Sending<'_> {
    async fn here(
        self,
        app: &App,
        (client, campaign): (ClientId, CampaignId),
        actor: &str,
    ) -> anyhow::Result<Summary> {
        let Self { name, file, options, dry_run, no_wait: _, bar } = self;
        if dry_run {
            let rows = import::read(bar.wrap_read(file), options).with_context(|| name.to_owned())?;
            return Ok(import::rehearse(rows, |so_far| bar.set_message(so_far.rows.to_string())));
        }
        let sent = Sent { client, campaign, name, options, by: By { actor, reason: None } };
        let import = imports::begin(&app.engine, sent, &imports::digest(&file)?).await?;
        if import.line > 0 {
            bar.println(format!("going on behind line {}, where it was interrupted", import.line));
        }
        let moved = |import: &Import| bar.set_message(import.counts.rows.to_string());
        let done = imports::take_in(&app.engine, import, bar.wrap_read(file), moved).await?;
        ended(name, &done, &bar)?;
        Ok(imports::summary(&app.engine, &done).await?)
    }

    async fn there(self, server: &Client, campaign: CampaignId) -> anyhow::Result<Summary> {
        let about = self.file.metadata()?.len();
        let style = ProgressStyle::with_template("{bar:30} {percent}% of {total_bytes} sent, {eta} to go");
        self.bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        let form = || self.form(about);
        let call = self.described(Call::post(format!("/v1/campaigns/{campaign}/imports"))).form(&form);
        if self.dry_run {
            return server.read(&call).await.map_err(|error| files::told(self.name, error));
        }
        let kept: Told = server.read(&call).await.map_err(|error| files::told(self.name, error))?;
        let mut import = Import::from(kept);
        if self.no_wait {
            return Ok(Summary::of(&import, vec![]));
        }
        let style = ProgressStyle::with_template("{spinner} {msg} rows taken in");
        self.bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
        while matches!(import.state, ImportState::Receiving | ImportState::Running) {
            self.bar.set_message(import.counts.rows.to_string());
            tokio::time::sleep(LOOK).await;
            import = read(server, import.id).await?;
        }
        ended(self.name, &import, &self.bar)?;
        Ok(summary(server, &import).await?)
    }

    /// What is said of the file goes into the address, as it comes before the file.
    fn described<'c>(&self, call: Call<'c>) -> Call<'c> {
        let mut call = call.query("name", self.name.chars().take(imports::NAME_CHARS).collect::<String>());
        if let Some(region) = &self.options.default_region {
            call = call.query("region", region);
        }
        if let Some(consent) = &self.options.consent {
            call = call.query("consent", consent.level.to_string()).query("consent_source", &consent.source);
            for (name, time) in [("consent_at", consent.given_at), ("consent_expires", consent.expires_at)] {
                if let Some(time) = time {
                    call = call.query(name, time.to_rfc3339());
                }
            }
        }
        if self.dry_run { call.query("dry_run", "true") } else { call }
    }

    /// The file from its beginning, however often it is sent.
    fn form(&self, length: u64) -> BoxFuture<'static, io::Result<Form>> {
        let (file, bar) = (self.file.try_clone(), self.bar.clone());
        let form = async move {
            let mut file = file?;
            file.rewind()?;
            bar.set_position(0);
            let body = reqwest::Body::wrap_stream(files::pieces(file, bar));
            Ok(Form::new().part("file", Part::stream_with_length(body, length).file_name("leads.csv")))
        };
        form.boxed()
    }
}

/// That some of its rows could be read.
fn ended(name: &str, import: &Import, bar: &ProgressBar) -> anyhow::Result<()> {
    if let Some(failed_for) = &import.failed_for {
        bar.finish_and_clear();
        bail!("{name}: {failed_for}");
    }
    Ok(())
}
