//! Campaigns: the list, and one with all that belongs to it.

use std::collections::HashMap;

use askama::Template;
use axum::Router;
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::{get, post};
use outdial_jobs::operations::analytics::{self, Asked as Of};
use outdial_jobs::operations::attempts::{self, Fits, Made, Place, Whose};
use outdial_jobs::operations::campaigns::{self, LaneStatus, Order};
use outdial_jobs::operations::exports::What;
use outdial_jobs::operations::filters::FilteredPage;
use outdial_jobs::operations::forecast::{self, LaunchPreview};
use outdial_jobs::operations::keys::Role;
use outdial_jobs::operations::overview::{self, Campaign, Progress};
use outdial_jobs::operations::revisions::{self, Edit};
use outdial_jobs::operations::{By, Direction, OperationError, hanging_up, recurring, setup};
use outdial_jobs::store::recurring::{Action, Recurring};
use outdial_workflows::Moment;
use outdial_workflows::analytics::Analysis;
use outdial_workflows::attempt::Revision;
use outdial_workflows::call::CallResult;
use outdial_workflows::hours::LaneState;
use outdial_workflows::ids::{CampaignId, ClientId};
use outdial_workflows::outcome::Outcome;
use outdial_workflows::rules::Rules;
use outdial_workflows::simulate::{Assumed, Simulated};
use serde::Deserialize;
use uuid::Uuid;

use super::clients::{After, Reason, cut};
use super::filters::Menu;
use super::outcome::{Done, Failure, Sent};
use super::shell::{Shell, Visit};
use super::show::{self, Html};
use super::wizard::{Draft, RulesForm};
use super::{charts, live, page};
use crate::http::v1::input::wrong;
use crate::http::v1::names::{CallResultName, OutcomeName};
use crate::http::v1::{self, Asked, Named};
use crate::http::{Api, Problem};

pub(super) fn routes() -> Router<Api> {
    Router::new()
        .route("/admin/clients/{client}/campaigns", get(list))
        .route("/admin/clients/{client}/campaigns/live", get(follow_list))
        .route("/admin/campaigns/{campaign}", get(show_one))
        .route("/admin/campaigns/{campaign}/live", get(follow_one))
        .route("/admin/campaigns/{campaign}/orders", post(order))
        .route("/admin/campaigns/{campaign}/clone", post(clone))
        .route("/admin/campaigns/{campaign}/calls", get(calls))
        .route("/admin/campaigns/{campaign}/rules", get(rules).post(edit))
        .route("/admin/campaigns/{campaign}/rules/compare", post(compare))
        .route("/admin/campaigns/{campaign}/forecast", get(foresee))
        .route("/admin/campaigns/{campaign}/schedules", get(schedules).post(add_schedule))
        .route("/admin/schedules/{schedule}/remove", post(remove_schedule))
        .route("/admin/campaigns/{campaign}/export", get(v1::exports::export))
}

#[derive(Template)]
#[template(path = "campaigns.html")]
struct CampaignsPage {
    shell: Shell,
    rows: Html,
    next: Option<String>,
}

#[derive(Template)]
#[template(path = "campaigns_rows.html")]
struct CampaignsRows<'a> {
    shell: &'a Shell,
    rows: Vec<(Campaign, Progress)>,
}

async fn rows_of(
    visit: &Visit,
    shell: &Shell,
    client: ClientId,
    after: &After,
) -> Result<(String, Option<String>), Failure> {
    let engine = &visit.api.engine;
    let found = campaigns::list(engine, client, None, after.part()).await?;
    let (found, next) = cut(found, |campaign| campaign.id.0);
    let ids: Vec<_> = found.iter().map(|campaign| campaign.id).collect();
    let mut progress = overview::progress(engine, client, &ids).await?;
    let with = |campaign: Campaign| {
        let so_far = progress.remove(&campaign.id).unwrap_or_default();
        (campaign, so_far)
    };
    let rows = CampaignsRows { shell, rows: found.into_iter().map(with).collect() };
    Ok((rows.render().map_err(|error| Problem::ours(&error))?, next))
}

