//! One version of a file, and how to ask for the rest of it.

use http::{
    HeaderMap,
    header::{AsHeaderName, ETAG, LAST_MODIFIED},
};
use serde::{Deserialize, Serialize};

/// What tells one version of a file from another.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Version {
    pub(crate) etag: Option<String>,
    pub(crate) last_modified: Option<String>,
    /// The length of the whole file in bytes.
    pub(crate) total: Option<u64>,
}

impl Version {
    pub(super) fn read(headers: &HeaderMap, total: Option<u64>) -> Self {
        Self {
            etag: text(headers, ETAG).map(str::to_owned),
            last_modified: text(headers, LAST_MODIFIED).map(str::to_owned),
            total,
        }
    }

    /// The ETag, if it vouches for every byte.
    pub(crate) fn strong_etag(&self) -> Option<&str> {
        self.etag
            .as_deref()
            .filter(|tag| tag.len() > 2 && tag.starts_with('"') && tag.ends_with('"'))
    }

    /// Whether there is anything to hold a later answer against.
    pub(crate) fn is_resumable(&self) -> bool {
        self.strong_etag().is_some() || self.total.is_some()
    }

    /// Whether a part of `other` goes on where a part of this one ended.
    pub(super) fn goes_on_with(&self, other: &Self) -> bool {
        fn agree<T: PartialEq>(one: &Option<T>, other: &Option<T>) -> bool {
            one.is_none() || other.is_none() || one == other
        }
        match self.strong_etag() {
            Some(tag) => other.etag.as_deref() == Some(tag) && agree(&self.total, &other.total),
            None => {
                self.total.is_some()
                    && self.total == other.total
                    && agree(&self.etag, &other.etag)
                    && agree(&self.last_modified, &other.last_modified)
            }
        }
    }
}

/// A request for the rest of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Resume {
    /// The first byte that is asked for.
    pub(crate) from: u64,
    /// What the bytes before it are of.
    pub(crate) version: Version,
}

impl Resume {
    /// How to go on after `length` bytes; `None` where only a new beginning is safe.
    ///
    /// What is complete already is asked for its last byte again: an empty range cannot be asked
    /// for, and the server's word is wanted that nothing has changed.
    pub(crate) fn after(length: u64, version: &Version) -> Option<Self> {
        let from = match version.total {
            Some(total) if length > total => return None,
            Some(total) => length.min(total.saturating_sub(1)),
            None => length,
        };
        (from > 0 && version.is_resumable()).then(|| Self {
            from,
            version: version.clone(),
        })
    }
}

/// A header, unless it is blank.
pub(super) fn text(headers: &HeaderMap, name: impl AsHeaderName) -> Option<&str> {
    let text = headers.get(name)?.to_str().ok()?.trim();
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_to_go_on() {
        let strong = Some("\"a\"");
        for (length, etag, total, expected) in [
            (0, strong, Some(9), None),
            (4, strong, Some(9), Some(4)),
            (4, strong, None, Some(4)),
            (4, None, Some(9), Some(4)),
            (4, None, None, None),
            (4, Some("W/\"a\""), None, None),
            (4, Some("a"), None, None),
            (4, Some("\"\""), None, None),
            // Complete: the last byte again.
            (9, strong, Some(9), Some(8)),
            (1, strong, Some(1), None),
            (10, strong, Some(9), None),
            (3, strong, Some(0), None),
        ] {
            let version = Version {
                etag: etag.map(str::to_owned),
                last_modified: None,
                total,
            };
            let resume = Resume::after(length, &version);
            let from = resume.map(|resume| resume.from);
            assert_eq!(from, expected, "{length} {etag:?} {total:?}");
        }
    }
}
