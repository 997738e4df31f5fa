//! A new campaign, step by step; and leads for one: by a file, by a shared sheet, by hand.

use askama::Template;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::{get, post};
use outdial_jobs::import::Options;
use outdial_jobs::operations::campaigns::{self, CampaignSpec};
use outdial_jobs::operations::imports::{self, Import, ImportState, Note};
use outdial_jobs::operations::keys::Role;
use outdial_jobs::operations::leads::{self, LeadSpec};
use outdial_jobs::operations::playbooks;
use outdial_jobs::operations::sheets::{self, NewLink, Sheet, SheetResult, Times};
use outdial_jobs::operations::{OperationError, Part, setup};
use outdial_jobs::store::accounts::Account;
use outdial_workflows::ids::{AccountId, ClientId};
use outdial_workflows::phone::PhoneNumber;
use outdial_workflows::playbook::Guide;
use outdial_workflows::rules::Rules;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::campaigns::{Top, top, zones};
use super::outcome::{Done, Failure, Sent};
use super::shell::{Shell, Visit};
use super::show::{self, Html};
use super::{live, page};
use crate::http::v1::input::wrong;
use crate::http::v1::{self, Named};
use crate::http::{Api, Problem};

pub(super) fn routes() -> Router<Api> {
    // A file is read as it comes in.
    let send = post(v1::imports::send).layer(DefaultBodyLimit::disable());
    Router::new()
        .route("/admin/clients/{client}/campaigns/new", get(begin).post(create))
        .route("/admin/campaigns/{campaign}/files", get(files))
        .route("/admin/campaigns/{campaign}/files/live", get(follow_files))
        .route("/admin/campaigns/{campaign}/imports", send)
        .route("/admin/campaigns/{campaign}/people", post(add_person))
        .route("/admin/campaigns/{campaign}/sheets", post(link_sheet))
        .route("/admin/imports/{import}", get(show_import))
        .route("/admin/imports/{import}/live", get(follow_import))
        .route("/admin/imports/{import}/undo", post(undo_import))
        .route("/admin/sheets/{sheet}/refresh", post(refresh_sheet))
        .route("/admin/sheets/{sheet}/unlink", post(unlink_sheet))
}

/// What a form about a campaign gives, field by field; some stand there several times.
pub(super) struct Draft(pub(super) Vec<(String, String)>);

impl Draft {
    /// A field's text, without blanks around it; empty where there is none.
    pub(super) fn one(&self, name: &str) -> &str {
        self.given(name).unwrap_or_default()
    }

