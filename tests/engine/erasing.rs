//! People who want to be forgotten.

use std::process::Command;
use std::time::Duration;

use outdial::postgres::{Search, find_installation};
use outdial_emulators::exotel::Scenario;
use outdial_jobs::operations::editing::{self, Edit};
use outdial_jobs::operations::keys::{self, KeySpec, Role};
use outdial_jobs::operations::suppressions::{self, Whose};
use outdial_jobs::operations::{By, OperationError, Part, erasing, leads};
use outdial_workflows::phone::PhoneNumber;
use serde_json::json;

use crate::support::world::World;

const BY: By<'static> = By { actor: "a test", reason: Some("their wish of 12 March") };
const PHONE: &str = "+919876500077";
/// All that tells who they are, in any spelling that is stored.
const TELLING: [&str; 5] =
    ["9876500077", "Quillfeather", "quillfeather", "zebedee@example.com", "lotus pond"];

fn phone() -> PhoneNumber {
    PHONE.parse().expect("a number")
}

/// Everything in the database, as text.
fn dumped(world: &World) -> String {
    let search = Search { path: std::env::var_os("PATH"), ..Search::default() };
    let beside = find_installation(&search, None).expect("Postgres is installed").bin.join("pg_dump");
    let program = if beside.is_file() { beside } else { "pg_dump".into() };
    let done = Command::new(program).args(["--inserts", world.db.url()]).output().expect("it can be run");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).expect("text")
}

/// Binary columns are dumped in hexadecimal digits.
fn told_in(dump: &str) -> Vec<&'static str> {
    TELLING.into_iter().filter(|told| dump.contains(told) || dump.contains(&hex::encode(told))).collect()
}

