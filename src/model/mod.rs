//! What the service reports, as values: tasks, videos, failures, error codes.

mod aspect_ratio;
mod decode;
mod error_code;
pub mod fields;
mod response;
mod task;
mod video;

pub use self::{
    aspect_ratio::AspectRatio,
    error_code::ErrorCode,
    task::{FailureKind, Task, TaskFailure, TaskState},
    video::Video,
};
pub(crate) use self::{
    decode::{Lenient, decode},
    response::QueryResponse,
    task::Outcome,
};
