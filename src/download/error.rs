//! Why a download gave no file.

use std::{
    error::Error,
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use http::StatusCode;

use crate::{
    config::ConfigError,
    error::{TransportError, quoted},
};

/// Why a download gave no file. The video is not lost by it: call again.
///
/// No error shows the query of a URL, which may be its signature.
///
/// ```no_run
/// # async fn example(luma: luma_client::Luma, id: luma_client::TaskId)
/// # -> Result<(), luma_client::Error> {
/// use luma_client::DownloadError;
///
/// let video = luma.task(id.clone()).await?;
/// match video.download_to("lighthouse.mp4").await {
///     Ok(file) => println!("{} bytes", file.bytes),
///     Err(DownloadError::Exists { path }) => println!("{} is there already", path.display()),
///     // Some time has passed: another lookup gives a fresh URL.
///     Err(DownloadError::Expired { .. }) => {
///         luma.task(id).await?.download_to("lighthouse.mp4").await?;
///     }
///     Err(error) if error.is_retryable() => println!("later: {error}"),
///     Err(error) => return Err(error.into()),
/// }
/// # Ok(()) }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DownloadError {
    /// The target exists.
    #[error(
        "{} is there already: choose another name, or replace it by .overwrite(true)",
        path.display()
    )]
    Exists {
        /// The target.
        path: PathBuf,
    },
    /// The target is a folder or a device, or has no file name, or one that is too long.
    #[error(
        "{} is no name for a file: it is a folder or a device, or blank, or too long",
        path.display()
    )]
    NotAFile {
        /// The target.
        path: PathBuf,
    },
    /// The folder of the target does not exist.
    #[error("there is no folder {}: create it first", path.display())]
    NoFolder {
        /// The folder.
        path: PathBuf,
    },
    /// The folder or the disk is read-only, or belongs to somebody else.
    #[error("{} may not be written", path.display())]
    Denied {
        /// The file.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// The disk, or the user's share of it, is full.
    #[error(
        "the disk is full at {}: free some space and call again, it goes on from there",
        path.display()
    )]
    DiskFull {
        /// The file.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// Another failure of the file system.
    #[error("{} cannot be read or written", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// The service gave no thumbnail for the video.
    #[error("the video has no thumbnail")]
    NoThumbnail,
    /// The URL of the file is no http or https URL.
    #[error("the file is not at an http or https URL: {url:?}")]
    Url {
        /// The URL, without user name, password and query.
        url: String,
    },
    /// The HTTP client could not be set up.
    #[error(transparent)]
    Setup(#[from] ConfigError),
    /// The URL has expired: 403, 404 or 410.
    #[error(
        "the URL no longer gives the file (HTTP {}): look the task up again for a fresh URL",
        status.as_u16()
    )]
    Expired {
        /// The HTTP status.
        status: StatusCode,
    },
    /// Another HTTP status than that of a file.
    #[error(
        "the download was answered with HTTP {status}{}",
        quoted(": ", excerpt)
    )]
    Status {
        /// The HTTP status.
        status: StatusCode,
        /// The first words of the body.
        excerpt: String,
        /// How long the server asked to wait before the next request.
        retry_after: Option<Duration>,
    },
    /// The answer is something else, like the HTML page of a login: by its content type, or by how
    /// it begins where the type does not tell.
    #[error(
        "it is no {expected}, but {}{}",
        if content_type.is_empty() { "of no type" } else { content_type },
        quoted(", and begins with ", excerpt)
    )]
    WrongType {
        /// `video` or `image`.
        expected: &'static str,
        /// What it says it is; empty where it says nothing.
        content_type: String,
        /// The first words of the body.
        excerpt: String,
    },
    /// The file came compressed, though it was asked for as it is.
    #[error("the file came in the encoding {encoding}, though it was asked for as it is")]
    Encoded {
        /// The content encoding.
        encoding: String,
    },
    /// The file is larger than the limit.
    #[error(
        "the file{} is larger than the limit of {limit} bytes",
        bytes.map_or(String::new(), |bytes| format!(" of {bytes} bytes"))
    )]
    TooLarge {
        /// The limit in bytes.
        limit: u64,
        /// The size of the file in bytes, where the server told it.
        bytes: Option<u64>,
    },
    /// The server redirects to where the download must not go.
    #[error("the download was redirected, but {reason}")]
    Redirect {
        /// What is wrong with it.
        reason: String,
    },
    /// The file ended early, or did not end where it should.
    #[error("the file has {got} bytes, but should have {expected}")]
    WrongLength {
        /// In bytes.
        expected: u64,
        /// In bytes.
        got: u64,
    },
    /// The file is empty.
    #[error("the file is empty")]
    Empty,
    /// The connection could not be made, broke, or stood still.
    #[error(transparent)]
    Transport(TransportError),
}

