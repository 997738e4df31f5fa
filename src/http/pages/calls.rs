//! Calls: those under way, and each with what came of it.

use askama::Template;
use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::{get, post};
use outdial_jobs::operations::attempts::{self, Made};
use outdial_jobs::operations::keys::Role;
use outdial_jobs::operations::{
    By, OperationError, calls, conversations, correcting, hanging_up, leads, listening, overview, setup,
    transferring,
};
use outdial_jobs::providers::Provider;
use outdial_workflows::Moment;
use outdial_workflows::conversation::Latency;
use outdial_workflows::ids::{ClientId, DialKey};
use outdial_workflows::input::{Answer, Command};
use outdial_workflows::outcome::Outcome;
use outdial_workflows::results::{CallResults, Speaker, Turn};
use secrecy::ExposeSecret as _;
use serde::Deserialize;
use tower::ServiceExt as _;
use tower_http::services::ServeFile;
use uuid::Uuid;

use super::campaigns::Names;
use super::outcome::{Done, Failure, Sent};
use super::shell::{Shell, Visit};
use super::show::{self, Html};
use super::{charts, live, page};
use crate::http::v1::Named;
use crate::http::v1::input::wrong;
use crate::http::{Api, Problem};

/// The most calls that are shown: the latest of those under way.
const SHOWN: i64 = 200;

pub(super) fn routes() -> Router<Api> {
    Router::new()
        .route("/admin/clients/{client}/calls", get(list))
        .route("/admin/clients/{client}/calls/live", get(follow_list))
        .route("/admin/calls/{key}", get(show_one))
        .route("/admin/calls/{key}/live", get(follow))
        .route("/admin/calls/{key}/recording", get(recording))
        .route("/admin/calls/{key}/hang-up", post(hang_up))
        .route("/admin/calls/{key}/transfer", post(transfer))
        .route("/admin/calls/{key}/outcome", post(correct))
        .route("/admin/calls/{key}/listen", post(listen))
}

#[derive(Template)]
#[template(path = "calls.html")]
struct CallsPage {
    shell: Shell,
    now: Html,
}

#[derive(Template)]
#[template(path = "calls_now.html")]
struct CallsNow<'a> {
    shell: &'a Shell,
    calls: Vec<Made>,
    names: Names,
}

impl CallsNow<'_> {
    fn campaign(&self, made: &Made) -> &str {
        self.names.get(&made.campaign).map_or("–", String::as_str)
    }

    fn all(&self) -> bool {
        self.calls.len() < usize::try_from(SHOWN).unwrap_or(usize::MAX)
    }
}

async fn calls_now(visit: &Visit, shell: &Shell, client: ClientId) -> Result<String, Failure> {
    let engine = &visit.api.engine;
    let calls = attempts::live(engine, client, SHOWN).await?;
    let names = overview::names(engine, client, calls.iter().map(|made| made.campaign)).await?;
    let part = CallsNow { shell, calls, names };
    Ok(part.render().map_err(|error| Problem::ours(&error))?)
}

async fn list(visit: Visit, Named(client): Named<Uuid>) -> Result<Response, Failure> {
    let client = visit.client(client).await?;
    let shell = visit.shell(client, "calls", "Calls under way").await?;
    let now = Html(calls_now(&visit, &shell, client).await?);
    page(&CallsPage { shell, now })
}

async fn follow_list(
    visit: Visit,
    Named(client): Named<Uuid>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let client = visit.client(client).await?;
    Ok(live::stream(visit, headers, move |visit| {
        Box::pin(async move {
            let mut shell = visit.shell(client, "calls", "Calls under way").await?;
            shell.path = format!("/admin/clients/{client}/calls");
            Ok(vec![("now", calls_now(visit, &shell, client).await?)])
        })
    }))
}

/// The attempt with this key, if the visitor may see it.
async fn attempt(visit: &Visit, key: &str) -> Result<Made, Failure> {
    let not_found = || OperationError::NotFound { kind: "attempt", given: key.to_owned() };
    let parsed: DialKey = key.parse().map_err(|_| not_found())?;
    visit.caller.sees(parsed.0.client).map_err(|_| not_found())?;
    Ok(attempts::get(&visit.api.engine, parsed).await?)
}

#[derive(Template)]
#[template(path = "call.html")]
struct CallPage {
    shell: Shell,
    key: DialKey,
    now: Html,
}

#[derive(Template)]
#[template(path = "call_now.html")]
struct CallNow<'a> {
    shell: &'a Shell,
    made: Made,
    account: String,
    campaign: String,
    /// Whether there is a way to end the call.
    can_end: bool,
    /// Whether whom it is transferred to can be told something first.
    can_brief: bool,
    /// Whether its carrier lets somebody listen.
    can_listen: bool,
    /// Whether we recorded it, and have the recording here.
    recorded: bool,
    results: CallResults,
    analysis: Option<String>,
}