async fn list(
    visit: Visit,
    Named(client): Named<Uuid>,
    Asked(after): Asked<After>,
) -> Result<Response, Failure> {
    let client = visit.client(client).await?;
    let shell = visit.shell(client, "campaigns", "Campaigns").await?;
    let (rows, next) = rows_of(&visit, &shell, client, &after).await?;
    page(&CampaignsPage { shell, rows: Html(rows), next })
}

async fn follow_list(
    visit: Visit,
    Named(client): Named<Uuid>,
    Asked(after): Asked<After>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let client = visit.client(client).await?;
    let after = std::sync::Arc::new(after);
    Ok(live::stream(visit, headers, move |visit| {
        let after = after.clone();
        Box::pin(async move {
            let shell = visit.shell(client, "campaigns", "Campaigns").await?;
            Ok(vec![("rows", rows_of(visit, &shell, client, &after).await?.0)])
        })
    }))
}

/// What stands above every page of a campaign.
pub(super) struct Top {
    pub(super) campaign: Campaign,
    pub(super) account: String,
    /// Which of its pages.
    pub(super) tab: &'static str,
}

impl Top {
    /// Which of its pages is on, for the one tab that leads to it.
    pub(super) fn on(&self, tab: &str) -> Html {
        Html(if self.tab == tab { " aria-current=\"page\"".into() } else { String::new() })
    }

    /// Where it stands.
    pub(super) fn state(&self) -> &'static str {
        self.campaign.state.name()
    }
}

/// The campaign with this id, if the visitor may see it, and what stands around its pages.
pub(super) async fn top(
    visit: &Visit,
    campaign: Uuid,
    tab: &'static str,
) -> Result<(ClientId, Shell, Top), Failure> {
    let engine = &visit.api.engine;
    let (client, campaign) = v1::campaigns::visible(&visit.api, &visit.caller, campaign).await?;
    let campaign = campaigns::one(engine, client, campaign).await?;
    let account = setup::account(engine, campaign.account).await?.name;
    let shell = visit.shell(client, "campaigns", campaign.name.clone()).await?;
    Ok((client, shell, Top { campaign, account, tab }))
}

#[derive(Template)]
#[template(path = "campaign.html")]
struct CampaignPage {
    shell: Shell,
    top: Top,
    now: Html,
}

#[derive(Template)]
#[template(path = "campaign_now.html")]
struct CampaignNow<'a> {
    shell: &'a Shell,
    top: &'a Top,
    progress: Progress,
    by_outcome: Vec<(&'static str, i64)>,
    lanes: Vec<LaneStatus>,
    chart: Html,
    analysis: Analysis,
    eta: Option<String>,
}

/// How a lane's hours stand.
fn hours(lane: &LaneStatus, now: Moment) -> Html {
    match &lane.hours {
        None => Html("each lead is looked at by itself".into()),
        Some(LaneState::Open { closes_at: None }) => show::badge("open"),
        Some(LaneState::Open { closes_at: Some(at) }) => {
            Html(format!("{} closes {}", show::badge("open"), show::time(*at, now)))
        }
        Some(LaneState::Closed { opens_at, why }) => Html(format!(
            "{} opens {} <span class=\"hint\">{}</span>",
            show::badge("closed"),
            show::time(*opens_at, now),
            show::escaped(&why.to_string())
        )),
        Some(LaneState::Held { why }) => {
            Html(format!("{} {}", show::badge("held"), show::escaped(&why.to_string())))
        }
    }
}

impl CampaignNow<'_> {
    fn hours(&self, lane: &LaneStatus) -> Html {
        hours(lane, self.shell.now)
    }
}

