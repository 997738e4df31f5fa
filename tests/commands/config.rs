//! Where values come from, and what new accounts and campaigns make of them.

use std::time::Duration;

use outdial_jobs::operations::{campaigns, setup};
use outdial_workflows::call::CallerId;
use outdial_workflows::rules::{Agent, Rules};
use serde_json::{Value, json};

use super::alone::Alone;
use super::support::world::{Setup, World};

/// A setting of what `config show --json` says.
fn setting<'a>(said: &'a Value, key: &str) -> &'a Value {
    let settings = said["settings"].as_array().expect("a list");
    settings.iter().find(|one| one["key"] == key).unwrap_or_else(|| panic!("{key} in {said}"))
}

#[tokio::test]
async fn each_value_is_shown_with_where_it_came_from() {
    let here = Alone::new();
    here.write(
        "outdial.toml",
        "[serve]\nlisten = \"127.0.0.1:1\"\n\n[command]\nactor = \"the file\"\njson = true\n",
    );
    let environment = [("OUTDIAL_LISTEN", "127.0.0.1:2"), ("WEBHOOK_BASE_URL", "https://calls.example.com")];
    let said = here.says(&environment, &["config", "show", "--log-json"]).await.json();
    let file = |line: u32| json!({ "kind": "file", "path": "outdial.toml", "line": line });
    let name = |kind: &str, name: &str| json!({ "kind": kind, "name": name });
    for (key, value, from) in [
        ("log.json", json!("true"), name("flag", "--log-json")),
        ("serve.listen", json!("127.0.0.1:2"), name("environment", "OUTDIAL_LISTEN")),
        ("serve.public_url", json!("https://calls.example.com"), name("environment", "WEBHOOK_BASE_URL")),
        ("command.actor", json!("the file"), file(5)),
        ("command.json", json!("true"), file(6)),
        ("serve.role", json!("api,worker,media"), json!({ "kind": "default" })),
        ("database.url", json!(null), json!({ "kind": "default" })),
    ] {
        let shown = setting(&said, key);
        assert_eq!((&shown["value"], &shown["from"]), (&value, &from), "{key}");
    }
    let text = here.says(&environment, &["config", "show", "--json=false"]).await.out;
    assert!(text.contains("configuration file: outdial.toml"), "{text}");
    assert!(text.contains("OUTDIAL_LISTEN") && text.contains("outdial.toml:5"), "{text}");
}

#[tokio::test]
async fn a_file_is_looked_for_here_and_then_among_the_users() {
    let here = Alone::new();
    let users = here.write(".config/outdial/outdial.toml", "[command]\nactor = \"the user's\"\n");
    let actor = |said: &Value| setting(said, "command.actor")["value"].clone();
    let said = here.says(&[], &["config", "show", "--json"]).await.json();
    assert_eq!((&said["file"], actor(&said)), (&json!(users), json!("the user's")));
    here.write("outdial.toml", "[command]\nactor = \"this one's\"\n");
    let said = here.says(&[], &["config", "show", "--json"]).await.json();
    assert_eq!(actor(&said), json!("this one's"));
    let named = here.write("named.toml", "[command]\nactor = \"the named one's\"\n");
    let variable = [("OUTDIAL_CONFIG", named.to_str().expect("a path"))];
    let said = here.says(&variable, &["config", "show", "--json"]).await.json();
    assert_eq!(actor(&said), json!("the named one's"));
    let said = here.says(&variable, &["--config", "outdial.toml", "config", "show", "--json"]).await.json();
    assert_eq!(actor(&said), json!("this one's"));
}

#[tokio::test]
async fn secrets_are_shown_nowhere() {
    let here = Alone::new();
    here.write(
        "outdial.toml",
        "[database]\nurl = \"postgres://u:fake-secret@127.0.0.1:1/x\"\n[exotel]\napi_token = \"fake-secret\"\n",
    );
    let environment = [
        ("OUTDIAL_ENCRYPTION_KEY", "fake-secret"),
        ("EXOTEL_API_KEY", "fake-secret"),
        ("DEEPGRAM_API_KEY", "fake-secret"),
        ("SINCH_API_KEY", "fake-secret"),
        ("CROSS_PLATFORM_SESSION_SECRET", "fake-secret"),
        ("OUTDIAL_LOG", "debug"),
    ];
    for arguments in [
        ["config", "show", "--json"].as_slice(),
        &["config", "show"],
        &["--help"],
        &["account", "add", "--help"],
        &["serve", "--help"],
        &["client", "list"],
        &["doctor"],
    ] {
        let said = here.says(&environment, arguments).await;
        assert!(
            !said.out.contains("fake-secret") && !said.err.contains("fake-secret"),
            "{arguments:?}: {said:?}"
        );
    }
    let said = here.says(&environment, &["config", "show", "--json"]).await.json();
    for key in [
        "database.url",
        "database.encryption_key",
        "exotel.api_key",
        "exotel.api_token",
        "speech.deepgram_key",
    ] {
        assert_eq!(setting(&said, key)["value"], "***", "{key}");
    }
    let planned: Vec<&Value> =
        said["planned"].as_array().expect("a list").iter().map(|one| &one["name"]).collect();
    assert_eq!(planned, ["SINCH_API_KEY", "CROSS_PLATFORM_SESSION_SECRET"]);
    let text = here.says(&environment, &["config", "show"]).await.out;
    assert!(text.contains("SINCH_API_KEY is set, used by nothing yet (planned)"), "{text}");
}