    fn given(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.trim())
    }

    fn all(&self, name: &str) -> Vec<&str> {
        self.0.iter().filter(|(known, _)| known == name).map(|(_, value)| value.trim()).collect()
    }

    fn number(&self, name: &str) -> Result<Option<u64>, Problem> {
        match self.one(name) {
            "" => Ok(None),
            text => {
                text.parse().map(Some).map_err(|_| wrong(name, format!("`{text}` is not a whole number")))
            }
        }
    }

    /// The rules that the form asks for: what it has no field for stays as it is in `base`.
    pub(super) fn rules(&self, base: &Rules) -> Result<Rules, Problem> {
        let not_rules = |error: serde_json::Error| wrong("rules", error.to_string());
        if let Some(json) = self.given("json") {
            return serde_json::from_str(json).map_err(|error| wrong("json", error.to_string()));
        }
        let Value::Object(mut rules) = serde_json::to_value(base).map_err(not_rules)? else {
            return Err(wrong("rules", "they cannot be read by this version"));
        };
        self.put_agent(&mut rules)?;
        self.put_calendar(&mut rules);
        self.put_retry(&mut rules)?;
        self.put_limits(&mut rules)?;
        let numbers = self.one("caller_ids").split([',', '\n', ' ']).map(str::trim);
        rules.insert("caller_ids".into(), numbers.filter(|number| !number.is_empty()).collect());
        let text = |name| match self.one(name) {
            "" => Value::Null,
            text => text.into(),
        };
        for name in ["zone", "consent", "starts_at", "ends_at"] {
            rules.insert(name.into(), text(name));
        }
        if !self.one("purpose").is_empty() {
            rules.insert("purpose".into(), self.one("purpose").into());
        }
        rules.insert("record".into(), self.given("record").is_some().into());
        for name in ["ring_timeout_s", "call_time_limit_s"] {
            if let Some(seconds) = self.number(name)? {
                rules.insert(name.into(), seconds.into());
            }
        }
        serde_json::from_value(Value::Object(rules)).map_err(not_rules)
    }

    fn put_agent(&self, rules: &mut Map<String, Value>) -> Result<(), Problem> {
        let agent = match self.one("agent") {
            "flow" => json!({ "mode": "flow", "flow_id": self.one("flow_id") }),
            "ivr" => {
                let mut agent = json!({ "mode": "ivr", "flow": self.one("ivr") });
                if !self.one("ivr_playbook").is_empty() {
                    agent["playbook"] = self.one("ivr_playbook").into();
                }
                if let Some(version) = self.number("ivr_version")? {
                    agent["version"] = version.into();
                }
                agent
            }
            "hosted" => {
                let mut agent = json!({ "mode": "hosted", "agent_id": self.one("agent_id") });
                if !self.one("agent_version").is_empty() {
                    agent["version"] = self.one("agent_version").into();
                }
                agent
            }
            "stream" => {
                let mut agent = json!({ "mode": "stream" });
                if !self.one("playbook").is_empty() {
                    agent["playbook"] = self.one("playbook").into();
                    if let Some(version) = self.number("playbook_version")? {
                        agent["version"] = version.into();
                    }
                }
                agent
            }
            // The form has no field for it.
            _ => return Ok(()),
        };
        rules.insert("agent".into(), agent);
        Ok(())
    }

    fn put_calendar(&self, rules: &mut Map<String, Value>) {
        let calendar = match self.one("hours") {
            "none" => json!("none"),
            "weekly" => {
                json!([{ "days": self.all("days"), "from": self.one("from"), "to": self.one("to") }])
            }
            _ => return,
        };
        rules.insert("calendar".into(), calendar);
    }

    fn put_retry(&self, rules: &mut Map<String, Value>) -> Result<(), Problem> {
        let Some(retry) = rules.get_mut("retry").and_then(Value::as_object_mut) else { return Ok(()) };
        if let Some(attempts) = self.number("max_attempts")? {
            retry.insert("max_attempts".into(), attempts.into());
        }
        let Some(delays) = retry.get_mut("rules").and_then(Value::as_object_mut) else { return Ok(()) };
        for outcome in RETRIED {
            let name = format!("retry_{outcome}");
            let delay = match self.one(&name) {
                "" => continue,
                text if text.starts_with('{') => {
                    serde_json::from_str(text).map_err(|error| wrong(&name, error.to_string()))?
                }
                text if let Some((first, cap)) = text.split_once(GROWS) => {
                    let mut grown = match delays.get(outcome) {
                        Some(Value::Object(known)) => known.clone(),
                        _ => Map::new(),
                    };
                    grown.insert("first".into(), first.trim().into());
                    grown.insert("cap".into(), cap.trim().into());
                    Value::Object(grown)
                }
                text => Value::from(text),
            };
            delays.insert(outcome.into(), delay);
        }
        Ok(())
    }

    /// Of the limits only those for which there are fields: others stay.
    fn put_limits(&self, rules: &mut Map<String, Value>) -> Result<(), Problem> {
        if self.given("concurrent").is_none() && self.given("per_second").is_none() {
            return Ok(());
        }
        let mut limits: Vec<Value> =
            rules.get("limits").and_then(Value::as_array).cloned().unwrap_or_default();
        limits.retain(|limit| !is_concurrent(limit) && !is_per_second(limit));
        if let Some(max) = self.number("concurrent")? {
            limits.push(json!({ "limit": "concurrent", "max": max }));
        }
        if let Some(max) = self.number("per_second")? {
            limits.push(json!({ "limit": "rate", "max": max, "per_ms": 1_000 }));
        }
        rules.insert("limits".into(), limits.into());
        Ok(())
    }
}