impl DownloadError {
    /// Whether the same download may succeed later. Downloads are never billed.
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

    /// Which error a failure of the file system is.
    pub(crate) fn of_io(path: &Path, source: io::Error) -> Self {
        use io::ErrorKind;
        let path = path.to_owned();
        match source.kind() {
            ErrorKind::AlreadyExists => Self::Exists { path },
            ErrorKind::IsADirectory | ErrorKind::InvalidFilename => Self::NotAFile { path },
            ErrorKind::NotADirectory => Self::NoFolder {
                path: super::target::folder(&path).to_owned(),
            },
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
                Self::Denied { path, source }
            }
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Self::DiskFull { path, source },
            _ => Self::Io { path, source },
        }
    }

    /// Which error a failure of the connection is.
    pub(crate) fn of_transport(error: reqwest::Error) -> Self {
        if error.is_redirect() {
            let mut cause: &dyn Error = &error;
            while let Some(source) = cause.source() {
                cause = source;
            }
            let reason = cause.to_string();
            return Self::Redirect { reason };
        }
        Self::Transport(TransportError::new(error.without_url()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_of_the_file_system() {
        use io::ErrorKind::*;
        for (kind, expected) in [
            (AlreadyExists, "/videos/a.mp4 is there already"),
            (IsADirectory, "/videos/a.mp4 is no name for a file"),
            (InvalidFilename, "/videos/a.mp4 is no name for a file"),
            (NotADirectory, "there is no folder /videos"),
            (PermissionDenied, "/videos/a.mp4 may not be written"),
            (ReadOnlyFilesystem, "/videos/a.mp4 may not be written"),
            (StorageFull, "the disk is full at /videos/a.mp4"),
            (QuotaExceeded, "the disk is full at /videos/a.mp4"),
            (NotFound, "/videos/a.mp4 cannot be read or written"),
            (Other, "/videos/a.mp4 cannot be read or written"),
        ] {
            let error = DownloadError::of_io(Path::new("/videos/a.mp4"), kind.into());
            assert!(error.to_string().starts_with(expected), "{kind}: {error}");
            assert!(!error.is_retryable());
        }
    }

    #[test]
    fn an_empty_body_is_not_quoted() {
        for (excerpt, status, wrong_type) in [
            (
                "",
                "500 Internal Server Error",
                "it is no video, but text/html",
            ),
            (
                "<p>",
                "500 Internal Server Error: \"<p>\"",
                "it is no video, but text/html, and begins with \"<p>\"",
            ),
        ] {
            let error = DownloadError::Status {
                status: StatusCode::INTERNAL_SERVER_ERROR,
                excerpt: excerpt.to_owned(),
                retry_after: None,
            };
            let expected = format!("the download was answered with HTTP {status}");
            assert_eq!(error.to_string(), expected);
            let error = DownloadError::WrongType {
                expected: "video",
                content_type: "text/html".to_owned(),
                excerpt: excerpt.to_owned(),
            };
            assert_eq!(error.to_string(), wrong_type);
        }
    }

    #[test]
    fn which_statuses_pass() {
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
        let status = StatusCode::NOT_FOUND;
        assert!(!DownloadError::Expired { status }.is_retryable());
        assert!(DownloadError::Empty.is_retryable());
    }
}
