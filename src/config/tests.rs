use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use outdial_workflows::call::CallerId;
use outdial_workflows::rules::Rules;
use tempfile::TempDir;

use super::*;

/// Reads a file and an environment.
fn read(file: &str, environment: &[(&str, &str)]) -> Result<Config, String> {
    let dir = TempDir::new().expect("a directory");
    let path = dir.path().join("o.toml");
    std::fs::write(&path, file).expect("it can be written");
    let given = |name: &str| {
        let found = environment.iter().find(|(given, _)| *given == name);
        found.map(|(_, value)| OsString::from(value))
    };
    let told = |error: ConfigError| error.to_string().replace(&format!("{}:", path.display()), "");
    load_from(&["outdial".into()], std::slice::from_ref(&path), &given).map_err(told)
}

fn refused(file: &str, environment: &[(&str, &str)]) -> String {
    match read(file, environment) {
        Ok(_) => panic!("taken: {file}"),
        Err(told) => told,
    }
}

/// Where a setting came from, in words.
fn source(config: &Config, key: &str) -> String {
    let told = config.layers.source(key).to_string();
    told.rsplit_once('/').map_or(told.clone(), |(_, name)| name.to_owned())
}

#[test]
fn the_environment_comes_before_the_file_and_the_file_before_the_default() {
    let file = "[serve]\nlisten = \"127.0.0.1:1\"\nrole = [\"worker\"]\n";
    let config = read(file, &[("OUTDIAL_LISTEN", "127.0.0.1:2")]).expect("it is right");
    let serving = &config.settings.serving;
    assert_eq!((serving.listen.port(), &serving.role), (2, &vec![Role::Worker]));
    assert_eq!(source(&config, "serve.listen"), "OUTDIAL_LISTEN");
    assert_eq!(source(&config, "serve.role"), "o.toml:3");
    assert_eq!(source(&config, "serve.public_url"), "default");
    let nothing = read("", &[]).expect("it is right").settings.serving;
    assert_eq!((nothing.listen.port(), nothing.role), (7700, vec![Role::Api, Role::Worker, Role::Media]));
}

#[test]
fn what_is_wrong_with_a_file_is_told_by_its_line_and_the_nearest_name() {
    for (file, told) in [
        ("[serve]\nlistn = \"a\"", "2: unknown setting `serve.listn`; did you mean `serve.listen`?"),
        ("[serv]\nlisten = \"a\"", "1: unknown section `serv`; did you mean `serve`?"),
        ("listen = \"a\"", "1: unknown section `listen`; did you mean `serve.listen`?"),
        ("[log]\nlisten = \"a\"", "2: unknown setting `log.listen`; did you mean `serve.listen`?"),
        (
            "[log]\nqqqqq = 1",
            "2: unknown setting `log.qqqqq`; `outdial config reference` lists what there is",
        ),
        ("serve = 1", "1: `serve` is a section; begin it with a line [serve]"),
        ("\n[serve]\nlisten = 7700", "3: `serve.listen`: text in quotes is wanted, and this is a number"),
        ("[serve]\nlisten = \"here\"", "2: `serve.listen`: invalid socket address syntax"),
        ("[serve]\nlisten = \"\"", "2: `serve.listen`: it is empty; give a value, or leave it out"),
        ("[serve]\nrole = []", "2: `serve.role`: it is empty; give a value, or leave it out"),
        ("[serve]\nrole = [\"boss\"]", "2: `serve.role`: none of: api, worker, media"),
        (
            "[serve]\npublic_url = \"calls\"",
            "2: `serve.public_url`: not an address; give it as https://calls.example.com",
        ),
        (
            "[log]\njson = \"yes\"",
            "2: `log.json`: true or false, without quotes, is wanted, and this is text",
        ),
        (
            "[new_account]\nmax_concurrent = \"3\"",
            "2: `new_account.max_concurrent`: a whole number, without quotes, is wanted, and this is text",
        ),
        (
            "[new_campaign]\nmax_call = \"10\"",
            "2: `new_campaign.max_call`: it lacks its unit; give it as \"10min\"",
        ),
        (
            "[log]\nfilter = \"a=b=c\"",
            "2: `log.filter`: not a filter; give a level, or as info,outdial_jobs=debug",
        ),
        ("[log]\njson = true\njson = false", "3: duplicate key"),
    ] {
        assert_eq!(refused(file, &[]), told, "{file}");
    }
}

