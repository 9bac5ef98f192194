//! The client as tools for a language model: eight of them, with schemas, a dispatcher, and the
//! formats of the usual hosts. No protocol and no I/O of its own: bring your model loop or your MCP
//! server, or take the one in `server` (feature `mcp-server`).
//!
//! ```no_run
//! # async fn example(luma: luma_client::Luma, request: serde_json::Value)
//! # -> Result<(), Box<dyn std::error::Error>> {
//! use luma_client::mcp::{self, Call, Context};
//!
//! // What the model is told, as MCP, OpenAI, Anthropic or Gemini want it.
//! let tools = mcp::export::anthropic();
//!
//! // What the model asks for, as the same hosts send it; and what it is answered.
//! let call = Call::read(&request)?;
//! let outcome = call.run(&luma, &Context::new()).await?;
//! let answer = call.answer(&outcome);
//! # Ok(()) }
//! ```
//!
//! Names, arguments and required arguments are those of the vendor's server `mcp-luma`; results are
//! typed objects under the one key `result`. What a model gets wrong comes back as an [`Outcome`]
//! with [`is_error`](Outcome::is_error) and words that say what to do; only a tool that does not
//! exist is an [`Err`].

mod advice;
mod arguments;
mod call;
mod check;
mod context;
mod dispatch;
pub mod export;
mod guide;
mod outcome;
mod requests;
mod results;
mod schema;
#[cfg(feature = "mcp-server")]
pub mod server;
mod tools;

pub use call::{Call, NotACall};
pub use context::{Context, MAX_HOLD, Progress};
pub use dispatch::call;
pub use outcome::{Outcome, ResourceLink, UnknownTool};
pub use tools::{Annotations, Tool, tools};
