//! Who sees what, and what a page may do in a browser.

use std::collections::{BTreeMap, BTreeSet};

use outdial_jobs::import::Options;
use outdial_jobs::operations::bulk::{self, Filter};
use outdial_jobs::operations::imports::{self, Sent};
use outdial_jobs::operations::keys::{self, KeySpec, Role};
use outdial_jobs::operations::suppressions::{self, Whose};
use outdial_jobs::operations::{recurring, setup, subscribers};
use outdial_jobs::store::recurring::Action;
use outdial_workflows::input::Command;
use reqwest::StatusCode;
use secrecy::ExposeSecret;
use serde_json::json;

use super::{BY, Browser};
use crate::support::world::World;

/// A world with one of each, and every page of it, with the least role that sees it. Some of it is written by hand, so
/// that such a world is settled, and not judged.
async fn pages(world: &mut World) -> Vec<(String, Role)> {
    let engine = &world.engine;
    let client = world.client;
    let campaign = world.draft(json!({})).await;
    let lead = world.lead(campaign, "+919876500001").await;
    let row = format!(
        "insert into attempts (client_id, lead_id, number, campaign_id, revision, account_id, ledger, counts,
            barrier_version, dial_by, reserved_at, status)
        values ('{client}', '{lead}', 1, '{campaign}', 1, '{}', 'withdrawn', false, 0, now(), now(), 'scheduled')",
        world.account
    );
    world.run(&row).await;
    let job = uuid::Uuid::new_v4();
    let row = format!(
        "insert into jobs (client_id, job_id, kind, run_at, created_at)
        values ('{client}', '{job}', 'end_campaign.v1', now() + interval '1 hour', now())"
    );
    world.run(&row).await;
    let (cron, zone) = ("0 30 9 * * Mon-Fri", "Asia/Kolkata");
    recurring::add(engine, client, campaign, cron, zone, Action::Start, BY).await.expect("scheduled");
    let whose = Whose { client, campaign: None };
    let phones = ["+919876500009".parse().expect("a number")];
    suppressions::add(engine, whose, &phones, "a wish", None, BY).await.expect("suppressed");
    let ordered = bulk::order(engine, client, &Filter::default(), Command::Pause, BY.actor, None).await;
    let operation = ordered.expect("ordered").id;
    let options = Options::default();
    let sent = Sent { client, campaign, name: "a file", options: &options, by: BY };
    let import = imports::receive(engine, sent).await.expect("begun").finish().await.expect("kept").id;
    let spec = subscribers::Spec { url: "https://example.com/".into(), ..Default::default() };
    let subscriber = subscribers::create(engine, client, &spec, BY).await.expect("a subscriber").0.id;
    let key = outdial_workflows::ids::DialKey(outdial_workflows::ids::AttemptRef {
        client,
        lead,
        number: outdial_workflows::ids::AttemptNumber::FIRST,
    });
    let (of_client, of_campaign) =
        (format!("/admin/clients/{client}"), format!("/admin/campaigns/{campaign}"));
    let (viewer, operator, admin) = (Role::Viewer, Role::Operator, Role::Admin);
    vec![
        ("/admin/clients".into(), viewer),
        (of_client.clone(), viewer),
        (format!("{of_client}/campaigns"), viewer),
        (format!("{of_client}/campaigns/new"), operator),
        (format!("{of_client}/leads"), viewer),
        (format!("{of_client}/leads?q=nobody"), viewer),
        (format!("{of_client}/calls"), viewer),
        (format!("{of_client}/jobs"), viewer),
        (format!("{of_client}/jobs?state=quarantined&kind=dial.v1"), viewer),
        (format!("{of_client}/jobs?state=done&error=timed+out"), viewer),
        (format!("{of_client}/operations"), viewer),
        (format!("{of_client}/operations/new?campaign={campaign}&state=waiting"), operator),
        (format!("{of_client}/accounts"), viewer),
        (format!("{of_client}/playbooks"), viewer),
        (format!("{of_client}/playbooks/new"), operator),
        (format!("{of_client}/playbooks/new?from=property-enquiry"), operator),
        (format!("{of_client}/playbooks/minimal?version=0"), viewer),
        (format!("{of_client}/suppressions"), viewer),
        (format!("{of_client}/suppressions?phone=%2B919876500009"), viewer),
        (format!("{of_client}/subscribers"), admin),
        (format!("{of_client}/keys"), admin),
        (format!("{of_client}/audit"), viewer),
        (of_campaign.clone(), viewer),
        (format!("{of_campaign}/leads"), viewer),
        (format!("{of_campaign}/leads?state=waiting&name=&phone=%2B9198&sort=due_at"), viewer),
        (format!("{of_campaign}/calls"), viewer),
        (format!("{of_campaign}/calls?result=answered&outcome="), viewer),
        (format!("{of_campaign}/files"), viewer),
        (format!("{of_campaign}/rules"), viewer),
        (format!("{of_campaign}/forecast"), viewer),
        (format!("{of_campaign}/forecast?preview=true"), viewer),
        (format!("{of_campaign}/forecast?simulate=true&answered_percent=40"), viewer),
        (format!("{of_campaign}/schedules"), viewer),
        (format!("/admin/leads/{lead}"), viewer),
        (format!("/admin/calls/{key}"), viewer),
        (format!("/admin/jobs/{job}"), viewer),
        (format!("/admin/operations/{operation}"), viewer),
        (format!("/admin/imports/{import}"), viewer),
        (format!("/admin/accounts/{}", world.account), viewer),
        (format!("/admin/subscribers/{subscriber}"), admin),
    ]
}

