//! Playbooks, over the API: added in versions, named by campaigns, and gone by in calls.

use outdial_jobs::operations::campaigns::Order;
use outdial_jobs::operations::keys::Role;
use outdial_jobs::operations::leads::{self, LeadSpec};
use outdial_jobs::operations::{OperationError, playbooks, setup};
use outdial_workflows::playbook::{MOST_KNOWLEDGE, shipped};
use outdial_workflows::workflow::State;
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::{Answer, Caller, each, key, place};
use crate::support::world::{World, told};

/// The least playbook, of which `greeting` tells versions apart.
fn greeting(greeting: &str) -> String {
    let text = shipped("minimal").expect("it is there");
    text.replace("Hello {{ lead.name | there }}, do you have a minute?", greeting)
}

async fn operator(world: &World) -> (Caller<'_>, String) {
    let caller = key(world, Role::Operator, Some(world.client)).await;
    (caller, format!("/v1/clients/{}/playbooks", world.client))
}

fn told_of(answer: &Answer) -> (&Value, &Value) {
    (&answer.body["name"], &answer.body["version"])
}

#[tokio::test]
async fn a_playbook_is_added_in_versions_that_stay() {
    let mut world = World::new().await;
    let (caller, list) = operator(&world).await;
    let first = json!({ "name": "welcome", "text": greeting("Good day.") });
    let added = caller.post(&list, first.clone()).await;
    assert_eq!(
        (added.status, told_of(&added)),
        (StatusCode::CREATED, (&json!("welcome"), &json!(1))),
        "{added:?}"
    );
    assert!(added.body["created_by"].as_str().is_some_and(|by| by.starts_with("key a key")), "{added:?}");
    let again = caller.post(&list, first.clone()).await;
    assert_eq!(
        (again.status, &again.body["version"], &again.body["new"]),
        (StatusCode::OK, &json!(1), &json!(false))
    );
    let second = json!({ "name": "welcome", "text": greeting("Good evening.") });
    assert_eq!(told_of(&caller.post(&list, second.clone()).await), (&json!("welcome"), &json!(2)));
    // What was said before is said anew: that is another version again.
    assert_eq!(told_of(&caller.post(&list, first.clone()).await), (&json!("welcome"), &json!(3)));
    let path = format!("{list}/welcome");
    for (query, version, text) in
        [("", 3, &first["text"]), ("?version=2", 2, &second["text"]), ("?version=1", 1, &first["text"])]
    {
        let shown = caller.get(&format!("{path}{query}")).await;
        assert_eq!((&shown.body["version"], &shown.body["text"]), (&json!(version), text), "{shown:?}");
    }
    for missing in ["?version=4", "?version=0"] {
        assert_eq!(caller.get(&format!("{path}{missing}")).await.status, StatusCode::NOT_FOUND, "{missing}");
    }
    assert_eq!(caller.get(&format!("{list}/nothing")).await.status, StatusCode::NOT_FOUND);
    assert_eq!(caller.get(&format!("{list}/a%2Fb%20c")).await.status, StatusCode::NOT_FOUND);
    let page = caller.get(&format!("{path}/versions?limit=2")).await;
    assert_eq!(each(&page, "version"), [3, 2]);
    let rest =
        caller.get(&format!("{path}/versions?cursor={}", page.body["next"].as_str().expect("more"))).await;
    assert_eq!((each(&rest, "version"), rest.body["next"].is_null()), (vec![json!(1)], true));
    let audit = "select count(*) from audit where subject = 'playbook' and action = 'add'
        and details->>'playbook' = 'welcome'";
    assert_eq!(world.count(audit).await, 3, "each version is on record, and what made none is not");
    world.settle().await;
}

