//! What people do from pages: each order is carried out as the API's is, and the next page says so.

use std::collections::BTreeMap;
use std::time::Duration;

use outdial_emulators::exotel::Scenario;
use outdial_jobs::operations::analytics::{self, Asked};
use outdial_jobs::operations::keys::Role;
use outdial_jobs::operations::{Part, campaigns, leads, suppressions};
use outdial_jobs::providers::http_client;
use outdial_workflows::ids::{AttemptNumber, AttemptRef, DialKey};
use outdial_workflows::outcome::Outcome;
use outdial_workflows::workflow::State;
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::{Answer, Browser, done};
use crate::support::world::{World, spec, until};

/// The address behind `Location` without what comes before its last part.
fn last_part(answer: &Answer) -> uuid::Uuid {
    let parts: Vec<_> = answer.location().split('/').collect();
    parts.iter().rev().find_map(|part| part.parse().ok()).expect("an id")
}

#[tokio::test]
async fn a_campaign_is_made_started_paused_and_ended_from_its_pages() {
    let mut world = World::working().await;
    let mut browser = Browser::signed_in(&world, Role::Operator, Some(world.client)).await;
    let (account, client) = (world.account.to_string(), world.client);
    let fields = [
        ("name", "July"),
        ("account", account.as_str()),
        ("agent", "flow"),
        ("flow_id", "1001"),
        ("caller_ids", "+918040000000"),
        ("hours", "weekly"),
        ("days", "mon"),
        ("from", "10:00"),
        ("to", "19:00"),
        ("zone", "Asia/Kolkata"),
        ("max_attempts", "2"),
        ("retry_no_answer", "45m"),
        ("concurrent", "3"),
        ("per_second", "2"),
        ("ring_timeout_s", "25"),
        ("purpose", "service"),
    ];
    let made = browser.order(&format!("/admin/clients/{client}/campaigns/new"), &fields).await;
    let campaign = outdial_workflows::ids::CampaignId(last_part(&made));
    done(&mut browser, made).await;
    let (_, rules) = campaigns::rules(&world.engine, client, campaign).await.expect("rules");
    let rules = serde_json::to_value(rules).expect("JSON");
    assert_eq!(rules["agent"], json!({ "mode": "flow", "flow_id": "1001" }));
    assert_eq!(rules["calendar"], json!([{ "days": ["mon"], "from": "10:00", "to": "19:00" }]));
    assert_eq!(
        (&rules["retry"]["max_attempts"], &rules["retry"]["rules"]["no_answer"], &rules["ring_timeout_s"]),
        (&json!(2), &json!("45m"), &json!(25))
    );
    assert_eq!(rules["limits"].as_array().map(Vec::len), Some(2));
    let (here, orders) =
        (format!("/admin/campaigns/{campaign}"), format!("/admin/campaigns/{campaign}/orders"));
    for (order, state) in [("start", "running"), ("pause", "paused"), ("resume", "running")] {
        let answer = browser.order(&orders, &[("order", order), ("back", &here), ("reason", "a test")]).await;
        let page = done(&mut browser, answer).await;
        assert!(page.body.contains(">Undo<"), "{order} can be taken back");
        let now = campaigns::one(&world.engine, client, campaign).await.expect("there");
        assert_eq!((now.state.name(), now.reason.as_deref()), (state, Some("a test")));
    }
    // Said once, and not again.
    assert!(!browser.get(&here).await.body.contains("data-toast"));
    let answer = browser.order(&orders, &[("order", "cancel")]).await;
    done(&mut browser, answer).await;
    let again = browser.order(&orders, &[("order", "start")]).await;
    assert_eq!(again.status, StatusCode::CONFLICT, "it makes no sense any more, and the page says so");
    world.stop_workers().await;
    world.end().await;
}

