//! What the world is told of leads' histories, and of what happens to campaigns.
//!
//! Subscribers and streams see some of what happened, under names and fields that stay, whatever becomes of
//! the history's own words.

use serde_json::{Map, Value, json};

use crate::Moment;
use crate::call::CallStatus;
use crate::happening::{CampaignEvent, Imported, Ordered};
use crate::history::Event;
use crate::transfer::TransferTold;

/// Every type of event that is told, with what it means.
pub const TYPES: [(&str, &str); 32] = [
    ("campaign.started", "A campaign dials for the first time: `actor`, `reason`."),
    ("campaign.paused", "It dials no more until it is resumed: `actor`, `reason`, `resume_at`."),
    ("campaign.resumed", "It dials again: `actor`, `reason`."),
    ("campaign.ended", "It was cancelled, and its leads are being finished: `actor`, `reason`."),
    (
        "import.finished",
        "A file of leads was taken in, or could not be read: `import`, `failed_for`, `rows`, `accepted`, \
         `duplicates`, `consents`, `problems`, `rest_unread`.",
    ),
    ("lead.accepted", "A lead was accepted into a campaign."),
    ("lead.postponed", "It is called later: `until`, `reason`."),
    ("lead.held", "It waits for somebody to mend what is wrong, or to let it go: `reason`."),
    ("lead.retry_scheduled", "Another attempt follows: `at`, `reason`."),
    (
        "lead.edited",
        "Somebody put right who its person is: `parts` (number, name, zone, region, attributes), `actor`, `reason`.",
    ),
    ("lead.ordered", "A person stepped in: `order`, `actor`, `reason`, `deferred`."),
    ("lead.finished", "It is done: `outcome`, `reason`."),
    ("call.submitted", "From now on the phone may ring."),
    ("call.accepted", "The carrier took the call: `call_id`."),
    ("call.refused", "The carrier turned it down: `kind`, `cause`."),
    ("call.unknown", "It is not known whether it reached the carrier, who is asked: `cause`."),
    ("call.absent", "It certainly never reached the carrier."),
    ("call.ringing", "The phone rings."),
    ("call.answered", "Somebody answered."),
    (
        "call.transferring",
        "The carrier transfers the call, as ordered, and rings whom it goes to: `transfer`.",
    ),
    ("call.transferred", "The call was handed over to whom it was to be transferred to: `transfer`."),
    (
        "call.transfer_refused",
        "The call was not transferred, and goes on if it is not over: `transfer`, `cause`.",
    ),
    (
        "call.transfer_unknown",
        "It is not known whether the call was transferred, and nobody asks again: `transfer`, `cause`.",
    ),
    ("call.ended", "The call is over: `result`, `talk_ms`."),
    ("call.reported", "Somebody reported what came of the conversation: `outcome`."),
    ("call.results", "Results of the conversation came in: read them from the attempt."),
    ("call.outcome", "What came of the attempt was recorded: `outcome`."),
    ("call.outcome_amended", "Late news changed what came of it: `outcome`."),
    ("call.priced", "The carrier said what it cost: `cost`."),
    ("call.alert", "The carrier names a call that must not be: `alert`, `call_id`. Look into it at once."),
    ("number.suppressed", "The number was put on the client's suppression list, as asked in the call."),
    ("subscriber.disabled", "Another subscriber of the client was disabled: `subscriber`, `reason`."),
];

/// Sent when somebody tries a subscriber; not among [`TYPES`], since nobody subscribes to it.
pub const PING: &str = "ping";

/// An event as the world is told.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    /// One of [`TYPES`].
    pub kind: &'static str,
    /// What is particular to its type.
    pub fields: Map<String, Value>,
}

impl Told {
    fn new(kind: &'static str, fields: Value) -> Self {
        let Value::Object(fields) = fields else { return Self { kind, fields: Map::new() } };
        Self { kind, fields: fields.into_iter().filter(|(_, value)| !value.is_null()).collect() }
    }
}

