//! Leads: found, listed, and each with its story.

use std::collections::BTreeMap;

use askama::Template;
use axum::Router;
use axum::extract::RawQuery;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use chrono::{DateTime, NaiveDateTime, TimeZone, Utc};
use chrono_tz::Tz;
use outdial_jobs::operations::attempts::{self, Fits, Made, Whose};
use outdial_jobs::operations::editing::{self, Edit};
use outdial_jobs::operations::erasing;
use outdial_jobs::operations::filters::FilteredPage;
use outdial_jobs::operations::keys::Role;
use outdial_jobs::operations::leads::{self, Listed};
use outdial_jobs::operations::overview::Campaign;
use outdial_jobs::operations::suppressions::{self, Whose as ListOf};
use outdial_jobs::operations::{By, Direction, Part, campaigns, hanging_up, judging, lead_lists, overview};
use outdial_workflows::Moment;
use outdial_workflows::explain::Explanation;
use outdial_workflows::gate::CampaignState;
use outdial_workflows::history::PersonPart;
use outdial_workflows::input::{Answer, Command};
use outdial_workflows::outcome::Outcome;
use outdial_workflows::phone::PhoneNumber;
use outdial_workflows::places::zones_of;
use outdial_workflows::why::Why;
use outdial_workflows::workflow::{Priority, State};
use serde::Deserialize;
use serde_json::Value;
use url::form_urlencoded::{Serializer, parse};
use uuid::Uuid;

use super::campaigns::{Names, Top, top};
use super::clients::Reason;
use super::filters::Menu;
use super::outcome::{Done, Failure, Sent};
use super::shell::{Shell, Visit};
use super::show::{self, Html};
use super::{live, page};
use crate::http::v1::input::wrong;
use crate::http::v1::leads::list::LeadsQuery;
use crate::http::v1::{self, Named};
use crate::http::{Api, Problem};

pub(super) fn routes() -> Router<Api> {
    Router::new()
        .route("/admin/clients/{client}/leads", get(find))
        .route("/admin/campaigns/{campaign}/leads", get(list))
        .route("/admin/leads/{lead}", get(show_one))
        .route("/admin/leads/{lead}/live", get(follow))
        .route("/admin/leads/{lead}/orders", post(order))
        .route("/admin/leads/{lead}/suppress", post(suppress))
        .route("/admin/leads/{lead}/person", post(edit))
        .route("/admin/leads/{lead}/erase", post(erase))
}

/// What an address asks for, without what was left empty.
struct Asked(BTreeMap<String, String>);

impl Asked {
    fn read(query: Option<&str>) -> Self {
        let pairs = parse(query.unwrap_or_default().as_bytes());
        Self(pairs.into_owned().filter(|(_, value)| !value.trim().is_empty()).collect())
    }

    /// The same as `/v1` is asked, which names an attribute in the parameter's name.
    fn as_the_api_is_asked(&self) -> Result<String, Problem> {
        let mut asked = Serializer::new(String::new());
        for (name, value) in &self.0 {
            match name.as_str() {
                "attribute" => {
                    let wrong = || wrong("attribute", "give a name and a value, as city=Pune");
                    let (attribute, value) = value.split_once('=').ok_or_else(wrong)?;
                    asked.append_pair(&format!("attribute.{}", attribute.trim()), value.trim());
                }
                name => {
                    asked.append_pair(name, value.trim());
                }
            }
        }
        Ok(asked.finish())
    }

    fn one(&self, name: &str) -> &str {
        self.0.get(name).map(String::as_str).unwrap_or_default().trim()
    }
}

/// Why a lead stands where it does, in a sentence.
pub(super) fn why(lead: &Listed) -> String {
    let why = serde_json::from_value::<Why>(lead.why.clone()).map(|why| why.to_string());
    why.unwrap_or_else(|_| "its reason cannot be read by this version".into())
}

#[derive(Template)]
#[template(path = "leads.html")]
struct FindPage {
    shell: Shell,
    q: String,
    found: Vec<Listed>,
    names: Names,
    campaigns: Vec<Campaign>,
}

impl FindPage {
    fn campaign(&self, lead: &Listed) -> &str {
        self.names.get(&lead.campaign).map_or("–", String::as_str)
    }
}