#[tokio::test]
async fn an_edit_keeps_what_the_form_has_no_field_for_and_is_refused_over_somebody_elses() {
    let world = World::new().await;
    let campaign = world.draft(json!({ "caps": { "per_day": 2 }, "settle_ms": 1_500 })).await;
    let mut browser = Browser::signed_in(&world, Role::Operator, Some(world.client)).await;
    let path = format!("/admin/campaigns/{campaign}/rules");
    let page = browser.get(&path).await;
    let (_, mut fields) = page.forms().into_iter().find(|(action, _)| *action == path).expect("the form");
    for (name, value) in
        [("hours", "none"), ("agent", "flow"), ("flow_id", "1002"), ("caller_ids", "+918040000001")]
    {
        fields.insert(name.into(), value.into());
    }
    let compared = browser.send(&format!("{path}/compare"), &fields, &[]).await;
    assert_eq!(compared.status, StatusCode::OK);
    assert!(
        compared.body.contains("agent.flow_id") && compared.body.contains("<ins>1002</ins>"),
        "{}",
        compared.body
    );
    let answer = browser.send(&path, &fields, &[]).await;
    done(&mut browser, answer).await;
    let (revision, rules) = campaigns::rules(&world.engine, world.client, campaign).await.expect("rules");
    let rules = serde_json::to_value(rules).expect("JSON");
    assert_eq!((revision.0, &rules["caps"]["per_day"], &rules["settle_ms"]), (2, &json!(2), &json!(1_500)));
    assert_eq!(rules["agent"]["flow_id"], "1002");
    let late = browser.send(&path, &fields, &[]).await;
    assert_eq!(late.status, StatusCode::PRECONDITION_FAILED, "it was made on revision 1");
    world.end().await;
}

#[tokio::test]
async fn a_file_is_checked_and_sent_and_what_is_wrong_with_its_rows_is_shown() {
    let mut world = World::working().await;
    let campaign = world.draft(json!({})).await;
    let mut browser = Browser::signed_in(&world, Role::Operator, Some(world.client)).await;
    let csv = "phone,name\n+919876500001,Asha\nnot a number,Bela\n";
    let path = format!("/admin/campaigns/{campaign}/imports?name=June");
    let (client, address) = (http_client().expect("a client"), world.address(&path));
    let send = async |browser: &mut Browser<'_>, address: url::Url| {
        let proof = browser.proof.clone();
        let request = client.post(address).header("content-type", "text/csv").header("x-outdial-csrf", proof);
        let answer = browser.ask(request.body(csv)).await;
        let body: Value = serde_json::from_str(&answer.body).expect("JSON");
        (answer.status, body)
    };
    let (status, told) = send(&mut browser, world.address(&format!("{path}&dry_run=true"))).await;
    assert_eq!((status, &told["accepted"], &told["problems_total"]), (StatusCode::OK, &json!(1), &json!(1)));
    let (status, told) = send(&mut browser, address).await;
    assert_eq!(status, StatusCode::ACCEPTED);
    let page = format!("/admin/imports/{}", told["id"].as_str().expect("an id"));
    let shown = tokio::sync::Mutex::new(browser);
    until("the file is taken in", async || shown.lock().await.get(&page).await.body.contains(">done<")).await;
    let page = shown.lock().await.get(&page).await;
    assert!(page.body.contains("Line\" class=\"n\">3<"), "{}", page.body);
    world.stop_workers().await;
    world.end().await;
}

