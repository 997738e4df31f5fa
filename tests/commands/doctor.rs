//! What the doctor sees.

use std::os::unix::fs::PermissionsExt;

use outdial_jobs::seal::SealKey;
use serde_json::Value;

use super::alone::{Alone, Said};
use super::support::world::{Setup, World};

/// The first finding about something whose text contains `says`.
fn finding<'a>(said: &'a Value, what: &str, says: &str) -> &'a Value {
    let all = said["findings"].as_array().expect("a list");
    let told =
        |one: &&Value| one["what"] == what && one["says"].as_str().is_some_and(|text| text.contains(says));
    all.iter().find(told).unwrap_or_else(|| panic!("no `{what}: {says}` in {said:#}"))
}

fn assert_well(said: &Value, what: &str, says: &str) {
    assert_eq!(finding(said, what, says)["ok"], true, "{said:#}");
}

/// That something is told as a problem. Its remedy has `remedy` in it, or what it says has.
fn assert_problem(said: &Value, what: &str, says: &str, remedy: &str) {
    let found = finding(said, what, says);
    let told = format!("{} {}", found["says"], found["remedy"]);
    assert!(found["ok"] == false && told.contains(remedy), "{said:#}");
}

#[tokio::test]
async fn where_all_is_well_the_doctor_says_so_and_exits_with_0() {
    let world = World::new().await;
    let address = world.public_url().to_string();
    let (said, code) = world.says(&["doctor", "--public-url", &address]).await;
    assert_eq!((code, &said["ok"]), (Some(0), &Value::Bool(true)), "{said:#}");
    assert_well(&said, "program", env!("CARGO_PKG_VERSION"));
    assert_well(&said, "database", "Postgres 1");
    assert_well(&said, "schema", "up to date");
    assert_well(&said, "clock", "ms from the database's");
    assert_well(&said, "encryption key", "opens the credentials of all 1 accounts");
    assert_well(&said, "account `Exotel`", "takes the credentials");
    assert_well(&said, "public address", "reaches this installation");
    let (said, code) = world.says(&["doctor"]).await;
    assert_eq!(code, Some(0), "an emulated carrier needs no public address: {said:#}");
    world.end().await;
}

#[tokio::test]
async fn credentials_that_the_carrier_does_not_take_are_a_problem_unless_it_is_not_to_be_asked() {
    let world = World::with(Setup { token: "fake-token", ..Setup::default() }).await;
    let (said, code) = world.says(&["doctor"]).await;
    assert_eq!(code, Some(1), "{said:#}");
    assert_problem(&said, "account `Exotel`", "Exotel says", "copy API key and API token");
    assert!(!said.to_string().contains("fake-token"), "{said}");
    let (said, code) = world.says(&["doctor", "--no-network"]).await;
    assert_eq!(code, Some(0), "{said:#}");
    world.end().await;
}

#[tokio::test]
async fn a_public_address_that_leads_elsewhere_is_told_with_what_was_seen() {
    let (world, other) = (World::new().await, World::new().await);
    let stranger = world.carrier.base_url().to_owned();
    for (address, says, remedy) in [
        (stranger.as_str(), "reaches something else: 404", "outdial serve"),
        (other.public_url().as_str(), "another encryption key", "this installation"),
        ("http://127.0.0.1:1", "cannot be reached from here", "outdial serve"),
    ] {
        let (said, code) = world.says(&["doctor", "--public-url", address]).await;
        assert_eq!(code, Some(1), "{said:#}");
        assert_problem(&said, "public address", says, remedy);
    }
    let here = Alone::new();
    let environment = [("WEBHOOK_BASE_URL", world.public_url().as_str())];
    let said = here.hear(world.program(&["doctor", "--json"]), &environment).await;
    assert_well(&said.json(), "public address", "reaches this installation");
    other.end().await;
    world.end().await;
}

#[tokio::test]
async fn a_real_account_without_a_public_address_is_a_problem() {
    let world = World::new().await;
    let client = world.client.to_string();
    let add = ["account", "add", "real", "--client", &client, "--base-url", "https://carrier.invalid"];
    let who = ["--account-sid", "acct1", "--api-key", "key1", "--api-token", "token1", "--no-test"];
    let (added, code) = world.says(&[add.as_slice(), &who].concat()).await;
    assert_eq!(code, Some(0), "{added}");
    let (said, code) = world.says(&["doctor"]).await;
    assert_eq!(code, Some(1), "{said:#}");
    assert_problem(&said, "public address", "none is set", "OUTDIAL_PUBLIC_URL");
    assert_problem(&said, "account `real`", "", "Exotel");
    world.end().await;
}