/// What a browser must not find in a page: whatever runs or dresses by itself.
fn is_plain(path: &str, html: &str) {
    for tag in html.split('<').skip(1) {
        let tag = tag.split('>').next().unwrap_or_default();
        assert!(!tag.starts_with("style"), "{path}: a style stands in the page: <{tag}>");
        assert!(!tag.starts_with("script") || tag.contains(" src=\"/admin/assets/"), "{path}: <{tag}>");
        for attribute in tag.split_whitespace().skip(1) {
            let name = attribute.split('=').next().unwrap_or_default();
            let runs = name.starts_with("on") && attribute.contains('=');
            assert!(!runs && name != "style", "{path}: <{tag}>");
        }
    }
    assert!(!html.contains("javascript:"), "{path}");
}

#[tokio::test]
async fn every_page_is_shown_to_who_may_see_it_and_to_nobody_else() {
    let mut world = World::new().await;
    let pages = pages(&mut world).await;
    let mut stranger = Browser::new(&world);
    for role in [Role::Viewer, Role::Operator, Role::Admin] {
        let mut browser = Browser::signed_in(&world, role, Some(world.client)).await;
        for (path, least) in &pages {
            let page = browser.get(path).await;
            let expected = if role >= *least { StatusCode::OK } else { StatusCode::FORBIDDEN };
            assert_eq!(page.status, expected, "{path} as {}: {}", role.name(), page.body);
            assert!(page.header("content-security-policy").contains("script-src 'self'"), "{path}");
            assert!(!page.header("content-security-policy").contains("unsafe"), "{path}");
            assert_eq!(page.header("cache-control"), "no-store", "{path}");
            assert!(page.body.trim_end().ends_with("</html>"), "{path}");
            is_plain(path, &page.body);
        }
    }
    for (path, _) in &pages {
        let answer = stranger.get(path).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{path}");
        assert!(answer.location().starts_with("/admin/login?next=%2Fadmin"), "{path}: {answer:?}");
    }
    world.settle().await;
}

#[tokio::test]
async fn a_key_of_another_client_finds_nothing_there() {
    let mut world = World::new().await;
    let pages = pages(&mut world).await;
    let another = setup::create_client(&world.engine, "Another client").await.expect("a client");
    let mut browser = Browser::signed_in(&world, Role::Admin, Some(another)).await;
    for (path, _) in pages.iter().filter(|(path, _)| path != "/admin/clients") {
        let page = browser.get(path).await;
        assert_eq!(page.status, StatusCode::NOT_FOUND, "{path}");
    }
    let list = browser.get("/admin/clients").await;
    assert!(list.body.contains("Another client") && !list.body.contains(">A client<"));
    world.settle().await;
}