/// What is told of an event; `None` for steps within.
pub fn told(event: &Event) -> Option<Told> {
    let told = match event {
        Event::Reserved { .. }
        | Event::Withdrawn { .. }
        | Event::Asked { .. }
        | Event::Resent { .. }
        | Event::TransferAsked { .. }
        | Event::JobQuarantined { .. } => return None,
        Event::Accepted => Told::new("lead.accepted", json!({})),
        Event::Postponed { until, reason } => {
            Told::new("lead.postponed", json!({ "until": until, "reason": reason.to_string() }))
        }
        Event::Held { reason } => Told::new("lead.held", json!({ "reason": reason.to_string() })),
        Event::RetryScheduled { at, reason } => {
            Told::new("lead.retry_scheduled", json!({ "at": at, "reason": reason.to_string() }))
        }
        Event::PersonEdited { parts, actor, reason } => {
            Told::new("lead.edited", json!({ "parts": parts, "actor": actor, "reason": reason }))
        }
        Event::Commanded { command, actor, reason, deferred } => Told::new(
            "lead.ordered",
            json!({ "order": command, "actor": actor, "reason": reason, "deferred": deferred }),
        ),
        Event::Finished { outcome, reason } => {
            Told::new("lead.finished", json!({ "outcome": outcome, "reason": reason.to_string() }))
        }
        Event::Submitted { .. } => Told::new("call.submitted", json!({})),
        Event::Bound { call_id, .. } => Told::new("call.accepted", json!({ "call_id": call_id })),
        Event::Refused { kind, cause, .. } => {
            Told::new("call.refused", json!({ "kind": kind, "cause": cause }))
        }
        Event::BecameUnknown { cause, .. } => Told::new("call.unknown", json!({ "cause": cause })),
        Event::Absent { .. } => Told::new("call.absent", json!({})),
        Event::Progressed { status, .. } => match status {
            CallStatus::Ringing => Told::new("call.ringing", json!({})),
            CallStatus::Connected => Told::new("call.answered", json!({})),
            CallStatus::Scheduled
            | CallStatus::Initiated
            | CallStatus::InProgress
            | CallStatus::Completed
            | CallStatus::Failed
            | CallStatus::Cancelled => return None,
        },
        Event::Ended { result, talk, .. } => {
            let talk_ms = talk.as_ref().map(|talk| talk.ms);
            Told::new("call.ended", json!({ "result": result, "talk_ms": talk_ms }))
        }
        Event::Transferred { transfer, told, .. } => match told {
            TransferTold::UnderWay => Told::new("call.transferring", json!({ "transfer": transfer })),
            TransferTold::Done => Told::new("call.transferred", json!({ "transfer": transfer })),
            TransferTold::Refused { cause } => {
                Told::new("call.transfer_refused", json!({ "transfer": transfer, "cause": cause }))
            }
            TransferTold::Unknown { cause } => {
                Told::new("call.transfer_unknown", json!({ "transfer": transfer, "cause": cause }))
            }
        },
        Event::Reported { outcome, .. } => Told::new("call.reported", json!({ "outcome": outcome })),
        Event::Results { .. } => Told::new("call.results", json!({})),
        Event::OutcomeRecorded { outcome, .. } => Told::new("call.outcome", json!({ "outcome": outcome })),
        Event::OutcomeAmended { outcome, .. } => {
            Told::new("call.outcome_amended", json!({ "outcome": outcome }))
        }
        Event::Priced { cost, .. } => Told::new("call.priced", json!({ "cost": cost.to_string() })),
        Event::BoundLate { call_id, .. } => {
            Told::new("call.alert", json!({ "alert": "late_call", "call_id": call_id }))
        }
        Event::SecondCall { call_id, .. } => {
            Told::new("call.alert", json!({ "alert": "second_call", "call_id": call_id }))
        }
        Event::Suppressed { .. } => Told::new("number.suppressed", json!({})),
    };
    Some(told)
}