#[tokio::test]
async fn a_lead_is_held_released_rescheduled_and_suppressed_from_its_page() {
    let world = World::new().await;
    let campaign = world.draft(json!({})).await;
    let lead = world.lead(campaign, "+919876500001").await;
    let mut browser = Browser::signed_in(&world, Role::Operator, Some(world.client)).await;
    let (here, orders) = (format!("/admin/leads/{lead}"), format!("/admin/leads/{lead}/orders"));
    for (order, state) in [("pause", State::Held), ("resume", State::Waiting)] {
        let answer = browser.order(&orders, &[("order", order), ("back", &here)]).await;
        done(&mut browser, answer).await;
        assert_eq!(leads::get(&world.engine, lead).await.expect("there").state, state);
    }
    let later = [("order", "reschedule"), ("at", "2031-01-02T10:00"), ("zone", "Asia/Kolkata")];
    let answer = browser.order(&orders, &later).await;
    done(&mut browser, answer).await;
    let due = leads::get(&world.engine, lead).await.expect("there").wake_at.expect("it waits");
    assert_eq!(due.to_rfc3339(), "2031-01-02T04:30:00+00:00");
    let answer = browser.order(&format!("{here}/suppress"), &[("back", &here)]).await;
    let page = done(&mut browser, answer).await;
    assert!(page.body.contains("The number is suppressed"));
    let whose = suppressions::Whose { client: world.client, campaign: None };
    assert_eq!(suppressions::list(&world.engine, whose, None, Part::newest(9)).await.expect("read").len(), 1);
    let (undo, mut fields) =
        page.forms().into_iter().find(|(action, _)| action.ends_with("/lift")).expect("it can be taken back");
    fields.insert("back".into(), here);
    let answer = browser.send(&undo, &fields, &[]).await;
    done(&mut browser, answer).await;
    assert!(suppressions::list(&world.engine, whose, None, Part::newest(9)).await.expect("read").is_empty());
    world.end().await;
}

#[tokio::test]
async fn a_script_is_told_what_was_refused_and_where_so_that_nothing_typed_is_lost() {
    let world = World::new().await;
    let mut browser = Browser::signed_in(&world, Role::Admin, None).await;
    let path = format!("/admin/clients/{}/suppressions", world.client);
    let fields = BTreeMap::from([
        ("csrf".to_owned(), browser.proof.clone()),
        ("phones".to_owned(), "+919876500001\nnobody".to_owned()),
        ("source".to_owned(), String::new()),
    ]);
    let proof = browser.proof.clone();
    let answer = browser.send(&path, &fields, &[("x-outdial-csrf", proof.as_str())]).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    let told: Value = serde_json::from_str(&answer.body).expect("JSON");
    assert_eq!(told["places"], json!(["phones"]));
    assert!(told["said"].as_str().is_some_and(|said| said.contains("nobody")), "{told}");
    let fields = BTreeMap::from([
        ("csrf".to_owned(), browser.proof.clone()),
        ("phones".to_owned(), "+919876500001".to_owned()),
        ("source".to_owned(), String::new()),
    ]);
    let answer = browser.send(&path, &fields, &[("x-outdial-csrf", proof.as_str())]).await;
    let told: Value = serde_json::from_str(&answer.body).expect("JSON");
    assert_eq!((answer.status, &told["to"]), (StatusCode::OK, &json!(path)));
    world.end().await;
}

#[tokio::test]
async fn what_people_are_called_is_text_and_nothing_else() {
    const NAME: &str = "<script>alert(1)</script>\" onload=\"x";
    let world = World::new().await;
    let campaign = world.draft(json!({})).await;
    let mut person = spec("+919876500001");
    person.name = Some(NAME.into());
    person.attributes.insert("<b>city</b>".into(), json!("<i>Pune</i>"));
    let accepted = leads::accept(&world.engine, world.client, campaign, &[person]).await.expect("accepted");
    let mut browser = Browser::signed_in(&world, Role::Admin, None).await;
    for path in [format!("/admin/leads/{}", accepted.leads[0]), format!("/admin/campaigns/{campaign}/leads")]
    {
        let page = browser.get(&path).await;
        assert_eq!(page.status, StatusCode::OK);
        assert!(!page.body.contains("<script>alert") && !page.body.contains("<i>Pune"), "{}", page.body);
        assert!(page.body.contains("alert(1)"));
    }
    world.end().await;
}