async fn now_of(visit: &Visit, shell: &Shell, client: ClientId, top: &Top) -> Result<String, Failure> {
    let (engine, campaign) = (&visit.api.engine, top.campaign.id);
    let progress =
        overview::progress(engine, client, &[campaign]).await?.remove(&campaign).unwrap_or_default();
    let status = campaigns::status(engine, client, campaign).await?;
    let hours = analytics::hours(engine, client, Some(campaign), 24).await?;
    let asked = Of { campaign: Some(campaign), ..Of::default() };
    let analysis = analytics::calls(engine, client, asked).await?;
    let mut by_outcome: Vec<_> = progress.by_outcome.iter().map(|(name, n)| (*name, *n)).collect();
    by_outcome.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
    let mut lanes = status.lanes;
    lanes.sort_by_key(|lane| std::cmp::Reverse(lane.waiting));
    lanes.truncate(30);
    // By the attempts of the last whole hour: calls that end now end leads, more or less.
    let pace = hours.iter().rev().nth(1).map_or(0, |hour| hour.attempts);
    let left = progress.leads - progress.finished;
    let eta = (pace > 0 && left > 0 && top.state() == "running").then(|| {
        format!("{} calls in the last whole hour, {} leads to go", show::count(pace), show::count(left))
    });
    let part = CampaignNow {
        shell,
        top,
        progress,
        by_outcome,
        lanes,
        chart: charts::outcomes(&hours),
        analysis,
        eta,
    };
    Ok(part.render().map_err(|error| Problem::ours(&error))?)
}

async fn show_one(visit: Visit, Named(campaign): Named<Uuid>) -> Result<Response, Failure> {
    let (client, shell, top) = top(&visit, campaign, "progress").await?;
    let now = Html(now_of(&visit, &shell, client, &top).await?);
    page(&CampaignPage { shell, top, now })
}

async fn follow_one(
    visit: Visit,
    Named(campaign): Named<Uuid>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    top(&visit, campaign, "progress").await?;
    Ok(live::stream(visit, headers, move |visit| {
        Box::pin(async move {
            let (client, shell, top) = top(visit, campaign, "progress").await?;
            Ok(vec![("now", now_of(visit, &shell, client, &top).await?)])
        })
    }))
}

/// An order for a campaign.
#[derive(Deserialize)]
struct OrderForm {
    order: String,
    #[serde(default)]
    hang_up: Option<String>,
    /// Of a pause: after how many minutes it ends by itself; empty: not at all.
    #[serde(default)]
    minutes: String,
    #[serde(flatten)]
    reason: Reason,
}

async fn order(
    visit: Visit,
    Named(campaign): Named<Uuid>,
    Sent(form): Sent<OrderForm>,
) -> Result<Done, Failure> {
    visit.caller.is(Role::Operator)?;
    let engine = &visit.api.engine;
    let (client, campaign) = v1::campaigns::visible(&visit.api, &visit.caller, campaign).await?;
    let (order, told) = match form.order.as_str() {
        "start" => (Order::Start, "It runs: leads are called when they are due and may be."),
        "pause" => (Order::Pause, "It is paused: nothing more of it is dialled."),
        "resume" => (Order::Resume, "It goes on."),
        "cancel" => (Order::Cancel, "It has ended; its leads are finished in the background."),
        other => return Err(wrong("order", format!("`{other}` is no order")).into()),
    };
    let minutes = form.minutes.trim();
    let resume_at = match (order, minutes) {
        (Order::Pause, minutes) if !minutes.is_empty() => {
            let minutes: u32 =
                minutes.parse().map_err(|_| wrong("minutes", "give a whole number of minutes"))?;
            Some(visit.signed.now + chrono::TimeDelta::minutes(minutes.into()))
        }
        _ => None,
    };
    let by = visit.caller.by_for(form.reason.given());
    let By { actor, reason } = by;
    let ordered = campaigns::order_until(engine, client, campaign, order, actor, reason, resume_at).await?;
    let mut told = told.to_owned();
    if form.hang_up.is_some() && matches!(order, Order::Pause | Order::Cancel) {
        let hung_up = hanging_up::hang_up(engine, client, &ordered.underway, by).await?;
        told += &format!(" {} calls are being ended.", show::n(&hung_up.ending));
    } else if !ordered.underway.is_empty() {
        told += &format!(" {} calls that are under way go on.", show::n(&ordered.underway.len()));
    }
    let here = format!("/admin/campaigns/{campaign}");
    let done = Done::back(form.reason.back.as_deref(), &here, told);
    Ok(match order {
        Order::Pause => done.undone_by(format!("{here}/orders"), &[("order", "resume")]),
        Order::Start | Order::Resume => done.undone_by(format!("{here}/orders"), &[("order", "pause")]),
        Order::Cancel => done,
    })
}

