//! What the service reports, as values: tasks, videos, failures, error codes.

mod answer;
mod aspect_ratio;
mod decode;
mod error_code;
pub mod fields;
mod task;
mod video;

pub(crate) use self::{
    answer::TaskAnswer,
    decode::{Lenient, decode},
    task::Outcome,
};
pub use self::{
    aspect_ratio::AspectRatio,
    error_code::ErrorCode,
    task::{FailureKind, Task, TaskFailure, TaskState},
    video::Video,
};