fn is_concurrent(limit: &Value) -> bool {
    limit["limit"] == "concurrent"
}

fn is_per_second(limit: &Value) -> bool {
    limit["limit"] == "rate" && limit["per_ms"] == 1_000
}

/// The most playbooks that a form offers.
const PLAYBOOKS: i64 = 200;
/// Between the first delay and the longest, of those that grow: `1m to 1h`.
const GROWS: &str = " to ";
/// After what a call may be tried again, as the form has it.
const RETRIED: [&str; 5] = ["no_answer", "busy", "voicemail", "failed", "not_interested"];
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// Rules as the form shows them.
pub(super) struct RulesForm {
    pub(super) agent: String,
    pub(super) playbook: String,
    pub(super) playbook_version: String,
    /// Those that can be chosen.
    pub(super) playbooks: Vec<String>,
    pub(super) ivr: String,
    pub(super) ivr_version: String,
    pub(super) ivr_playbook: String,
    /// The flows that can be chosen.
    pub(super) flows: Vec<String>,
    pub(super) flow_id: String,
    pub(super) agent_id: String,
    pub(super) agent_version: String,
    pub(super) caller_ids: String,
    pub(super) zone: String,
    /// `weekly`, `none`, or `keep` of what the form has no fields for.
    pub(super) hours: &'static str,
    pub(super) days: Vec<(&'static str, bool)>,
    pub(super) from: String,
    pub(super) to: String,
    pub(super) max_attempts: String,
    pub(super) retries: Vec<(&'static str, String)>,
    pub(super) concurrent: String,
    pub(super) per_second: String,
    pub(super) purpose: String,
    pub(super) consent: String,
    pub(super) record: bool,
    pub(super) ring_timeout_s: String,
    pub(super) call_time_limit_s: String,
    pub(super) starts_at: String,
    pub(super) ends_at: String,
    pub(super) zones: Vec<&'static str>,
}

impl RulesForm {
    /// These rules, of a client who has these playbooks.
    pub(super) async fn of(visit: &Visit, client: ClientId, rules: &Rules) -> Result<Self, Failure> {
        let known = playbooks::list(&visit.api.engine, client, None, PLAYBOOKS).await?;
        let mut form = Self::with(rules);
        let (flows, playbooks): (Vec<_>, Vec<_>) =
            known.into_iter().partition(|kept| kept.guide == Guide::Flow);
        form.playbooks = playbooks.into_iter().map(|playbook| playbook.name).collect();
        form.flows = flows.into_iter().map(|flow| flow.name).collect();
        // Whatever the rules name stays to be chosen, however many others there are.
        for named in [&form.playbook, &form.ivr_playbook] {
            if !named.is_empty() && !form.playbooks.contains(named) {
                form.playbooks.push(named.clone());
            }
        }
        if !form.ivr.is_empty() && !form.flows.contains(&form.ivr) {
            form.flows.push(form.ivr.clone());
        }
        Ok(form)
    }

    fn with(rules: &Rules) -> Self {
        let rules = serde_json::to_value(rules).unwrap_or_default();
        let delay = |value: &Value| match (value["first"].as_str(), value["cap"].as_str()) {
            (Some(first), Some(cap)) => Some(format!("{first}{GROWS}{cap}")),
            _ => None,
        };
        let text = |value: &Value| match value {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let limit = |is: fn(&Value) -> bool| {
            let limits = rules["limits"].as_array();
            limits.and_then(|limits| limits.iter().find(|limit| is(limit))).map(|limit| text(&limit["max"]))
        };
        let window = &rules["calendar"][0];
        let hours = match &rules["calendar"] {
            Value::String(_) => "none",
            Value::Array(windows) if windows.len() == 1 => "weekly",
            _ => "keep",
        };
        let on =
            |day: &str| window["days"].as_array().is_some_and(|days| days.iter().any(|known| known == day));
        let numbers =
            rules["caller_ids"].as_array().map(|numbers| numbers.iter().map(text).collect::<Vec<_>>());
        let of_mode = |mode: &str, field: &str| match rules["agent"]["mode"] == mode {
            true => text(&rules["agent"][field]),
            false => String::new(),
        };
        Self {
            agent: text(&rules["agent"]["mode"]),
            playbook: of_mode("stream", "playbook"),
            ivr: of_mode("ivr", "flow"),
            ivr_version: of_mode("ivr", "version"),
            ivr_playbook: of_mode("ivr", "playbook"),
            flows: vec![],
            playbook_version: of_mode("stream", "version"),
            playbooks: vec![],
            flow_id: text(&rules["agent"]["flow_id"]),
            agent_id: text(&rules["agent"]["agent_id"]),
            agent_version: of_mode("hosted", "version"),
            caller_ids: numbers.unwrap_or_default().join(", "),
            zone: text(&rules["zone"]),
            hours,
            days: DAYS.map(|day| (day, on(day))).to_vec(),
            from: text(&window["from"]),
            to: text(&window["to"]),
            max_attempts: text(&rules["retry"]["max_attempts"]),
            retries: RETRIED
                .map(|outcome| {
                    let told = &rules["retry"]["rules"][outcome];
                    (outcome, delay(told).unwrap_or_else(|| text(told)))
                })
                .to_vec(),
            concurrent: limit(is_concurrent).unwrap_or_default(),
            per_second: limit(is_per_second).unwrap_or_default(),
            purpose: text(&rules["purpose"]),
            consent: text(&rules["consent"]),
            record: rules["record"] == true,
            ring_timeout_s: text(&rules["ring_timeout_s"]),
            call_time_limit_s: text(&rules["call_time_limit_s"]),
            starts_at: text(&rules["starts_at"]),
            ends_at: text(&rules["ends_at"]),
            zones: zones(),
        }
    }
}

#[derive(Template)]
#[template(path = "campaign_new.html")]
struct NewPage {
    shell: Shell,
    accounts: Vec<Account>,
    form: RulesForm,
}

async fn begin(visit: Visit, Named(client): Named<Uuid>) -> Result<Response, Failure> {
    visit.caller.is(Role::Operator)?;
    let client = visit.client(client).await?;
    let shell = visit.shell(client, "campaigns", "New campaign").await?;
    let accounts = setup::accounts(&visit.api.engine, Some(client), Part::newest(200)).await?;
    let form = RulesForm::of(&visit, client, &Rules::default()).await?;
    page(&NewPage { shell, accounts, form })
}

async fn create(
    visit: Visit,
    Named(client): Named<Uuid>,
    Sent(pairs): Sent<Vec<(String, String)>>,
) -> Result<Done, Failure> {
    visit.caller.is(Role::Operator)?;
    let client = visit.client(client).await?;
    let draft = Draft(pairs);
    let account = draft.one("account").parse().map_err(|_| wrong("account", "choose an account"))?;
    if draft.one("name").is_empty() {
        return Err(wrong("name", "give it a name").into());
    }
    let rules = draft.rules(&Rules::default())?;
    let (name, actor) = (draft.one("name"), visit.caller.by().actor);
    let spec = CampaignSpec { name, account: AccountId(account), rules: &rules, actor };
    let made = campaigns::create(&visit.api.engine, client, spec).await?;
    let text = "The draft is saved. Now its leads: nobody is called before you start it.";
    Ok(Done::at(format!("/admin/campaigns/{made}/files"), text))
}

#[derive(Template)]
#[template(path = "campaign_files.html")]
struct FilesPage {
    shell: Shell,
    top: Top,
    now: Html,
}

#[derive(Template)]
#[template(path = "campaign_files_now.html")]
struct FilesNow<'a> {
    shell: &'a Shell,
    imports: Vec<Import>,
    sheets: Vec<Sheet>,
}

/// Where an import stands, in its word.
fn state_of(import: &Import) -> &'static str {
    match import.state {
        ImportState::Receiving => "receiving",
        ImportState::Running => "running",
        ImportState::Done => "done",
        ImportState::Failed => "failed",
        ImportState::Undone => "undone",
    }
}

impl FilesNow<'_> {
    fn state(&self, import: &Import) -> Html {
        show::badge(state_of(import))
    }