impl CallNow<'_> {
    /// Whether it goes on, as far as is known.
    fn goes_on(&self) -> bool {
        self.made.ended_at.is_none() && self.made.submitted_at.is_some()
    }

    fn speaker(&self, turn: &Turn) -> &'static str {
        match turn.speaker {
            Speaker::Agent => "agent",
            Speaker::Person => "person",
            Speaker::Other => "other",
        }
    }

    fn at(&self, turn: &Turn) -> String {
        turn.at_ms.map(|ms| show::clock(ms.into())).unwrap_or_default()
    }

    /// How long the agent took to answer the person: as it was measured, part by part, or by the times of turns.
    fn latency(&self, place: &usize) -> String {
        let turns = &self.results.transcript;
        if let Some(latency) = turns.get(*place).and_then(|turn| turn.latency.as_ref()) {
            let Latency { turn_ms, model_ms, sentence_ms, speech_ms, total_ms } = latency;
            return format!(
                " · {total_ms} ms after the person: end of turn {turn_ms}, model {model_ms}, sentence {sentence_ms}, \
                 voice {speech_ms}"
            );
        }
        let (Some(turn), Some(before)) =
            (turns.get(*place), place.checked_sub(1).and_then(|at| turns.get(at)))
        else {
            return String::new();
        };
        match (turn.speaker, before.speaker, turn.at_ms, before.at_ms) {
            (Speaker::Agent, Speaker::Person, Some(at), Some(asked)) if at >= asked => {
                format!(" · {}.{} s after the person began", (at - asked) / 1_000, (at - asked) % 1_000 / 100)
            }
            _ => String::new(),
        }
    }

    /// The longest that an answer took, if any was measured: what all are drawn to.
    fn slowest(&self) -> Option<u32> {
        self.results.transcript.iter().filter_map(|turn| turn.latency).map(|latency| latency.total_ms).max()
    }

    /// The parts of what an answer took, to the scale of the slowest.
    fn waterfall(&self, turn: &Turn) -> Html {
        match (turn.latency, self.slowest()) {
            (Some(latency), Some(slowest)) => charts::waterfall(latency, slowest),
            (Some(_) | None, _) => Html::default(),
        }
    }

    fn cost(&self) -> Option<String> {
        let micros = self.made.cost_micros?;
        Some(outdial_workflows::money::Cost { micros }.to_string())
    }

    /// What may be recorded instead of what is.
    fn corrections(&self) -> Vec<&'static str> {
        Outcome::ALL
            .into_iter()
            .filter(|outcome| self.made.outcome != Some(*outcome))
            .map(Outcome::name)
            .collect()
    }

    fn transfer(&self) -> Option<(String, String)> {
        let state = self.made.transfer_state.map(|state| state.name().to_owned())?;
        Some((self.made.transfer_to.clone()?, state))
    }
}

async fn call_now(visit: &Visit, shell: &Shell, made: Made) -> Result<String, Failure> {
    let engine = &visit.api.engine;
    let client = made.key.0.client;
    let mut results = calls::results(engine, made.key).await?.unwrap_or_default();
    if results.transcript.is_empty() && made.ended_at.is_none() {
        results.transcript = calls::said_so_far(engine, made.key).await?;
    }
    let account = setup::account(engine, made.account).await?;
    let goes_on = made.ended_at.is_none() && made.submitted_at.is_some();
    let can_end = goes_on && hanging_up::can_be_ended(engine, made.key.0, made.account).await?;
    let can_listen = goes_on && made.answered_at.is_some() && account.provider == Provider::LiveKit;
    let can_brief = goes_on && transferring::can_brief(engine, &made).await?;
    let recorded = conversations::recording_of(engine, made.key.0).await?.is_some();
    let account = account.name;
    let campaign = overview::names(engine, client, [made.campaign]).await?.remove(&made.campaign);
    let analysis = (!results.analysis.is_empty()).then(|| show::json(&results.analysis));
    let campaign = campaign.unwrap_or_default();
    let part = CallNow {
        shell,
        made,
        account,
        campaign,
        can_end,
        can_brief,
        can_listen,
        recorded,
        results,
        analysis,
    };
    Ok(part.render().map_err(|error| Problem::ours(&error))?)
}