#[tokio::test]
async fn of_a_person_who_is_erased_the_whole_database_says_nothing_but_that() {
    let world = World::working().await;
    let campaign = world.campaign(json!({})).await.to_string();
    let file = tempfile::NamedTempFile::with_suffix(".csv").expect("a file");
    let people = format!(
        "name,phone,email,note,consent,consent source\n\
         Zebedee Quillfeather,{PHONE},zebedee@example.com,asks for a lotus pond,express,form of Zebedee\n\
         Zebedee Quillfeather,{PHONE},zebedee@example.com,twice,express,form of Zebedee\n\
         Zebedee Quillfeather,98765000771234567,zebedee@example.com,a wrong number,express,form of Zebedee\n\
         Rosalind Other,+919876500078,rosalind@example.com,,express,form\n"
    );
    std::fs::write(file.path(), people).expect("it can be written");
    let path = file.path().display().to_string();
    let (_, code) = world.says(&["leads", "import", &path, "--campaign", &campaign]).await;
    assert!(code.is_some(), "it was read");
    world.all_finished().await;
    // What calls and webhooks leave, and what people ordered.
    let theirs = format!("from leads where phone = '{PHONE}'");
    let result = r#"{"transcript": [{"who": "person", "text": "This is Zebedee Quillfeather"}]}"#;
    for row in [
        format!("insert into call_results (client_id, lead_id, number, results, updated_at) select client_id, lead_id, 1, '{result}', now() {theirs}"),
        format!("insert into turns (client_id, lead_id, number, turn, spoken) select client_id, lead_id, 1, 1, '{result}' {theirs}"),
        format!("insert into conversations (client_id, lead_id, number, node_id, playbook, version, known, began_at, ended_at)
            select client_id, lead_id, 1, gen_random_uuid(), 'minimal', 0, '{{\"name\": \"Quillfeather\"}}', now(), now() {theirs}"),
        format!("insert into strange_webhooks values ('{}', '{}', gen_random_uuid(), 'new', 'from {PHONE}', now())", world.client, world.account),
    ] {
        assert_eq!(world.run(&row).await, 1, "{row}");
    }
    let handed = format!(
        "update attempts set transfer_number = 1, transfer_state = 'refused', transfer_to = 'sip:quillfeather@pbx.example.com',
            transfer_briefing = 'Zebedee Quillfeather asks for a lotus pond' where phone = '{PHONE}'"
    );
    assert_eq!(world.run(&handed).await, 1);
    // Somebody put their data right, and it is on record how.
    let found = leads::named(&world.engine, Some(world.client), PHONE).await.expect("looked for");
    let edit = Edit { name: Some(Some("Zebedee Quillfeather-Smith".into())), ..Edit::default() };
    editing::edit(&world.engine, world.client, found[0].lead, &edit, BY).await.expect("edited");
    let spec = KeySpec { name: "a key", role: Role::Admin, client: None, expires_at: None };
    let (key, _) = keys::create(&world.engine, spec, BY).await.expect("a key");
    let answer = format!(
        "insert into idempotency_keys values ('{}', 'once', sha256('x'), now(), 200, convert_to('{{\"phone\": \"{PHONE}\"}}', 'UTF8'))",
        key.id
    );
    world.run(&answer).await;
    let whose = Whose { client: world.client, campaign: None };
    let reason = By { reason: Some("+919876500077 called us"), ..BY };
    suppressions::add(&world.engine, whose, &[phone()], "a wish", None, reason).await.expect("suppressed");
    suppressions::remove(&world.engine, whose, &phone(), reason).await.expect("taken off");
    assert_eq!(told_in(&dumped(&world)), TELLING, "all of it is there");

    let client = world.client.to_string();
    let command = ["person", "erase", PHONE, "--client", &client, "--reason", "their wish of 12 March"];
    let (certificate, code) = world.says(&command).await;
    assert_eq!(code, Some(0), "{certificate}");
    let dump = dumped(&world);
    assert_eq!(told_in(&dump), [] as [&str; 0], "nothing tells who they were");
    assert!(dump.contains("Rosalind Other"), "others stay");
    for (table, rows) in [
        ("leads", 1),
        ("attempts", 1),
        ("call_results", 1),
        ("turns", 1),
        ("conversations", 1),
        ("consents", 1),
        ("strange_webhooks", 1),
        ("idempotency_keys", 1),
        ("suppressions", 1),
    ] {
        let counted = certificate["erased"][table].as_u64().unwrap_or_default();
        assert!(counted >= rows, "{table}: {certificate}");
    }
    assert_eq!(certificate["kept"], json!({}));
    // Whoever has the number can ask, and is told when and by whom.
    let (known, _) = world.says(&["person", "erased", PHONE, "--client", &client]).await;
    assert_eq!(known, json!([certificate]));
    let (unknown, _) = world.says(&["person", "erased", "+919876500078", "--client", &client]).await;
    assert_eq!(unknown, json!([]));
    let erased = "select count(*) from audit where action = 'erase' and subject = 'person'";
    assert_eq!(world.count(erased).await, 1, "the order is on record");
    world.end().await;
}

#[tokio::test]
async fn whoever_was_called_on_a_number_that_was_wrong_is_erased_and_the_lead_is_not() {
    let world = World::working().await;
    let campaign = world.campaign(json!({ "retry": { "max_attempts": 1 } })).await;
    let lead = world.scripted(campaign, PHONE, vec![Scenario::answered(Duration::from_secs(20))]).await;
    world.finished(lead).await;
    let heard = r#"{"transcript": [{"who": "person", "text": "There is no Rosalind here"}]}"#;
    let results = format!(
        "insert into call_results (client_id, lead_id, number, results, updated_at)
        select client_id, lead_id, 1, '{heard}', now() from leads where phone = '{PHONE}'"
    );
    assert_eq!(world.run(&results).await, 1);
    let right = "+919876500078".parse().expect("a number");
    let edit = Edit { name: Some(Some("Rosalind Other".into())), phone: Some(right), ..Edit::default() };
    editing::edit(&world.engine, world.client, lead, &edit, BY).await.expect("edited");
    let erased = erasing::erase(&world.engine, world.client, &phone(), false, BY).await.expect("erased");
    assert_eq!(erased.erased.get("attempts"), Some(&1), "{erased:?}");
    assert_eq!(erased.erased.get("leads"), None, "{erased:?}");
    let dump = dumped(&world);
    assert!(
        !dump.contains("9876500077") && !dump.contains("no Rosalind here"),
        "of whom it was nothing is told"
    );
    assert!(dump.contains("Rosalind Other") && dump.contains("+919876500078"), "of whom it is all is there");
    world.end().await;
}

#[tokio::test]
async fn whoever_is_being_called_is_erased_once_that_has_ended_and_stays_on_lists_that_forbid_calls() {
    let world = World::working().await;
    let campaign = world.campaign(json!({})).await;
    let talking = Scenario::answered(Duration::from_secs(300));
    let lead = world.scripted(campaign, PHONE, vec![talking]).await;
    world
        .until(lead, |record| record.attempts.last().is_some_and(|attempt| attempt.answered_at.is_some()))
        .await;
    let refused = erasing::erase(&world.engine, world.client, &phone(), false, BY).await;
    let Err(OperationError::NotPossible(why)) = refused else { panic!("{refused:?}") };
    assert!(why.contains("is being called"), "{why}");
    world.finished(lead).await;
    let whose = Whose { client: world.client, campaign: None };
    suppressions::add(&world.engine, whose, &[phone()], "a wish", None, BY).await.expect("suppressed");
    let erased = erasing::erase(&world.engine, world.client, &phone(), false, BY).await.expect("erased");
    assert_eq!(erased.kept.get("suppressions"), Some(&1), "{erased:?}");
    let listed = suppressions::list(&world.engine, whose, Some(&phone()), Part::newest(1)).await;
    assert_eq!(listed.expect("listed").len(), 1, "nobody calls them by the next file");
    let all = erasing::erase(&world.engine, world.client, &phone(), true, BY).await.expect("erased");
    assert_eq!((all.erased.get("suppressions"), all.kept.is_empty()), (Some(&1), true), "{all:?}");
    world.end().await;
}
