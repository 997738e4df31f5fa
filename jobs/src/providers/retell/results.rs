//! What a conversation yielded, from Retell's call and its analysis.

use std::time::Duration;

use outdial_workflows::results::{CallResults, Sentiment, Speaker, Turn};
use serde_json::{Map, Value};

use super::wire::{Call, Utterance};

/// Everything that is told beyond the end; `None` if that is nothing.
///
/// An agent's own analysis may name what people want, what it was about, and notes: by the names `intent`,
/// `keywords` and `notes`.
pub(super) fn of(call: &Call) -> Option<Box<CallResults>> {
    let analysis = &call.call_analysis;
    let own = &analysis.custom_analysis_data;
    let reason = call.disconnection_reason.as_deref();
    let wants_a_call = || (reason == Some("user_requested_callback")).then(|| "call back".to_owned());
    let results = CallResults {
        transcript: transcript(call),
        summary: analysis.call_summary.clone(),
        sentiment: analysis.user_sentiment.as_deref().and_then(sentiment),
        intent: text(own, "intent").or_else(wants_a_call),
        keywords: keywords(own),
        notes: text(own, "notes"),
        successful: analysis.call_successful,
        voicemail: (reason == Some("voicemail_reached")).then_some(true).or(analysis.in_voicemail),
        do_not_call: (reason == Some("user_requested_dnc")).then_some(true),
        analysis: own.clone(),
        ..CallResults::default()
    };
    (!results.is_empty()).then(|| Box::new(results))
}

/// Who said what so far; `None` if nobody said anything.
pub(super) fn spoken(call: &Call) -> Option<Box<CallResults>> {
    let results = CallResults { transcript: transcript(call), ..CallResults::default() };
    (!results.is_empty()).then(|| Box::new(results))
}

/// Where Retell keeps no personal data, what was said has such data taken out.
fn transcript(call: &Call) -> Vec<Turn> {
    let kept = [&call.transcript_object, &call.scrubbed_transcript_with_tool_calls];
    let said = kept.into_iter().find(|said| !said.is_empty());
    said.into_iter().flatten().filter_map(turn).collect()
}

/// `None` for what was not said: tools that were called, keys that were pressed.
fn turn(utterance: &Utterance) -> Option<Turn> {
    let speaker = match utterance.role.as_str() {
        "agent" => Speaker::Agent,
        "user" => Speaker::Person,
        "transfer_target" => Speaker::Other,
        _ => return None,
    };
    let text = utterance.content.trim();
    let at_ms = utterance.words.first().and_then(|word| millis(word.start?));
    (!text.is_empty()).then(|| Turn::said(speaker, text.to_owned(), at_ms))
}

fn millis(seconds: f64) -> Option<u32> {
    let at = Duration::try_from_secs_f64(seconds).ok()?;
    u32::try_from(at.as_millis()).ok()
}

/// `Unknown` says nothing.
fn sentiment(word: &str) -> Option<Sentiment> {
    match word.to_ascii_lowercase().as_str() {
        "positive" => Some(Sentiment::Positive),
        "neutral" => Some(Sentiment::Neutral),
        "negative" => Some(Sentiment::Negative),
        _ => None,
    }
}