#[tokio::test]
async fn what_comes_with_the_program_is_every_clients_until_it_keeps_one_of_that_name() {
    let mut world = World::new().await;
    let (caller, list) = operator(&world).await;
    let versions = async || {
        let listed = caller.get(&list).await;
        each(&listed, "name").into_iter().zip(each(&listed, "version")).collect::<Vec<_>>()
    };
    let are = |all: &[(&str, u32)]| {
        all.iter().map(|(name, version)| (json!(name), json!(version))).collect::<Vec<_>>()
    };
    assert_eq!(versions().await, are(&[("loan-interest", 0), ("minimal", 0), ("property-enquiry", 0)]));
    let ours = caller.get(&format!("{list}/minimal")).await;
    assert_eq!(
        (&ours.body["text"], &ours.body["version"]),
        (&json!(shipped("minimal")), &json!(0)),
        "{ours:?}"
    );
    assert!(ours.body["created_at"].is_null(), "{ours:?}");
    // Named by itself, it takes the name that the playbook gives itself.
    let theirs = caller.post(&list, json!({ "text": greeting("Good day.") })).await;
    assert_eq!(told_of(&theirs), (&json!("minimal"), &json!(1)), "{theirs:?}");
    caller.post(&list, json!({ "name": "zebra", "text": greeting("Good day.") })).await;
    caller.post(&list, json!({ "name": "apple", "text": greeting("Good day.") })).await;
    let all =
        are(&[("apple", 1), ("loan-interest", 0), ("minimal", 1), ("property-enquiry", 0), ("zebra", 1)]);
    assert_eq!(versions().await, all);
    assert_eq!(caller.get(&format!("{list}/minimal")).await.body["version"], 1);
    let before = caller.get(&format!("{list}/minimal?version=0")).await;
    assert_eq!(before.body["text"], json!(shipped("minimal")), "whoever named it by its number keeps it");
    assert_eq!(each(&caller.get(&format!("{list}/minimal/versions")).await, "version"), [1, 0]);
    assert_eq!(each(&caller.get(&format!("{list}/property-enquiry/versions")).await, "version"), [0]);
    // Page by page, whatever comes from where.
    let (mut names, mut cursor) = (vec![], String::new());
    loop {
        let page = caller.get(&format!("{list}?limit=1{cursor}")).await;
        names.extend(each(&page, "name"));
        let Some(next) = page.body["next"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(names, all.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>());
    let other = setup::create_client(&world.engine, "Another client").await.expect("a client");
    let listed = playbooks::list(&world.engine, other, None, 10).await.expect("listed");
    assert_eq!(
        listed.iter().map(|it| (it.name.as_str(), it.version)).collect::<Vec<_>>(),
        [("loan-interest", 0), ("minimal", 0), ("property-enquiry", 0)]
    );
    world.settle().await;
}

#[tokio::test]
async fn a_playbook_that_is_wrong_is_refused_with_every_problem_and_its_line() {
    let mut world = World::new().await;
    let (caller, list) = operator(&world).await;
    let text =
        greeting("Hello {{ lead.nmae }}").replace("name = \"talk\"", "name = \"talk\"\ntools = [\"dance\"]");
    let text = format!("{text}[[knowledge]]\nname = \"prices\"\nfile = \"prices.md\"\n");
    let wrong = json!({ "name": "welcome", "text": text, "files": { "price.md": "65 lakh" } });
    let mut check = wrong.clone();
    check.as_object_mut().expect("it is one").remove("name");
    for answer in [caller.post(&list, wrong).await, caller.post("/v1/playbooks/check", check).await] {
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{answer:?}");
        let errors = answer.body["errors"].as_array().expect("errors").iter();
        let places =
            errors.map(|error| (error["place"].as_str().unwrap_or_default(), error["line"].as_u64()));
        assert_eq!(
            places.collect::<Vec<_>>(),
            [
                ("files.price.md", None),
                ("says.greeting", Some(7)),
                ("stages[0].tools[0]", Some(12)),
                ("knowledge[0].file", Some(16)),
            ]
        );
        let told = answer.body["errors"][2]["problem"].as_str().expect("a problem");
        assert!(told.starts_with("`dance` is no tool; one of note"), "{told}");
    }
    let broken = caller.post(&list, json!({ "name": "welcome", "text": "name = \"A\nlanguage" })).await;
    assert_eq!((place(&broken), &broken.body["errors"][0]["line"]), ("text", &json!(2)), "{broken:?}");
    let large = "x".repeat(MOST_KNOWLEDGE + 1);
    let large = json!({ "name": "welcome", "text": with_prices(), "files": { "prices.md": large } });
    assert_eq!(place(&caller.post(&list, large).await), "knowledge");
    for name in ["Welcome", "a b", "", "../a"] {
        let named = caller.post(&list, json!({ "name": name, "text": greeting("Good day.") })).await;
        assert_eq!(place(&named), "name", "{name}");
    }
    let unnamed = greeting("Good day.").replace("name = \"Minimal\"", "name = \"नमस्ते\"");
    assert_eq!(place(&caller.post(&list, json!({ "text": unnamed })).await), "name");
    assert_eq!(world.count("select count(*) from playbooks").await, 0);
    world.settle().await;
}

fn with_prices() -> String {
    format!("{}[[knowledge]]\nname = \"prices\"\nfile = \"prices.md\"\n", greeting("Good day."))
}

#[tokio::test]
async fn files_of_knowledge_are_kept_with_the_version() {
    let mut world = World::new().await;
    let (caller, list) = operator(&world).await;
    let with =
        |prices: &str| json!({ "name": "prices", "text": with_prices(), "files": { "prices.md": prices } });
    assert_eq!(caller.post(&list, with("From 65 lakh")).await.status, StatusCode::CREATED);
    let other = caller.post(&list, with("From 70 lakh")).await;
    assert_eq!(other.body["version"], 2, "the same text with another file is another version");
    assert_eq!(caller.post(&list, with("From 70 lakh")).await.status, StatusCode::OK);
    let shown = caller.get(&format!("{list}/prices?version=1")).await;
    assert_eq!(shown.body["files"], json!({ "prices.md": "From 65 lakh" }), "{shown:?}");
    let read = async |version| {
        let (playbook, version) =
            playbooks::of(&world.engine, world.client, "prices", version).await.expect("read");
        (playbook.knowledge[0].text.clone(), version)
    };
    assert_eq!(read(None).await, ("From 70 lakh".to_owned(), 2));
    assert_eq!(read(Some(1)).await, ("From 65 lakh".to_owned(), 1));
    caller.post(&list, with("From 75 lakh")).await;
    assert_eq!(read(None).await, ("From 75 lakh".to_owned(), 3), "the latest as it is asked");
    world.settle().await;
}

#[tokio::test]
async fn versions_that_are_added_at_once_have_numbers_of_their_own() {
    let mut world = World::new().await;
    let (caller, list) = operator(&world).await;
    let texts: Vec<String> = (0..8).map(|n| greeting(&format!("Good day {n}."))).collect();
    let added = texts.iter().map(|text| caller.post(&list, json!({ "name": "welcome", "text": text })));
    let added = futures_util::future::join_all(added).await;
    let mut versions: Vec<i64> = added.iter().filter_map(|answer| answer.body["version"].as_i64()).collect();
    versions.sort_unstable();
    assert_eq!(versions, (1..=8).collect::<Vec<_>>(), "{added:?}");
    world.settle().await;
}

#[tokio::test]
async fn a_post_that_is_sent_again_under_its_key_adds_one_version() {
    let mut world = World::new().await;
    let (caller, list) = operator(&world).await;
    let send = async |text: &str| {
        let body = json!({ "name": "welcome", "text": greeting(text) });
        caller.ask_once(reqwest::Method::POST, &list, Some(body), Some(text)).await
    };
    let first = send("one").await;
    send("two").await;
    let again = send("one").await;
    assert_eq!((again.status, again.replayed, &again.body), (StatusCode::CREATED, true, &first.body));
    assert_eq!(world.count("select count(*) from playbooks").await, 2);
    world.settle().await;
}

#[tokio::test]
async fn a_campaign_names_a_playbook_that_is_there() {
    let mut world = World::new().await;
    let (caller, list) = operator(&world).await;
    for text in ["Good day.", "Good evening."] {
        caller.post(&list, json!({ "name": "welcome", "text": greeting(text) })).await;
    }
    let campaigns = format!("/v1/clients/{}/campaigns", world.client);
    let with = async |name: &str, agent: Value| {
        let rules = json!({ "calendar": "none", "caller_ids": ["+918040000000"], "agent": agent });
        caller.post(&campaigns, json!({ "name": name, "account": world.account, "rules": rules })).await
    };
    for (playbook, version, wrong, says) in [
        ("wellcome", None, "agent.playbook", "there are loan-interest, minimal, property-enquiry, welcome"),
        ("welcome", Some(3), "agent.version", "it has 1 to 2"),
        ("welcome", Some(0), "agent.version", "it has 1 to 2"),
        ("minimal", Some(1), "agent.version", "the only one is 0"),
        ("Welcome", None, "agent.playbook", "small letters"),
    ] {
        let refused =
            with("Spring", json!({ "mode": "stream", "playbook": playbook, "version": version })).await;
        assert_eq!(place(&refused), wrong, "{playbook} {version:?}");
        assert!(refused.body["detail"].as_str().is_some_and(|told| told.contains(says)), "{refused:?}");
    }
    assert_eq!(world.count("select count(*) from campaigns").await, 0);
    let agent = json!({ "mode": "stream", "playbook": "welcome", "version": 2 });
    let made = with("Spring", agent.clone()).await;
    assert_eq!(made.status, StatusCode::CREATED, "{made:?}");
    assert_eq!(
        with("Summer", json!({ "mode": "stream", "playbook": "minimal" })).await.status,
        StatusCode::CREATED
    );
    let rules = format!("/v1/campaigns/{}/rules", made.body["id"].as_str().expect("an id"));
    let read = caller.get(&rules).await;
    assert_eq!(read.body["rules"]["agent"], agent);
    let mut edited = read.body["rules"].clone();
    edited["agent"]["playbook"] = json!("nothing");
    let put = caller.put(&rules, edited.clone(), read.etag.as_deref()).await;
    assert_eq!(place(&put), "agent.playbook");
    edited["agent"] = json!({ "mode": "stream", "playbook": "property-enquiry" });
    let put = caller.put(&rules, edited, read.etag.as_deref()).await;
    assert_eq!((put.status, &put.body["revision"]), (StatusCode::OK, &json!(2)), "{put:?}");
    let unknown = playbooks::of(&world.engine, world.client, "nothing", None).await;
    assert!(matches!(unknown, Err(OperationError::NotFound { .. })), "{unknown:?}");
    world.settle().await;
}

#[tokio::test]
async fn a_lead_about_whom_the_playbook_lacks_something_is_held_and_not_called() {
    let world = World::working().await;
    let (caller, list) = operator(&world).await;
    let add = async |text: &str| {
        let added = caller.post(&list, json!({ "name": "homes", "text": greeting(text) })).await;
        assert_eq!(added.status, StatusCode::CREATED, "{added:?}");
    };
    add("Hello, you asked about homes in {{ lead.attributes.area }}.").await;
    let rules = json!({ "agent": { "mode": "stream", "playbook": "homes" }, "retry": { "max_attempts": 1 } });
    let campaign = world.draft(rules).await;
    let accepted = async |phone: &str, area: Value| {
        let mut spec = LeadSpec::new(phone.parse().expect("a number"));
        spec.attributes.extend(area.as_object().cloned().unwrap_or_default());
        leads::accept(&world.engine, world.client, campaign, &[spec]).await.expect("accepted").leads[0]
    };
    let lacking = accepted("+919876500001", json!({})).await;
    let known = accepted("+919876500002", json!({ "area": "Whitefield" })).await;
    world.order(campaign, Order::Start).await;
    // This process has nothing to talk with.
    assert_eq!(told(&world.finished(known).await), ["bound: failed"]);
    let held = world.until(lacking, |record| record.workflow.state == State::Held).await;
    assert_eq!(told(&held), ["refused, not counted"]);
    let path = format!("/v1/leads/{lacking}");
    let why = caller.get(&format!("{path}/explanation")).await;
    let why = why.body["why"].as_str().expect("a reason").to_owned();
    assert!(why.contains("in the playbook, lead.attributes.area has no value"), "{why}");
    assert_eq!(world.carrier.totals().accepted, 1, "nobody was called without it");
    // The next version does without; the campaign names none, and goes by the latest.
    add("Hello, you asked about homes in {{ lead.attributes.area | your town }}.").await;
    let resumed = caller.post(&format!("{path}/orders"), json!({ "order": "resume" })).await;
    assert_eq!(resumed.status, StatusCode::OK, "{resumed:?}");
    assert_eq!(told(&world.finished(lacking).await), ["refused, not counted", "bound: failed"]);
    world.end().await;
}

#[tokio::test]
async fn a_playbook_that_cannot_be_read_any_more_stands_in_the_way_and_is_told_beforehand() {
    let world = World::working().await;
    let (caller, list) = operator(&world).await;
    caller.post(&list, json!({ "name": "homes", "text": greeting("Good day.") })).await;
    let campaign = world.draft(json!({ "agent": { "mode": "stream", "playbook": "homes" } })).await;
    let lead = world.lead(campaign, "+919876500001").await;
    let preview = format!("/v1/campaigns/{campaign}/preview");
    assert_eq!(caller.get(&preview).await.body["blockers"], json!([]));
    // As a newer version may have written it.
    world.run("update playbooks set text = 'colour = 3' || chr(10) || text").await;
    let elsewhere = world.another_engine().await;
    let read = playbooks::of(&elsewhere, world.client, "homes", None).await;
    assert!(matches!(read, Err(OperationError::NotPossible(_))), "{read:?}");
    elsewhere.stop().await;
    world.run("insert into playbooks select client_id, name, 2, text, files, created_at, created_by from playbooks").await;
    let told_beforehand = caller.get(&preview).await;
    let blocker = told_beforehand.body["blockers"][0].as_str().expect("a blocker");
    assert!(blocker.contains("version 2 of the playbook `homes` cannot be read"), "{blocker}");
    world.order(campaign, Order::Start).await;
    let held = world.until(lead, |record| record.workflow.state == State::Held).await;
    assert_eq!(told(&held), ["refused, not counted"]);
    assert_eq!(world.carrier.totals().accepted, 0);
    world.end().await;
}
