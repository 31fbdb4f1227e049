//! Prints the OpenAPI document: `cargo run -p dashboard-api -- openapi > docs/openapi.json`.

use std::process::ExitCode;

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() != Some("openapi") {
        eprintln!("usage: dashboard-api openapi");
        return ExitCode::from(64);
    }
    match dashboard_api::openapi().to_pretty_json() {
        Ok(text) => {
            println!("{text}");
            ExitCode::SUCCESS
        }
        Err(e) => {
            eprintln!("error: {e}");
            ExitCode::FAILURE
        }
    }
}
