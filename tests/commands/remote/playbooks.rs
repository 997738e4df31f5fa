//! What our own agent says and asks.

use outdial_workflows::playbook::shipped;
use serde_json::json;

use super::{Remote, both, words};
use crate::support::world::World;

#[tokio::test]
async fn playbooks_are_added_and_shown_alike() {
    let world = World::new().await;
    let remote = Remote::new(&world).await;
    let client = world.client;
    let minimal = shipped("minimal").expect("it is there");
    let text = format!("{minimal}[[knowledge]]\nname = \"prices\"\nfile = \"prices.md\"\n");
    let file = remote.here.write("one.toml", &text).display().to_string();
    let wrong = remote.here.write("wrong.toml", &text.replace("lead.name", "name")).display().to_string();
    remote.here.write("prices.md", "From 65 lakh\n");
    let own = ["name", "created_at", "created_by"];
    let add = |name| words(&format!("playbook add {file} --client {client} --name {name} --reason Test"));
    let added = both(&remote, add, &own).await;
    assert_eq!((&added["name"], &added["version"], &added["new"]), (&json!("one"), &json!(1), &json!(true)));
    let again = both(&remote, add, &own).await;
    assert_eq!((&again["version"], &again["new"]), (&json!(1), &json!(false)), "{again}");
    let client = client.to_string();
    remote.alike(&["playbook", "add", &wrong, "--client", &client]).await;
    remote.alike(&["playbook", "add", &file, "--client", &client, "--name", "Two words"]).await;
    let listed = remote.alike(&["playbook", "list", "--client", &client]).await;
    let names = listed.as_array().expect("a list").iter().map(|one| one["name"].clone()).collect::<Vec<_>>();
    assert_eq!(names, ["loan-interest", "minimal", "one", "other", "property-enquiry"]);
    remote.alike(&["playbook", "list", "--client", &client, "--limit", "2"]).await;
    let shown = remote.alike(&["playbook", "show", "one", "--client", &client]).await;
    assert_eq!((&shown["text"], &shown["files"]["prices.md"]), (&json!(text), &json!("From 65 lakh\n")));
    for given in [
        "playbook show minimal",
        "playbook show one --version 1",
        "playbook show one --version 7",
        "playbook show nothing",
        "playbook show ../one",
        "playbook versions one",
        "playbook versions minimal",
        "playbook versions nothing",
    ] {
        let given = format!("{given} --client {client}");
        remote.alike(&given.split(' ').collect::<Vec<_>>()).await;
    }
    world.end().await;
}
