//! The generated client: one method an operation of `openapi/luma.json`, and its [`types`].
//!
//! This is the low level. Take a client with authentication, timeouts and retries in place from
//! [`Luma::api`](crate::Luma::api); most programs never need it.
#![allow(missing_docs, clippy::all)]

include!(concat!(env!("OUT_DIR"), "/api.rs"));