    fn result(&self, sheet: &Sheet) -> Html {
        match sheet.last_result {
            _ if sheet.refresh.is_some() => show::badge("running"),
            None => show::badge("waiting"),
            Some(SheetResult::TakenIn) => show::badge("taken_in"),
            Some(SheetResult::Unchanged) => show::badge("unchanged"),
            Some(SheetResult::Failed) => show::badge("failed"),
        }
    }
}

async fn files_now(visit: &Visit, shell: &Shell, top: &Top) -> Result<String, Failure> {
    let (engine, campaign) = (&visit.api.engine, top.campaign.id);
    let client = campaigns::client_of(engine, campaign).await?;
    let imports = imports::list(engine, client, campaign, None, 20).await?;
    let sheets = sheets::list(engine, client, campaign, None, 20).await?;
    let part = FilesNow { shell, imports, sheets };
    Ok(part.render().map_err(|error| Problem::ours(&error))?)
}

async fn files(visit: Visit, Named(campaign): Named<Uuid>) -> Result<Response, Failure> {
    let (_, shell, top) = top(&visit, campaign, "files").await?;
    let now = Html(files_now(&visit, &shell, &top).await?);
    page(&FilesPage { shell, top, now })
}

async fn follow_files(
    visit: Visit,
    Named(campaign): Named<Uuid>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    top(&visit, campaign, "files").await?;
    Ok(live::stream(visit, headers, move |visit| {
        Box::pin(async move {
            let (_, shell, top) = top(visit, campaign, "files").await?;
            Ok(vec![("now", files_now(visit, &shell, &top).await?)])
        })
    }))
}

