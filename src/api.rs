//! The generated client: one method an operation of `openapi/luma.json`, and its [`types`].
//!
//! This is the low level. Take a client with authentication, timeouts and retries in place from
//! [`Luma::api`](crate::Luma::api); most programs never need it.
//!
//! ```no_run
//! # async fn example(luma: luma_client::Luma) -> Result<(), Box<dyn std::error::Error>> {
//! use luma_client::{api::types::{TaskAction, TaskQuery}, wire::TaskAnswer};
//!
//! let mut query = TaskQuery::new(TaskAction::RetrieveBatch);
//! query.ids.push("b8976e18-32dc-4718-9ed8-1ea090fcb6ea".parse()?);
//! match luma.api().query_tasks(&query).await?.into_inner() {
//!     TaskAnswer::Batch(batch) => println!("{} tasks", batch.items.len()),
//!     other => println!("no list: {other:?}"),
//! }
//! # Ok(()) }
//! ```
//!
//! Its structs get a field whenever the service does; until then `extra` keeps what is new. Outside
//! of this crate a request begins with [`TaskQuery::new`](types::TaskQuery::new) or with the
//! `Default` of [`VideoRequest`](types::VideoRequest), and its fields are set one by one.
#![allow(missing_docs, clippy::all)]

include!(concat!(env!("OUT_DIR"), "/api.rs"));
