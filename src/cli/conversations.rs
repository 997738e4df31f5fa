//! `outdial conversation`.

use std::process::ExitCode;

use clap::Subcommand;
use outdial_workflows::conversation::Latency;
use outdial_workflows::results::{Speaker, Turn};
use serde_json::json;

use super::backend::{Backend, Followed};
use super::output::{Output, table};

#[derive(Subcommand, Debug)]
pub(super) enum ConversationCommand {
    /// List the conversations of our own agent that are under way, the latest first; at most 1,000.
    List {
        /// Of this client alone, by name or id.
        #[arg(long)]
        client: Option<String>,
    },
    /// Show what is said in a call as it is said, with what each answer took, until its lead has come to its end.
    Follow {
        /// The lead, by id, phone number or external id.
        lead: String,
    },
}

pub(super) async fn run(
    to: &Backend<'_>,
    command: ConversationCommand,
    output: &Output,
) -> anyhow::Result<ExitCode> {
    match command {
        ConversationCommand::List { client } => {
            let client = match client {
                Some(client) => Some(to.find_client(&client).await?),
                None => None,
            };
            let held = to.conversations(client).await?;
            let rows = held.iter().map(|held| {
                vec![
                    held.lead.to_string(),
                    format!("{} {}", held.playbook, held.version),
                    held.began_at.format("%H:%M:%S UTC").to_string(),
                    held.turns.to_string(),
                    held.latency_ms.map(|ms| format!("{ms} ms")).unwrap_or_default(),
                    held.node.clone().unwrap_or_else(|| "gone".to_owned()),
                ]
            });
            let text = match held.is_empty() {
                true => "no conversation is under way".to_owned(),
                false => table(&["lead", "playbook", "began", "turns", "latest answer", "process"], rows),
            };
            output.say(text, &held);
        }
        ConversationCommand::Follow { lead } => {
            let call = to.find_lead(&lead).await?;
            let tell = |followed: Followed| match followed {
                Followed::Turn(turn) => output.say(line(&turn), &turn),
                Followed::Status { status } => {
                    let value = json!({ "status": status });
                    output.say(format!("          {}", value["status"].as_str().unwrap_or_default()), &value);
                }
            };
            to.follow(call, tell).await?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// A turn, for people to read.
pub(crate) fn line(turn: &Turn) -> String {
    let who = match turn.speaker {
        Speaker::Agent => "agent ",
        Speaker::Person => "person",
        Speaker::Other => "other ",
    };
    let cut = if turn.interrupted { " —" } else { "" };
    let at = f64::from(turn.at_ms.unwrap_or_default()) / 1_000.0;
    let latency = turn.latency.as_ref().map(|latency| format!("\n                 {}", split(latency)));
    format!("{at:>6.1} s  {who}  {}{cut}{}", turn.text, latency.unwrap_or_default())
}

fn split(latency: &Latency) -> String {
    let Latency { turn_ms, model_ms, sentence_ms, speech_ms, total_ms } = latency;
    format!(
        "{total_ms} ms after the person: {turn_ms} end of turn + {model_ms} model + {sentence_ms} sentence + {speech_ms} voice"
    )
}
