//! What the provider says of a call once it is over: transcript, recording, analysis, cost.

use std::{borrow::Cow, collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::reason::Reason;
use crate::millis;

/// What is said of a call. Whatever is left out is what is usual for the call's end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Results {
    /// What was spoken; usually a short talk, or a greeting if no person answered.
    pub transcript: Option<Vec<Utterance>>,
    /// Where the recording lies; usually at an address made of the call's id.
    pub recording_url: Option<String>,
    /// `combined_cost` in cents; usually so much for each second.
    pub cost_cents: Option<f64>,
    /// Median time from the callee's last word to the agent's first.
    pub latency_p50_ms: u32,
    /// Variables that the agent noted during the call.
    pub collected_dynamic_variables: BTreeMap<String, String>,
    /// The analysis.
    pub analysis: Analysis,
    /// Time from the end to the analysis.
    #[serde(rename = "analyzed_after_ms", with = "millis")]
    pub analyzed_after: Duration,
}

impl Default for Results {
    fn default() -> Self {
        Self {
            transcript: None,
            recording_url: None,
            cost_cents: None,
            latency_p50_ms: 840,
            collected_dynamic_variables: BTreeMap::new(),
            analysis: Analysis::default(),
            analyzed_after: Duration::from_secs(3),
        }
    }
}

/// `call_analysis`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Analysis {
    /// A sentence or two.
    pub call_summary: Option<String>,
    /// Whether a voicemail answered.
    pub in_voicemail: Option<bool>,
    /// `Negative`, `Positive`, `Neutral` or `Unknown`.
    pub user_sentiment: Option<String>,
    /// Whether the agent reached its aim.
    pub call_successful: Option<bool>,
    /// What the agent's own questions came to.
    pub custom_analysis_data: Map<String, Value>,
}

/// One turn of the talk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Utterance {
    /// Who speaks.
    pub role: Speaker,
    /// What.
    pub content: String,
}

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Speaker {
    /// The bot.
    Agent,
    /// The callee.
    User,
    /// Whoever the call was handed to.
    TransferTarget,
}

impl Speaker {
    /// As the plain transcript has it.
    fn title(self) -> &'static str {
        match self {
            Self::Agent => "Agent",
            Self::User => "User",
            Self::TransferTarget => "Transfer Target",
        }
    }
}

/// A call that is over, as far as results depend on it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ending<'a> {
    /// Why.
    pub(super) reason: Option<&'a Reason>,
    /// Whether it was answered.
    pub(super) connected: bool,
    /// How long it was.
    pub(super) talk: Duration,
}

impl Ending<'_> {
    fn nobody_there(&self) -> bool {
        matches!(self.reason, Some(Reason::VoicemailReached | Reason::IvrReached))
    }
}

/// Prices in cents for each second.
const PRODUCTS: [(&str, f64); 3] = [("elevenlabs_tts", 0.12), ("gpt_4_1", 0.075), ("us_telephony", 0.025)];

