//! Small helpers that import nothing else of this crate.

pub(crate) mod json;
mod open_enum;
pub(crate) mod retry_after;
mod task_id;
pub mod text;
pub(crate) mod time;
pub(crate) mod url;

pub(crate) use open_enum::open_enum;
pub use task_id::{InvalidTaskId, TaskId};

/// Whether there is white space or a control character in the text, as in no id and no URL.
pub(crate) fn has_blanks(text: &str) -> bool {
    text.contains(|c: char| c.is_whitespace() || c.is_control())
}
