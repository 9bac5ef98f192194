//! The tests of luma-client over real sockets: one binary, a file a subject.

mod auto_traits;
mod blocking;
mod clients;
mod connections;
mod download;
mod errors;
mod faults;
mod generated;
mod layers;
mod mcp;
mod no_double_submit;
mod operations;
mod poll_interval;
mod properties;
mod reconcile;
mod requests;
mod secrets;
mod shutdown;
mod spec;
mod spec_diff;
mod stored;
mod submissions;
mod support;
mod wire;
mod tracing;
mod waits;
