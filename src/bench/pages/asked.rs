//! What is asked for: every page with a query of its own, and every filter.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use outdial_jobs::operations::jobs::{self, Fits};
use outdial_jobs::operations::keys::{self, KeySpec, Role};
use outdial_jobs::operations::{Direction, Part};
use outdial_jobs::providers::http_client;
use outdial_jobs::store;
use outdial_workflows::ids::{AttemptNumber, AttemptRef, CampaignId, DialKey};
use reqwest::header::{COOKIE, SET_COOKIE};
use reqwest::{Client, StatusCode};
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;
use uuid::Uuid;

use super::super::stage::Stage;
use super::BY;

/// The most that a page may take, for 95 of 100.
const PAGE_WITHIN: Duration = Duration::from_millis(100);
/// The same for a scrape of the metrics, which comes every few seconds from each process.
const SCRAPE_WITHIN: Duration = Duration::from_millis(20);

/// Longer than what was read for a scrape is told again.
const SCRAPES_APART: Duration = Duration::from_millis(1_100);

/// Something to be asked for.
pub(super) struct Asked {
    pub(super) what: &'static str,
    path: String,
    pub(super) within: Duration,
    /// Waited for in between: what was just read is told again without the database.
    pub(super) apart: Duration,
}

fn page(what: &'static str, path: String) -> Asked {
    Asked { what, path, within: PAGE_WITHIN, apart: Duration::ZERO }
}

/// Every page with a query of its own, every filter, the lists of the API, and the metrics.
pub(super) async fn everything(
    stage: &Stage,
    campaigns: &[CampaignId],
    subscriber: Uuid,
) -> anyhow::Result<Vec<Asked>> {
    let (engine, client) = (&stage.app.engine, stage.client);
    let campaign = campaigns[0];
    let mut conn = engine.pool().acquire().await?;
    let (lead, number) = store::seed::somebody(&mut conn, client, campaign, "+911001")
        .await?
        .context("somebody was called")?;
    drop(conn);
    let number = AttemptNumber::new(u16::try_from(number)?).context("attempts count from 1")?;
    let call = DialKey(AttemptRef { client, lead, number });
    let all = Part { direction: Direction::NewestFirst, after: None, limit: 1 };
    let job = jobs::list(engine, client, Fits::default(), all).await?.pop().context("a job")?.id;
    let (of_client, of_campaign) =
        (format!("/admin/clients/{client}"), format!("/admin/campaigns/{campaign}"));
    let (api_client, api_campaign) = (format!("/v1/clients/{client}"), format!("/v1/campaigns/{campaign}"));
    let mut asked = vec![
        page("overview", of_client.clone()),
        page("campaigns", format!("{of_client}/campaigns")),
        page("campaign", of_campaign.clone()),
        page("campaign: rules", format!("{of_campaign}/rules")),
        page("campaign: files", format!("{of_campaign}/files")),
        page("campaign: schedules", format!("{of_campaign}/schedules")),
        page("leads", format!("{of_campaign}/leads")),
        page("leads: waiting", format!("{of_campaign}/leads?state=waiting")),
        page("leads: held", format!("{of_campaign}/leads?state=held")),
        page("leads: finished", format!("{of_campaign}/leads?state=finished")),
        page("leads: in a call", format!("{of_campaign}/leads?state=calling")),
        page("leads: settling (none)", format!("{of_campaign}/leads?state=settling")),
        page("leads: by outcome", format!("{of_campaign}/leads?outcome=successful")),
        page("leads: by outcome (none)", format!("{of_campaign}/leads?outcome=sale_made")),
        page("leads: by name", format!("{of_campaign}/leads?name=a")),
        page("leads: by whole name", format!("{of_campaign}/leads?name=nikhil%20patel%204711")),
        page("leads: by name (none)", format!("{of_campaign}/leads?name=xyzzy")),
        page("leads: by number", format!("{of_campaign}/leads?phone=%2B911001004711")),
        page("leads: by start of a number", format!("{of_campaign}/leads?phone=%2B91100100")),
        page("leads: by attribute", format!("{of_campaign}/leads?attribute=location%3DHennur")),
        page(
            "leads: by attribute and state",
            format!("{of_campaign}/leads?attribute=location%3DHennur&state=held"),
        ),
        page("leads: by attribute (none)", format!("{of_campaign}/leads?attribute=location%3DNowhere")),
        page("leads: by due time", format!("{of_campaign}/leads?state=waiting&sort=due_at")),
        page("leads: oldest first", format!("{of_campaign}/leads?sort=created_at")),
        page("call log", format!("{of_campaign}/calls")),
        page("call log: by result", format!("{of_campaign}/calls?result=answered")),
        page("call log: by outcome", format!("{of_campaign}/calls?outcome=no_answer")),
        page("call log: by outcome (none)", format!("{of_campaign}/calls?outcome=wrong_number")),
        page("find: by id", format!("{of_client}/leads?q=crm-4711")),
        page("find: by number", format!("{of_client}/leads?q=%2B911001004711")),
        page("find: nobody", format!("{of_client}/leads?q=nobody")),
        page("lead", format!("/admin/leads/{lead}")),
        page("call", format!("/admin/calls/{call}")),
        page("calls under way", format!("{of_client}/calls")),
        page("jobs", format!("{of_client}/jobs")),
        page("jobs: by kind", format!("{of_client}/jobs?kind=deliver.v1")),
        page("jobs: by kind (none)", format!("{of_client}/jobs?kind=converse.v1")),
        page("jobs: waiting", format!("{of_client}/jobs?state=waiting")),
        page("jobs: running", format!("{of_client}/jobs?state=running")),
        page("jobs: backing off", format!("{of_client}/jobs?state=backing_off")),
        page("jobs: quarantined", format!("{of_client}/jobs?state=quarantined")),
        page("jobs: quarantined, by kind", format!("{of_client}/jobs?state=quarantined&kind=deliver.v1")),
        page("jobs: done", format!("{of_client}/jobs?state=done")),
        page("jobs: dropped, by error", format!("{of_client}/jobs?state=dropped&error=503")),
        page("jobs: done, by error (none)", format!("{of_client}/jobs?state=done&error=nowhere")),
        page("jobs: by error (none)", format!("{of_client}/jobs?error=nowhere")),
        page("job", format!("/admin/jobs/{job}")),
        page("bulk orders", format!("{of_client}/operations")),
        page(
            "bulk order: preview",
            format!("{of_client}/operations/new?campaign={campaign}&outcome=successful"),
        ),
        page("accounts", format!("{of_client}/accounts")),
        page("playbooks", format!("{of_client}/playbooks")),
        page("subscribers", format!("{of_client}/subscribers")),
        page("subscriber", format!("/admin/subscribers/{subscriber}")),
        page("suppressions", format!("{of_client}/suppressions")),
        page("suppressions: by number", format!("{of_client}/suppressions?phone=%2B911001004711")),
        page("keys", format!("{of_client}/keys")),
        page("audit log", format!("{of_client}/audit")),
        page("audit log: by actor", format!("{of_client}/audit?actor=key%207")),
        page("audit log: by actor (nobody)", format!("{of_client}/audit?actor=nobody")),
        page("API: campaigns", format!("{api_client}/campaigns")),
        page("API: leads", format!("{api_campaign}/leads")),
        page("API: leads by state", format!("{api_campaign}/leads?state=held")),
        page("API: attempts", format!("{api_campaign}/attempts")),
        page("API: analytics of a campaign", format!("{api_campaign}/analytics")),
        page("API: analytics of a client", format!("{api_client}/analytics")),
        page("API: calls", format!("/v1/calls?campaign={campaign}")),
        page("API: jobs", format!("{api_client}/jobs")),
        page("API: jobs backing off", format!("{api_client}/jobs?state=backing_off")),
        page("API: counts of jobs", format!("{api_client}/jobs/counts")),
        page("API: operations", format!("{api_client}/operations")),
        page("API: suppressions", format!("{api_client}/suppressions")),
        page("API: consents", format!("{api_client}/consents?phone=%2B911001004711")),
        page("API: audit", format!("{api_client}/audit")),
        page("API: deliveries", format!("/v1/subscribers/{subscriber}/deliveries")),
        page("API: lead", format!("/v1/leads/{lead}")),
        page("API: explanation", format!("/v1/leads/{lead}/explanation")),
        page("API: attempts of a lead", format!("/v1/leads/{lead}/attempts")),
    ];
    asked.push(Asked {
        what: "metrics",
        path: "/metrics".into(),
        within: SCRAPE_WITHIN,
        apart: SCRAPES_APART,
    });
    Ok(asked)
}