#[derive(Deserialize)]
struct PersonForm {
    phone: String,
    name: String,
    zone: String,
    region: String,
    external_id: String,
}

fn text(given: &str) -> Option<String> {
    Some(given.trim().to_owned()).filter(|given| !given.is_empty())
}

async fn add_person(
    visit: Visit,
    Named(campaign): Named<Uuid>,
    Sent(form): Sent<PersonForm>,
) -> Result<Done, Failure> {
    visit.caller.is(Role::Operator)?;
    let (client, campaign) = v1::campaigns::visible(&visit.api, &visit.caller, campaign).await?;
    let region = text(&form.region);
    let phone = PhoneNumber::parse(form.phone.trim(), region.as_deref())
        .map_err(|error| wrong("phone", error.to_string()))?;
    let mut spec = LeadSpec::new(phone);
    (spec.name, spec.zone, spec.external_id) = (text(&form.name), text(&form.zone), text(&form.external_id));
    let accepted = leads::accept(&visit.api.engine, client, campaign, &[spec]).await?;
    Ok(match accepted.leads.first() {
        Some(lead) => Done::at(format!("/admin/leads/{lead}"), "The lead is there."),
        None => Done::at(
            format!("/admin/campaigns/{campaign}/files"),
            "The campaign has this lead already; nothing was added.",
        ),
    })
}

#[derive(Deserialize)]
struct SheetForm {
    link: String,
    region: String,
    cron: String,
    zone: String,
}

async fn link_sheet(
    visit: Visit,
    Named(campaign): Named<Uuid>,
    Sent(form): Sent<SheetForm>,
) -> Result<Done, Failure> {
    visit.caller.is(Role::Operator)?;
    let (client, campaign) = v1::campaigns::visible(&visit.api, &visit.caller, campaign).await?;
    let (cron, zone) = (text(&form.cron), text(&form.zone));
    let zone = zone.filter(|_| cron.is_some());
    let times = Times::given(cron.as_deref(), zone.as_deref())?;
    let options = Options { default_region: text(&form.region), ..Options::default() };
    let by = visit.caller.by();
    let new = NewLink { client, campaign, link: form.link.trim(), options: &options, times, by };
    sheets::link(&visit.api.engine, new).await?;
    Ok(Done::at(format!("/admin/campaigns/{campaign}/files"), "The sheet is linked and being read."))
}