#[tokio::test]
async fn no_form_orders_anything_without_the_proof_that_its_page_gave_it() {
    let mut world = World::new().await;
    let pages = pages(&mut world).await;
    let mut browser = Browser::signed_in(&world, Role::Admin, None).await;
    let audited = "select count(*) from audit";
    let before = world.count(audited).await;
    let mut seen = BTreeSet::new();
    for (path, _) in &pages {
        for (action, mut fields) in browser.get(path).await.forms() {
            assert!(fields.remove("csrf").is_some_and(|proof| proof == browser.proof), "{path}: {action}");
            if seen.insert(action.clone()) {
                for wrong in [None, Some("00000000000000000000000000000000")] {
                    fields.extend(wrong.map(|wrong| ("csrf".to_owned(), wrong.to_owned())));
                    let answer = browser.send(&action, &fields, &[]).await;
                    assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path}: {action}");
                }
            }
        }
    }
    assert!(seen.len() > 25, "there are forms: {seen:?}");
    // A file proves it in a header, and what another site sends is refused whatever it says.
    let upload = format!("/admin/clients/{}/suppressions/import", world.client);
    let request = outdial_jobs::providers::http_client().expect("a client").post(world.address(&upload));
    let answer = browser.ask(request.header("content-type", "text/csv").body("+919876500003")).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    let pause = format!("/admin/clients/{}/pause", world.client);
    let fields = BTreeMap::from([("csrf".to_owned(), browser.proof.clone())]);
    let answer = browser.send(&pause, &fields, &[("sec-fetch-site", "cross-site")]).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert_eq!(world.count(audited).await, before, "nothing was ordered");
    world.settle().await;
}

#[tokio::test]
async fn who_may_only_look_is_shown_no_form_and_can_order_nothing() {
    let mut world = World::new().await;
    let pages = pages(&mut world).await;
    let (mut viewer, mut admin) = (
        Browser::signed_in(&world, Role::Viewer, Some(world.client)).await,
        Browser::signed_in(&world, Role::Admin, Some(world.client)).await,
    );
    // What is about nobody but them: how they see the dashboard, and what they come back to.
    let is_own = |action: &str| {
        ["/admin/theme", "/admin/logout"].contains(&action) || action.starts_with("/admin/filters")
    };
    for (path, _) in &pages {
        let theirs = viewer.get(path).await;
        if theirs.status == StatusCode::OK {
            let orders = theirs.forms().into_iter().filter(|(action, _)| !is_own(action));
            assert_eq!(orders.count(), 0, "{path}");
        }
        for (action, mut fields) in admin.get(path).await.forms() {
            if is_own(&action) || action.ends_with("/compare") {
                continue;
            }
            fields.insert("csrf".into(), viewer.proof.clone());
            // What would be needed besides.
            for (name, value) in [
                ("order", "pause"),
                ("name", "x"),
                ("cron", ""),
                ("zone", ""),
                ("action", "start"),
                ("link", ""),
                ("region", ""),
                ("phone", ""),
                ("external_id", ""),
                ("phones", ""),
                ("source", ""),
                ("limits", ""),
                ("credentials", "{}"),
                ("provider", "exotel"),
                ("base_url", ""),
                ("settings", ""),
                ("url", ""),
                ("description", ""),
                ("types", ""),
                ("which", "failed"),
                ("role", "viewer"),
                ("to", "x"),
            ] {
                fields.entry(name.into()).or_insert(value.into());
            }
            let answer = viewer.send(&action, &fields, &[]).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path}: {action}: {}", answer.body);
        }
    }
    world.settle().await;
}

