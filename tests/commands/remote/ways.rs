//! Which way a command goes, and what keeps it from getting there.

use outdial_jobs::operations::keys::Role;

use super::Remote;
use crate::alone::Alone;
use crate::support::world::World;

/// A key that nobody made.
pub(super) const FAKE: (&str, &str) =
    ("OUTDIAL_API_KEY", "outdial_EXAMPLE-0000000000000000000000000000000000000000");
/// A server where none is.
const NOWHERE: (&str, &str) = ("OUTDIAL_SERVER", "http://127.0.0.1:1");
/// A database where none is.
const NO_DATABASE: (&str, &str) = ("DATABASE_URL", "postgres://nobody@127.0.0.1:1/nothing");

#[tokio::test]
async fn a_server_comes_before_a_database_and_the_command_line_before_both() {
    let world = World::new().await;
    let remote = Remote::new(&world).await;
    let (server, here) = (world.public_url().as_str(), &remote.here);
    let key = ("OUTDIAL_API_KEY", remote.token.as_str());
    let list = ["client", "list", "--json"];
    let said = here.says(&[("OUTDIAL_SERVER", server), key, NO_DATABASE], &list).await;
    assert_eq!(said.code, Some(0), "the server was asked: {said:?}");
    let said = here.says(&[NOWHERE, key, NO_DATABASE], &[&list[..], &["--server", server]].concat()).await;
    assert_eq!(said.code, Some(0), "the flag's server was asked: {said:?}");
    let said = here.hear(world.program(&list), &[NOWHERE, key]).await;
    assert_eq!(said.code, Some(0), "the flag's database was asked: {said:?}");
    let said = here.hear(world.program(&[&list[..], &["--server", server]].concat()), &[key]).await;
    assert_eq!(said.code, Some(2), "{said:?}");
    assert!(said.json()["error"].as_str().is_some_and(|text| text.contains("--database-url")), "{said:?}");
    let file = format!("[server]\nurl = \"{server}\"\napi_key = \"{}\"\n", remote.token);
    here.write("outdial.toml", &file);
    let said = here.says(&[NO_DATABASE], &list).await;
    assert_eq!(said.code, Some(0), "the file's server was asked: {said:?}");
    let shown = here.says(&[], &["config", "show"]).await;
    assert!(shown.out.contains("server.api_key") && !shown.out.contains(&remote.token), "{shown:?}");
    world.end().await;
}

#[tokio::test]
async fn a_key_that_is_missing_is_wrong_usage_and_one_that_is_not_taken_is_refused() {
    let world = World::new().await;
    let viewer = Remote::with(&world, Role::Viewer, None).await;
    let server = ("OUTDIAL_SERVER", world.public_url().as_str());
    let said = viewer.here.says(&[server], &["client", "list"]).await;
    assert!(said.code == Some(2) && said.err.contains("OUTDIAL_API_KEY"), "{said:?}");
    let said = viewer.here.says(&[server, FAKE], &["client", "list"]).await;
    assert!(said.code == Some(1) && said.err.contains("not one of ours"), "{said:?}");
    let said = viewer.says(&["client", "create", "Acme Homes"]).await;
    assert_eq!(said.code, Some(1));
    let told = said.json()["error"].to_string();
    assert!(told.contains("this takes the role admin, and your key has viewer"), "{told}");
    let said = viewer.here.says(&[server, FAKE], &["--server-api-key", FAKE.1, "client", "list"]).await;
    assert_eq!(said.code, Some(2), "no key stands in a list of processes: {said:?}");
    let help = viewer.here.says(&[], &["client", "list", "--help"]).await.out;
    assert!(help.contains("--server") && !help.contains("api-key"), "{help}");
    world.end().await;
}

#[tokio::test]
async fn a_server_that_is_away_or_none_exits_with_4() {
    let world = World::new().await;
    let here = Alone::new();
    let said = here.says(&[NOWHERE, FAKE], &["client", "list"]).await;
    assert!(said.code == Some(4) && said.err.contains("cannot be reached"), "{said:?}");
    let stranger = world.carrier.base_url();
    let said = here.says(&[("OUTDIAL_SERVER", stranger), FAKE], &["client", "list"]).await;
    assert!(said.code == Some(4) && said.err.contains("answers as no outdial does: 404"), "{said:?}");
    let said = here.says(&[("OUTDIAL_SERVER", "calls"), FAKE], &["client", "list"]).await;
    assert_eq!(said.code, Some(2), "{said:?}");
    world.end().await;
}

#[tokio::test]
async fn the_api_is_spoken_to_through_a_server_alone() {
    let said = Alone::new().says(&[NO_DATABASE], &["api", "GET", "clients"]).await;
    assert!(said.code == Some(2) && said.err.contains("--server"), "{said:?}");
}

#[tokio::test]
async fn the_doctor_looks_at_the_server_and_the_key() {
    let world = World::new().await;
    let remote = Remote::new(&world).await;
    let well = remote.says(&["doctor"]).await;
    assert_eq!(well.code, Some(0), "{well:?}");
    for says in ["answers, and its database does", "0.1.0, both", "`a script` (…", "admin for all clients"]
    {
        assert!(well.out.contains(says), "{says}: {well:?}");
    }
    let server = ("OUTDIAL_SERVER", world.public_url().as_str());
    for (environment, says) in [
        ([server, FAKE].as_slice(), "not one of ours"),
        (&[server], "a server takes a key"),
        (&[NOWHERE, FAKE], "cannot be reached"),
        (&[("OUTDIAL_SERVER", world.carrier.base_url()), FAKE], "answers as no outdial does"),
        (&[("OUTDIAL_SERVER", "http://calls.invalid"), FAKE], "is not encrypted"),
    ] {
        let said = remote.here.says(environment, &["doctor"]).await;
        assert!(said.code == Some(1) && said.out.contains(says), "{says}: {said:?}");
    }
    world.end().await;
}
