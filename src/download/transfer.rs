//! The attempts of a download: what to do after each response, and when to try again.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use http::header::CONTENT_TYPE;
use reqwest::Response;
use tokio::time::{Instant, sleep};
use url::Url;

use super::{
    error::DownloadError,
    fetch::{checked, excerpt, failed, read, read_head, send},
    media_type::judge,
    partial::PartialFile,
    response::{Action, Version, decide, encoding, text},
};
use crate::{
    client::Luma,
    http::RetryPolicy,
    util::text::{WORD, clean},
};

/// How long the file of a new video may take to appear at its URL.
const APPEARS_WITHIN: Duration = Duration::from_secs(30);

/// How far a download is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// Bytes so far.
    pub bytes: u64,
    /// Bytes of the whole file, if the server told it.
    pub total: Option<u64>,
}

/// A file that was downloaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Downloaded {
    path: PathBuf,
    bytes: u64,
    media_type: String,
}

impl Downloaded {
    /// The target, as it was given.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its size in bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// What it is, such as `video/mp4`: by its first bytes, or by the server if they are unknown.
    pub fn media_type(&self) -> &str {
        &self.media_type
    }
}

/// What is downloaded where, and how.
pub(super) struct Settings<'a> {
    pub(super) luma: Luma,
    pub(super) url: Option<String>,
    /// Whether the file may not be at its URL yet.
    pub(super) is_new: bool,
    /// The first half of its media type: `video` or `image`.
    pub(super) expected: &'static str,
    pub(super) target: PathBuf,
    pub(super) overwrite: bool,
    pub(super) max_bytes: u64,
    pub(super) retry: RetryPolicy,
    pub(super) on_progress: Option<Box<dyn FnMut(Progress) + Send + 'a>>,
}

/// A download under way.
struct Transfer<'a> {
    settings: Settings<'a>,
    url: Url,
    file: PartialFile,
    /// What the server has said about the file so far.
    version: Version,
    /// Whether the server is assumed to support `Range`.
    ranges: bool,
    /// What the first bytes are; `None` until they are here.
    media_type: Option<String>,
}

/// Downloads the file.
pub(super) async fn run(settings: Settings<'_>) -> Result<Downloaded, DownloadError> {
    let url = settings.url.as_deref().ok_or(DownloadError::NoThumbnail)?;
    let url = checked(&settings.luma, url, None)?;
    let path = settings.target.clone();
    let io = |error| DownloadError::of_io(&path, error);
    let file = PartialFile::create(&path, settings.overwrite).await.map_err(io)?;
    let mut transfer = Transfer {
        settings,
        url,
        file,
        version: Version::default(),
        ranges: true,
        media_type: None,
    };
    let media_type = transfer.run().await?;
    let bytes = transfer.file.length();
    transfer.file.finish().await.map_err(io)?;
    Ok(Downloaded { path, bytes, media_type })
}

impl Transfer<'_> {
    /// Fills the file. Returns its media type.
    async fn run(&mut self) -> Result<String, DownloadError> {
        let (mut since, mut retries, mut longest) = (Instant::now(), 0, 0);
        loop {
            let error = match self.attempt().await {
                Ok(Some(media_type)) => return Ok(media_type),
                // Never twice in a row: the next request is for the whole file.
                Ok(None) => continue,
                Err(error) => error,
            };
            if self.file.length() > longest {
                (since, retries, longest) = (Instant::now(), 0, self.file.length());
            }
            let delay = delay(&self.settings, &error, retries, since.elapsed());
            tracing::debug!(%error, bytes = self.file.length(), ?delay, "download");
            sleep(delay.ok_or(error)?).await;
            retries += 1;
        }
    }

    /// One request. Returns the media type of the complete file; `None` if the whole file has to be
    /// requested.
    async fn attempt(&mut self) -> Result<Option<String>, DownloadError> {
        let length = Some(self.file.length()).filter(|length| self.ranges && *length > 0);
        let range = length.zip(self.version.strong_etag());
        let mut response = send(&self.settings.luma, &self.url, range).await?;
        let from = range.map(|(from, _)| from);
        let (status, headers) = (response.status().as_u16(), response.headers());
        match decide(from, &self.version, status, headers) {
            Action::Append(total) => self.version.total = Some(total),
            Action::Replace(version) => {
                (self.version, self.media_type) = (version, None);
                let cleared = self.file.clear().await;
                cleared.map_err(|error| DownloadError::of_io(&self.settings.target, error))?;
            }
            Action::Restart => {
                self.ranges = false;
                return Ok(None);
            }
            Action::Fail => return Err(failed(&self.url, response).await),
        }
        // Checks the promised length before anything is read, and reports the start.
        self.write(b"").await?;
        if self.media_type.is_none() {
            let head = read_head(&mut response).await?;
            self.media_type = Some(self.judge(&head, &response)?);
            self.write(&head).await?;
        }
        while let Some(chunk) = read(&mut response).await? {
            self.write(&chunk).await?;
        }
        let got = self.file.length();
        match self.version.total {
            Some(expected) if got != expected => {
                return Err(DownloadError::WrongLength { expected, got });
            }
            _ => self.version.total = Some(got),
        }
        self.write(b"").await?;
        Ok(self.media_type.clone())
    }

    fn judge(&self, head: &[u8], response: &Response) -> Result<String, DownloadError> {
        if head.is_empty() {
            return Err(DownloadError::Empty);
        }
        let content_type = text(response.headers(), CONTENT_TYPE).unwrap_or_default();
        let encoding = encoding(response.headers());
        let expected = self.settings.expected;
        judge(expected, head, content_type, encoding).map_err(|found| DownloadError::WrongType {
            expected,
            found: clean(&found, WORD),
            excerpt: excerpt(head, [&self.url, response.url()]),
        })
    }

    /// Appends to the file within the limits, and reports the progress.
    async fn write(&mut self, bytes: &[u8]) -> Result<(), DownloadError> {
        let (total, limit) = (self.version.total, self.settings.max_bytes);
        let got = self.file.length() + bytes.len() as u64;
        if got.max(total.unwrap_or_default()) > limit {
            return Err(DownloadError::TooLarge { limit });
        }
        if let Some(expected) = total.filter(|total| got > *total) {
            // Which of the bytes are wrong is not known.
            self.ranges = false;
            return Err(DownloadError::WrongLength { expected, got });
        }
        let written = self.file.write(bytes).await;
        written.map_err(|error| DownloadError::of_io(&self.settings.target, error))?;
        if let Some(callback) = &mut self.settings.on_progress {
            callback(Progress { bytes: got, total });
        }
        Ok(())
    }
}

/// How long to wait after an error; `None` if it ends the download.
fn delay(
    settings: &Settings<'_>,
    error: &DownloadError,
    retries: usize,
    elapsed: Duration,
) -> Option<Duration> {
    let mut policy = settings.retry;
    // A policy without retries has none for a new video, either.
    policy.delays().next()?;
    if error.is_expired() && settings.is_new {
        policy = policy.max_attempts(u32::MAX).max_elapsed(APPEARS_WITHIN);
    } else if !error.is_retryable() {
        return None;
    }
    let backoff = policy.delays().nth(retries)?;
    policy.delay(backoff, error.retry_after(), elapsed)
}

#[cfg(test)]
mod tests;
