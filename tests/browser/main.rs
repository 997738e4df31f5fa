//! The dashboard in a real browser: Chromium over a real server, with a carrier emulated at the wire behind it.

mod driver;
mod everywhere;
mod keyboard;
mod pictures;
mod records;
mod talk;
mod work;

#[path = "../support"]
mod support {
    pub(crate) mod cluster;
    pub(crate) mod world;
}

use outdial_jobs::operations::By;
use outdial_jobs::operations::keys::{KeySpec, Role, create};
use secrecy::ExposeSecret;

use driver::{Chromium, Screen};
use support::world::World;

/// A browser that is signed in with a new key.
async fn signed_in(world: &World, role: Role, screen: Screen) -> Chromium {
    let spec = KeySpec { name: "a key", role, client: Some(world.client), expires_at: None };
    signed_in_with(world, spec, screen).await
}

/// The same with a key of this kind.
async fn signed_in_with(world: &World, spec: KeySpec<'_>, screen: Screen) -> Chromium {
    let by = By { actor: "a test", reason: None };
    let (_, token) = create(&world.engine, spec, by).await.expect("a key");
    let browser = Chromium::start(world.public_url().as_str(), screen).await;
    browser.open("/admin").await;
    browser.write("input[name=key]", token.expose_secret()).await;
    browser.click("//button[normalize-space()='Sign in']").await;
    browser.arrives(|path| path == format!("/admin/clients/{}", world.client)).await;
    browser
}
