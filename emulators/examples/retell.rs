//! Runs the emulator of Retell until stdin is closed.
//!
//! The first line of stdout is its base URL. An argument, if given, is the config in JSON:
//! `cargo run -p outdial-emulators --example retell -- '{"speed": 100.0}'`.

use std::{
    error::Error,
    io::{Read as _, Write as _},
};

use outdial_emulators::retell::{Config, Retell};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let config = match std::env::args().nth(1) {
        Some(json) => serde_json::from_str(&json)?,
        None => Config::default(),
    };
    let retell = Retell::start(config).await?;
    let mut out = std::io::stdout();
    writeln!(out, "{}", retell.base_url())?;
    out.flush()?;
    let closed = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
    closed.await??;
    retell.stop().await;
    Ok(())
}