/// Finds somebody by number or id, over all campaigns; lists are of one campaign.
async fn find(
    visit: Visit,
    Named(client): Named<Uuid>,
    RawQuery(query): RawQuery,
) -> Result<Response, Failure> {
    let client = visit.client(client).await?;
    let engine = &visit.api.engine;
    let asked = Asked::read(query.as_deref());
    if let Ok(campaign) = asked.one("campaign").parse::<Uuid>() {
        let pairs = asked.0.iter().filter(|(name, _)| *name != "campaign");
        let rest = Serializer::new(String::new()).extend_pairs(pairs).finish();
        return Ok(Redirect::to(&format!("/admin/campaigns/{campaign}/leads?{rest}")).into_response());
    }
    let q = asked.one("q").replace('\0', "");
    let found = match q.is_empty() {
        true => vec![],
        false => leads::named(engine, Some(client), &q).await?,
    };
    if let [only] = found.as_slice() {
        return Ok(Redirect::to(&format!("/admin/leads/{}", only.lead)).into_response());
    }
    let shell = visit.shell(client, "leads", "Leads").await?;
    let names = overview::names(engine, client, found.iter().map(|lead| lead.campaign)).await?;
    let campaigns = campaigns::list(engine, client, None, Part::newest(200)).await?;
    page(&FindPage { shell, q, found, names, campaigns })
}

#[derive(Template)]
#[template(path = "campaign_leads.html")]
struct LeadsPage {
    shell: Shell,
    top: Top,
    leads: Vec<Listed>,
    asked: Asked,
    next: Option<String>,
    filters: Menu,
    /// What the same filter is called where leads are ordered about.
    bulk: String,
}

impl LeadsPage {
    fn why(&self, lead: &Listed) -> String {
        why(lead)
    }

    fn states(&self) -> [&'static str; 6] {
        State::ALL.map(State::name)
    }

    fn outcomes(&self) -> [&'static str; 13] {
        Outcome::ALL.map(Outcome::name)
    }

    fn sorts(&self) -> [(&'static str, &'static str); 6] {
        [
            ("created_at", "accepted first"),
            ("-created_at", "accepted last"),
            ("due_at", "due first"),
            ("-due_at", "due last"),
            ("name", "name, A to Z"),
            ("-name", "name, Z to A"),
        ]
    }

    fn due(&self, lead: &Listed) -> Option<Moment> {
        lead.wake_at.filter(|_| lead.state == State::Waiting)
    }

    fn filtered(&self) -> bool {
        ["state", "outcome", "phone", "name", "attribute"].iter().any(|name| !self.asked.one(name).is_empty())
    }
}

async fn list(
    visit: Visit,
    Named(campaign): Named<Uuid>,
    RawQuery(query): RawQuery,
) -> Result<Response, Failure> {
    let (client, shell, top) = top(&visit, campaign, "leads").await?;
    let asked = Asked::read(query.as_deref());
    let (query, attributes) = LeadsQuery::read(Some(&asked.as_the_api_is_asked()?))?;
    let (fits, wanted) = (query.fits(attributes)?, query.wanted()?);
    let place = (client, top.campaign.id);
    let (leads, next) = lead_lists::page(&visit.api.engine, place, &fits, wanted).await?;
    let pairs = |but: &str| {
        let mut pairs = Serializer::new(String::new());
        pairs.extend_pairs(asked.0.iter().filter(|(name, _)| *name != but));
        pairs
    };
    let next = next.map(|next| pairs("cursor").append_pair("cursor", &next.to_string()).finish());
    let query = pairs("cursor").finish();
    let filters = Menu::of(&visit, FilteredPage::Leads, &query).await?;
    let mut bulk = Serializer::new(String::new());
    bulk.append_pair("campaign", &top.campaign.id.to_string());
    for name in ["state", "outcome"] {
        if !asked.one(name).is_empty() {
            bulk.append_pair(name, asked.one(name));
        }
    }
    let bulk = bulk.finish();
    page(&LeadsPage { shell, top, leads, asked, next, filters, bulk })
}

#[derive(Template)]
#[template(path = "lead.html")]
struct LeadPage {
    shell: Shell,
    lead: Listed,
    name: String,
    zone: Option<Tz>,
    now: Html,
}

