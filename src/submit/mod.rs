//! Submits: built, checked, sent, and reconciled if the response was lost.

mod check;
mod error;
mod matching;
mod reconcile;
mod registry;
mod request;
mod send;
mod submission;

pub use self::{
    check::InvalidInput,
    error::SubmitError,
    matching::InconclusiveReason,
    reconcile::{Reconcile, Reconciliation},
    request::{Extend, Generate, VideoSource},
    submission::Submission,
};
