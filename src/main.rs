//! The `outdial` program.

use std::process::ExitCode;

use clap::Parser;

#[tokio::main]
async fn main() -> ExitCode {
    outdial::cli::run(outdial::cli::Cli::parse()).await
}