#[derive(Deserialize)]
struct CloneForm {
    name: String,
}

async fn clone(
    visit: Visit,
    Named(campaign): Named<Uuid>,
    Sent(form): Sent<CloneForm>,
) -> Result<Done, Failure> {
    visit.caller.is(Role::Operator)?;
    let (client, campaign) = v1::campaigns::visible(&visit.api, &visit.caller, campaign).await?;
    let actor = visit.caller.by().actor;
    let made = campaigns::clone(&visit.api.engine, client, campaign, form.name.trim(), actor).await?;
    Ok(Done::at(format!("/admin/campaigns/{made}"), "A draft with the same rules, and without leads."))
}

/// Which calls of a campaign.
#[derive(Debug, Deserialize)]
struct CallsQuery {
    result: Option<CallResultName>,
    outcome: Option<OutcomeName>,
    after: Option<String>,
}

impl CallsQuery {
    fn fits(&self) -> Fits {
        Fits {
            calls: false,
            result: self.result.map(CallResult::from),
            outcome: self.outcome.map(Outcome::from),
            since: None,
            until: None,
        }
    }
}

/// The place that a cursor of ours names.
fn place(text: &str) -> Result<Place, Problem> {
    let wrong = || wrong("after", "begin at the first page again");
    let (at, key) = text.split_once('_').ok_or_else(wrong)?;
    let micros: i64 = at.parse().map_err(|_| wrong())?;
    let at = Moment::from_timestamp_micros(micros).ok_or_else(wrong)?;
    let (lead, number) = key.split_once('.').ok_or_else(wrong)?;
    let lead = outdial_workflows::ids::LeadId(lead.parse().map_err(|_| wrong())?);
    let number: u16 = number.parse().map_err(|_| wrong())?;
    let number = outdial_workflows::ids::AttemptNumber::new(number).ok_or_else(wrong)?;
    Ok(Place { at, lead, number })
}

fn cursor(place: &Place) -> String {
    format!("{}_{}.{}", place.at.timestamp_micros(), place.lead, place.number.get())
}

#[derive(Template)]
#[template(path = "campaign_calls.html")]
struct CallsPage {
    shell: Shell,
    top: Top,
    calls: Vec<Made>,
    result: String,
    outcome: String,
    next: Option<String>,
    filters: Menu,
    exports: [What; 5],
}

/// The words of a set, for a choice.
const RESULTS: [&str; 7] = ["answered", "no_answer", "busy", "voicemail", "failed", "invalid_number", "lost"];

impl CallsPage {
    fn results(&self) -> &'static [&'static str] {
        &RESULTS
    }

    fn outcomes(&self) -> Vec<&'static str> {
        Outcome::ALL.map(Outcome::name).to_vec()
    }
}

async fn calls(
    visit: Visit,
    Named(campaign): Named<Uuid>,
    Asked(asked): Asked<CallsQuery>,
) -> Result<Response, Failure> {
    let (_, shell, top) = top(&visit, campaign, "calls").await?;
    let after = asked.after.as_deref().map(place).transpose()?;
    let whose = Whose::Campaign(top.campaign.id);
    let (calls, next) =
        attempts::page(&visit.api.engine, whose, asked.fits(), Direction::NewestFirst, after, 50).await?;
    let result = asked.result.map(|name| show::name(&name)).unwrap_or_default();
    let outcome = asked.outcome.map(|name| show::name(&name)).unwrap_or_default();
    let query = |after: &str| {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in [("result", result.as_str()), ("outcome", &outcome), ("after", after)] {
            if !value.is_empty() {
                query.append_pair(name, value);
            }
        }
        query.finish()
    };
    let next = next.map(|place| query(&cursor(&place)));
    let filters = Menu::of(&visit, FilteredPage::Calls, &query("")).await?;
    page(&CallsPage { shell, top, calls, result, outcome, next, filters, exports: What::ALL })
}