async fn show_one(visit: Visit, Named(key): Named<String>) -> Result<Response, Failure> {
    let made = attempt(&visit, &key).await?;
    let shell = visit.shell(made.key.0.client, "calls", "A call").await?;
    let key = made.key;
    let now = Html(call_now(&visit, &shell, made).await?);
    page(&CallPage { shell, key, now })
}

async fn follow(visit: Visit, Named(key): Named<String>, headers: HeaderMap) -> Result<Response, Failure> {
    attempt(&visit, &key).await?;
    let key = std::sync::Arc::new(key);
    Ok(live::stream(visit, headers, move |visit| {
        let key = key.clone();
        Box::pin(async move {
            let made = attempt(visit, &key).await?;
            let mut shell = visit.shell(made.key.0.client, "calls", "A call").await?;
            shell.path = format!("/admin/calls/{key}");
            Ok(vec![("now", call_now(visit, &shell, made).await?)])
        })
    }))
}

/// Our own recording of the call. A part of it can be asked for, as players do.
async fn recording(visit: Visit, Named(key): Named<String>, request: Request) -> Result<Response, Failure> {
    let made = attempt(&visit, &key).await?;
    let found = conversations::recording_of(&visit.api.engine, made.key.0).await?;
    let path = found.ok_or_else(|| OperationError::NotFound { kind: "recording of call", given: key })?;
    let Ok(served) = ServeFile::new(path).oneshot(request).await;
    Ok(served.map(Body::new))
}

async fn hang_up(visit: Visit, Named(key): Named<String>) -> Result<Done, Failure> {
    visit.caller.is(Role::Operator)?;
    let made = attempt(&visit, &key).await?;
    let (client, lead) = (made.key.0.client, made.key.0.lead);
    let By { actor, reason } = visit.caller.by();
    let answer = leads::order(&visit.api.engine, client, lead, Command::HangUp, actor, reason).await?;
    let told = match answer == Answer::Deferred {
        true => "The call is ended as soon as the carrier is known to have it.",
        false => "The carrier is told to end the call.",
    };
    Ok(Done::at(format!("/admin/calls/{key}"), told))
}

#[derive(Deserialize)]
struct TransferForm {
    to: String,
    #[serde(default)]
    briefing: String,
}

async fn transfer(
    visit: Visit,
    Named(key): Named<String>,
    Sent(form): Sent<TransferForm>,
) -> Result<Done, Failure> {
    visit.caller.is(Role::Operator)?;
    let made = attempt(&visit, &key).await?;
    let to = form.to.trim();
    if to.is_empty() {
        return Err(wrong("to", "say whom the call goes to: a number, or a SIP address").into());
    }
    let (client, lead) = (made.key.0.client, made.key.0.lead);
    let briefing = Some(form.briefing.trim()).filter(|briefing| !briefing.is_empty());
    let briefing = briefing.map(transferring::briefing).transpose()?;
    transferring::transfer(&visit.api.engine, (client, lead), to, briefing, visit.caller.by()).await?;
    Ok(Done::at(format!("/admin/calls/{key}"), format!("The call is being handed to {to}.")))
}

#[derive(Deserialize)]
struct CorrectionForm {
    outcome: String,
    #[serde(default)]
    reason: String,
}

async fn correct(
    visit: Visit,
    Named(key): Named<String>,
    Sent(form): Sent<CorrectionForm>,
) -> Result<Done, Failure> {
    visit.caller.is(Role::Operator)?;
    let made = attempt(&visit, &key).await?;
    let outcome: Outcome =
        form.outcome.parse().map_err(|_| wrong("outcome", format!("`{}` is no outcome", form.outcome)))?;
    let by = visit.caller.by_for(Some(form.reason.as_str()));
    correcting::correct(&visit.api.engine, made.key, outcome, by).await?;
    Ok(Done::at(format!("/admin/calls/{key}"), format!("It is recorded as {}.", show::words(outcome.name()))))
}

#[derive(Template)]
#[template(path = "listen.html")]
struct ListenPage {
    shell: Shell,
    key: DialKey,
    url: String,
    token: String,
    room: String,
    until: Moment,
}

/// The way to listen is shown once, to whoever asked for it: it is on record, and ends with the call.
async fn listen(visit: Visit, Named(key): Named<String>) -> Result<Response, Failure> {
    visit.caller.is(Role::Operator)?;
    let made = attempt(&visit, &key).await?;
    let (client, lead) = (made.key.0.client, made.key.0.lead);
    let (way, until) = listening::listen(&visit.api.engine, client, lead, visit.caller.by()).await?;
    let shell = visit.shell(client, "calls", "Listen in").await?;
    let token = way.token.expose_secret().to_owned();
    page(&ListenPage { shell, key: made.key, url: way.url.into(), token, room: way.room, until })
}