#[tokio::test]
async fn many_leads_are_held_by_one_order_whose_reach_is_shown_first() {
    let mut world = World::working().await;
    let campaign = world.draft(json!({})).await;
    world.leads(campaign, &crate::support::world::phones(1, 40)).await;
    let mut browser = Browser::signed_in(&world, Role::Operator, Some(world.client)).await;
    let base = format!("/admin/clients/{}/operations", world.client);
    let page = browser.get(&format!("{base}/new?campaign={campaign}&state=waiting")).await;
    assert!(
        page.body.contains("<b>40</b> leads fit") || page.body.contains("<b>At most 40</b>"),
        "{}",
        page.body
    );
    let campaign_id = campaign.to_string();
    let fields = [("campaign", campaign_id.as_str()), ("state", "waiting"), ("order", "pause")];
    let answer = browser.order(&base, &fields).await;
    let path = answer.location().to_owned();
    done(&mut browser, answer).await;
    let shown = tokio::sync::Mutex::new(browser);
    until("it is carried out", async || shown.lock().await.get(&path).await.body.contains(">done<")).await;
    assert_eq!(world.count("select count(*) from workflows where state = 'held'").await, 40);
    world.stop_workers().await;
    world.end().await;
}

#[tokio::test]
async fn a_page_is_told_of_what_changes_while_it_is_looked_at() {
    let world = World::new().await;
    let campaign = world.draft(json!({})).await;
    let lead = world.lead(campaign, "+919876500001").await;
    let mut browser = Browser::signed_in(&world, Role::Operator, Some(world.client)).await;
    let cookies: Vec<_> = browser.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let address = world.address(&format!("/admin/leads/{lead}/live"));
    let asked =
        http_client().expect("a client").get(address).header("cookie", cookies.join("; ")).send().await;
    let mut stream = asked.expect("a stream");
    let mut told = String::new();
    let mut read_until = async |wanted: &str| {
        while !told.contains(wanted) {
            let piece = stream.chunk().await.expect("it goes on").expect("it does not end");
            told.push_str(&String::from_utf8_lossy(&piece));
        }
    };
    crate::support::world::soon("its state is told", read_until("waiting")).await;
    let answer = browser.order(&format!("/admin/leads/{lead}/orders"), &[("order", "pause")]).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    crate::support::world::soon("the change is told", read_until("Release")).await;
    world.end().await;
}

#[tokio::test]
async fn what_came_of_a_call_is_corrected_with_a_reason_and_the_record_keeps_both() {
    let mut world = World::working().await;
    let campaign = world.campaign(json!({ "retry": { "max_attempts": 1 } })).await;
    let talk = Scenario::answered(Duration::from_secs(30));
    let lead = world.scripted(campaign, "+919876500001", [talk]).await;
    world.finished(lead).await;
    let key = DialKey(AttemptRef { client: world.client, lead, number: AttemptNumber::FIRST });
    let (here, order) = (format!("/admin/calls/{key}"), format!("/admin/calls/{key}/outcome"));
    let mut viewer = Browser::signed_in(&world, Role::Viewer, Some(world.client)).await;
    let refused = viewer.order(&order, &[("outcome", "not_interested"), ("reason", "I say so")]).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    let mut browser = Browser::signed_in(&world, Role::Operator, Some(world.client)).await;
    for (outcome, reason) in [("not_interested", " "), ("happy", "a typo"), ("", "nothing chosen")] {
        let refused = browser.order(&order, &[("outcome", outcome), ("reason", reason)]).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{outcome}: {reason}");
    }
    let given = [("outcome", "not_interested"), ("reason", "listened to the recording")];
    let answer = browser.order(&order, &given).await;
    let page = done(&mut browser, answer).await;
    assert!(page.body.contains("It is recorded as not interested."), "{}", page.body);
    // Said again, it is so already.
    let answer = browser.order(&order, &given).await;
    done(&mut browser, answer).await;
    let record = world.record(lead).await;
    assert_eq!(record.workflow.outcome, Some(Outcome::NotInterested));
    assert_eq!(record.attempts[0].outcome, Some(Outcome::NotInterested));
    let story = browser.get(&format!("/admin/leads/{lead}")).await.body;
    assert!(story.contains("listened to the recording") && story.contains("not interested"), "{story}");
    let audited = "select count(*) from audit where action = 'correct' and reason = 'listened to the recording'
        and details -> 'before' ->> 'outcome' = 'successful' and details -> 'after' ->> 'outcome' = 'not_interested'";
    assert_eq!(world.count(audited).await, 1);
    assert!(browser.get(&here).await.body.contains("Recorded"));
    let counted = analytics::calls(&world.engine, world.client, Asked::default()).await.expect("counted");
    assert_eq!(counted.by_outcome, [("not_interested".to_owned(), 1)].into(), "charts follow");
    world.stop_workers().await;
    world.end().await;
}

