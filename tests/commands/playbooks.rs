//! Playbooks in files: looked at without a database, and added.

use outdial_workflows::playbook::shipped;
use serde_json::json;

use super::alone::Alone;
use super::support::world::World;

fn minimal() -> &'static str {
    shipped("minimal").expect("it is there")
}

fn with_prices() -> String {
    format!("{}[[knowledge]]\nname = \"prices\"\nfile = \"kb/prices.md\"\n", minimal())
}

#[tokio::test]
async fn a_file_is_checked_without_a_database_and_each_problem_told_with_its_line() {
    let here = Alone::new();
    here.write("good.toml", &with_prices());
    here.write("kb/prices.md", "From 65 lakh");
    let good = here.says(&[], &["playbook", "check", "good.toml"]).await;
    assert_eq!((good.code, good.err.as_str()), (Some(0), ""), "{good:?}");
    assert_eq!(
        good.out,
        "good.toml: the playbook `Minimal`, en, 1 stages, 0 fields; it takes lead.name, client.name\n"
    );
    let told = here.says(&[], &["playbook", "check", "good.toml", "--json"]).await.json();
    assert_eq!((&told["variables"], &told["problems"]), (&json!(["lead.name", "client.name"]), &json!([])));

    let text = minimal()
        .replace("lead.name", "lead.nmae")
        .replace("name = \"talk\"\n", "name = \"talk\"\nnext = []\n");
    here.write(
        "a/bad.toml",
        &format!("{text}tools = [\"dance\"]\n[[knowledge]]\nname = \"p\"\nfile = \"../p.md\"\n"),
    );
    let bad = here.says(&[], &["playbook", "check", "a/bad.toml"]).await;
    assert_eq!(bad.code, Some(1), "{bad:?}");
    let lines: Vec<&str> = bad.out.lines().collect();
    assert_eq!(lines.len(), 3, "{bad:?}");
    assert!(lines[0].starts_with("a/bad.toml:7: says.greeting: `lead.nmae` is not a variable"), "{bad:?}");
    assert!(lines[1].starts_with("a/bad.toml:14: stages[0].tools[0]: `dance` is no tool"), "{bad:?}");
    assert!(lines[2].starts_with("a/bad.toml:17: knowledge[0].file: `../p.md` is to be a file"), "{bad:?}");
    let told = here.says(&[], &["playbook", "check", "a/bad.toml", "--json"]).await;
    assert_eq!((told.code, &told.json()["problems"][1]["line"]), (Some(1), &json!(14)), "{told:?}");

    here.write("lacking.toml", &with_prices().replace("kb/", "none/"));
    let lacking = here.says(&[], &["playbook", "check", "lacking.toml"]).await;
    assert!(lacking.out.starts_with("lacking.toml:15: knowledge[0].file: none/prices.md: "), "{lacking:?}");
    here.write("long.toml", &format!("{}# {}", minimal(), "ä".repeat(150_000)));
    let long = here.says(&[], &["playbook", "check", "long.toml"]).await;
    assert!(long.code == Some(1) && long.out.contains("a playbook has up to"), "{long:?}");
    let none = here.says(&[], &["playbook", "check", "nothing.toml"]).await;
    assert!(none.code == Some(1) && none.err.contains("cannot read nothing.toml"), "{none:?}");
}

#[tokio::test]
async fn a_playbook_is_added_from_its_file_shown_and_named_by_a_campaign() {
    let world = World::new().await;
    let here = Alone::new();
    let client = world.client.to_string();
    let file = here.write("welcome.toml", &with_prices()).display().to_string();
    here.write("kb/prices.md", "From 65 lakh");
    let add = ["playbook", "add", &file, "--client", &client];
    let (added, code) = world.says(&add).await;
    assert_eq!(
        (&added["name"], &added["version"], &added["new"], code),
        (&json!("welcome"), &json!(1), &json!(true), Some(0))
    );
    let (again, code) = world.says(&add).await;
    assert_eq!((&again["version"], &again["new"], code), (&json!(1), &json!(false), Some(0)), "{again}");
    let printed =
        world.program(&["playbook", "show", "welcome", "--client", &client]).output().await.expect("it runs");
    assert_eq!(String::from_utf8_lossy(&printed.stdout), with_prices(), "what is printed can be added again");
    let create = [
        "campaign",
        "create",
        "Spring",
        "--account",
        "Exotel",
        "--playbook",
        "welcome",
        "--playbook-version",
    ];
    let (made, code) = world.says(&[create.as_slice(), &["1"]].concat()).await;
    let agent = json!({ "mode": "stream", "playbook": "welcome", "version": 1 });
    assert_eq!((&made["rules"]["agent"], code), (&agent, Some(0)), "{made}");
    let (refused, code) = world.says(&["campaign", "edit", "Spring", "--playbook", "wellcome"]).await;
    assert_eq!(code, Some(1), "{refused}");
    let told = refused["error"].as_str().expect("an error");
    assert!(told.contains("there are loan-interest, minimal, property-enquiry, welcome"), "{told}");
    let (edited, code) = world.says(&["campaign", "edit", "Spring", "--playbook", "minimal"]).await;
    assert_eq!((&edited["revision"], code), (&json!(2), Some(0)), "{edited}");
    for usage in [
        ["campaign", "edit", "Spring", "--playbook", "minimal", "--flow", "1001"].as_slice(),
        &["campaign", "edit", "Spring", "--playbook-version", "1"],
    ] {
        let said = world.program(usage).output().await.expect("it runs");
        assert_eq!(said.status.code(), Some(2), "{usage:?}");
    }
    world.end().await;
}