#[derive(Template)]
#[template(path = "campaign_rules.html")]
struct RulesPage {
    shell: Shell,
    top: Top,
    revision: i32,
    form: RulesForm,
    json: String,
    revisions: Vec<Edit>,
    /// What would change, if that was asked.
    compared: Option<Vec<(String, String, String)>>,
}

impl RulesPage {
    fn changes(&self, edit: &Edit) -> Vec<(String, String, String)> {
        told(&edit.changes)
    }
}

fn told(changes: &[outdial_workflows::rules::changes::RuleChange]) -> Vec<(String, String, String)> {
    changes
        .iter()
        .map(|change| (change.rule.clone(), show::short(&change.before), show::short(&change.after)))
        .collect()
}

async fn rules(visit: Visit, Named(campaign): Named<Uuid>) -> Result<Response, Failure> {
    let (client, shell, top) = top(&visit, campaign, "rules").await?;
    let (revision, rules) = campaigns::rules(&visit.api.engine, client, top.campaign.id).await?;
    let revisions = revisions::list(&visit.api.engine, client, top.campaign.id, None, 20).await?;
    let form = RulesForm::of(&visit, client, &rules).await?;
    let json = show::json(&rules);
    page(&RulesPage { shell, top, revision: revision.0, form, json, revisions, compared: None })
}

/// What an edit is to be: the form's fields over the present rules, or all rules as JSON.
async fn edited(
    visit: &Visit,
    client: ClientId,
    campaign: CampaignId,
    draft: &Draft,
) -> Result<(Revision, Rules, Rules), Failure> {
    let (present, rules) = campaigns::rules(&visit.api.engine, client, campaign).await?;
    let base: i32 = draft.one("revision").parse().map_err(|_| wrong("revision", "load the page again"))?;
    if base != present.0 {
        let detail = format!(
            "somebody edited the rules meanwhile: they are of revision {} now, and you began at {base}; open them \
             in another tab and compare",
            present.0
        );
        return Err(Problem::edited_meanwhile(detail).into());
    }
    let edited = draft.rules(&rules)?;
    Ok((present, rules, edited))
}

async fn compare(
    visit: Visit,
    Named(campaign): Named<Uuid>,
    Sent(pairs): Sent<Vec<(String, String)>>,
) -> Result<Response, Failure> {
    let draft = Draft(pairs);
    let (client, mut shell, top) = top(&visit, campaign, "rules").await?;
    shell.path = format!("/admin/campaigns/{}/rules", top.campaign.id);
    let (revision, rules, edited) = edited(&visit, client, top.campaign.id, &draft).await?;
    let value = |rules: &Rules| serde_json::to_value(rules).unwrap_or_default();
    let changes = outdial_workflows::rules::changes::changes(&value(&rules), &value(&edited));
    let compared = Some(told(&changes));
    let revisions = revisions::list(&visit.api.engine, client, top.campaign.id, None, 20).await?;
    let (form, json) = (RulesForm::of(&visit, client, &edited).await?, show::json(&edited));
    page(&RulesPage { shell, top, revision: revision.0, form, json, revisions, compared })
}

async fn edit(
    visit: Visit,
    Named(campaign): Named<Uuid>,
    Sent(pairs): Sent<Vec<(String, String)>>,
) -> Result<Done, Failure> {
    visit.caller.is(Role::Operator)?;
    let draft = Draft(pairs);
    let (client, campaign) = v1::campaigns::visible(&visit.api, &visit.caller, campaign).await?;
    let (present, _, rules) = edited(&visit, client, campaign, &draft).await?;
    let reason = Some(draft.one("reason")).filter(|reason| !reason.is_empty());
    let by = visit.caller.by_for(reason);
    let revision = campaigns::edit(&visit.api.engine, client, campaign, present, &rules, by).await?;
    let text = match revision == present {
        true => "Nothing differs, so that nothing was changed.".to_owned(),
        false => format!("Saved as revision {}; calls from now on are made under it.", revision.0),
    };
    Ok(Done::at(format!("/admin/campaigns/{campaign}/rules"), text))
}