async fn sheet(visit: &Visit, sheet: Uuid) -> Result<Sheet, Failure> {
    let found = sheets::find(&visit.api.engine, &sheet.to_string()).await?;
    let not_found = || OperationError::NotFound { kind: "sheet", given: sheet.to_string() };
    visit.caller.sees(found.client).map_err(|_| not_found())?;
    Ok(found)
}

async fn refresh_sheet(visit: Visit, Named(id): Named<Uuid>) -> Result<Done, Failure> {
    visit.caller.is(Role::Operator)?;
    let found = sheet(&visit, id).await?;
    sheets::refresh_now(&visit.api.engine, &id.to_string(), visit.caller.by()).await?;
    Ok(Done::at(format!("/admin/campaigns/{}/files", found.campaign), "The sheet is being read."))
}

async fn unlink_sheet(visit: Visit, Named(id): Named<Uuid>) -> Result<Done, Failure> {
    visit.caller.is(Role::Operator)?;
    let found = sheet(&visit, id).await?;
    sheets::unlink(&visit.api.engine, &id.to_string(), visit.caller.by()).await?;
    let text = "The sheet is linked no more; leads that came from it stay.";
    Ok(Done::at(format!("/admin/campaigns/{}/files", found.campaign), text))
}

#[derive(Template)]
#[template(path = "import.html")]
struct ImportPage {
    shell: Shell,
    import: Uuid,
    now: Html,
}

#[derive(Template)]
#[template(path = "import_now.html")]
struct ImportNow<'a> {
    shell: &'a Shell,
    import: Import,
    state: &'static str,
    campaign: String,
    notes: Vec<Note>,
}

async fn import_now(visit: &Visit, shell: &Shell, import: Import) -> Result<String, Failure> {
    /// The rows that are shown of those that are no leads.
    const SHOWN: i64 = 200;
    let engine = &visit.api.engine;
    let notes = imports::notes(engine, &import, None, 0, SHOWN).await?;
    let campaign = campaigns::one(engine, import.client, import.campaign).await?.name;
    let part = ImportNow { shell, state: state_of(&import), import, campaign, notes };
    Ok(part.render().map_err(|error| Problem::ours(&error))?)
}

async fn show_import(visit: Visit, Named(id): Named<Uuid>) -> Result<Response, Failure> {
    let import = v1::imports::visible(&visit.api, &visit.caller, id).await?;
    let shell = visit.shell(import.client, "campaigns", import.name.clone()).await?;
    let now = Html(import_now(&visit, &shell, import).await?);
    page(&ImportPage { shell, import: id, now })
}

async fn follow_import(
    visit: Visit,
    Named(id): Named<Uuid>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    v1::imports::visible(&visit.api, &visit.caller, id).await?;
    Ok(live::stream(visit, headers, move |visit| {
        Box::pin(async move {
            let import = v1::imports::visible(&visit.api, &visit.caller, id).await?;
            let shell = visit.shell(import.client, "campaigns", import.name.clone()).await?;
            Ok(vec![("now", import_now(visit, &shell, import).await?)])
        })
    }))
}

async fn undo_import(visit: Visit, Named(id): Named<Uuid>) -> Result<Done, Failure> {
    visit.caller.is(Role::Operator)?;
    v1::imports::visible(&visit.api, &visit.caller, id).await?;
    let operation = imports::undo(&visit.api.engine, &id.to_string(), visit.caller.by()).await?;
    let text = "Its leads that were never called are taken out, in the background.";
    Ok(Done::at(format!("/admin/operations/{}", operation.id), text))
}
