//! What a person sees while the demo runs.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "this is where the demo speaks")]

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use outdial_jobs::operations::campaigns::{self, Status};
use outdial_workflows::workflow::State;

use super::stage::Stage;

/// How often the campaign is looked at: by eye there is nothing to see in between.
const LOOK: Duration = Duration::from_millis(150);

/// The terminal. With `--json`, only the last line of standard output is ours to write.
pub(super) struct Screen {
    json: bool,
    bar: ProgressBar,
}

impl Screen {
    pub(super) fn new(json: bool) -> Self {
        let bar = if json { ProgressBar::hidden() } else { ProgressBar::no_length() };
        let style = ProgressStyle::with_template("{elapsed_precise} {bar:32} {pos}/{len} finished  {msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Self { json, bar }
    }

    /// A line for people.
    pub(super) fn say(&self, text: &str) {
        if !self.json {
            self.bar.suspend(|| println!("{text}"));
        }
    }

    /// What is being done.
    pub(super) fn step(&self, text: &str) {
        if !self.json {
            self.bar.suspend(|| eprintln!("… {text}"));
        }
    }

    /// The one line for programs.
    pub(super) fn last_line(&self, value: &serde_json::Value) {
        if self.json {
            println!("{value}");
        }
    }

    pub(super) fn loading(&self, leads: usize) {
        self.bar.inc_length(leads as u64);
        self.bar.set_message("taking leads in");
    }

    fn show(&self, all: &[Status]) {
        let count =
            |state: State| -> i64 { all.iter().filter_map(|status| status.by_state.get(state.name())).sum() };
        let sum = |of: fn(&Status) -> i64| all.iter().map(of).sum::<i64>().unsigned_abs();
        self.bar.set_length(sum(|status| status.leads));
        self.bar.set_position(sum(|status| status.finished));
        self.bar.set_message(format!(
            "waiting {:>4}  dialling {:>3}  on a call {:>3}",
            count(State::Waiting),
            count(State::Dialling),
            count(State::Calling),
        ));
    }

    fn done(&self) {
        self.bar.finish_and_clear();
    }
}

/// Shows how the campaigns go until every lead is finished.
pub(super) async fn until_finished(stage: &Stage, screen: &Screen) -> anyhow::Result<()> {
    loop {
        let mut all = vec![];
        for part in &stage.parts {
            all.push(campaigns::status(&stage.app.engine, stage.client, part.campaign).await?);
        }
        screen.show(&all);
        if all.iter().all(|status| status.leads > 0 && status.finished == status.leads) {
            screen.done();
            return Ok(());
        }
        tokio::time::sleep(LOOK).await;
    }
}
