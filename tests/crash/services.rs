//! What conversations of crash tests go by and go through.

use std::process::Stdio;

use outdial::played::services::{Delays, Services};
use outdial_emulators::openai::{Answer, Rule, When};
use serde_json::{Value, json};
use tokio::process::Command;

use super::world::World;

/// A playbook with words as short as can be, since every letter is a sound of its own.
pub(super) const PLAYBOOK: &str = r#"
name = "Short"
language = "en"
agent = "You call for {{ client.name }}."
transfer_to = "+14155550177"

[says]
greeting = "Hi."
disclosure = "I am a bot."
goodbye = "Bye."

[[stages]]
name = "talk"
goal = "Talk."
tools = ["transfer"]
"#;

impl World {
    /// What a command says about this world's database, a value a line.
    pub(super) async fn says(&self, arguments: &[&str]) -> Vec<Value> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_outdial"));
        command.args(["--database-url", &self.database, "--encryption-key", &self.key]).args(arguments);
        let output = command.stdin(Stdio::null()).kill_on_drop(true).output().await.expect("it runs");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }
}

/// What the model has a colleague told of whoever asks for a person.
pub(super) const BRIEFING: &str = "Asha wants two rooms.";

/// Services whose model takes leave of whoever says yes, and finds that they qualify; whoever asks for a person is handed
/// to one.
pub(super) async fn services() -> Services {
    let bye = Answer { text: Some("Bye.".into()), ..Answer::call("end_call", r#"{"reason":"done"}"#) };
    let analysis = json!({
        "outcome": "qualified_lead", "sentiment": "positive", "intent": "more", "summary": "They said yes.",
        "keywords": ["yes"], "qualified": true, "fields": {},
    });
    let rules = vec![
        Rule::new(When::schema("call_analysis"), Answer::json(analysis)),
        Rule::new(When::user("yes"), bye),
        Rule::new(
            When::user("a person"),
            Answer::call("transfer", &json!({ "briefing": BRIEFING }).to_string()),
        ),
    ];
    Services::start(rules, Delays::NONE).await.expect("free ports")
}
