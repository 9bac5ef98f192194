//! Prints the tools in the format of a host.
//!
//! ```sh
//! cargo run --features mcp --example export_tools -- anthropic
//! ```

use anyhow::bail;
use luma_client::mcp::export;

fn main() -> anyhow::Result<()> {
    let format = std::env::args().nth(1).unwrap_or_else(|| "mcp".to_owned());
    let tools = match format.as_str() {
        "mcp" => export::mcp(),
        "openai-chat" => export::openai_chat(),
        "openai-responses" => export::openai_responses(),
        "anthropic" => export::anthropic(),
        "gemini" => export::gemini(),
        _ => bail!(
            "{format:?} is not a format: use mcp, openai-chat, openai-responses, anthropic or gemini"
        ),
    };
    println!("{tools:#}");
    Ok(())
}