/// What moves: where it stands, what comes next, its story.
#[derive(Template)]
#[template(path = "lead_now.html")]
struct LeadNow<'a> {
    shell: &'a Shell,
    lead: &'a Listed,
    campaign: Campaign,
    explanation: Explanation,
    attempts: Vec<Made>,
    /// Whether there is a way to end the call that is under way.
    can_end: bool,
    zone: Option<Tz>,
    attributes: Vec<(String, String)>,
    suppressed: Option<suppressions::Listed>,
}

impl LeadNow<'_> {
    fn state(&self) -> &'static str {
        self.lead.state.name()
    }

    fn is_over(&self) -> bool {
        self.lead.state == State::Finished
    }

    fn may_wait(&self) -> bool {
        self.lead.state == State::Waiting && self.campaign.state != CampaignState::Ended
    }

    fn under_way(&self) -> bool {
        matches!(self.lead.state, State::Dialling | State::Calling)
    }

    /// The clock where the lead is, which is told beside the viewer's.
    fn theirs(&self) -> String {
        let zone = self.zone.map(|zone| self.shell.now.with_timezone(&zone).format("%a %H:%M").to_string());
        zone.unwrap_or_default()
    }

    fn zone_name(&self) -> &'static str {
        self.zone.map_or("", Tz::name)
    }

    /// Its attributes as a form shows them.
    fn lines(&self) -> String {
        as_lines(&self.lead.attributes)
    }

    fn priorities(&self) -> [&'static str; 4] {
        Priority::ALL.map(Priority::name)
    }
}

/// By whose clock a lead lives: as was given, or as its number tells.
fn zone(lead: &Listed) -> Option<Tz> {
    let given = lead.zone.as_deref().and_then(|zone| zone.parse().ok());
    let told = || {
        let phone: PhoneNumber = lead.phone.as_deref()?.parse().ok()?;
        zones_of(&phone).first().copied()
    };
    given.or_else(told)
}

fn named(lead: &Listed) -> String {
    lead.name.clone().or_else(|| lead.phone.clone()).unwrap_or_else(|| "A person who was erased".into())
}

async fn lead_now(visit: &Visit, shell: &Shell, lead: &Listed) -> Result<String, Failure> {
    /// The most attempts that are shown: the latest.
    const ATTEMPTS: usize = 100;
    let engine = &visit.api.engine;
    let explanation = judging::explain_lead(engine, lead.client, lead.lead).await?;
    let whose = Whose::Lead(lead.client, lead.lead);
    let (attempts, _) =
        attempts::page(engine, whose, Fits::default(), Direction::NewestFirst, None, ATTEMPTS).await?;
    let campaign = campaigns::one(engine, lead.client, lead.campaign).await?;
    let attributes = match &lead.attributes {
        Value::Object(fields) => {
            fields.iter().map(|(name, value)| (name.clone(), show::short(value))).collect()
        }
        _ => vec![],
    };
    let suppressed = match lead.phone.as_deref().and_then(|phone| phone.parse().ok()) {
        Some(phone) => suppressed(visit, lead, &phone).await?,
        None => None,
    };
    let zone = zone(lead);
    let live = attempts.iter().find(|made| made.ended_at.is_none() && made.submitted_at.is_some());
    let can_end = match live {
        Some(made) => hanging_up::can_be_ended(engine, made.key.0, made.account).await?,
        None => false,
    };
    let part =
        LeadNow { shell, lead, campaign, explanation, attempts, can_end, zone, attributes, suppressed };
    Ok(part.render().map_err(|error| Problem::ours(&error))?)
}

