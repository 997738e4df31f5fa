//! What is on record of a person and of a call: read, heard and put right.

use std::path::Path;
use std::time::Duration;

use outdial_emulators::exotel::Scenario;
use outdial_jobs::operations::keys::Role;
use outdial_workflows::ids::{AttemptNumber, AttemptRef, DialKey};
use serde_json::json;

use super::driver::{Chromium, Screen, keys};
use super::everywhere::{axe, barriers};
use super::signed_in;
use crate::support::world::World;

/// A call of our own agent that is over, with how long each answer took and where it was recorded.
pub(crate) async fn talked(world: &mut World) -> DialKey {
    let campaign = world.campaign(json!({ "retry": { "max_attempts": 1 } })).await;
    let answered = [Scenario::answered(Duration::from_secs(60))];
    let lead = world.scripted(campaign, "+919876500071", answered).await;
    world.work().await;
    world.finished(lead).await;
    world.stop_workers().await;
    let turns = json!({ "transcript": [
        { "speaker": "agent", "text": "Hello, have you a minute?", "at_ms": 0, "until_ms": 1_900 },
        { "speaker": "person", "text": "Yes, tell me.", "at_ms": 2_400, "until_ms": 3_300 },
        { "speaker": "agent", "text": "How many rooms?", "at_ms": 4_090, "until_ms": 5_200, "latency":
            { "turn_ms": 310, "model_ms": 280, "sentence_ms": 60, "speech_ms": 140, "total_ms": 790 } },
    ] });
    let key = format!("'{}', '{lead}', 1", world.client);
    for row in [
        format!(
            "insert into call_results (client_id, lead_id, number, results, updated_at) values ({key}, '{turns}', now())
            on conflict (client_id, lead_id, number) do update set results = excluded.results"
        ),
        format!(
            "insert into conversations (client_id, lead_id, number, node_id, playbook, version, began_at, ended_at, recording)
            values ({key}, gen_random_uuid(), 'minimal', 0, now(), now(), 'a call.wav')"
        ),
    ] {
        assert_eq!(world.run(&row).await, 1, "{row}");
    }
    DialKey(AttemptRef { client: world.client, lead, number: AttemptNumber::FIRST })
}

/// Two seconds of silence, as players take it.
fn silence(file: &Path) {
    let data = vec![0_u8; 2 * 8_000 * 2 * 2];
    let size = u32::try_from(data.len()).expect("it is small");
    let mut wav = b"RIFF".to_vec();
    wav.extend((36 + size).to_le_bytes());
    wav.extend(b"WAVEfmt ");
    wav.extend(16_u32.to_le_bytes());
    for (two, four) in [(1_u16, None), (2, Some(8_000_u32))] {
        wav.extend(two.to_le_bytes());
        wav.extend(four.into_iter().flat_map(u32::to_le_bytes));
    }
    wav.extend(32_000_u32.to_le_bytes());
    wav.extend(4_u16.to_le_bytes());
    wav.extend(16_u16.to_le_bytes());
    wav.extend(b"data");
    wav.extend(size.to_le_bytes());
    wav.extend(data);
    std::fs::write(file, wav).expect("it is written");
}

/// Asserts that nobody is kept from using the page as it stands now.
async fn is_open_to_all(browser: &Chromium) {
    let found = barriers(browser, &axe()).await;
    assert!(found.is_empty(), "{found:#?}");
    let wide = browser.script("return document.documentElement.scrollWidth - innerWidth", json!([])).await;
    assert!(wide.as_i64() <= Some(0), "it is {wide} px too wide");
}

#[tokio::test]
async fn a_recording_is_played_and_what_an_answer_took_is_drawn_part_by_part() {
    let mut world = World::new().await;
    let directory = tempfile::tempdir().expect("a directory");
    world.engine.keep_recordings_at(directory.path().to_owned());
    let key = talked(&mut world).await;
    silence(&directory.path().join("a call.wav"));
    let browser = signed_in(&world, Role::Viewer, Screen::Phone).await;
    browser.open(&format!("/admin/calls/{key}")).await;
    browser.shows("How many rooms?").await;
    const LENGTH: &str =
        "const done = arguments[arguments.length - 1], player = document.querySelector('audio');
        player.addEventListener('loadedmetadata', () => done(player.duration));
        player.addEventListener('error', () => done(String(player.error?.message)));
        player.preload = 'metadata'; player.load()";
    let length = browser.slow_script(LENGTH, json!([])).await;
    assert_eq!(length.as_f64(), Some(2.0), "{length}");
    // To the scale of the slowest answer, whose parts fill the width.
    const PARTS: &str = "return [...document.querySelectorAll('.waterfall rect:not(.ground)')].map((it) => Number(it.getAttribute('width')))";
    let parts = browser.script(PARTS, json!([])).await;
    assert_eq!(parts, json!([392, 354, 76, 178]));
    is_open_to_all(&browser).await;
    browser.end().await;
    world.end().await;
}

