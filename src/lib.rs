//! Make videos with Luma Dream Machine through the Ace Data Cloud API.
//!
//! The crate has three parts, and each is useful without the others:
//!
//! 1. [a typed client](#a-typed-client), generated from the service's OpenAPI document;
//! 2. [awaiting videos](#awaiting-videos), which take minutes and cost money, one or a hundred thousand;
//! 3. [tools for language models](#tools-for-language-models): schemas, a dispatcher, exports.
//!
//! ```no_run
//! # async fn example() -> Result<(), luma_client::Error> {
//! use luma_client::{AspectRatio, Luma};
//!
//! let luma = Luma::from_env()?; // ACEDATACLOUD_API_TOKEN
//! let task = luma
//!     .generate("A lighthouse at dusk, waves, slow zoom in")
//!     .aspect_ratio(AspectRatio::Ratio21x9)
//!     .submit() // one POST
//!     .await?;
//! println!("store this to resume: {}", task.id());
//! let video = task.wait().await?; // one to five minutes
//! luma.download(&video, "lighthouse.mp4").await?;
//! # Ok(()) }
//! ```
//!
//! # A typed client
//!
//! [`Luma`] holds token, connections and limits; it is cheap to clone, and [`Luma::builder`] sets what the
//! environment does not. [`generate`](Luma::generate) and [`extend`](Luma::extend) build a submit, check it,
//! and send it once. Unset fields are omitted.
//!
//! ```no_run
//! # async fn example(luma: luma_client::Luma) -> Result<(), luma_client::Error> {
//! // An image that comes to life, then what happens next.
//! let task = luma
//!     .generate("The fox wakes up and stretches")
//!     .start_image_url("https://example.com/fox.jpg")
//!     .submit()
//!     .await?;
//! let first = task.wait().await?;
//! let task = luma.extend(&first, "It walks into the wood").submit().await?;
//! let second = task.wait().await?;
//! println!("{:?} x {:?} pixels", second.width(), second.height());
//! # Ok(()) }
//! ```
//!
//! Below it, [`Luma::api`] is the generated client ([`api`]) with authentication, limits and retries in place.
//!
//! # Awaiting videos
//!
//! A submit gives a [`TaskHandle`]. [`wait`](TaskHandle::wait) is a future of the [`Video`] with a deadline and a
//! poll interval; [`updates`](Wait::updates) is a stream of the reports. All waits of a client share one
//! poller, so there may be any number of them.
//!
//! ```no_run
//! # async fn example(luma: luma_client::Luma, ids: Vec<luma_client::TaskId>) {
//! use futures::StreamExt;
//!
//! let mut done = luma.watch(ids); // each as it finishes
//! while let Some((id, result)) = done.next().await {
//!     match result {
//!         Ok(video) => println!("{id}: {}", video.url()),
//!         Err(error) => println!("{error}"),
//!     }
//! }
//! # }
//! ```
//!
//! A wait can be dropped at any time and started again from a stored [`TaskRef`], in this process or another:
//! [`Luma::task`] does no I/O. If the service calls back, [`webhook`] reads the callback and [`Luma::notify`]
//! ends the wait at once.
//!
//! # Tools for language models
//!
//! With the feature `mcp` the module `mcp` has the nine `luma_…` tools: their schemas in the format of MCP,
//! OpenAI, Anthropic and Gemini, and a dispatcher that calls them. The crate `luma-mcp` is an MCP server with
//! them, and the crate `luma-cli` has it as `luma mcp`.
//!
//! # More
//!
//! - [States and errors](guide::states): how a task, a wait and a call can end.
//! - [Costs and retries](guide::costs): what is billed, what is retried, what to do if a response is lost.
//! - [Scaling out](guide::scaling): many processes, a durable queue, restarts.
//! - [The MCP server](guide::mcp) in each host, and over HTTP.
//!
//! The crate `luma-simulator` is the service on a loopback port, faults included, for tests without token,
//! network or bill. With the feature `blocking`, `block_on` makes each call without async code.
#![deny(missing_docs)]
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

// The generated code names the types of this crate by the crate's own name.
extern crate self as luma_client;

pub mod api;
#[cfg(feature = "blocking")]
mod blocking;
mod client;
mod download;
mod error;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
#[cfg(any(doc, doctest))]
pub mod guide;
mod history;
mod http;
#[cfg(feature = "mcp")]
pub mod mcp;
mod model;
mod poller;
mod submit;
mod tasks;
mod util;
mod wait;
pub mod webhook;

#[cfg(feature = "blocking")]
pub use blocking::block_on;
pub use client::{Luma, LumaBuilder};
pub use download::{Download, DownloadError, Downloaded, Progress};
pub use error::{Error, Result};
pub use futures_core::Stream;
pub use history::History;
pub use http::{
    ApiError, BASE_URL_VARIABLE, ConfigError, DEFAULT_BASE_URL, DecodeError, RequestError,
    RetryPolicy, TOKEN_VARIABLE, TransportError,
};
pub use model::{AspectRatio, ErrorCode, FailureKind, Task, TaskFailure, TaskState, Video, fields};
pub use poller::{LookupFailure, PollInterval};
pub use submit::{
    Extend, Generate, InconclusiveReason, InvalidInput, Reconcile, Reconciliation, Submission,
    SubmitError, VideoSource,
};
pub use tokio_util::sync::CancellationToken;
pub use util::{InvalidTaskId, TaskId, text};
pub use wait::{TaskHandle, TaskRef, Updates, Wait, WaitError, Watch};

// Their types are in signatures here.
pub use {::http as http_types, reqwest, serde_json};

/// Compiles the examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
