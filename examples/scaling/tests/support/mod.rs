//! What the test runs: a database of its own, and workers to kill.

pub mod postgres;
pub mod worker;