#[tokio::test]
async fn a_person_is_put_right_by_keys_alone_and_erased_once_their_number_is_typed() {
    let world = World::new().await;
    let campaign = world.draft(json!({})).await;
    let lead = world.lead(campaign, "+919876500072").await;
    let browser = signed_in(&world, Role::Admin, Screen::Phone).await;
    browser.open(&format!("/admin/leads/{lead}")).await;
    browser.tab_to("Edit…").await;
    browser.keys(keys::ENTER).await;
    browser.tab_to("Name").await;
    browser.keys("Asha Example").await;
    is_open_to_all(&browser).await;
    browser.tab_to("Save").await;
    browser.keys(keys::ENTER).await;
    browser.shows("Edited: name.").await;
    browser.shows("name edited by key a key").await;
    browser.press("Erase this person…").await;
    browser.write("input[name=number]", "+919876500079").await;
    is_open_to_all(&browser).await;
    browser.press("Erase").await;
    browser.shows("type the person's number").await;
    let typed = "return document.querySelector('input[name=number]').value";
    assert_eq!(browser.script(typed, json!([])).await, "+919876500079", "nothing typed is lost");
    let refused = browser.complaints().await;
    assert!(refused.iter().all(|line| line.contains("status of 422")), "{refused:?}");
    browser.click(".toast.bad button").await;
    browser.write("input[name=number]", "+919876500072").await;
    browser.press("Erase").await;
    browser.shows("A person who was erased").await;
    browser.end().await;
    world.end().await;
}

#[tokio::test]
async fn an_outcome_is_corrected_and_jobs_that_failed_are_found_by_their_error() {
    let mut world = World::new().await;
    let key = talked(&mut world).await;
    let browser = signed_in(&world, Role::Operator, Screen::Desk).await;
    browser.open(&format!("/admin/calls/{key}")).await;
    browser.press("Correct…").await;
    browser.choose("select[name=outcome]", "not_interested").await;
    browser.write("input[name=reason]", "I listened to it").await;
    is_open_to_all(&browser).await;
    browser.press("Correct").await;
    browser.shows("It is recorded as not interested.").await;
    let job = uuid::Uuid::new_v4();
    let errors = json!([{ "number": 1, "at": "2026-11-30T09:00:00Z", "error": "the carrier timed out" }]);
    world
        .run(&format!(
            "insert into finished_jobs (client_id, job_id, kind, lead_id, number, args, tries, result, errors, created_at, finished_at)
            values ('{}', '{job}', 'await_status.v1', '{}', 1, '{{}}', 2, 'done', '{errors}', now(), now())",
            world.client, key.0.lead
        ))
        .await;
    browser.open(&format!("/admin/clients/{}/jobs?state=done", world.client)).await;
    browser.write("input[name=error]", "TIMED out").await;
    browser.press("Filter").await;
    browser.shows("the carrier timed out").await;
    is_open_to_all(&browser).await;
    browser.press("await_status.v1").await;
    browser.arrives(|path| path == format!("/admin/jobs/{job}")).await;
    browser.shows("Tries that failed").await;
    is_open_to_all(&browser).await;
    browser.end().await;
    world.end().await;
}

#[tokio::test]
async fn a_kind_of_job_is_paused_for_all_and_let_go_on() {
    let world = World::new().await;
    let spec = outdial_jobs::operations::keys::KeySpec {
        name: "of all",
        role: Role::Admin,
        client: None,
        expires_at: None,
    };
    let browser = super::signed_in_with(&world, spec, Screen::Phone).await;
    browser.open(&format!("/admin/clients/{}/jobs", world.client)).await;
    browser.press("Pause a kind of job…").await;
    browser.choose("form[action$='/jobs/kinds'] select[name=kind]", "deliver.v1").await;
    is_open_to_all(&browser).await;
    browser.press("Pause").await;
    browser.confirm().await;
    browser.shows("deliver.v1 is paused for all clients").await;
    browser.press("Resume").await;
    browser.shows("deliver.v1 goes on.").await;
    browser.end().await;
    world.end().await;
}
