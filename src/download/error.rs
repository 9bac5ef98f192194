//! Why a download failed.

use std::{io, path::Path, path::PathBuf, time::Duration};

use http::StatusCode;

use crate::http::{ConfigError, TransportError};

/// Why a download failed. The video itself is not affected: download it again.
///
/// No error shows the query of a URL, which may be its signature.
///
/// ```no_run
/// # async fn example(luma: luma_client::Luma, id: luma_client::TaskId)
/// # -> Result<(), luma_client::Error> {
/// use luma_client::DownloadError;
///
/// let video = luma.task(&id).wait().await?;
/// match luma.download(&video, "lighthouse.mp4").await {
///     Ok(file) => println!("{} bytes", file.bytes),
///     Err(DownloadError::Exists { path }) => println!("{} already exists", path.display()),
///     // The video is older than its URL: a new lookup returns a new URL.
///     Err(DownloadError::Expired { .. }) => {
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
    /// The target is a folder or a device, or its name is blank or too long.
    #[error(
        "{} is not a valid file name: it is a folder or a device, or the name is blank or too long",
        path.display()
    )]
    NotAFile {
        /// The target.
        path: PathBuf,
    },
    /// The folder of the target does not exist.
    #[error("the folder {} does not exist: create it first", path.display())]
    NoFolder {
        /// The folder.
        path: PathBuf,
    },
    /// The process may not write to the folder, or replace the file.
    #[error("no permission to write {}", path.display())]
    Denied {
        /// The target.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// The disk, or the user's quota, is full.
    #[error("the disk is full: free some space, then download {} again", path.display())]
    DiskFull {
        /// The target.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// Another error of the file system.
    #[error("cannot write {}", path.display())]
    Io {
        /// The target.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
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
    /// The file is not available at its URL: HTTP 403, 404 or 410.
    #[error(
        "the file is not available at its URL (HTTP {}{}): if the URL has expired, look the task \
         up again for a new one",
        status.as_u16(),
        quoted(excerpt)
    )]
    Expired {
        /// The HTTP status.
        status: StatusCode,
        /// The beginning of the response body, as one line.
        excerpt: String,
    },
    /// Another HTTP status than that of a file.
    #[error("the download failed with HTTP {status}{}", quoted(excerpt))]
    Status {
        /// The HTTP status.
        status: StatusCode,
        /// The beginning of the response body, as one line.
        excerpt: String,
        /// How long the server asked to wait before the next request.
        retry_after: Option<Duration>,
    },
    /// The response is another kind of file, such as the HTML page of a login.
    #[error(
        "the server sent {} instead of {expected} data{}",
        if found.is_empty() { "unknown data" } else { found },
        quoted(excerpt)
    )]
    WrongType {
        /// `video` or `image`.
        expected: &'static str,
        /// The media type of the response, by its bytes or its `Content-Type`; empty if unknown.
        found: String,
        /// The beginning of the response body as one line, if it is text.
        excerpt: String,
    },
    /// The file is compressed, although the request did not allow it.
    #[error("the server sent the file with the encoding {encoding:?}, which was not requested")]
    Encoded {
        /// The `Content-Encoding`.
        encoding: String,
    },
    /// The file is larger than the limit.
    #[error(
        "the file{} is larger than the limit of {limit} bytes: raise the limit to download it",
        bytes.map_or(String::new(), |bytes| format!(" of {bytes} bytes"))
    )]
    TooLarge {
        /// The limit in bytes.
        limit: u64,
        /// The size of the file in bytes, if the server told it.
        bytes: Option<u64>,
    },
    /// The file is shorter or longer than the server promised.
    #[error("the download ended after {got} of {expected} bytes: try again")]
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
    Transport(TransportError),
}

impl DownloadError {
    /// Whether the same download may succeed later.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Transport(_) | Self::WrongLength { .. } | Self::Empty => true,
            Self::Status { status, .. } => matches!(status.as_u16(), 408 | 425 | 429 | 500..=599),
            _ => false,
        }
    }

    /// How long the server asked to wait before the next request.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    pub(super) fn of_io(path: &Path, source: io::Error) -> Self {
        use io::ErrorKind;
        let path = path.to_owned();
        match source.kind() {
            ErrorKind::AlreadyExists => Self::Exists { path },
            ErrorKind::IsADirectory | ErrorKind::InvalidFilename => Self::NotAFile { path },
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
                Self::Denied { path, source }
            }
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Self::DiskFull { path, source },
            _ => Self::Io { path, source },
        }
    }

    pub(super) fn of_transport(error: reqwest::Error) -> Self {
        Self::Transport(TransportError::new(error.without_url()))
    }
}

/// An excerpt in quotes; nothing if it is empty.
fn quoted(excerpt: &str) -> String {
    match excerpt {
        "" => String::new(),
        _ => format!(": {excerpt:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_system_error_is_classified() {
        use io::ErrorKind::*;
        for (kind, expected) in [
            (AlreadyExists, "/videos/a.mp4 already exists"),
            (IsADirectory, "/videos/a.mp4 is not a valid file name"),
            (InvalidFilename, "/videos/a.mp4 is not a valid file name"),
            (PermissionDenied, "no permission to write /videos/a.mp4"),
            (ReadOnlyFilesystem, "no permission to write /videos/a.mp4"),
            (StorageFull, "the disk is full: free some space"),
            (QuotaExceeded, "the disk is full: free some space"),
            (NotFound, "cannot write /videos/a.mp4"),
            (Other, "cannot write /videos/a.mp4"),
        ] {
            let error = DownloadError::of_io(Path::new("/videos/a.mp4"), kind.into());
            assert!(error.to_string().starts_with(expected), "{kind}: {error}");
            assert!(!error.is_retryable());
        }
    }

    #[test]
    fn empty_excerpt_is_not_quoted() {
        for (excerpt, expired, wrong_type) in [
            ("", "URL (HTTP 404): if", "text/html instead of video data"),
            (
                "<p>",
                "URL (HTTP 404: \"<p>\"): if",
                "text/html instead of video data: \"<p>\"",
            ),
        ] {
            let error = DownloadError::Expired {
                status: StatusCode::NOT_FOUND,
                excerpt: excerpt.to_owned(),
            };
            assert!(error.to_string().contains(expired), "{error}");
            let error = DownloadError::WrongType {
                expected: "video",
                found: "text/html".to_owned(),
                excerpt: excerpt.to_owned(),
            };
            assert!(error.to_string().ends_with(wrong_type), "{error}");
        }
    }

    #[test]
    fn retryable_statuses() {
        for (status, expected) in [
            (204, false),
            (304, false),
            (401, false),
            (408, true),
            (425, true),
            (429, true),
            (451, false),
            (500, true),
            (503, true),
        ] {
            let error = DownloadError::Status {
                status: StatusCode::from_u16(status).expect("a status"),
                excerpt: String::new(),
                retry_after: None,
            };
            assert_eq!(error.is_retryable(), expected, "{status}");
        }
        assert!(DownloadError::Empty.is_retryable());
        assert!(!DownloadError::NoThumbnail.is_retryable());
    }
}
