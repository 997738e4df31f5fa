//! What agents report of the conversations that they hold: with a token that is good for their call alone.

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use outdial_jobs::operations::reports;
use outdial_workflows::ids::DialKey;
use outdial_workflows::outcome::Outcome;
use outdial_workflows::results::{CallResults, Sentiment, Speaker, Turn};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::Body;
use super::input::wrong;
use super::names::OutcomeName;
use crate::http::problem::ProblemDetails;
use crate::http::{Api, Problem};

/// The longest text of a turn.
const MOST_CHARS: usize = 20_000;

/// Who speaks.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = Speaker)]
pub(crate) enum SpeakerName {
    /// The agent.
    Agent,
    /// The person called.
    #[serde(alias = "user")]
    Person,
    /// Somebody the call was handed to.
    Other,
}

impl From<SpeakerName> for Speaker {
    fn from(name: SpeakerName) -> Self {
        match name {
            SpeakerName::Agent => Self::Agent,
            SpeakerName::Person => Self::Person,
            SpeakerName::Other => Self::Other,
        }
    }
}

/// One thing that somebody said.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TurnInput {
    /// Who: `agent`, `person` or `other`.
    #[serde(alias = "role")]
    speaker: SpeakerName,
    /// What.
    #[schema(max_length = 20_000)]
    text: String,
    /// When they began, in milliseconds since the call was answered.
    at_ms: Option<u32>,
}

/// One thing that somebody said.
#[derive(ToSchema)]
#[schema(as = Turn)]
#[allow(dead_code)]
pub(crate) struct TurnShown {
    /// Who: `agent`, `person` or `other`.
    speaker: SpeakerName,
    /// What; of our own agent, what was heard.
    text: String,
    /// When they began, in milliseconds since the call was answered.
    at_ms: Option<u32>,
    /// When they ended, likewise. This and what follows is told of our own agent's conversations.
    until_ms: Option<u32>,
    /// Whether they were interrupted.
    interrupted: Option<bool>,
    /// The stage of the playbook.
    stage: Option<String>,
    /// What the answer took.
    latency: Option<LatencyShown>,
}

/// How long an answer took, part by part, in milliseconds: from the end of the person's voice to our first sound.
#[derive(ToSchema)]
#[schema(as = Latency)]
#[allow(dead_code, clippy::struct_field_names)]
pub(crate) struct LatencyShown {
    /// Until it was clear that the person had finished.
    turn_ms: u32,
    /// From there until the model's first words.
    model_ms: u32,
    /// From there until the first sentence was whole.
    sentence_ms: u32,
    /// From there until its first sound was sent.
    speech_ms: u32,
    /// All of it.
    total_ms: u32,
}

/// How a conversation of our own agent went.
#[derive(ToSchema)]
#[schema(as = Course)]
#[allow(dead_code)]
pub(crate) struct CourseShown {
    /// The playbook that it went by.
    playbook: String,
    /// Its version.
    version: u32,
    /// Why it ended: a name, or an object of a name and what more there is to say.
    #[schema(value_type = Value)]
    ending: Value,
    /// How long it lasted, in milliseconds.
    lasted_ms: u32,
    /// Requests to the model that were made early, and not needed.
    speculated_in_vain: u32,
}

/// What was said.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TurnsInput {
    /// In order; at most 1,000. What was reported before need not be, and may be, reported again.
    turns: Vec<TurnInput>,
}

/// How a person sounded.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = Sentiment)]
pub(crate) enum SentimentName {
    /// Pleased.
    Positive,
    /// Neither.
    Neutral,
    /// Displeased.
    Negative,
}

impl From<SentimentName> for Sentiment {
    fn from(name: SentimentName) -> Self {
        match name {
            SentimentName::Positive => Self::Positive,
            SentimentName::Neutral => Self::Neutral,
            SentimentName::Negative => Self::Negative,
        }
    }
}

/// What a conversation yielded, in one shape whatever the carrier. What is not known is absent.
#[derive(ToSchema)]
#[schema(as = CallResults)]
#[allow(dead_code)]
pub(crate) struct ResultsShown {
    /// Who said what.
    transcript: Option<Vec<TurnShown>>,
    /// The conversation in a few sentences.
    summary: Option<String>,
    /// How the person sounded.
    sentiment: Option<SentimentName>,
    /// What the person wants.
    intent: Option<String>,
    /// What it was about.
    keywords: Option<Vec<String>>,
    /// For people.
    notes: Option<String>,
    /// Whether the carrier's analysis calls it a success.
    successful: Option<bool>,
    /// Whether a machine answered.
    voicemail: Option<bool>,
    /// Whether the person asked not to be called again.
    do_not_call: Option<bool>,
    /// How the conversation went, where it was our own agent's.
    course: Option<CourseShown>,
    /// What the agent's own analysis found.
    #[schema(value_type = Option<Object>)]
    analysis: Option<Map<String, Value>>,
}