#[test]
fn all_problems_are_told_at_once_from_the_top() {
    let told = refused("[serve]\nlistn = 1\nlisten = 2\n[command]\njsn = 3\n", &[("OUTDIAL_ROLE", "boss")]);
    let places: Vec<_> = told.lines().map(|line| line.split_once(": ").expect("a place").0).collect();
    assert_eq!(places, ["2", "3", "5", "OUTDIAL_ROLE"], "{told}");
}

#[test]
fn no_problem_shows_what_may_be_a_secret() {
    for file in [
        "[exotel]\napi_token = \"fake-token",
        "[exotel]\napi_token = [\"fake-token\"]",
        "api_token = 'fake-token'",
    ] {
        let told = refused(file, &[]);
        assert!(!told.contains("fake-token"), "{told}");
    }
}

#[test]
fn the_public_address_has_three_names_that_must_agree() {
    let url = |environment: &[(&str, &str)]| {
        let config = read("", environment).map_err(|told| told.to_owned())?;
        Ok::<_, String>(config.settings.serving.public_url.map(|url| url.to_string()))
    };
    let one = Ok(Some("https://calls.example.com/".to_owned()));
    for name in ["OUTDIAL_PUBLIC_URL", "OUR_BASE_URL", "WEBHOOK_BASE_URL"] {
        assert_eq!(url(&[(name, "https://calls.example.com")]), one, "{name}");
    }
    let (ours, theirs) = ("OUR_BASE_URL", "WEBHOOK_BASE_URL");
    assert_eq!(url(&[(ours, "https://calls.example.com"), (theirs, "https://calls.example.com/")]), one);
    let told = url(&[(ours, "https://calls.example.com"), (theirs, "https://else.example.com")]);
    assert!(
        told.as_ref().is_err_and(|told| told.starts_with("OUR_BASE_URL and WEBHOOK_BASE_URL: ")),
        "{told:?}"
    );
}

#[test]
fn names_that_other_systems_gave_say_what_new_accounts_and_campaigns_are_like() {
    let config = read(
        "[new_campaign]\nflow = \"1\"\n",
        &[
            ("EXOTEL_ACCOUNT_SID", "acct1"),
            ("EXOTEL_API_KEY", "key1"),
            ("EXOTEL_API_TOKEN", "token1"),
            ("EXOTEL_VIRTUAL_NUMBER", "08040000000,08040000001"),
            ("EXOTEL_EXOPHLO_ID", "1001"),
            ("CALLING_HOURS_START", "9"),
            ("CALLING_HOURS_END", "18:30"),
            ("MAX_CONCURRENT_CALLS", "7"),
            ("MAX_CALL_DURATION_MINUTES", "5"),
        ],
    );
    let settings = config.expect("it is right").settings;
    assert_eq!(settings.exotel.account_sid.as_deref(), Some("acct1"));
    assert_eq!(settings.new_account.max_concurrent, 7);
    assert_eq!(settings.new_campaign.max_call, Some(Duration::from_secs(300)));
    let rules = settings.new_campaign.rules().expect("rules");
    let expected: Rules = serde_json::from_value(serde_json::json!({
        "calendar": [{ "days": ["mon", "tue", "wed", "thu", "fri", "sat"], "from": "09:00", "to": "18:30" }],
        "caller_ids": ["08040000000", "08040000001"],
        "agent": { "mode": "flow", "flow_id": "1001" },
        "call_time_limit_s": 300,
    }))
    .expect("rules");
    assert_eq!(rules, expected);
    let printed = format!("{settings:?}");
    assert!(!printed.contains("key1") && !printed.contains("token1"), "{printed}");
}

