//! Lists of leads: searched, sorted, page by page.

use std::collections::BTreeSet;

use outdial_jobs::operations::keys::Role;
use outdial_jobs::operations::leads;
use outdial_workflows::ids::CampaignId;
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::{Caller, key, place};
use crate::support::world::{World, spec};

/// Accepts leads of a campaign: so many, with names and attributes that say which they are, and one of them without.
async fn people(world: &World, campaign: CampaignId, first: u32, count: u32) {
    let specs = (first..first + count).map(|n| {
        let mut spec = spec(&format!("+9198{n:08}"));
        if n % 1_000 != 7 {
            let given = ["asha", "Bela", "BINA", "chetan", "Écrin"][n as usize % 5];
            spec.name = Some(format!("{given} {}", n / 7));
            let attributes =
                json!({ "city": if n % 100 == 3 { "Goa" } else { "Pune" }, "n": n, "vip": n % 2 == 0 });
            spec.attributes = attributes.as_object().expect("an object").clone();
        }
        spec
    });
    let specs: Vec<_> = specs.collect();
    for page in specs.chunks(leads::PAGE) {
        leads::accept(&world.engine, world.client, campaign, page).await.expect("accepted");
    }
}

/// All pages of a list, one after another.
async fn all(caller: &Caller<'_>, path: &str, limit: usize) -> Vec<Value> {
    let (mut found, mut cursor): (Vec<Value>, _) = (vec![], String::new());
    loop {
        let page = caller.get(&format!("{path}&limit={limit}{cursor}")).await;
        assert_eq!(page.status, StatusCode::OK, "{path}{cursor}: {page:?}");
        let items = page.body["items"].as_array().expect("items").clone();
        assert!(items.len() <= limit);
        found.extend(items);
        match page.body["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return found,
        }
    }
}

fn ids(leads: &[Value]) -> BTreeSet<String> {
    let ids: BTreeSet<String> = leads.iter().map(|lead| lead["id"].to_string()).collect();
    assert_eq!(ids.len(), leads.len(), "each once");
    ids
}

#[tokio::test]
async fn leads_are_found_by_attributes_names_and_numbers_however_many_fit() {
    let mut world = World::new().await;
    let (campaign, another) = (world.draft(json!({})).await, world.draft(json!({})).await);
    people(&world, campaign, 0, 2_600).await;
    people(&world, another, 0, 300).await;
    let caller = key(&world, Role::Viewer, Some(world.client)).await;
    let list = format!("/v1/campaigns/{campaign}/leads?");
    let everybody = all(&caller, &list, 200).await;
    assert_eq!(everybody.len(), 2_600);
    let fitting = |fits: &dyn Fn(&Value) -> bool| -> BTreeSet<String> {
        ids(&everybody.iter().filter(|lead| fits(lead)).cloned().collect::<Vec<_>>())
    };
    let name = |lead: &Value| lead["name"].as_str().unwrap_or_default().to_lowercase();
    let of = |lead: &Value, attribute: &str| lead["attributes"][attribute].clone();
    let phone = |lead: &Value| lead["phone"].as_str().unwrap_or_default().to_owned();
    let asked: [(&str, &dyn Fn(&Value) -> bool); 10] = [
        ("attribute.city=Goa", &|lead| of(lead, "city") == "Goa"),
        // More than an index is asked for.
        ("attribute.city=Pune", &|lead| of(lead, "city") == "Pune"),
        ("attribute.n=42", &|lead| of(lead, "n") == 42),
        ("attribute.vip=true&attribute.city=Goa", &|lead| {
            of(lead, "city") == "Goa" && of(lead, "vip") == true
        }),
        ("attribute.city=goa", &|_| false),
        ("name=bel", &|lead| name(lead).starts_with("bel")),
        ("name=B&attribute.city=Pune", &|lead| name(lead).starts_with('b') && of(lead, "city") == "Pune"),
        ("phone=%2B919800000", &|lead| phone(lead).starts_with("+919800000")),
        ("phone=%2B9198000012&name=as", &|lead| {
            phone(lead).starts_with("+9198000012") && name(lead).starts_with("as")
        }),
        ("state=waiting&phone=+91980000001", &|lead| phone(lead).starts_with("+91980000001")),
    ];
    for (query, fits) in asked {
        for sort in ["created_at", "-created_at", "name", "-name", "due_at", "-due_at"] {
            let path = format!("{list}{query}&sort={sort}");
            let found = all(&caller, &path, 150).await;
            let wanted = fitting(&|lead| fits(lead) && (!sort.ends_with("name") || lead["name"].is_string()));
            assert_eq!(ids(&found), wanted, "{query} by {sort}");
            let keys: Vec<String> = found
                .iter()
                .map(|lead| match sort.trim_start_matches('-') {
                    "name" => name(lead),
                    "due_at" => lead["due_at"].to_string(),
                    _ => lead["id"].to_string(),
                })
                .collect();
            let mut sorted = keys.clone();
            sorted.sort();
            if sort.starts_with('-') {
                sorted.reverse();
            }
            assert_eq!(keys, sorted, "{query} by {sort}");
        }
    }
    // The migration has the same terms for what was there before it.
    let migration = include_str!("../../../migrations/20261120000022_lists_of_leads.sql");
    let update = migration.split(';').find(|one| one.contains("update leads")).expect("it is there");
    let terms = "select bit_xor(term) from (select unnest(terms) as term from leads) t";
    let before = world.count(terms).await;
    world.run("update leads set terms = null").await;
    world.run(update).await;
    assert_eq!(world.count(terms).await, before);
    for (query, at) in [
        ("phone=98", "phone"),
        ("phone=%2B91x", "phone"),
        ("name=", "name"),
        ("attribute.=x", "attribute."),
        ("attribute.a=1&attribute.a=2", "attribute.a"),
        ("sort=phone", "query"),
        ("cursor=7", "cursor"),
        ("attribut.city=Goa", "query"),
    ] {
        assert_eq!(place(&caller.get(&format!("{list}{query}")).await), at, "{query}");
    }
    world.settle().await;
}