/// What came of a conversation. What is left out stays as it was reported before.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ResultInput {
    /// What came of it, if the agent can say.
    outcome: Option<OutcomeName>,
    /// The conversation in a few sentences.
    summary: Option<String>,
    /// How the person sounded.
    sentiment: Option<SentimentName>,
    /// What the person wants.
    intent: Option<String>,
    /// What it was about.
    keywords: Vec<String>,
    /// For people.
    notes: Option<String>,
    /// Whether the person asked not to be called again: the number is suppressed at once, for the whole client.
    do_not_call: Option<bool>,
    /// Whatever else the agent found.
    #[schema(value_type = Object)]
    analysis: Map<String, Value>,
}

impl From<ResultInput> for CallResults {
    fn from(input: ResultInput) -> Self {
        let mut analysis = input.analysis;
        if let Some(outcome) = input.outcome {
            analysis.insert("outcome".into(), Outcome::from(outcome).name().into());
        }
        Self {
            summary: input.summary,
            sentiment: input.sentiment.map(Into::into),
            intent: input.intent,
            keywords: input.keywords,
            notes: input.notes,
            do_not_call: input.do_not_call,
            analysis,
            ..Self::default()
        }
    }
}

/// The call whose token the caller has. A wrong token and a call that was never made look alike.
fn authentic(api: &Api, call: &str, headers: &HeaderMap) -> Result<DialKey, Problem> {
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = given.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
    let call = call.parse::<DialKey>().ok().filter(|call| api.engine.key().is_secret_of(*call, token));
    call.ok_or_else(|| {
        let detail = "send the token of this call, which its agent was given, as Authorization: Bearer …";
        Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", detail)
    })
}

/// Report what was said
///
/// For the agent that holds the call, as it goes on: with the token that it was given for this call.
#[utoipa::path(post, path = "/v1/calls/{call}/turns", tag = "calls",
    params(("call" = String, Path, description = "The call's id, which its agent was given")), request_body = TurnsInput,
    security(("call_token" = [])), responses(
    (status = 204, description = "It is kept"),
    (status = 401, description = "Not the token of this call", body = ProblemDetails, content_type = "application/problem+json"),
    (status = 404, description = "No such call", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn turns(
    State(api): State<Api>,
    Path(call): Path<String>,
    headers: HeaderMap,
    Body(input): Body<TurnsInput>,
) -> Result<StatusCode, Problem> {
    let call = authentic(&api, &call, &headers)?;
    if input.turns.len() > reports::MOST_TURNS {
        let problem =
            format!("{} are too many at once; send at most {}", input.turns.len(), reports::MOST_TURNS);
        return Err(wrong("turns", problem));
    }
    // A turn that holds U+0000 was refused with the body.
    if let Some(at) = input.turns.iter().position(|turn| turn.text.chars().count() > MOST_CHARS) {
        return Err(wrong(
            &format!("turns[{at}].text"),
            format!("it is too long; send at most {MOST_CHARS} characters"),
        ));
    }
    let turn = |TurnInput { speaker, text, at_ms }| Turn::said(speaker.into(), text, at_ms);
    reports::turns(&api.engine, call, input.turns.into_iter().map(turn).collect()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Report what came of a call
///
/// For the agent that holds it, during the call or after: with the token that it was given for this call. It may come
/// twice, and in parts.
#[utoipa::path(post, path = "/v1/calls/{call}/result", tag = "calls",
    params(("call" = String, Path, description = "The call's id, which its agent was given")), request_body = ResultInput,
    security(("call_token" = [])), responses(
    (status = 204, description = "It is taken in"),
    (status = 401, description = "Not the token of this call", body = ProblemDetails, content_type = "application/problem+json"),
    (status = 404, description = "No such call", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(crate) async fn result(
    State(api): State<Api>,
    Path(call): Path<String>,
    headers: HeaderMap,
    Body(input): Body<ResultInput>,
) -> Result<StatusCode, Problem> {
    let call = authentic(&api, &call, &headers)?;
    reports::result(&api.engine, call, input.into()).await?;
    Ok(StatusCode::NO_CONTENT)
}
