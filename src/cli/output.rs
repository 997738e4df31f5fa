//! What commands print: text for people, or JSON for programs.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "this is where the program speaks")]

use std::io::Write;

use serde::Serialize;
use serde_json::json;

/// Where a command speaks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    pub(crate) json: bool,
}

impl Output {
    /// Says one thing, in one of two ways.
    pub(crate) fn say(&self, text: impl std::fmt::Display, value: &impl Serialize) {
        let mut out = std::io::stdout().lock();
        let said = match self.json {
            true => writeln!(out, "{}", serde_json::to_string(value).unwrap_or_default()),
            false => writeln!(out, "{text}"),
        };
        // Whoever reads may have read enough, as `head` does.
        let _ = said.and_then(|()| out.flush());
    }

    /// Says what went wrong, cause by cause.
    pub(crate) fn error(&self, error: &anyhow::Error) {
        // A transparent error repeats its source; each sentence is said once.
        let mut sentences: Vec<String> = Vec::new();
        for cause in error.chain() {
            let sentence = cause.to_string();
            if sentences.last() != Some(&sentence) {
                sentences.push(sentence);
            }
        }
        let text = sentences.join(": ");
        if self.json {
            println!("{}", json!({ "error": text }));
        } else {
            eprintln!("outdial: {text}");
        }
    }
}

/// How many columns the terminal has; what is not read on one is not wrapped.
pub(crate) fn columns() -> usize {
    terminal_size::terminal_size().map_or(usize::MAX, |(width, _)| width.0.into())
}

/// A table for people.
pub(crate) fn table(head: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut builder = tabled::builder::Builder::default();
    builder.push_record(head.iter().copied());
    for row in rows {
        builder.push_record(row);
    }
    builder.build().with(tabled::settings::Style::sharp()).to_string()
}
