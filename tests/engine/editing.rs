//! Who a lead's person is, put right.

use std::time::Duration;

use outdial_emulators::exotel::Scenario;
use outdial_jobs::operations::editing::{self, Edit, Edited};
use outdial_jobs::operations::leads::LeadSpec;
use outdial_jobs::operations::suppressions::{self, Whose};
use outdial_jobs::operations::{By, OperationError, Part, audit, leads};
use outdial_workflows::history::PersonPart::{Attributes, Name, Number, Zone};
use outdial_workflows::ids::LeadId;
use outdial_workflows::outcome::Outcome;
use outdial_workflows::phone::PhoneNumber;
use outdial_workflows::workflow::State;
use serde_json::json;

use crate::support::world::World;

const BY: By<'static> = By { actor: "a test", reason: Some("they wrote to us") };
const OLD: &str = "+919876500061";
const NEW: &str = "+919876500062";

fn number(text: &str) -> PhoneNumber {
    text.parse().expect("a number")
}

fn to(phone: &str) -> Edit {
    Edit { phone: Some(number(phone)), ..Edit::default() }
}

async fn edit(world: &World, lead: LeadId, edit: &Edit) -> Result<Edited, OperationError> {
    editing::edit(&world.engine, world.client, lead, edit, BY).await
}

async fn suppress(world: &World, phone: &str) {
    let whose = Whose { client: world.client, campaign: None };
    suppressions::add(&world.engine, whose, &[number(phone)], "a wish", None, BY).await.expect("suppressed");
}

#[tokio::test]
async fn an_edit_is_on_record_with_before_and_after_and_the_history_names_what_was_edited_and_nobody() {
    let world = World::new().await;
    let campaign = world.draft(json!({})).await;
    let lead = world.lead(campaign, OLD).await;
    let attributes = json!({ "city": "Pune", "rooms": 3 }).as_object().cloned().expect("an object");
    let all = Edit {
        name: Some(Some("Asha Example".into())),
        zone: Some(Some("Asia/Kolkata".into())),
        attributes,
        ..to(NEW)
    };
    let edited = edit(&world, lead, &all).await.expect("edited");
    assert_eq!(edited.changed, [Number, Name, Zone, Attributes]);
    assert!(!edited.suppressed);
    let found = leads::get(&world.engine, lead).await.expect("there");
    assert_eq!((found.phone.as_deref(), found.name.as_deref()), (Some(NEW), Some("Asha Example")));
    assert_eq!(found.attributes, json!({ "city": "Pune", "rooms": 3 }));
    // What is not given stays, null takes away, and what is so already is no edit.
    let attributes = json!({ "city": null }).as_object().cloned().expect("an object");
    let less = Edit { zone: Some(None), attributes, ..to(NEW) };
    assert_eq!(edit(&world, lead, &less).await.expect("edited").changed, [Zone, Attributes]);
    assert_eq!(edit(&world, lead, &less).await.expect("nothing to do").changed, []);
    let found = leads::get(&world.engine, lead).await.expect("there");
    assert_eq!((found.zone, found.attributes), (None, json!({ "rooms": 3 })));

    let part = Part::newest(10);
    let written = audit::list(&world.engine, Some(world.client), Some(lead.0), None, part).await;
    let written = written.expect("listed");
    assert_eq!(written.len(), 2, "{written:?}");
    let first = &written[1];
    assert_eq!((first.action.as_str(), first.reason.as_deref()), ("edit", BY.reason));
    assert_eq!(
        first.details["before"],
        json!({ "number": OLD, "name": null, "zone": null, "attributes": {} })
    );
    assert_eq!(first.details["after"]["number"], NEW);
    let history: Vec<_> =
        world.record(lead).await.events.iter().map(|event| event.event.to_string()).collect();
    let history = history.join("\n");
    assert!(
        history.contains("number, name, zone, attributes edited by a test: they wrote to us"),
        "{history}"
    );
    assert!(!history.contains("Asha") && !history.contains(NEW), "{history}");
    world.end().await;
}

