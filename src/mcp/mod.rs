//! Tools for language models: their schemas, a dispatcher, and the formats of the usual hosts.
//!
//! The module does no I/O of its own except through [`Luma`](crate::Luma). Use it in your own model loop or
//! MCP server, or run the ready-made server of the crate `luma-mcp`.
//!
//! ```no_run
//! # async fn example(luma: luma_client::Luma, request: serde_json::Value)
//! # -> Result<(), Box<dyn std::error::Error>> {
//! use luma_client::mcp::{self, Call, Context};
//!
//! // The tool list, in the format of MCP, OpenAI, Anthropic or Gemini.
//! let tools = mcp::export::anthropic();
//!
//! // A tool call, as the same hosts send it, and its result in the same format.
//! let call = Call::read(&request)?;
//! let outcome = call.run(&luma, &Context::new()).await?;
//! let result = call.answer(&outcome);
//! # Ok(()) }
//! ```
//!
//! Names, arguments and required arguments are those of the vendor's server `mcp-luma`, which has no
//! `luma_list_tasks`. Results are typed
//! objects under the one key `result`. A mistake of the model becomes an [`Outcome`] with
//! [`is_error`](Outcome::is_error) and a text that says what to do. Only an unknown tool is an [`Err`].
//!
//! The example [`tool_loop`](crate::guide::examples::tool_loop) is a model loop with them, and
//! [`export_tools`](crate::guide::examples::export_tools) prints them for each host.

mod advice;
mod arguments;
mod call;
mod context;
mod dispatch;
pub mod export;
mod listing;
mod lists;
mod outcome;
mod read;
mod reports;
mod results;
mod schema;
mod tools;

pub use call::{Call, NotACall};
pub use context::{Context, MAX_HOLD, Progress};
pub use dispatch::{call, report};
pub use outcome::{Outcome, ResourceLink};
pub use tools::{Annotations, Tool, UnknownTool, find, tools};