impl Results {
    /// What was spoken.
    pub(super) fn spoken(&self, ending: Ending<'_>) -> Cow<'_, [Utterance]> {
        match &self.transcript {
            _ if !ending.connected => Cow::Borrowed(&[]),
            Some(scripted) => Cow::Borrowed(scripted),
            None => Cow::Owned(usual_talk(ending)),
        }
    }

    /// `call_cost`.
    pub(super) fn cost(&self, ending: Ending<'_>) -> Value {
        let seconds = if ending.connected { ending.talk.as_secs_f64() } else { 0.0 };
        let unit: f64 = PRODUCTS.iter().map(|(_, price)| price).sum();
        let product = |(product, price): &(&str, f64)| json!({"product": product, "unit_price": price, "cost": cents(price * seconds)});
        json!({
            "product_costs": PRODUCTS.iter().map(product).collect::<Vec<_>>(),
            "total_duration_seconds": seconds.round(),
            "total_duration_unit_price": cents(unit),
            "combined_cost": self.cost_cents.unwrap_or_else(|| cents(unit * seconds)),
        })
    }

    /// `call_analysis`.
    pub(super) fn analysed(&self, ending: Ending<'_>) -> Value {
        let given = &self.analysis;
        let voicemail = ending.reason == Some(&Reason::VoicemailReached);
        let spoke = ending.connected && !ending.nobody_there();
        let summary = match (ending.connected, spoke) {
            (false, _) => "The call was not connected.",
            (true, false) => "The call reached an automated system and no person.",
            (true, true) => {
                "The agent introduced itself and spoke with the user, who took note of the offer."
            }
        };
        let sentiment = if spoke { "Neutral" } else { "Unknown" };
        json!({
            "call_summary": given.call_summary.as_deref().unwrap_or(summary),
            "in_voicemail": given.in_voicemail.unwrap_or(voicemail),
            "user_sentiment": given.user_sentiment.as_deref().unwrap_or(sentiment),
            "call_successful": given.call_successful.unwrap_or(spoke),
            "custom_analysis_data": given.custom_analysis_data,
        })
    }

    /// `latency`.
    pub(super) fn latency(&self) -> Value {
        let p50 = self.latency_p50_ms;
        json!({"e2e": {"p50": p50, "p90": p50, "min": p50, "max": p50, "num": 1, "values": [p50]}})
    }
}

/// To a hundredth of a cent.
fn cents(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

fn usual_talk(ending: Ending<'_>) -> Vec<Utterance> {
    let say = |role, content: &str| Utterance { role, content: content.to_owned() };
    match ending.reason {
        Some(Reason::VoicemailReached) => {
            vec![say(Speaker::User, "You have reached my voicemail. Please leave a message.")]
        }
        Some(Reason::IvrReached) => vec![say(Speaker::User, "For sales, press one.")],
        Some(Reason::UserRequestedDnc) => vec![
            say(Speaker::Agent, "Hello, this is the assistant calling as you asked."),
            say(Speaker::User, "Please do not call me again."),
            say(Speaker::Agent, "Understood. Goodbye."),
        ],
        _ => vec![
            say(Speaker::Agent, "Hello, this is the assistant calling as you asked."),
            say(Speaker::User, "Hi, yes, thank you."),
            say(Speaker::Agent, "You are welcome. Goodbye."),
        ],
    }
}

/// `transcript`: a line for each turn.
pub(super) fn plain(spoken: &[Utterance]) -> String {
    spoken.iter().map(|turn| format!("{}: {}\n", turn.role.title(), turn.content)).collect()
}

/// `transcript_object`: turns spread evenly over the talk, with a time for each word.
pub(super) fn timed(spoken: &[Utterance], talk: Duration) -> Value {
    let step = talk.as_secs_f64() / f64::from(u32::try_from(spoken.len()).unwrap_or(u32::MAX).max(1));
    let starts = (0_u32..).map(|turn| f64::from(turn) * step);
    starts
        .zip(spoken)
        .map(|(start, turn)| {
            let words: Vec<_> = turn.content.split_inclusive(' ').collect();
            let each = step / f64::from(u32::try_from(words.len()).unwrap_or(u32::MAX).max(1));
            let at = |word: u32| cents(start + f64::from(word) * each);
            let word = |(n, word)| json!({"word": word, "start": at(n), "end": at(n + 1)});
            let words: Vec<_> = (0_u32..).zip(words).map(word).collect();
            json!({"role": turn.role, "content": turn.content, "words": words})
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ending(reason: &Reason) -> Ending<'_> {
        Ending { reason: Some(reason), connected: true, talk: Duration::from_secs(30) }
    }

    #[test]
    fn what_is_not_scripted_fits_the_end_of_the_call() {
        let results = Results::default();
        let voicemail = results.analysed(ending(&Reason::VoicemailReached));
        assert_eq!(
            (&voicemail["in_voicemail"], &voicemail["call_successful"]),
            (&json!(true), &json!(false))
        );
        let talk = results.analysed(ending(&Reason::UserHangup));
        assert_eq!((&talk["in_voicemail"], &talk["user_sentiment"]), (&json!(false), &json!("Neutral")));
        let unconnected = Ending { connected: false, ..ending(&Reason::DialBusy) };
        assert!(results.spoken(unconnected).is_empty());
        assert_eq!(results.cost(unconnected)["combined_cost"], 0.0);
    }

    #[test]
    fn the_parts_of_the_cost_add_up() {
        let cost = Results::default().cost(ending(&Reason::UserHangup));
        let parts = cost["product_costs"].as_array().expect("a list");
        let sum: f64 = parts.iter().filter_map(|part| part["cost"].as_f64()).sum();
        assert_eq!(Some(cents(sum)), cost["combined_cost"].as_f64());
    }

    #[test]
    fn a_transcript_is_plain_lines_and_timed_words() {
        let spoken = [Utterance { role: Speaker::User, content: "Yes please.".into() }];
        assert_eq!(plain(&spoken), "User: Yes please.\n");
        let words = &timed(&spoken, Duration::from_secs(2))[0]["words"];
        assert_eq!(
            *words,
            json!([{"word": "Yes ", "start": 0.0, "end": 1.0},
            {"word": "please.", "start": 1.0, "end": 2.0}])
        );
    }
}
