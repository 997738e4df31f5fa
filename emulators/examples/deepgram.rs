//! Runs the Deepgram emulator until stdin closes. Its base URL is the first line of stdout.
//!
//! `deepgram '{"speed": 10.0}'`: the only argument, which may be left out, is its config as JSON.

use std::env;

use outdial_emulators::deepgram::{Config, Deepgram};

#[expect(clippy::print_stdout, reason = "whoever starts it reads the address there")]
#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let config = match env::args().nth(1) {
        Some(text) => serde_json::from_str(&text)?,
        None => Config::default(),
    };
    let closed = async {
        let mut ignored = tokio::io::sink();
        // Whether it ends or fails: nobody is there any more.
        let _ = tokio::io::copy(&mut tokio::io::stdin(), &mut ignored).await;
    };
    Deepgram::serve(config, |base| println!("{base}"), closed).await?;
    Ok(())
}