#[tokio::test]
async fn hanging_up_is_offered_only_where_there_is_a_way_to() {
    let mut world = World::working().await;
    let campaign = world.campaign(json!({})).await;
    let talk = Scenario::answered(Duration::from_secs(3_600));
    let lead = world.scripted(campaign, "+919876500001", [talk]).await;
    world.until(lead, |record| record.workflow.state == State::Calling).await;
    let key = DialKey(AttemptRef { client: world.client, lead, number: AttemptNumber::FIRST });
    let mut browser = Browser::signed_in(&world, Role::Operator, Some(world.client)).await;
    // A flow at Exotel talks: there is no way to end it from here.
    for path in [format!("/admin/calls/{key}"), format!("/admin/leads/{lead}")] {
        let page = browser.get(&path).await;
        assert!(!page.body.contains(">Hang up<"), "{path}: {}", page.body);
    }
    world.settle().await;
    world.judge().await;
}

#[tokio::test]
async fn a_kind_of_job_is_paused_and_resumed_by_who_administers_all_clients() {
    let world = World::new().await;
    let path = format!("/admin/clients/{}/jobs/kinds", world.client);
    let pause = [("kind", "deliver.v1"), ("order", "pause"), ("reason", "their server is being moved")];
    let mut one = Browser::signed_in(&world, Role::Admin, Some(world.client)).await;
    assert_eq!(one.order(&path, &pause).await.status, StatusCode::FORBIDDEN, "workers are shared");
    let mut browser = Browser::signed_in(&world, Role::Admin, None).await;
    let answer = browser.order(&path, &pause).await;
    let page = done(&mut browser, answer).await;
    assert!(page.body.contains(">Undo<") && page.body.contains("is paused for all clients"), "{}", page.body);
    let seen = one.get(&format!("/admin/clients/{}/jobs", world.client)).await;
    assert!(seen.body.contains("their server is being moved"), "whoever wonders sees why: {}", seen.body);
    let refused = browser.order(&path, &[("kind", "dial.v1"), ("order", "pause")]).await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    let answer = browser.order(&path, &[("kind", "deliver.v1"), ("order", "resume")]).await;
    let page = done(&mut browser, answer).await;
    assert!(!page.body.contains("is paused for all clients"), "{}", page.body);
    world.end().await;
}

