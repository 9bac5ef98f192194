//! Why a download failed.

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use http::StatusCode;

use crate::{
    http::{ConfigError, TransportError},
    util::text::shown_status,
};

/// Why a download failed. The video itself is not affected: download it again.
///
/// No error shows the query of a URL, which may be its signature. So if a URL has a query, no error
/// shows the body of its response, which may repeat it.
///
/// ```no_run
/// # async fn example(luma: luma_client::Luma, id: luma_client::TaskId)
/// # -> Result<(), luma_client::Error> {
/// use luma_client::DownloadError;
///
/// let video = luma.task(&id).wait().await?;
/// match luma.download(&video, "lighthouse.mp4").await {
///     Ok(file) => println!("{} bytes", file.bytes()),
///     Err(DownloadError::Exists { path }) => println!("{} already exists", path.display()),
///     Err(error) if error.is_expired() => {
///         let video = luma.task(&id).wait().await?;
///         luma.download(&video, "lighthouse.mp4").await?;
///     }
///     Err(error) if error.is_retryable() => println!("try again later: {error}"),
///     Err(error) => return Err(error.into()),
/// }
/// # Ok(()) }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DownloadError {
    /// The target exists, and overwriting is not allowed.
    #[error("{} already exists: choose another name, or allow overwriting", path.display())]
    Exists {
        /// The target.
        path: PathBuf,
    },
    /// The target cannot be a file: it is a folder or a device, or its name is blank or too long.
    #[error("{} cannot be a file: it is a folder or a device, blank or too long", path.display())]
    NotAFile {
        /// The target.
        path: PathBuf,
    },
    /// The folder of the target does not exist.
    #[error("the folder of {} does not exist: create it first", path.display())]
    NoFolder {
        /// The target.
        path: PathBuf,
    },
    /// The disk, or the user's quota, is full.
    #[error("the disk is full: free some space, then download {} again", path.display())]
    DiskFull {
        /// The target.
        path: PathBuf,
    },
    /// Another error of the file system, such as a missing permission.
    #[error("cannot write {}: {reason}", path.display())]
    Io {
        /// The target.
        path: PathBuf,
        /// The error of the operating system.
        reason: io::Error,
    },
    /// The video has no thumbnail.
    #[error("the video has no thumbnail")]
    NoThumbnail,
    /// The URL of the file, or one that it redirects to, is not allowed. Nothing was sent to it.
    #[error("cannot download from {url:?}: {reason}")]
    Url {
        /// The URL, without user name, password and query.
        url: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The HTTP client for downloads cannot be built.
    #[error(transparent)]
    Client(#[from] ConfigError),
    /// The server responded with a status other than success.
    #[error("the download failed with {}{}{}", shown_status(*status), quoted(excerpt), advice(*status))]
    Status {
        /// The HTTP status.
        status: StatusCode,
        /// The beginning of the response body as one line, if it is text and the URL has no query.
        excerpt: String,
        /// How long the server asked to wait before the next request.
        retry_after: Option<Duration>,
    },
    /// The response is another kind of file, such as the HTML page of a login, or it is compressed.
    #[error("the server sent {found} instead of {expected} data{}", quoted(excerpt))]
    WrongType {
        /// `video` or `image`.
        expected: &'static str,
        /// What the response is: its media type, or its compression.
        found: String,
        /// The beginning of the response body as one line, if it is text and the URL has no query.
        excerpt: String,
    },
    /// The file is larger than the limit.
    #[error("the file is larger than the limit of {limit} bytes: raise the limit to download it")]
    TooLarge {
        /// The limit in bytes.
        limit: u64,
    },
    /// The file is shorter or longer than the server promised.
    #[error("the server sent {got} bytes of a file of {expected} bytes: try again")]
    WrongLength {
        /// In bytes.
        expected: u64,
        /// In bytes.
        got: u64,
    },
    /// The file is empty.
    #[error("the server sent an empty file: try again")]
    Empty,
    /// The connection could not be made, broke, or stood still for too long.
    #[error(transparent)]
    Transport(#[from] TransportError),
}

impl DownloadError {
    /// Returns whether the same download may succeed later.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Transport(_) | Self::WrongLength { .. } | Self::Empty => true,
            Self::Status { status, .. } => matches!(status.as_u16(), 408 | 425 | 429 | 500..=599),
            _ => false,
        }
    }

    /// Returns whether the URL may have expired: HTTP 403, 404 or 410. A new lookup of the task gives a
    /// new URL.
    pub fn is_expired(&self) -> bool {
        matches!(self, Self::Status { status, .. } if is_expired(*status))
    }

    /// Returns how long the server asked to wait before the next request.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    pub(super) fn io(path: &Path, reason: io::Error) -> Self {
        use io::ErrorKind::*;
        let path = path.to_owned();
        match reason.kind() {
            AlreadyExists => Self::Exists { path },
            IsADirectory | InvalidFilename => Self::NotAFile { path },
            NotFound | NotADirectory => Self::NoFolder { path },
            StorageFull | QuotaExceeded => Self::DiskFull { path },
            _ => Self::Io { path, reason },
        }
    }
}

