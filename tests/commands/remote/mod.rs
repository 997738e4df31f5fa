//! The same commands through a server.

mod asking;
mod contacting;
mod everything;
mod importing;
mod limiting;
mod ordering;
mod playbooks;
mod subscribing;
mod ways;

use outdial_jobs::operations::By;
use outdial_jobs::operations::keys::{self, KeySpec, Role};
use outdial_workflows::ids::ClientId;
use secrecy::ExposeSecret;
use serde_json::Value;

use super::alone::{Alone, Said};
use super::support::world::World;

/// Somebody on another machine, with a key.
struct Remote<'a> {
    world: &'a World,
    here: Alone,
    token: String,
}

impl<'a> Remote<'a> {
    async fn new(world: &'a World) -> Self {
        Self::with(world, Role::Admin, None).await
    }

    async fn with(world: &'a World, role: Role, client: Option<ClientId>) -> Self {
        let spec = KeySpec { name: "a script", role, client, expires_at: None };
        let by = By { actor: "a test", reason: None };
        let (_, token) = keys::create(&world.engine, spec, by).await.expect("a key");
        Self { world, here: Alone::new(), token: token.expose_secret().to_owned() }
    }

    /// Gives a command through the server.
    async fn says(&self, arguments: &[&str]) -> Said {
        let server = self.world.public_url().as_str();
        let environment =
            [("OUTDIAL_SERVER", server), ("OUTDIAL_API_KEY", &self.token), ("OUTDIAL_JSON", "true")];
        self.here.says(&environment, arguments).await
    }

    /// The same, where it must be done.
    async fn done(&self, arguments: &[&str]) -> Value {
        let said = self.says(arguments).await;
        assert_eq!(said.code, Some(0), "{arguments:?}: {said:?}");
        said.json()
    }

    /// Gives a command in both ways: what they say and exit with is to be the same.
    async fn alike(&self, arguments: &[&str]) -> Value {
        let said = self.says(arguments).await;
        let (direct, code) = self.world.says(arguments).await;
        assert_eq!((said.json(), said.code), (direct.clone(), code), "{arguments:?}: {said:?}");
        direct
    }
}

/// Without what differs from one thing to another.
fn without(mut value: Value, names: &[&str]) -> Value {
    if let Some(fields) = value.as_object_mut() {
        names.iter().for_each(|name| drop(fields.remove(*name)));
    }
    value
}

/// Gives a command about one thing through the server, and about another directly: they say the same but for
/// what names the thing.
async fn both(remote: &Remote<'_>, arguments: impl Fn(&'static str) -> Vec<String>, names: &[&str]) -> Value {
    let (one, other) = (arguments("one"), arguments("other"));
    let one: Vec<&str> = one.iter().map(String::as_str).collect();
    let other: Vec<&str> = other.iter().map(String::as_str).collect();
    let through = remote.says(&one).await;
    let (direct, code) = remote.world.says(&other).await;
    assert_eq!(through.code, code, "{one:?}: {through:?}; {direct}");
    let through = through.json();
    assert_eq!(without(through.clone(), names), without(direct, names), "{one:?}");
    through
}

fn words(text: &str) -> Vec<String> {
    text.split(' ').map(str::to_owned).collect()
}
