//! The tests of luma-client over real sockets: one binary, a file a subject.

mod auto_traits;
mod clients;
mod connections;
mod download;
mod errors;
mod generated;
mod layers;
mod no_double_submit;
mod operations;
mod properties;
mod reconcile;
mod requests;
mod shutdown;
mod spec;
mod spec_diff;
mod stored;
mod submissions;
mod support;
mod wire;