#[tokio::test]
async fn a_list_goes_on_where_a_page_ended_whatever_happened_meanwhile() {
    let mut world = World::new().await;
    let campaign = world.draft(json!({})).await;
    people(&world, campaign, 0, 60).await;
    let caller = key(&world, Role::Operator, Some(world.client)).await;
    let list = format!("/v1/campaigns/{campaign}/leads?");
    let mut came = 60;
    for sort in ["created_at", "-created_at", "name", "-name", "due_at", "-due_at"] {
        let path = format!("{list}sort={sort}&limit=20");
        let before = ids(&all(&caller, &format!("{list}sort={sort}"), 200).await);
        let first = caller.get(&path).await.body;
        let mut seen: Vec<Value> = first["items"].as_array().expect("items").clone();
        // Where the page ended, its last lead moves, and others come.
        let last = seen[19]["id"].as_str().expect("an id").to_owned();
        let order = json!({ "order": "reschedule", "at": "2030-01-14T10:00:00Z" });
        let moved = caller.post(&format!("/v1/leads/{last}/orders"), order).await;
        assert_eq!(moved.status, StatusCode::OK, "{moved:?}");
        people(&world, campaign, came, 5).await;
        came += 5;
        let mut cursor = first["next"].as_str().expect("more follow").to_owned();
        loop {
            let page = caller.get(&format!("{path}&cursor={cursor}")).await;
            assert_eq!(page.status, StatusCode::OK, "{page:?}");
            seen.extend(page.body["items"].as_array().expect("items").iter().cloned());
            match page.body["next"].as_str() {
                Some(next) => cursor = next.to_owned(),
                None => break,
            }
        }
        // What moves behind the place is met again there, as it should be.
        if sort == "due_at" && seen.iter().filter(|lead| lead["id"] == last.as_str()).count() == 2 {
            seen.remove(19);
        }
        assert!(ids(&seen).is_superset(&before), "{sort}");
        let otherwise = if sort.ends_with("due_at") { "name" } else { "due_at" };
        let wrong = caller.get(&format!("{list}sort={otherwise}&cursor={cursor}")).await;
        assert_eq!(place(&wrong), "cursor", "{sort}");
    }
    let named = caller.get(&format!("{list}sort=name&limit=1")).await.body;
    let id = named["items"][0]["id"].as_str().expect("an id");
    world
        .run(&format!(
            "update leads set name = null, phone = null, erased_at = now(), attributes = '{{}}', terms = null
        where lead_id = '{id}'"
        ))
        .await;
    let cursor = named["next"].as_str().expect("more follow");
    assert_eq!(place(&caller.get(&format!("{list}sort=name&cursor={cursor}")).await), "cursor");
    world.settle().await;
}