#[tokio::test]
async fn a_new_number_is_asked_what_any_number_is_asked() {
    let world = World::working().await;
    let campaign = world.draft(json!({})).await;
    let specs = [OLD, "+919876500063"].map(|phone| LeadSpec::new(number(phone)));
    let accepted = leads::accept(&world.engine, world.client, campaign, &specs).await.expect("accepted");
    assert_eq!(accepted.duplicates, 0);
    let mut ids = vec![];
    for spec in &specs {
        let found = leads::named(&world.engine, Some(world.client), spec.phone.as_str()).await;
        ids.push(found.expect("looked for")[0].lead);
    }
    let (lead, other) = (ids[0], ids[1]);
    // The same person twice in a campaign would be called twice.
    let same = edit(&world, other, &to(OLD)).await;
    assert!(matches!(&same, Err(OperationError::NotPossible(why)) if why.contains("already")), "{same:?}");
    suppress(&world, NEW).await;
    let edited = edit(&world, lead, &to(NEW)).await.expect("edited");
    assert!(edited.suppressed, "whoever edits is told so at once");
    world.order(campaign, outdial_jobs::operations::campaigns::Order::Start).await;
    let record = world.finished(lead).await;
    assert_eq!(record.attempts.len(), 0, "nobody is called: {record:?}");
    world.finished(other).await;
    world.end().await;
}

#[tokio::test]
async fn the_number_of_who_is_being_called_is_edited_after_the_call_and_their_name_at_once() {
    let world = World::working().await;
    let campaign = world.campaign(json!({ "retry": { "max_attempts": 1 } })).await;
    let lead = world.scripted(campaign, OLD, vec![Scenario::answered(Duration::from_secs(300))]).await;
    world
        .until(lead, |record| record.attempts.last().is_some_and(|attempt| attempt.answered_at.is_some()))
        .await;
    let refused = edit(&world, lead, &to(NEW)).await;
    assert!(
        matches!(&refused, Err(OperationError::NotPossible(why)) if why.contains("being called")),
        "{refused:?}"
    );
    let name = Edit { name: Some(Some("Asha Example".into())), ..Edit::default() };
    assert_eq!(edit(&world, lead, &name).await.expect("edited").changed, [Name]);
    world.finished(lead).await;
    assert_eq!(edit(&world, lead, &to(NEW)).await.expect("edited").changed, [Number]);
    let record = world.record(lead).await;
    assert_eq!(record.workflow.state, State::Finished, "nobody is called for it");
    // A wish that is recorded of that call later is the wish of who had the number then: neither is called again.
    let attempt = record.attempts.last().expect("one").number;
    let correct = outdial_workflows::input::Command::Correct { attempt, outcome: Outcome::DoNotCall };
    world.command(lead, correct).await;
    let whose = Whose { client: world.client, campaign: None };
    for phone in [OLD, NEW] {
        let listed = suppressions::list(&world.engine, whose, Some(&number(phone)), Part::newest(1)).await;
        assert_eq!(listed.expect("listed").len(), 1, "{phone}");
    }
    world.end().await;
}

#[tokio::test]
async fn a_lead_moves_to_the_lane_of_where_its_person_is_and_is_counted_there() {
    let world = World::new().await;
    let calendar = json!({ "calendar": [{ "days": ["mon"], "from": "10:00", "to": "19:00" }] });
    let campaign = world.draft(calendar).await;
    let lead = world.lead(campaign, OLD).await;
    let lane = "select count(*) from workflows w join lanes l using (client_id, lane_id) where l.place";
    assert_eq!(world.count(&format!("{lane} like '%London%'")).await, 0);
    let zone = Edit { zone: Some(Some("Europe/London".into())), ..Edit::default() };
    edit(&world, lead, &zone).await.expect("edited");
    assert_eq!(world.count(&format!("{lane} like '%London%'")).await, 1);
    let counted = "select coalesce(sum(s.count), 0)::bigint from statistics_deltas s
        join lanes l using (client_id, lane_id) where l.place";
    assert_eq!(world.count(&format!("{counted} like '%London%'")).await, 1);
    assert_eq!(world.count(&format!("{counted} not like '%London%'")).await, 0);
    world.end().await;
}