/// The doctor, with a key, over a world's database.
async fn with_key(world: &World, key: &str, environment: &[(&str, &str)]) -> Said {
    let environment =
        [&[("DATABASE_URL", world.db.url()), ("OUTDIAL_ENCRYPTION_KEY", key)], environment].concat();
    Alone::new().says(&environment, &["doctor", "--json"]).await
}

#[tokio::test]
async fn another_key_opens_no_credentials() {
    let world = World::new().await;
    world.says(&["client", "list"]).await;
    let said = with_key(&world, &SealKey::generate(), &[]).await;
    assert_eq!(said.code, Some(1), "{said:?}");
    let said = said.json();
    assert_problem(&said, "account `Exotel`", "cannot be opened", "another key");
    assert_problem(&said, "encryption key", "was set up with", "OUTDIAL_ENCRYPTION_KEY");
    world.end().await;
}

#[tokio::test]
async fn a_schema_of_another_version_is_told_and_left_as_it_is() {
    let world = World::new().await;
    let count = "select count(*) from _sqlx_migrations";
    let all = world.count(count).await;
    world
        .run("delete from _sqlx_migrations where version = (select max(version) from _sqlx_migrations)")
        .await;
    let (said, code) = world.says(&["doctor"]).await;
    assert_eq!((code, world.count(count).await), (Some(1), all - 1), "{said:#}");
    assert_problem(&said, "schema", "and this program needs", "outdial migrate");
    world
        .run(
            "insert into _sqlx_migrations (version, description, success, checksum, execution_time)
             values (99990101000000, 'of tomorrow', true, '', 0)",
        )
        .await;
    let (said, code) = world.says(&["doctor"]).await;
    assert_eq!(code, Some(1), "{said:#}");
    assert_problem(&said, "schema", "newer than this program", "version of outdial");
    world.end().await;
}

#[tokio::test]
async fn a_database_that_is_away_and_a_key_that_is_missing_are_problems() {
    let here = Alone::new();
    let key = SealKey::generate();
    let nowhere = [("DATABASE_URL", "postgres://nobody@127.0.0.1:1/x"), ("OUTDIAL_ENCRYPTION_KEY", &key)];
    let said = here.says(&nowhere, &["doctor", "--json"]).await;
    assert_eq!(said.code, Some(1), "{said:?}");
    assert_problem(&said.json(), "database", "cannot be reached", "DATABASE_URL");
    let said = here.says(&[("DATABASE_URL", "postgres://nobody@127.0.0.1:1/x")], &["doctor", "--json"]).await;
    assert_problem(&said.json(), "encryption key", "OUTDIAL_ENCRYPTION_KEY is not", "openssl rand -hex 32");
}

#[tokio::test]
async fn what_is_wrong_with_the_configuration_is_told_and_nothing_is_looked_at_under_it() {
    let here = Alone::new();
    here.write("outdial.toml", "[database]\nurll = \"x\"\n[log]\njson = 1\n");
    let said = here.says(&[], &["doctor", "--json"]).await;
    assert_eq!(said.code, Some(1), "{said:?}");
    let said = said.json();
    assert_problem(
        &said,
        "configuration",
        "outdial.toml:2: unknown setting `database.urll`",
        "`database.url`",
    );
    assert_problem(&said, "configuration", "outdial.toml:4: `log.json`", "true or false");
    assert_problem(&said, "all the rest", "not looked at", "mend the configuration");
    assert!(!here.path().join(".local").exists(), "no private database was made");
}

#[tokio::test]
async fn a_file_with_secrets_is_its_owners_to_read() {
    let world = World::new().await;
    let here = Alone::new();
    let file = here.write("outdial.toml", "[exotel]\napi_token = \"fake-token\"\n");
    let look = async |mode: u32| {
        std::fs::set_permissions(&file, PermissionsExt::from_mode(mode)).expect("it is ours");
        here.hear(world.program(&["doctor", "--json"]), &[("SINCH_API_KEY", "fake-key")]).await
    };
    let said = look(0o644).await;
    assert_eq!(said.code, Some(1), "{said:?}");
    assert_problem(&said.json(), "configuration", "holds exotel.api_token", "chmod 600");
    let said = look(0o600).await;
    assert_eq!(said.code, Some(0), "{said:?}");
    assert_well(&said.json(), "configuration", "1 values are taken from it");
    assert_well(&said.json(), "planned settings", "SINCH_API_KEY set, used by nothing yet");
    assert!(!said.out.contains("fake-token") && !said.out.contains("fake-key"), "{said:?}");
    world.end().await;
}