#[test]
fn what_new_campaigns_could_not_keep_is_refused_at_once() {
    for (environment, told) in [
        (("CALLING_HOURS_START", "20"), "what new campaigns are like: calling hours: "),
        (("CALLING_HOURS_START", "25"), "CALLING_HOURS_START: not a time of day; give it as 10:00 or 10"),
        (("MAX_CALL_DURATION_MINUTES", "600"), "what new campaigns are like: call_time_limit_s: "),
        (("MAX_CALL_DURATION_MINUTES", "ten"), "MAX_CALL_DURATION_MINUTES: not a length of time"),
        (("MAX_CONCURRENT_CALLS", "-1"), "MAX_CONCURRENT_CALLS: "),
        (("EXOTEL_EXOPHLO_ID", "a/b"), "what new campaigns are like: agent.flow_id: "),
        (("EXOTEL_ACCOUNT_SID", ""), "EXOTEL_ACCOUNT_SID: it is empty"),
    ] {
        let said = refused("", &[environment]);
        assert!(said.starts_with(told), "{environment:?}: {said}");
    }
    assert!(NewCampaign::default().rules().is_ok_and(|rules| rules == Rules::default()));
}

#[test]
fn numbers_are_trimmed_and_kept_in_order() {
    let config = read("[new_campaign]\ncaller_ids = [\" 2\", \"1 \"]", &[]).expect("it is right");
    let rules = config.settings.new_campaign.rules().expect("rules");
    assert_eq!(rules.caller_ids, [CallerId("2".into()), CallerId("1".into())]);
}

#[test]
fn the_file_is_the_one_that_is_named_else_the_first_that_is_there() {
    let dir = TempDir::new().expect("a directory");
    let [first, second, named] = ["a.toml", "b.toml", "c.toml"].map(|name| dir.path().join(name));
    for path in [&second, &named] {
        std::fs::write(path, "").expect("it can be written");
    }
    let load = |arguments: &[&str], variable: Option<&Path>| {
        let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
        let variable = variable.map(|path| path.as_os_str().to_owned());
        let environment = |name: &str| if name == "OUTDIAL_CONFIG" { variable.clone() } else { None };
        let config = load_from(&arguments, &[first.clone(), second.clone()], &environment);
        config.map(|config| config.layers.file().map(Path::to_owned)).map_err(|error| error.to_string())
    };
    let flag = named.to_str().expect("a path");
    assert_eq!(load(&["outdial", "serve"], None), Ok(Some(second.clone())));
    assert_eq!(load(&["outdial", "serve"], Some(&named)), Ok(Some(named.clone())));
    assert_eq!(load(&["outdial", "serve", "--config", flag], Some(&second)), Ok(Some(named.clone())));
    assert_eq!(load(&["outdial", &format!("--config={flag}")], None), Ok(Some(named.clone())));
    let missing = load(&["outdial", "--config", "/nowhere/o.toml"], None).expect_err("it is not there");
    assert!(missing.starts_with("/nowhere/o.toml: "), "{missing}");
}

#[test]
fn the_example_in_the_reference_is_right() {
    read(reference::EXAMPLE, &[]).expect("it is right");
}

#[test]
fn the_reference_that_is_committed_is_that_of_the_program() {
    assert!(
        include_str!("reference.md") == reference(),
        "src/config/reference.md is out of date; renew it: cargo run -- config reference > src/config/reference.md"
    );
}

#[test]
fn every_setting_is_in_the_reference_and_can_be_given_in_each_way() {
    let all = Settings::command();
    for setting in all.get_arguments().filter(|arg| arg.get_id().as_str().contains('.')) {
        let key = setting.get_id().as_str();
        assert!(setting.get_long().is_some() && setting.get_env().is_some(), "{key}");
        assert_eq!(setting.is_hide_set(), key == "server.api_key", "what is hidden is no flag: {key}");
        assert!(reference().contains(&format!("| `{key}` | `")), "{key} is in no section of the reference");
    }
}
