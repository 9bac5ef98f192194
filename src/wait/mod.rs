//! Waiting for videos: handles, waits, and streams of them.

mod error;
mod future;
mod handle;
mod task_ref;
mod tasks;
mod updates;
mod waiting;
mod watch;

pub use self::{
    error::WaitError, future::Wait, handle::TaskHandle, task_ref::TaskRef, updates::Updates,
    watch::Watch,
};

#[cfg(test)]
mod tests;