fn text(analysis: &Map<String, Value>, name: &str) -> Option<String> {
    let text = analysis.get(name)?.as_str()?.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// A list, or one in a text: agents' questions yield texts, mostly.
fn keywords(analysis: &Map<String, Value>) -> Vec<String> {
    let words: Vec<&str> = match analysis.get("keywords") {
        Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).collect(),
        Some(Value::String(text)) => text.split(',').collect(),
        _ => vec![],
    };
    words.into_iter().map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use insta::assert_json_snapshot;
    use serde_json::json;

    use super::*;

    fn read(call: Value) -> Option<Box<CallResults>> {
        of(&serde_json::from_value(call).expect("a call"))
    }

    #[test]
    fn everything_that_retell_tells_has_its_place() {
        let results = read(json!({
            "disconnection_reason": "agent_hangup",
            "transcript": "Agent: Hello.\nUser: Yes?\n",
            "transcript_object": [
                {"role": "agent", "content": "Hello.", "words": [{"word": "Hello.", "start": 0.42, "end": 0.8}]},
                {"role": "user", "content": " Yes? ", "words": []},
                {"role": "user", "content": " "},
                {"role": "tool_call_invocation", "name": "book", "arguments": "{}"},
                {"role": "transfer_target", "content": "Sales.", "words": [{"start": -1}]},
            ],
            "call_analysis": {
                "call_summary": "A short talk.", "in_voicemail": false, "user_sentiment": "Positive",
                "call_successful": true,
                "custom_analysis_data": {
                    "intent": "to buy", "keywords": "flats, Whitefield,", "notes": "", "qualified": true,
                },
            },
        }));
        assert_json_snapshot!(results, @r#"
        {
          "transcript": [
            {
              "speaker": "agent",
              "text": "Hello.",
              "at_ms": 420
            },
            {
              "speaker": "person",
              "text": "Yes?"
            },
            {
              "speaker": "other",
              "text": "Sales."
            }
          ],
          "summary": "A short talk.",
          "sentiment": "positive",
          "intent": "to buy",
          "keywords": [
            "flats",
            "Whitefield"
          ],
          "successful": true,
          "voicemail": false,
          "analysis": {
            "intent": "to buy",
            "keywords": "flats, Whitefield,",
            "notes": "",
            "qualified": true
          }
        }
        "#);
    }

    #[test]
    fn nothing_told_is_no_result() {
        assert_eq!(read(json!({"disconnection_reason": "user_hangup", "call_status": "ended"})), None);
        assert_eq!(read(json!({"call_analysis": {"user_sentiment": "Unknown"}})), None);
    }

    #[test]
    fn what_a_person_asked_for_is_in_the_reason_of_the_end() {
        let asked = read(json!({"disconnection_reason": "user_requested_dnc"})).expect("results");
        assert_eq!((asked.do_not_call, asked.outcome().map(|o| o.name())), (Some(true), Some("do_not_call")));
        let asked = read(json!({"disconnection_reason": "user_requested_callback"})).expect("results");
        assert_eq!(asked.intent.as_deref(), Some("call back"));
    }

    #[test]
    fn a_machine_is_one_by_the_end_or_by_the_analysis() {
        for (call, voicemail) in [
            (json!({"disconnection_reason": "voicemail_reached"}), Some(true)),
            (
                json!({"disconnection_reason": "voicemail_reached", "call_analysis": {"in_voicemail": false}}),
                Some(true),
            ),
            (
                json!({"disconnection_reason": "user_hangup", "call_analysis": {"in_voicemail": true}}),
                Some(true),
            ),
            (
                json!({"disconnection_reason": "user_hangup", "call_analysis": {"in_voicemail": false}}),
                Some(false),
            ),
            (json!({"disconnection_reason": "user_hangup", "call_analysis": {"call_summary": "x"}}), None),
        ] {
            assert_eq!(read(call.clone()).and_then(|results| results.voicemail), voicemail, "{call}");
        }
    }

    #[test]
    fn a_transcript_without_personal_data_stands_in_for_the_whole_one() {
        let said = |text: &str| json!([{"role": "user", "content": text}]);
        let call =
            json!({"transcript_object": [], "scrubbed_transcript_with_tool_calls": said("I am [NAME].")});
        let results = read(call).expect("results");
        assert_eq!(results.transcript[0].text, "I am [NAME].");
        assert_eq!(results.transcript[0].at_ms, None);
    }

    #[test]
    fn keywords_are_a_list_or_a_text_of_them() {
        let keywords = |given: Value| {
            let call = json!({"call_analysis": {"custom_analysis_data": {"keywords": given}}});
            read(call).expect("results").keywords
        };
        assert_eq!(keywords(json!(["flats", " area ", 7, ""])), ["flats", "area"]);
        assert_eq!(keywords(json!("flats, area")), ["flats", "area"]);
        assert!(keywords(json!(true)).is_empty());
    }
}
