//! The id of a task.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};

/// The id of a task. It is enough to wait for the video, in this process or another.
///
/// ```
/// use luma_client::TaskId;
///
/// let id: TaskId = "b8976e18-32dc-4718-9ed8-1ea090fcb6ea".parse()?;
/// let stored = serde_json::to_string(&id)?;
/// assert_eq!(serde_json::from_str::<TaskId>(&stored)?, id);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TaskId(Arc<str>);

impl TaskId {
    /// The longest id, in bytes. A UUID has 36.
    pub const MAX_LEN: usize = 200;

    /// Returns the id as the service spells it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Text that cannot be a task id: blank, longer than [`TaskId::MAX_LEN`], or with characters other
/// than printable ASCII.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a task id: use 1 to {} printable ASCII characters without spaces", TaskId::MAX_LEN)]
#[non_exhaustive]
pub struct InvalidTaskId;

impl FromStr for TaskId {
    type Err = InvalidTaskId;

    /// Reads an id. White space around it is dropped.
    fn from_str(id: &str) -> Result<Self, InvalidTaskId> {
        let id = id.trim();
        let is_plain = id.bytes().all(|byte| byte.is_ascii_graphic());
        match is_plain && (1..=Self::MAX_LEN).contains(&id.len()) {
            true => Ok(Self(id.into())),
            false => Err(InvalidTaskId),
        }
    }
}

impl TryFrom<String> for TaskId {
    type Error = InvalidTaskId;

    fn try_from(id: String) -> Result<Self, InvalidTaskId> {
        id.parse()
    }
}

impl From<TaskId> for String {
    fn from(id: TaskId) -> Self {
        id.as_str().to_owned()
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn task_id_of_odd_text_is_refused() {
        for (text, expected) in [
            ("b8976e18", Some("b8976e18")),
            (" a\n", Some("a")),
            ("", None),
            (" ", None),
            ("a b", None),
            ("a\u{200b}", None),
            ("ид", None),
            ("a\u{7f}", None),
        ] {
            let got = text.parse::<TaskId>().ok();
            assert_eq!(got.as_ref().map(TaskId::as_str), expected, "{text:?}");
        }
        assert!("x".repeat(TaskId::MAX_LEN).parse::<TaskId>().is_ok());
        assert!("x".repeat(TaskId::MAX_LEN + 1).parse::<TaskId>().is_err());
    }
}