async fn suppressed(
    visit: &Visit,
    lead: &Listed,
    phone: &PhoneNumber,
) -> Result<Option<suppressions::Listed>, Failure> {
    for campaign in [None, Some(lead.campaign)] {
        let whose = ListOf { client: lead.client, campaign };
        let found = suppressions::list(&visit.api.engine, whose, Some(phone), Part::newest(1)).await?;
        if let Some(found) = found.into_iter().next() {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

async fn show_one(visit: Visit, Named(lead): Named<Uuid>) -> Result<Response, Failure> {
    let lead = v1::leads::visible(&visit.api, &visit.caller, lead).await?;
    let (name, zone) = (named(&lead), zone(&lead));
    let shell = visit.shell(lead.client, "leads", name.clone()).await?;
    let now = Html(lead_now(&visit, &shell, &lead).await?);
    page(&LeadPage { shell, lead, name, zone, now })
}

async fn follow(visit: Visit, Named(id): Named<Uuid>, headers: HeaderMap) -> Result<Response, Failure> {
    v1::leads::visible(&visit.api, &visit.caller, id).await?;
    Ok(live::stream(visit, headers, move |visit| {
        Box::pin(async move {
            let lead = v1::leads::visible(&visit.api, &visit.caller, id).await?;
            let mut shell = visit.shell(lead.client, "leads", named(&lead)).await?;
            shell.path = format!("/admin/leads/{id}");
            Ok(vec![("now", lead_now(visit, &shell, &lead).await?)])
        })
    }))
}

/// An order for a lead.
#[derive(Deserialize)]
struct OrderForm {
    order: String,
    /// Of a reschedule: by the clock of `zone`.
    #[serde(default)]
    at: String,
    #[serde(default)]
    zone: String,
    #[serde(default)]
    priority: String,
    #[serde(flatten)]
    reason: Reason,
}

/// A time as a form of a browser gives it, by the clock of a zone; or with its own offset.
pub(super) fn time_of(place: &str, at: &str, zone: &str) -> Result<Moment, Problem> {
    if let Ok(at) = DateTime::parse_from_rfc3339(at) {
        return Ok(at.to_utc());
    }
    let read = ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"];
    let local = read.iter().find_map(|form| NaiveDateTime::parse_from_str(at, form).ok());
    let local =
        local.ok_or_else(|| wrong(place, format!("`{at}` is no time; give it as 2026-12-01T10:00")))?;
    let zone: Tz = match zone {
        "" => Tz::UTC,
        zone => zone.parse().map_err(|_| wrong("zone", format!("`{zone}` is no time zone")))?,
    };
    let at = zone.from_local_datetime(&local).earliest();
    let skipped = || wrong(place, format!("the clocks of {zone} skip {local}; give a time before or after"));
    Ok(at.ok_or_else(skipped)?.with_timezone(&Utc))
}

impl OrderForm {
    /// What is ordered, and how it is told.
    fn command(&self) -> Result<(Command, &'static str), Problem> {
        Ok(match self.order.as_str() {
            "pause" => (Command::Pause, "It is held until it is resumed."),
            "resume" => (Command::Resume, "It goes on."),
            "cancel" => (Command::Cancel, "It is finished, without another call."),
            "retry" => (Command::Retry, "It is called again, as soon as it may be."),
            "hang_up" => (Command::HangUp, "Its call is being ended."),
            "reschedule" => {
                let at = time_of("at", self.at.trim(), self.zone.trim())?;
                (Command::Reschedule { at }, "It is called from then on.")
            }
            "prioritise" => {
                let priority = self.priority.parse::<Priority>();
                let priority = priority.map_err(|_| wrong("priority", "say how soon"))?;
                (Command::Prioritise { priority }, "Its priority is changed.")
            }
            other => return Err(wrong("order", format!("`{other}` is no order"))),
        })
    }
}

async fn order(visit: Visit, Named(lead): Named<Uuid>, Sent(form): Sent<OrderForm>) -> Result<Done, Failure> {
    visit.caller.is(Role::Operator)?;
    let found = v1::leads::visible(&visit.api, &visit.caller, lead).await?;
    let (command, told) = form.command()?;
    let before = found.priority.name();
    let By { actor, reason } = visit.caller.by_for(form.reason.given());
    let answer = leads::order(&visit.api.engine, found.client, found.lead, command, actor, reason).await?;
    let deferred = answer == Answer::Deferred;
    let told = match deferred {
        true => format!("{told} An attempt is under way: it takes effect once that has resolved."),
        false => told.to_owned(),
    };
    let here = format!("/admin/leads/{lead}");
    let done = Done::back(form.reason.back.as_deref(), &here, told);
    let orders = format!("{here}/orders");
    Ok(match command_undone(&form.order, before) {
        Some(fields) if !deferred => {
            let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, *value)).collect();
            done.undone_by(orders, &fields)
        }
        Some(_) | None => done,
    })
}

/// The order that takes one back, where there is one.
fn command_undone<'a>(order: &str, priority: &'a str) -> Option<Vec<(&'static str, &'a str)>> {
    match order {
        "pause" => Some(vec![("order", "resume")]),
        "resume" => Some(vec![("order", "pause")]),
        "prioritise" => Some(vec![("order", "prioritise"), ("priority", priority)]),
        _ => None,
    }
}

