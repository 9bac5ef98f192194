//! Make videos with Luma Dream Machine through the Ace Data Cloud API.
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
//! The way of the data: `openapi/luma.json` -> generated client ([`api`]) -> [`Luma`] ->
//! [`TaskHandle`] -> [`Wait`] -> [`Video`].
#![deny(missing_docs)]
#![cfg_attr(docsrs, feature(doc_cfg))]

// The generated code names the types of this crate by the crate's own name, here and in the tests.
extern crate self as luma_client;

pub mod api;
mod client;
#[cfg(feature = "mcp")]
mod coalesce;
mod config;
mod download;
mod error;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
mod handle;
mod history;
#[cfg(feature = "mcp")]
pub mod mcp;
mod orphan;
mod pace;
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

pub use client::{Luma, LumaBuilder};
pub use config::{BASE_URL_VARIABLE, ConfigError, DEFAULT_BASE_URL, TOKEN_VARIABLE};
pub use download::{Download, DownloadError, Downloaded, Progress};
pub use error::{ApiError, DecodeError, Error, ErrorCode, Result, TransportError};
pub use handle::{TaskHandle, Ticket};
pub use history::History;
pub use orphan::{Doubt, PendingSubmission, Search};
pub use pace::{Pace, Schedule};
pub use retry::RetryPolicy;
pub use task::{Failure, FailureKind, InvalidTaskId, Task, TaskId, TaskState};
pub use tokio_util::sync::CancellationToken;
pub use updates::{Updates, Watch};
pub use video::{Extend, Generate, InvalidInput, Source, Video};
pub use wait::{Wait, WaitError, WaitFuture};
pub use wire::AspectRatio;

/// Compiles the examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
