//! Telnyx on 127.0.0.1, for programs in other languages.
//!
//! `cargo run --package outdial-emulators --example telnyx -- '{"speed": 100.0}'` prints the base
//! URL as its first line and runs until its standard input closes. The config is JSON and optional;
//! what can be set and scripted later is under `/_emulator/…`.

use std::{error::Error, io::Write as _};

use outdial_emulators::telnyx::{Config, Telnyx};
use tokio::io::{AsyncReadExt as _, sink};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let config = match std::env::args().nth(1) {
        Some(text) => serde_json::from_str(&text)?,
        None => Config::default(),
    };
    let telnyx = Telnyx::start(config).await?;
    let mut stdout = std::io::stdout();
    writeln!(stdout, "{}", telnyx.base_url())?;
    stdout.flush()?;
    tokio::io::copy(&mut tokio::io::stdin().take(u64::MAX), &mut sink()).await?;
    telnyx.stop().await;
    Ok(())
}