fn is_expired(status: StatusCode) -> bool {
    matches!(status.as_u16(), 403 | 404 | 410)
}

fn advice(status: StatusCode) -> &'static str {
    if is_expired(status) { ". For a new URL, look the task up again" } else { "" }
}

/// An excerpt in quotes; nothing if it is empty.
fn quoted(excerpt: &str) -> String {
    if excerpt.is_empty() { String::new() } else { format!(": {excerpt:?}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(status: u16, excerpt: &str) -> DownloadError {
        DownloadError::Status {
            status: StatusCode::from_u16(status).expect("a status"),
            excerpt: excerpt.to_owned(),
            retry_after: None,
        }
    }

    #[test]
    fn file_system_error_is_classified() {
        use io::ErrorKind::*;
        for (kind, expected) in [
            (AlreadyExists, "/videos/a.mp4 already exists: choose another name"),
            (IsADirectory, "/videos/a.mp4 cannot be a file"),
            (InvalidFilename, "/videos/a.mp4 cannot be a file"),
            (NotADirectory, "the folder of /videos/a.mp4 does not exist: create it"),
            (NotFound, "the folder of /videos/a.mp4 does not exist: create it"),
            (StorageFull, "the disk is full: free some space"),
            (QuotaExceeded, "the disk is full: free some space"),
            (PermissionDenied, "cannot write /videos/a.mp4: permission denied"),
            (ReadOnlyFilesystem, "cannot write /videos/a.mp4: read-only filesystem"),
            (Other, "cannot write /videos/a.mp4: other error"),
        ] {
            let error = DownloadError::io(Path::new("/videos/a.mp4"), kind.into());
            assert!(error.to_string().starts_with(expected), "{kind}: {error}");
            assert!(!error.is_retryable());
        }
    }

    #[test]
    fn status_is_shown_with_its_reason_and_what_to_do() {
        for (error, expected) in [
            (status(500, ""), "HTTP 500 Internal Server Error"),
            (status(524, ""), "HTTP 524"),
            (status(500, "<p>"), "HTTP 500 Internal Server Error: \"<p>\""),
            (
                status(404, "gone"),
                "HTTP 404 Not Found: \"gone\". For a new URL, look the task up again",
            ),
        ] {
            assert_eq!(error.to_string(), format!("the download failed with {expected}"));
        }
    }

    #[test]
    fn status_is_retryable_or_expired() {
        for (code, retryable, expired) in [
            (204, false, false),
            (304, false, false),
            (401, false, false),
            (403, false, true),
            (404, false, true),
            (408, true, false),
            (410, false, true),
            (425, true, false),
            (429, true, false),
            (451, false, false),
            (500, true, false),
            (503, true, false),
        ] {
            let error = status(code, "");
            assert_eq!(error.is_retryable(), retryable, "{code}");
            assert_eq!(error.is_expired(), expired, "{code}");
        }
        assert!(DownloadError::Empty.is_retryable());
        assert!(!DownloadError::NoThumbnail.is_retryable());
    }
}