/// What is told of something that happened to a campaign as a whole.
pub fn told_of_campaign(event: &CampaignEvent) -> Told {
    let ordered = |kind, by: &Ordered, resume_at: Option<Moment>| {
        Told::new(kind, json!({ "actor": by.actor, "reason": by.reason, "resume_at": resume_at }))
    };
    match event {
        CampaignEvent::Started { by } => ordered("campaign.started", by, None),
        CampaignEvent::Paused { by, resume_at } => ordered("campaign.paused", by, *resume_at),
        CampaignEvent::Resumed { by } => ordered("campaign.resumed", by, None),
        CampaignEvent::Ended { by } => ordered("campaign.ended", by, None),
        CampaignEvent::ImportFinished(imported) => {
            let Imported { import, failed_for, rows, accepted, duplicates, consents, problems, rest_unread } =
                imported;
            let fields = json!({
                "import": import, "failed_for": failed_for, "rows": rows, "accepted": accepted,
                "duplicates": duplicates, "consents": consents, "problems": problems, "rest_unread": rest_unread,
            });
            Told::new("import.finished", fields)
        }
    }
}

/// Whether a subscription to these types takes this one: none means all, and `call.*` all of a kind.
pub fn takes(types: &[String], kind: &str) -> bool {
    types.is_empty()
        || types.iter().any(|wanted| match wanted.strip_suffix('*') {
            Some(prefix) => kind.starts_with(prefix),
            None => wanted == kind,
        })
}

/// Checks what somebody subscribes to.
///
/// # Errors
/// Says which is not a type, and what there is.
pub fn check(types: &[String]) -> Result<(), String> {
    let known = |wanted: &str| TYPES.iter().any(|(kind, _)| takes(&[wanted.to_owned()], kind));
    match types.iter().find(|wanted| !known(wanted)) {
        None => Ok(()),
        Some(unknown) => {
            let all: Vec<&str> = TYPES.iter().map(|(kind, _)| *kind).collect();
            Err(format!(
                "`{unknown}` is not a type of event; there are {}, and `call.*` and the like",
                all.join(", ")
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subscription_names_types_kinds_or_nothing() {
        let all = |wanted: &[&str]| -> Vec<&str> {
            let wanted: Vec<String> = wanted.iter().map(|&one| one.to_owned()).collect();
            TYPES.iter().map(|(kind, _)| *kind).filter(|kind| takes(&wanted, kind)).collect()
        };
        assert_eq!(all(&[]).len(), TYPES.len());
        assert_eq!(all(&["call.ended", "lead.*"]).len(), 8);
        assert!(check(&["call.*".into(), "lead.finished".into()]).is_ok());
        for wrong in ["call", "Call.ended", "", "nothing.*"] {
            assert!(check(&[wrong.into()]).is_err_and(|problem| problem.contains("call.ended")), "{wrong}");
        }
    }

    #[test]
    fn what_happens_to_a_campaign_is_told_under_a_name_that_is_among_the_types() {
        let by = || Ordered { actor: "a person".into(), reason: Some("lunch".into()) };
        for event in [
            CampaignEvent::Started { by: by() },
            CampaignEvent::Paused { by: by(), resume_at: None },
            CampaignEvent::Resumed { by: by() },
            CampaignEvent::Ended { by: by() },
            CampaignEvent::ImportFinished(Imported::default()),
        ] {
            let told = told_of_campaign(&event);
            assert!(TYPES.iter().any(|(kind, _)| *kind == told.kind), "{told:?}");
            assert!(!told.fields.contains_key("resume_at") && !told.fields.contains_key("failed_for"));
            let stored = serde_json::to_value(&event).expect("it is stored");
            assert_eq!(serde_json::from_value::<CampaignEvent>(stored).ok(), Some(event));
        }
    }

    #[test]
    fn what_is_told_is_one_of_the_types_and_leaves_out_what_is_not_known() {
        let ended = Event::Finished { outcome: None, reason: crate::why::Why::CampaignEnded };
        let told = told(&ended).expect("it is told");
        assert!(TYPES.iter().any(|(kind, _)| *kind == told.kind));
        assert!(!told.fields.contains_key("outcome"), "{told:?}");
        assert!(told.fields["reason"].is_string());
    }
}
