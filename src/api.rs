//! The generated client: one method for each operation of `openapi/luma.json`, and its [`types`].
//!
//! This is the low level, with token, limits and retries in place. [`Luma::api`](crate::Luma::api)
//! gives it; most programs never need it. A synchronous submit, which holds the connection until the
//! video is finished, is only possible here:
//!
//! ```no_run
//! # async fn example(luma: luma_client::Luma) -> Result<(), Box<dyn std::error::Error>> {
//! use std::time::Duration;
//! use luma_client::{Task, api::types::VideoRequest};
//!
//! let mut request = VideoRequest::default();
//! request.prompt = Some("A lighthouse at dusk".to_owned());
//! request.timeout = Some(300.0); // seconds that the service may hold the call
//! let patient = luma.with_timeout(Duration::from_secs(330));
//! let result = patient.api().create_video(&request).await?.into_inner();
//! println!("{}", Task::from(result).state());
//! # Ok(()) }
//! ```
//!
//! What the client itself ends comes as an unexpected response with an empty body: a timeout with status
//! 504; a response that is too large or compressed, and a client that was shut down, with status 502.
//!
//! Its structs get a field whenever the service does; until then `extra` keeps new fields. Outside of
//! this crate a request begins with [`TaskQuery::new`](types::TaskQuery::new) or with the `Default` of
//! [`VideoRequest`](types::VideoRequest), and its fields are set one by one.
#![allow(missing_docs, clippy::all)]

include!(concat!(env!("OUT_DIR"), "/api.rs"));