#[tokio::test]
async fn a_session_is_opened_by_a_key_and_ends_with_it() {
    let world = World::new().await;
    let mut browser = Browser::new(&world);
    let wrong = browser.log_in("outdial_0000000000000000000000000000000000000000000").await;
    assert_eq!(wrong.status, StatusCode::UNAUTHORIZED);
    assert!(wrong.body.contains("role=\"alert\""), "{wrong:?}");
    assert_eq!(browser.get("/admin/clients").await.status, StatusCode::SEE_OTHER);
    let spec = KeySpec { name: "a key", role: Role::Viewer, client: None, expires_at: None };
    let (key, token) = keys::create(&world.engine, spec, BY).await.expect("a key");
    browser.log_in(token.expose_secret()).await;
    assert_eq!(browser.get("/admin/clients").await.status, StatusCode::OK);
    let sealed: String = browser.cookies.values().cloned().collect();
    assert!(!sealed.contains(token.expose_secret()), "no cookie shows the key");
    // The last letter of a key is no other key's, nor is a cookie's.
    let whole = browser.cookies.insert("outdial_session".into(), "AAAA".into()).expect("a session");
    assert_eq!(browser.get("/admin/clients").await.status, StatusCode::SEE_OTHER);
    browser.cookies.insert("outdial_session".into(), whole);
    assert_eq!(browser.get("/admin/clients").await.status, StatusCode::OK);
    keys::revoke(&world.engine, key.id, None, BY).await.expect("revoked");
    assert_eq!(browser.get("/admin/clients").await.status, StatusCode::SEE_OTHER);
    world.end().await;
}

#[tokio::test]
async fn signing_out_ends_a_session_and_a_sign_in_leads_back_to_the_page_that_was_wanted() {
    let world = World::new().await;
    let mut browser = Browser::signed_in(&world, Role::Viewer, Some(world.client)).await;
    let home = browser.get("/admin").await;
    assert_eq!(home.location(), format!("/admin/clients/{}", world.client));
    assert_eq!(browser.get("/").await.location(), "/admin");
    browser.order("/admin/logout", &[]).await;
    let turned_away = browser.get("/admin/clients?after=").await;
    assert_eq!(turned_away.location(), "/admin/login?next=%2Fadmin%2Fclients%3Fafter%3D");
    let form = browser.get(turned_away.location()).await.forms().remove(0);
    assert_eq!(form.1["next"], "/admin/clients?after=");
    for elsewhere in ["https://example.com/", "//example.com", "/admin\\example.com", "/v1/me"] {
        let asked =
            url::form_urlencoded::Serializer::new(String::new()).append_pair("next", elsewhere).finish();
        let form = browser.get(&format!("/admin/login?{asked}")).await.forms().remove(0);
        assert_eq!(form.1["next"], "/admin", "{elsewhere}");
    }
    world.end().await;
}

#[tokio::test]
async fn wrong_keys_are_tried_only_so_often() {
    let world = World::new().await;
    let mut browser = Browser::new(&world);
    let mut turned_away = false;
    for _ in 0..30 {
        let answer = browser.log_in("outdial_wrong").await;
        turned_away |= answer.status == StatusCode::TOO_MANY_REQUESTS;
    }
    assert!(turned_away);
    world.end().await;
}

#[tokio::test]
async fn styles_and_scripts_are_kept_by_browsers_until_they_change() {
    let world = World::new().await;
    let mut browser = Browser::signed_in(&world, Role::Viewer, None).await;
    let page = browser.get("/admin/clients").await.body;
    let style = super::value(page.split("<link").nth(2).expect("a style"), "href").expect("its address");
    let base = style.strip_suffix("/admin.css").expect("one base");
    for (name, kind) in
        [("admin.css", "text/css"), ("main.js", "text/javascript"), ("icon.svg", "image/svg+xml")]
    {
        let asset = browser.get(&format!("{base}/{name}")).await;
        assert_eq!(asset.status, StatusCode::OK);
        assert!(asset.header("content-type").starts_with(kind));
        assert!(asset.header("cache-control").contains("immutable"));
        // Modules find each other in the same place.
        for module in asset.body.split("from \"./").skip(1) {
            let other = module.split('"').next().expect("a name");
            assert_eq!(browser.get(&format!("{base}/{other}")).await.status, StatusCode::OK, "{other}");
        }
    }
    assert_eq!(browser.get("/admin/assets/0000000000000000/admin.css").await.status, StatusCode::NOT_FOUND);
    world.end().await;
}
