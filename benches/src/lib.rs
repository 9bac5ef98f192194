//! What the benchmarks have in common. They themselves are in the folders beside this one.

pub mod process;
pub mod service;

/// The result of a benchmark.
pub type Result<T, E = Box<dyn std::error::Error + Send + Sync>> = std::result::Result<T, E>;
