//! Why a search can be inconclusive.

use std::fmt;

use crate::util::TaskId;

/// Why a search says neither that a submission was accepted nor that it was not.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InconclusiveReason {
    /// The service does not list the account's history, or shows none at all.
    NoHistory,
    /// Several tasks, or one that cannot be told from an earlier one, may be it.
    Ambiguous(Vec<TaskId>),
    /// Tasks with other requests were created since the submit, and no submission of this client
    /// accounts for them. The service may have changed the text of one.
    Unexplained(Vec<TaskId>),
    /// The history is longer than the 1,000 tasks that are searched.
    TooLong,
}

impl fmt::Display for InconclusiveReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (text, ids) = match self {
            Self::NoHistory => ("the service shows no history of the account", &[][..]),
            Self::TooLong => ("the history is too long to search", &[][..]),
            Self::Ambiguous(ids) => ("it may be any of these tasks:", &ids[..]),
            Self::Unexplained(ids) => ("these tasks are new and unexplained:", &ids[..]),
        };
        f.write_str(text)?;
        ids.iter().try_for_each(|id| write!(f, " {id}"))
    }
}
