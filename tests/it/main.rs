//! The tests over real sockets, a module for each subject.

mod download;
mod support;