async fn suppress(visit: Visit, Named(lead): Named<Uuid>, Sent(form): Sent<Reason>) -> Result<Done, Failure> {
    visit.caller.is(Role::Operator)?;
    let found = v1::leads::visible(&visit.api, &visit.caller, lead).await?;
    let phone = found.phone.as_deref().and_then(|phone| phone.parse::<PhoneNumber>().ok());
    let phone = phone.ok_or_else(|| wrong("phone", "the person was erased: there is no number any more"))?;
    let whose = ListOf { client: found.client, campaign: None };
    let by = visit.caller.by_for(form.given());
    suppressions::add(&visit.api.engine, whose, std::slice::from_ref(&phone), "dashboard", None, by).await?;
    let listed = suppressions::list(&visit.api.engine, whose, Some(&phone), Part::newest(1)).await?;
    let done = Done::back(
        form.back.as_deref(),
        &format!("/admin/leads/{lead}"),
        "The number is suppressed: nobody calls it, in any campaign.",
    );
    Ok(match listed.first() {
        Some(listed) => {
            done.undone_by(format!("/admin/clients/{}/suppressions/{}/lift", found.client, listed.id), &[])
        }
        None => done,
    })
}

/// Who the person is, as a form shows them and gives them back.
#[derive(Deserialize)]
struct PersonForm {
    #[serde(default)]
    phone: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    zone: String,
    #[serde(default)]
    region: String,
    /// A line for each, as `city=Pune`.
    #[serde(default)]
    attributes: String,
    /// As they were shown: what was taken out of the lines is taken away.
    #[serde(default)]
    known: String,
    #[serde(flatten)]
    reason: Reason,
}

/// What is given, or nothing.
fn given(text: &str) -> Option<String> {
    Some(text.trim()).filter(|text| !text.is_empty()).map(ToOwned::to_owned)
}

impl PersonForm {
    fn edit(&self) -> Result<Edit, Problem> {
        let phone = PhoneNumber::parse(self.phone.trim(), None);
        let phone = phone.map_err(|error| wrong("phone", error.to_string()))?;
        let mut attributes: serde_json::Map<String, Value> =
            lines(&self.known)?.into_keys().map(|name| (name, Value::Null)).collect();
        attributes.extend(lines(&self.attributes)?);
        Ok(Edit {
            phone: Some(phone),
            name: Some(given(&self.name)),
            zone: Some(given(&self.zone)),
            region: Some(given(&self.region)),
            attributes,
        })
    }
}

/// Attributes, a line each. What reads as a number, `true`, `false` or JSON is that; everything else is text.
fn lines(text: &str) -> Result<BTreeMap<String, Value>, Problem> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let each = lines.map(|line| {
        let split = line.split_once('=').map(|(name, value)| (name.trim(), value.trim()));
        let (name, value) = split.filter(|(name, _)| !name.is_empty()).ok_or_else(|| {
            wrong("attributes", format!("`{line}`: give a name and a value a line, as city=Pune"))
        })?;
        let value = serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned()));
        // Nothing is no value, but taken away.
        let value = if value.is_null() { Value::String("null".into()) } else { value };
        Ok((name.to_owned(), value))
    });
    each.collect()
}

/// The same the other way round. Text that would be read as something else stands in quotes; what no line can say is left
/// out, and stays as it is.
fn as_lines(attributes: &Value) -> String {
    let Value::Object(attributes) = attributes else { return String::new() };
    let line = |(name, value): (&String, &Value)| match value {
        Value::String(text)
            if serde_json::from_str::<Value>(text).is_err()
                && text.trim() == text
                && !text.is_empty()
                && !text.contains(['\n', '\r']) =>
        {
            format!("{name}={text}")
        }
        value => format!("{name}={value}"),
    };
    let can_be_said = |(name, value): &(&String, &Value)| {
        !value.is_null() && !name.is_empty() && name.trim() == *name && !name.contains(['=', '\n', '\r'])
    };
    attributes.iter().filter(can_be_said).map(line).collect::<Vec<_>>().join("\n")
}

