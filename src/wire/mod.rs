//! Types for the places where the wire is looser than a schema can say.
//!
//! The generated [`api::types`](crate::api::types) use them for single fields, so that an
//! unexpected value never makes a whole answer unreadable and is kept as it was sent.
//!
//! ```
//! use luma_client::Task;
//!
//! let task: Task = serde_json::from_str(r#"{"id":"b8976e18","elapsed":"93.5","error":"busy"}"#)?;
//! assert_eq!(task.elapsed.and_then(|number| number.as_f64()), Some(93.5));
//! assert_eq!(task.error.as_ref().and_then(|error| error.message()), Some("busy"));
//! # Ok::<(), serde_json::Error>(())
//! ```

mod answer;
mod loose;
mod salvage;
mod words;

pub use answer::{TaskAnswer, TaskResponse};
pub use loose::{ErrorInfo, Number, StateWord, Timestamp};
pub(crate) use salvage::{answer as salvage_answer, result as salvage_result};
pub use words::AspectRatio;