/// What to foresee.
#[derive(Debug, Deserialize)]
struct ForecastQuery {
    #[serde(default)]
    preview: bool,
    #[serde(default)]
    simulate: bool,
    answered_percent: Option<u8>,
    busy_percent: Option<u8>,
    talk_s: Option<u32>,
}

#[derive(Template)]
#[template(path = "campaign_forecast.html")]
struct ForecastPage {
    shell: Shell,
    top: Top,
    preview: Option<LaunchPreview>,
    simulated: Option<Simulated>,
    assumed: Assumed,
    most_a_day: u64,
}

async fn foresee(
    visit: Visit,
    Named(campaign): Named<Uuid>,
    Asked(asked): Asked<ForecastQuery>,
) -> Result<Response, Failure> {
    let (client, shell, top) = top(&visit, campaign, "forecast").await?;
    let (engine, campaign) = (&visit.api.engine, top.campaign.id);
    let usual = Assumed::default();
    let assumed = Assumed {
        answered_percent: asked.answered_percent.unwrap_or(usual.answered_percent),
        busy_percent: asked.busy_percent.unwrap_or(usual.busy_percent),
        talk_s: asked.talk_s.unwrap_or(usual.talk_s),
        ..usual
    };
    let preview = match asked.preview {
        true => Some(forecast::preview(engine, client, campaign, |_| ()).await?),
        false => None,
    };
    let simulated = match asked.simulate {
        true => Some(forecast::simulate(engine, client, campaign, assumed, |_| ()).await?),
        false => None,
    };
    let most_a_day =
        simulated.as_ref().and_then(|simulated| simulated.by_day.values().copied().max()).unwrap_or(1);
    page(&ForecastPage { shell, top, preview, simulated, assumed, most_a_day })
}

#[derive(Template)]
#[template(path = "campaign_schedules.html")]
struct SchedulesPage {
    shell: Shell,
    top: Top,
    schedules: Vec<Recurring>,
}

async fn schedules(visit: Visit, Named(campaign): Named<Uuid>) -> Result<Response, Failure> {
    let (_, shell, top) = top(&visit, campaign, "schedules").await?;
    let schedules = recurring::list(&visit.api.engine, top.campaign.id).await?;
    page(&SchedulesPage { shell, top, schedules })
}

#[derive(Deserialize)]
struct ScheduleForm {
    cron: String,
    zone: String,
    action: v1::names::ActionName,
}

async fn add_schedule(
    visit: Visit,
    Named(campaign): Named<Uuid>,
    Sent(form): Sent<ScheduleForm>,
) -> Result<Done, Failure> {
    visit.caller.is(Role::Operator)?;
    let (client, campaign) = v1::campaigns::visible(&visit.api, &visit.caller, campaign).await?;
    let (cron, zone, action) = (form.cron.trim(), form.zone.trim(), Action::from(form.action));
    recurring::add(&visit.api.engine, client, campaign, cron, zone, action, visit.caller.by()).await?;
    Ok(Done::at(format!("/admin/campaigns/{campaign}/schedules"), "It is scheduled."))
}

async fn remove_schedule(visit: Visit, Named(schedule): Named<Uuid>) -> Result<Done, Failure> {
    visit.caller.is(Role::Operator)?;
    let (client, campaign) = recurring::campaign_of(&visit.api.engine, schedule).await?;
    let not_found = || OperationError::NotFound { kind: "schedule", given: schedule.to_string() };
    visit.caller.sees(client).map_err(|_| not_found())?;
    recurring::remove_from(&visit.api.engine, campaign, schedule, visit.caller.by()).await?;
    Ok(Done::at(format!("/admin/campaigns/{campaign}/schedules"), "It is ordered no more."))
}

/// What campaigns are called, for lists of what belongs to several.
pub(super) type Names = HashMap<CampaignId, String>;

/// The zones of the world, for forms that ask for one.
pub(super) fn zones() -> Vec<&'static str> {
    chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name()).collect()
}