/// Somebody who is signed in.
pub(super) struct Asker {
    http: Client,
    base: Url,
    cookies: String,
    token: SecretString,
}

impl Asker {
    pub(super) async fn sign_in(stage: &Stage) -> anyhow::Result<Self> {
        let spec = KeySpec { name: "the bench", role: Role::Admin, client: None, expires_at: None };
        let (_, token) = keys::create(&stage.app.engine, spec, BY).await?;
        let (http, base) = (http_client()?, stage.address.clone());
        let login = base.join("/admin/login")?;
        let page = http.get(login.clone()).send().await?.error_for_status()?;
        let mut cookies = set(&page);
        let html = page.text().await?;
        let proof = html.split("name=\"csrf\" value=\"").nth(1).and_then(|rest| rest.split('"').next());
        let form = [("csrf", proof.context("a form")?), ("next", "/admin"), ("key", token.expose_secret())];
        let answer = http.post(login).header(COOKIE, cookies.join("; ")).form(&form).send().await?;
        cookies.extend(set(&answer));
        Ok(Self { http, base, cookies: cookies.join("; "), token })
    }

    /// Asks, and tells how long it took to the last byte.
    pub(super) async fn get(&self, asked: &Asked) -> anyhow::Result<Duration> {
        let Asked { what, path, .. } = asked;
        let began = Instant::now();
        let request = match path.starts_with("/admin") {
            true => self.http.get(self.base.join(path)?).header(COOKIE, &self.cookies),
            false => self.http.get(self.base.join(path)?).bearer_auth(self.token.expose_secret()),
        };
        let answer = request.send().await?;
        let status = answer.status();
        let body = answer.text().await?;
        let took = began.elapsed();
        // Who is found alone is gone to.
        if status == StatusCode::SEE_OTHER {
            return Ok(took);
        }
        anyhow::ensure!(status.is_success(), "{what} ({path}): {status}: {body}");
        let is_page =
            !path.starts_with("/admin") || (body.contains("</html>") && !body.contains("name=\"key\""));
        anyhow::ensure!(is_page, "{what} ({path}) is no page: {body}");
        Ok(took)
    }
}

fn set(answer: &reqwest::Response) -> Vec<String> {
    let all = answer.headers().get_all(SET_COOKIE).iter().filter_map(|value| value.to_str().ok());
    all.filter_map(|value| value.split(';').next()).map(str::to_owned).collect()
}
