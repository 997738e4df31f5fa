//! `outdial emulator`: a carrier, or a service that conversations need, on a port of this machine.

use std::str::FromStr;

use outdial_emulators::service::{self, Service};
use outdial_emulators::{deepgram, elevenlabs, openai};
use outdial_jobs::providers::Provider;
use serde_json::{Value, json};

use super::output::Output;
use crate::app;
use crate::played::{Manner, Played};

#[derive(clap::Args, Debug)]
pub(super) struct EmulatorArgs {
    /// The carrier: exotel, retell, telnyx or livekit; or what conversations need: deepgram, openai or elevenlabs.
    #[arg(long, default_value = "exotel", value_name = "NAME")]
    provider: Emulated,
    /// The port.
    #[arg(long, default_value_t = 7800)]
    port: u16,
    /// How much faster than life its phones are, and its delays.
    #[arg(long, default_value_t = 1.0)]
    speed: f64,
    /// End when standard input does, and so with the program that started it.
    #[arg(long, hide = true)]
    until_input_ends: bool,
}

/// What can be played.
#[derive(Clone, Copy, Debug)]
enum Emulated {
    Carrier(Provider),
    Deepgram,
    OpenAi,
    ElevenLabs,
}

/// Nothing that can be played has this name.
#[derive(Debug, thiserror::Error)]
#[error("there is no emulator of `{0}`; there are those of {all}, deepgram, openai, elevenlabs", all = carriers())]
struct NotEmulated(String);

fn carriers() -> String {
    Provider::ALL.iter().map(|carrier| carrier.name()).collect::<Vec<_>>().join(", ")
}

impl FromStr for Emulated {
    type Err = NotEmulated;

    fn from_str(text: &str) -> Result<Self, NotEmulated> {
        match text {
            "deepgram" => Ok(Self::Deepgram),
            "openai" => Ok(Self::OpenAi),
            "elevenlabs" => Ok(Self::ElevenLabs),
            other => other.parse().map(Self::Carrier).map_err(|_| NotEmulated(text.to_owned())),
        }
    }
}

impl EmulatorArgs {
    /// Plays until Ctrl-C, or until standard input ends where that was asked for.
    pub(super) async fn run(&self, output: &Output) -> anyhow::Result<()> {
        let Self { provider, port, speed, until_input_ends } = *self;
        let ended = async {
            tokio::select! {
                () = app::stop_signal() => {}
                () = input_ended(), if until_input_ends => {}
            }
        };
        let manner = Manner { port, speed };
        match provider {
            Emulated::Carrier(provider) => carrier(provider, manner, output, ended).await,
            Emulated::Deepgram => {
                let config = deepgram::Config { port, speed, ..Default::default() };
                let key = config.key.clone();
                serve::<deepgram::Listen>("Deepgram", config, &key, output, ended).await
            }
            Emulated::OpenAi => {
                let config = openai::Config { port, speed, ..Default::default() };
                let key = config.key.clone();
                serve::<openai::Chat>("OpenAI", config, &key, output, ended).await
            }
            Emulated::ElevenLabs => {
                let config = elevenlabs::Config { port, speed, ..Default::default() };
                let key = config.key.clone();
                serve::<elevenlabs::TextToSpeech>("ElevenLabs", config, &key, output, ended).await
            }
        }
    }
}

async fn carrier(
    provider: Provider,
    manner: Manner,
    output: &Output,
    ended: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    let carrier = Played::start(provider, manner).await?;
    let (url, credentials) = (carrier.base_url(), carrier.credentials());
    let title = provider.title();
    let mut told = json!({
        "provider": provider, "base_url": url, "credentials": credentials, "settings": carrier.settings(),
        "rules": carrier.rules(),
    });
    if let Played::Exotel(exotel) = &carrier {
        told["account"] = json!(exotel.config().accounts.first());
    }
    let text = format!(
        "{title} is played on {url}. What accounts with it are known by:\n{credentials}\nCtrl-C ends it."
    );
    output.say(text, &told);
    ended.await;
    carrier.stop().await;
    Ok(())
}

async fn serve<S: Service>(
    title: &str,
    config: S::Config,
    key: &str,
    output: &Output,
    ended: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    let emulator = service::Emulator::<S>::start(config).await?;
    let url = emulator.base_url();
    let told: Value = json!({
        "provider": S::NAME, "base_url": url, "socket_url": emulator.socket_url(), "key": key,
    });
    let text = format!(
        "{title} is played on {url}. Its key is {key}.\n\
         What it answers is set with PATCH {url}/_emulator/config. Ctrl-C ends it."
    );
    output.say(text, &told);
    ended.await;
    emulator.stop().await;
    Ok(())
}

/// A thread of its own: tokio's standard input would keep the runtime from ending while it reads.
async fn input_ended() {
    let (tell, told) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        let _ = tell.send(());
    });
    let _ = told.await;
}
