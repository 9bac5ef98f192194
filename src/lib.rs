//! Makes videos with Luma Dream Machine through the Ace Data Cloud API.
//!
//! A video takes one to five minutes and costs money. So this crate never sends a submit again that may have
//! been accepted. It waits for the video through restarts and failures. Each error says whether something
//! is billed.
//!
//! ```no_run
//! use luma_client::{AspectRatio, Luma};
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let luma = Luma::from_env()?; // ACEDATACLOUD_API_TOKEN
//!     let task = luma
//!         .generate("A lighthouse at dusk, waves, slow zoom in")
//!         .aspect_ratio(AspectRatio::Ratio21x9)
//!         .submit() // returns once accepted
//!         .await?;
//!     std::fs::write("task.json", serde_json::to_string(&task.to_ref())?)?; // to resume from
//!     let video = task.wait().await?; // one to five minutes
//!     luma.download(&video, "lighthouse.mp4").await?;
//!     Ok(())
//! }
//! ```
//!
//! | to | see |
//! |---|---|
//! | write a service step by step | [the tutorial](guide::tutorial) |
//! | make a video, from text, images or a video | [`Luma::generate`], [`Luma::extend`] |
//! | wait for one, or for many | [`TaskHandle::wait`], [`Luma::watch`] |
//! | resume after a restart | [`TaskRef`], [`Luma::task`] |
//! | find out about a lost response | [`Luma::reconcile`] |
//! | know what is billed and what is retried | [costs and retries](guide::costs) |
//! | know how a task, a wait and a call can end | [states and errors](guide::states) |
//! | run many workers on a queue | [scaling out](guide::scaling) |
//! | give the tools to a model | [the agent loop](#an-agent-loop), [the MCP server](guide::mcp) |
//! | test without token, network or bill | the crate `luma-simulator` |
//!
//! # Many videos
//!
//! All waits of a client share one poller, which looks up at most 50 tasks in a request. So there may be any
//! number of them.
//!
//! ```no_run
//! use futures::{StreamExt, TryStreamExt, stream};
//! use luma_client::{Luma, TaskHandle};
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let luma = Luma::from_env()?;
//!     let tasks: Vec<TaskHandle> = stream::iter(["A fox", "An owl", "A hare", "A lynx"])
//!         .map(|prompt| luma.generate(prompt).submit())
//!         .buffer_unordered(3) // leaves room for lookups: the service allows five requests
//!         .try_collect()
//!         .await?;
//!     let mut done = luma.watch(&tasks);
//!     while let Some((id, result)) = done.next().await {
//!         match result {
//!             Ok(video) => println!("{id}: {}", video.url()),
//!             Err(error) => println!("{error}"),
//!         }
//!     }
//!     Ok(())
//! }
//! ```
//!
//! # After a restart
//!
//! A task continues at the service, whatever happens to the process. Its [`TaskRef`] is plain data. Any process
//! can wait for it, as often as you like:
//!
//! ```no_run
//! use luma_client::{Luma, TaskRef, WaitError};
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let luma = Luma::from_env()?;
//!     let stored: TaskRef = serde_json::from_str(&std::fs::read_to_string("task.json")?)?;
//!     match luma.task(stored).wait().await {
//!         Ok(video) => {
//!             // The former process may have downloaded it already.
//!             luma.download(&video, "lighthouse.mp4").overwrite(true).await?;
//!         }
//!         Err(WaitError::Failed { failure, .. }) => println!("no video: {failure}"),
//!         Err(error) => println!("wait again later: {error}"),
//!     }
//!     Ok(())
//! }
//! ```
//!
//! A process that is killed during the submit itself has no `TaskRef` yet. To survive that, too, store the
//! [`Submission`] before it is sent: [the tutorial](guide::tutorial) does it.
//!
//! **Do not drop the future of a submit.** The service may have accepted the request, and its task id is lost. A
//! web framework drops the future of a handler when the client disconnects, so submit in a spawned task:
//!
//! ```no_run
//! use luma_client::{Luma, TaskRef};
//!
//! async fn store(task: TaskRef) { /* to your database */ }
//!
//! async fn handler(luma: Luma, prompt: String) -> anyhow::Result<TaskRef> {
//!     let submit = tokio::spawn(async move {
//!         let task = luma.generate(prompt).submit().await?.to_ref();
//!         store(task.clone()).await; // here, so that it also happens after a disconnect
//!         anyhow::Ok(task)
//!     });
//!     submit.await?
//! }
//! ```
//!
//! # Callbacks
//!
//! The service can call back when a video is finished. The wait then ends at once, and polling finds the videos
//! whose callback was lost. Callbacks are unsigned: keep their URL secret.
//!
//! ```no_run
//! use axum::{Router, body::Bytes, extract::State, http::StatusCode, routing::post};
//! use luma_client::{Luma, webhook};
//!
//! async fn callback(State(luma): State<Luma>, body: Bytes) -> StatusCode {
//!     match webhook::parse(&body) {
//!         Ok(task) => {
//!             luma.notify(task); // ends the wait
//!             StatusCode::NO_CONTENT
//!         }
//!         Err(_) => StatusCode::BAD_REQUEST,
//!     }
//! }
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let luma = Luma::from_env()?;
//!     let secret = "a-long-random-word";
//!     let app = Router::new()
//!         .route(&format!("/luma/{secret}"), post(callback))
//!         .with_state(luma.clone());
//!     let listener = tokio::net::TcpListener::bind("0.0.0.0:8080").await?;
//!     tokio::spawn(async move { axum::serve(listener, app).await });
//!
//!     let task = luma
//!         .generate("A lighthouse at dusk")
//!         .callback_url(format!("https://videos.example.com/luma/{secret}"))
//!         .submit()
//!         .await?;
//!     println!("{}", task.wait().await?.url());
//!     Ok(())
//! }
//! ```
//!
//! # An agent loop
//!
//! With the feature `mcp`, the module `mcp` has the `luma_…` tools: their schemas in the formats of MCP, OpenAI,
//! Anthropic and Gemini, and a dispatcher that calls them. The crate `luma-mcp` is an MCP server with them, and
//! `luma mcp` of the crate `luma-cli` runs it.
//!
#![cfg_attr(feature = "mcp", doc = include_str!("mcp/agent_loop.md"))]
//! # Features
//!
//! | feature | what it adds |
//! |---|---|
//! | `rustls` (default) | TLS by rustls |
//! | `blocking` | `block_on`, for programs without an async runtime |
//! | `mcp` | the module `mcp`: tool schemas, dispatcher, exports |
//!
//! For TLS by the operating system, depend on `luma-client` with `default-features = false`, and on `reqwest` with
//! `features = ["native-tls"]`.
//!
//! The usual proxy variables apply, except to loopback. [`LumaBuilder::http_client`] sets another proxy or
//! other certificates for calls, and [`LumaBuilder::download_client`] for downloads.
//!
//! # The generated client
//!
//! [`Luma::api`] is the client that is generated from the service's OpenAPI document ([`api`]), with authentication,
//! limits and retries in place.
//!
//! Full programs are on the pages of the [examples](guide::examples).
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
