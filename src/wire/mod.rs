//! Types for the places where the wire is looser than a schema can say.
//!
//! The generated [`api::types`](crate::api::types) use them for single fields, so that an
//! unexpected value never makes a whole answer unreadable and is kept as it was sent.

mod answer;
mod loose;
mod salvage;
mod words;

pub use answer::{TaskAnswer, TaskResponse};
pub use loose::{ErrorInfo, Number, StateWord, Timestamp};
pub(crate) use salvage::{answer as salvage_answer, result as salvage_result};
pub use words::AspectRatio;