async fn edit(visit: Visit, Named(lead): Named<Uuid>, Sent(form): Sent<PersonForm>) -> Result<Done, Failure> {
    visit.caller.is(Role::Operator)?;
    let found = v1::leads::visible(&visit.api, &visit.caller, lead).await?;
    let by = visit.caller.by_for(form.reason.given());
    let edited = editing::edit(&visit.api.engine, found.client, found.lead, &form.edit()?, by).await?;
    let here = format!("/admin/leads/{lead}");
    let mut told = match edited.changed.as_slice() {
        [] => "All of it was so already.".to_owned(),
        changed => format!("Edited: {}.", PersonPart::list(changed)),
    };
    if edited.changed.contains(&PersonPart::Number) {
        if edited.suppressed {
            told += " The new number is suppressed: nobody calls it.";
        }
        if edited.consents == 0 {
            told += " No consent is on record of the new number.";
        }
    }
    Ok(Done::at(here, told))
}

#[derive(Deserialize)]
struct EraseForm {
    /// Typed anew, so that nobody is erased by a slip.
    #[serde(default)]
    number: String,
    #[serde(default)]
    lists_too: Option<String>,
    #[serde(flatten)]
    reason: Reason,
}

async fn erase(visit: Visit, Named(lead): Named<Uuid>, Sent(form): Sent<EraseForm>) -> Result<Done, Failure> {
    visit.caller.is(Role::Admin)?;
    let found = v1::leads::visible(&visit.api, &visit.caller, lead).await?;
    let phone = found.phone.as_deref().and_then(|phone| phone.parse::<PhoneNumber>().ok());
    let phone = phone.ok_or_else(|| wrong("number", "the person was erased already"))?;
    let typed = PhoneNumber::parse(form.number.trim(), None).ok();
    if typed.as_ref() != Some(&phone) {
        return Err(wrong("number", "type the person's number, with its country code, to erase them").into());
    }
    let by = visit.caller.by_for(form.reason.given());
    let certificate =
        erasing::erase(&visit.api.engine, found.client, &phone, form.lists_too.is_some(), by).await?;
    let told = format!("The person is erased. Certificate: {}.", certificate.id);
    Ok(Done::at(format!("/admin/leads/{lead}"), told))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_come_back_from_a_form_as_they_were() {
        let all = serde_json::json!({
            "city": "Pune", "rooms": 3, "flat": "3", "new": true, "empty": "", "lines": "a\nb", "list": [1, "x"],
            "yes": "true", "nothing": "null", "equal": "a=b", "spaced": " a ",
        });
        let read = lines(&as_lines(&all)).map(|read| Value::Object(read.into_iter().collect()));
        assert_eq!(read.ok(), Some(all));
        assert_eq!(as_lines(&serde_json::json!({ "a=b": 1, "null": null, " x": 1 })), "");
        assert!(lines("Pune").is_err() && lines("=Pune").is_err());
    }

    #[test]
    fn a_time_of_a_form_is_told_by_the_clock_that_the_form_names() {
        let at = |at, zone| time_of("at", at, zone).map(|at| at.to_rfc3339()).map_err(|_| ());
        assert_eq!(at("2026-12-01T10:00", "Asia/Kolkata"), Ok("2026-12-01T04:30:00+00:00".into()));
        assert_eq!(at("2026-12-01T10:00", ""), Ok("2026-12-01T10:00:00+00:00".into()));
        assert_eq!(at("2026-12-01T10:00:00+01:00", "Asia/Kolkata"), Ok("2026-12-01T09:00:00+00:00".into()));
        // The clocks go forward from two to three.
        assert_eq!(at("2027-03-28T02:30", "Europe/Berlin"), Err(()));
        assert_eq!(at("tomorrow", "UTC"), Err(()));
        assert_eq!(at("2026-12-01T10:00", "Asia/Bangalore"), Err(()));
    }
}
