//! What the subjects share.

pub mod raw;
