//! Make videos with Luma Dream Machine through the Ace Data Cloud API.
//!
//! The crate has three jobs, and each can be had alone:
//!
//! 1. [a typed client](#a-typed-client), generated from the service's OpenAPI document;
//! 2. [awaiting videos](#awaiting-videos) that take minutes and cost money, one or a hundred thousand;
//! 3. [tools for language models](#tools-for-language-models), as schemas, as a dispatcher, as an MCP
//!    server.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use luma_client::{AspectRatio, Luma};
//!
//! let luma = Luma::from_env()?; // ACEDATACLOUD_API_TOKEN
//! let task = luma
//!     .generate("A lighthouse at dusk, waves, slow zoom in")
//!     .aspect_ratio(AspectRatio::Ratio21x9)
//!     .submit() // one request, billed once
//!     .await?;
//! println!("keep this to resume: {}", task.id());
//! let video = task.wait().await?; // one to five minutes
//! video.download_to("lighthouse.mp4").await?;
//! # Ok(()) }
//! ```
//!
//! # A typed client
//!
//! [`Luma`] holds token, connections and limits; it is cheap to clone, and [`Luma::builder`] sets what
//! the environment does not. [`generate`](Luma::generate) and [`extend`](Luma::extend) build a submit,
//! check it, and send it once; what is not set is not sent.
//!
//! ```no_run
//! # async fn example(luma: luma_client::Luma) -> Result<(), Box<dyn std::error::Error>> {
//! // An image that comes to life, then what happens next.
//! let first = luma
//!     .generate("The fox wakes up and stretches")
//!     .start_image_url("https://example.com/fox.jpg")
//!     .submit()
//!     .await?
//!     .await?;
//! let task = luma.extend(&first, "It walks into the wood").submit().await?;
//! let second = task.await?;
//! println!("{:?} x {:?} pixels", second.width(), second.height());
//! # Ok(()) }
//! ```
//!
//! Below it, [`Luma::api`] is the generated client itself ([`api`]) with authentication, limits and
//! retries in place.
//!
//! # Awaiting videos
//!
//! A submit gives a [`TaskHandle`]. [`wait`](TaskHandle::wait) is a future of the [`Video`] with a
//! deadline and a pace; [`updates`](Wait::updates) the same as a stream. All waits of a client share
//! their lookups, so there may be any number of them.
//!
//! ```no_run
//! # async fn example(luma: luma_client::Luma, ids: Vec<luma_client::TaskId>) {
//! use futures::StreamExt;
//!
//! let mut done = luma.watch(ids); // each as it ends
//! while let Some((id, end)) = done.next().await {
//!     match end {
//!         Ok(video) => println!("{id}: {}", video.url()),
//!         Err(error) => println!("{error}"),
//!     }
//! }
//! # }
//! ```
//!
//! A wait can be dropped at any time and begun again from the [`TaskId`] alone, in this process or
//! another: [`Luma::task`] does no I/O. Where the service calls back, [`webhook`] reads the call and
//! [`Luma::notify`] ends the wait at once.
//!
//! # Tools for language models
//!
//! With the feature `mcp` the module `mcp` has the eight `luma_…` tools: their schemas in the format of
//! MCP, OpenAI, Anthropic and Gemini, and a dispatcher that calls them. With `mcp-server` they are an MCP
//! server over stdio and HTTP; `luma mcp` of the command line (feature `cli`) is that server.
//!
//! # More
//!
//! - [States and errors](guide::states): what a task, a wait and a call can come to.
//! - [Costs and retries](guide::costs): what is billed, what is repeated, what to do when an answer is
//!   lost.
//! - [Scaling out](guide::scaling): many processes, a durable queue, restarts.
//! - [The MCP server](guide::mcp) in each host, and over HTTP.
//!
//! With the feature `simulator` the module `simulator` is the service on a loopback port, faults included,
//! for tests without token, network or bill. With the feature `blocking`, `block_on` makes each call
//! without async code.
#![deny(missing_docs)]
#![cfg_attr(docsrs, feature(doc_cfg))]

// The generated code names the types of this crate by the crate's own name, here and in the tests.
extern crate self as luma_client;

pub mod api;
#[cfg(feature = "blocking")]
mod blocking;
mod client;
#[cfg(feature = "mcp")]
mod coalesce;
mod config;
mod download;
mod error;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
#[cfg(any(doc, doctest))]
pub mod guide;
mod handle;
mod history;
mod intent;
#[cfg(feature = "mcp")]
pub mod mcp;
mod orphan;
mod pace;
mod query;
mod retry;
#[cfg(feature = "simulator")]
pub mod simulator;
mod task;
mod transport;
mod updates;
mod video;
mod wait;
mod watch;
pub mod webhook;
pub mod wire;

#[cfg(feature = "blocking")]
pub use blocking::block_on;
pub use client::{Luma, LumaBuilder};
pub use config::{BASE_URL_VARIABLE, ConfigError, DEFAULT_BASE_URL, TOKEN_VARIABLE};
pub use download::{Download, DownloadError, Downloaded, Progress};
pub use error::{ApiError, DecodeError, Error, ErrorCode, Result, TransportError};
pub use futures_core::Stream;
pub use handle::{TaskHandle, Ticket};
pub use history::History;
pub use intent::{Intent, Prepared};
pub use orphan::{Doubt, PendingSubmission, Search};
pub use pace::{Pace, Schedule};
pub use retry::RetryPolicy;
pub use task::{Failure, FailureKind, InvalidTaskId, Task, TaskId, TaskState};
pub use tokio_util::sync::CancellationToken;
pub use updates::{Updates, Watch};
pub use video::{Extend, Generate, InvalidInput, Source, Video};
pub use wait::{Wait, WaitError, WaitFuture};
pub use wire::AspectRatio;

// Their types are in signatures here.
#[cfg(feature = "simulator")]
pub use bytes;
pub use {http, reqwest, serde_json};

/// Compiles the examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
