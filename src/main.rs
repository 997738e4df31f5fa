//! The `outdial` program.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    Box::pin(outdial::cli::run(std::env::args_os().collect())).await
}