#[tokio::test]
async fn a_filter_is_saved_found_again_called_otherwise_and_forgotten_by_its_key_alone() {
    let world = World::new().await;
    let (one, other) = (world.draft(json!({})).await, world.draft(json!({})).await);
    let mut browser = Browser::signed_in(&world, Role::Viewer, Some(world.client)).await;
    let mut another = Browser::signed_in(&world, Role::Viewer, Some(world.client)).await;
    let list = format!("/admin/campaigns/{one}/leads?state=held&name=A%26B");
    let page = browser.get(&list).await;
    let mut forms = page.forms().into_iter();
    let (action, mut fields) = forms.find(|(action, _)| action == "/admin/filters").expect("the form");
    fields.insert("name".into(), "Held ones".into());
    let answer = browser.send(&action, &fields, &[]).await;
    assert_eq!(answer.location(), list, "it goes on where it was");
    done(&mut browser, answer).await;
    let beside = format!("/admin/campaigns/{other}/leads");
    let page = browser.get(&beside).await;
    assert!(page.body.contains("href=\"?name=A%26B&#38;state=held\""), "{page:?}");
    assert!(page.body.contains(">Held ones</a>"), "it stands beside every list of its kind");
    assert!(!another.get(&beside).await.body.contains("Held ones"), "and nobody else's");
    let of_jobs = browser.get(&format!("/admin/clients/{}/jobs", world.client)).await;
    assert!(!of_jobs.body.contains("Held ones"), "nor beside lists of other kinds");
    let action = |page: &Answer, end: &str| {
        page.forms()
            .into_iter()
            .map(|(action, _)| action)
            .find(|action| action.ends_with(end))
            .expect("a form")
    };
    let (rename, forget) = (action(&page, "/rename"), action(&page, "/forget"));
    for order in [&rename, &forget] {
        let theirs = another.order(order, &[("name", "Mine")]).await;
        assert_eq!(theirs.status, StatusCode::NOT_FOUND, "{theirs:?}");
    }
    let answer = browser.order(&rename, &[("name", "Those that are held"), ("back", &beside)]).await;
    assert!(done(&mut browser, answer).await.body.contains(">Those that are held</a>"));
    let answer = browser.order(&rename, &[("name", "  "), ("back", &beside)]).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{answer:?}");
    let answer = browser.order(&forget, &[("back", &beside)]).await;
    let page = done(&mut browser, answer).await;
    assert!(!page.body.contains(">Those that are held</a>") && page.body.contains(">Undo<"));
    world.end().await;
}

#[tokio::test]
async fn a_person_is_edited_and_erased_from_the_leads_page_once_their_number_is_typed() {
    let world = World::new().await;
    let campaign = world.draft(json!({})).await;
    let lead = world.lead(campaign, "+919876500001").await;
    let here = format!("/admin/leads/{lead}");
    let mut browser = Browser::signed_in(&world, Role::Admin, Some(world.client)).await;
    let person = format!("{here}/person");
    let fields = [("phone", "+91 98765 00002"), ("name", "Asha"), ("attributes", "city=Pune\nrooms=3")];
    let answer = browser.order(&person, &fields).await;
    let page = done(&mut browser, answer).await;
    assert!(page.body.contains("Edited: number, name, attributes."), "{page:?}");
    let found = leads::get(&world.engine, lead).await.expect("there");
    assert_eq!((found.phone.as_deref(), found.name.as_deref()), (Some("+919876500002"), Some("Asha")));
    assert_eq!(found.attributes, json!({ "city": "Pune", "rooms": 3 }));
    // A line that was taken out is an attribute that was.
    let fields = [
        ("phone", "+919876500002"),
        ("name", "Asha"),
        ("attributes", "rooms=3"),
        ("known", "city=Pune\nrooms=3"),
    ];
    let answer = browser.order(&person, &fields).await;
    done(&mut browser, answer).await;
    let found = leads::get(&world.engine, lead).await.expect("there");
    assert_eq!(found.attributes, json!({ "rooms": 3 }));
    let erase = format!("{here}/erase");
    for typed in ["", "+919876500001"] {
        let refused = browser.order(&erase, &[("number", typed)]).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{refused:?}");
    }
    let answer = browser.order(&erase, &[("number", "+91 98765 00002"), ("reason", "their wish")]).await;
    let page = done(&mut browser, answer).await;
    assert!(page.body.contains("A person who was erased") && page.body.contains("Certificate"), "{page:?}");
    assert_eq!(leads::get(&world.engine, lead).await.expect("there").phone, None);
    world.end().await;
}