#[tokio::test]
async fn nothing_is_done_under_a_configuration_that_is_wrong() {
    let here = Alone::new();
    here.write("outdial.toml", "[database]\nurll = \"x\"\n");
    let said = here.says(&[("OUTDIAL_LISTEN", "nowhere")], &["client", "create", "Acme Homes"]).await;
    assert!(
        said.err.contains("outdial.toml:2: unknown setting `database.urll`; did you mean `database.url`?"),
        "{said:?}"
    );
    assert!(said.err.contains("OUTDIAL_LISTEN: invalid socket address syntax"), "{said:?}");
    assert!(!here.path().join(".local").exists(), "no private database was made");
    for arguments in [["config", "reference"].as_slice(), &["--help"], &["serve", "--help"], &["--version"]] {
        let said = here.says(&[("OUTDIAL_LISTEN", "nowhere")], arguments).await;
        assert_eq!(said.code, Some(0), "{arguments:?} tells about what may be set: {said:?}");
    }
}

/// A campaign's rules as they are stored.
async fn rules_of(world: &World, name: &str) -> Rules {
    let (client, campaign) = campaigns::find(&world.engine, name).await.expect("it is there");
    campaigns::rules(&world.engine, client, campaign).await.expect("rules").1
}

#[tokio::test]
async fn new_accounts_and_campaigns_take_what_is_configured_and_older_ones_do_not_change() {
    let world = World::with(Setup::default()).await;
    let here = Alone::new();
    here.write("outdial.toml", "[new_campaign]\nhours_end = \"18:00\"\nmax_call = \"90s\"\n");
    let environment = [
        ("EXOTEL_ACCOUNT_SID", "acct1"),
        ("EXOTEL_API_KEY", "key1"),
        ("EXOTEL_API_TOKEN", "token1"),
        ("EXOTEL_VIRTUAL_NUMBER", "08040000000,08040000001"),
        ("EXOTEL_EXOPHLO_ID", "1001"),
        ("CALLING_HOURS_START", "11"),
        ("MAX_CONCURRENT_CALLS", "7"),
    ];
    let run = async |arguments: &[&str]| {
        let said = here.hear(world.program(arguments), &environment).await;
        assert_eq!(said.code, Some(0), "{arguments:?}: {said:?}");
    };
    let (client, address) = (world.client.to_string(), world.carrier.base_url().to_owned());
    run(&["account", "add", "main", "--client", &client, "--base-url", &address]).await;
    let (_, account) = setup::find_account(&world.engine, "main").await.expect("it is there");
    let account = setup::account(&world.engine, account).await.expect("it is there");
    assert!(
        account
            .limits
            .as_array()
            .is_some_and(|all| all.contains(&json!({ "limit": "concurrent", "max": 7 })))
    );

    run(&["campaign", "create", "Spring", "--account", "main"]).await;
    let spring = rules_of(&world, "Spring").await;
    assert_eq!(spring.caller_ids, ["08040000000", "08040000001"].map(|number| CallerId(number.into())));
    assert_eq!(spring.agent, Agent::Flow { flow_id: "1001".into() });
    assert_eq!(spring.call_time_limit_s, 90);
    let hours = |rules: &Rules| {
        let calendar = serde_json::to_value(&rules.calendar).expect("a calendar");
        format!("{}-{}", calendar[0]["from"], calendar[0]["to"]).replace('"', "")
    };
    assert_eq!(hours(&spring), "11:00-18:00");

    // Flags come first, then the rules file, then what is configured.
    let file =
        here.write("rules.json", r#"{"caller_id": "08040000009", "call_time_limit_s": 60, "record": true}"#);
    let file = file.to_str().expect("a path");
    run(&["campaign", "create", "Summer", "--account", "main", "--rules", file, "--hours-start", "12"]).await;
    let summer = rules_of(&world, "Summer").await;
    assert_eq!(summer.caller_ids, [CallerId("08040000009".into())]);
    assert_eq!((summer.call_time_limit_s, summer.record, hours(&summer)), (60, true, "12:00-18:00".into()));
    run(&["campaign", "create", "Open", "--account", "main", "--open-calendar"]).await;

    // An edit changes what it was told to, and nothing else.
    run(&[
        "campaign",
        "create",
        "Own",
        "--account",
        "main",
        "--caller-id",
        "08040000005",
        "--hours-start",
        "9",
    ])
    .await;
    run(&["campaign", "edit", "Own", "--max-call", "2min"]).await;
    let own = rules_of(&world, "Own").await;
    assert_eq!(own.caller_ids, [CallerId("08040000005".into())]);
    assert_eq!((hours(&own), own.call_time_limit_s), ("09:00-18:00".into(), 120));
    assert_eq!(own.longest_call().to_std(), Ok(Duration::from_secs(150)));
    world.end().await;
}
