//! The attempts of a download: requests, what is done with their responses, and when to try again.

use std::time::Duration;

use http::header::{ACCEPT_ENCODING, IF_RANGE, LOCATION, RANGE};
use reqwest::Response;
use tokio::time::{Instant, sleep};

use super::{
    Downloaded, Progress, Settings,
    error::DownloadError,
    media_type::{HEAD_BYTES, detect, is_text},
    partial::PartialFile,
    response::{Action, Range, Version},
};
use crate::{
    client::Luma,
    http::TransportError,
    util::{
        json::to_utf8,
        retry_after,
        text::{EXCERPT, WORD, clean},
        url::{media_url, shown},
    },
};

/// How long the file of a new video may take to appear at its URL.
const APPEARS_WITHIN: Duration = Duration::from_secs(30);

const MAX_REDIRECTS: usize = 5;

/// A download under way.
struct Transfer<'a> {
    settings: Settings<'a>,
    file: PartialFile,
    /// What the server has said about the file so far.
    version: Version,
    /// What the bytes so far are.
    media_type: &'static str,
}

/// Downloads the file.
pub(super) async fn run(settings: Settings<'_>) -> Result<Downloaded, DownloadError> {
    let file = PartialFile::create(&settings.target, settings.overwrite).await;
    let mut transfer = Transfer {
        file: file.map_err(|error| DownloadError::io(&settings.target, error))?,
        version: Version::default(),
        media_type: "",
        settings,
    };
    let (mut since, mut retries, mut longest) = (Instant::now(), 0, 0);
    while let Err(error) = transfer.attempt().await {
        let bytes = transfer.file.length;
        if bytes > longest {
            (since, retries, longest) = (Instant::now(), 0, bytes);
        }
        let delay = transfer.settings.delay(&error, retries, since.elapsed());
        tracing::debug!(%error, bytes, ?delay, "download");
        sleep(delay.ok_or(error)?).await;
        retries += 1;
    }
    let (path, bytes) = (transfer.settings.target, transfer.file.length);
    let finished = transfer.file.finish(&path, transfer.settings.overwrite).await;
    finished.map_err(|error| DownloadError::io(&path, error))?;
    Ok(Downloaded { path, bytes, media_type: transfer.media_type })
}

impl Transfer<'_> {
    /// Requests the file, or the rest of it, and writes what comes.
    async fn attempt(&mut self) -> Result<(), DownloadError> {
        let url = self.settings.url.as_deref().ok_or(DownloadError::NoThumbnail)?;
        let (mut response, action) = loop {
            let range = self.version.range(self.file.length);
            let response = send(&self.settings.luma, url, range).await?;
            match self.version.decide(range, response.status().as_u16(), response.headers()) {
                Action::Restart => self.version.refuses_ranges = true,
                action => break (response, action),
            }
        };
        // The query of a signed URL is a secret, which a body may repeat.
        let is_signed = url.contains('?') || response.url().query().is_some();
        if action == Action::Fail {
            // One piece is enough, and a slow server does not send a second one.
            let body = response.chunk().await.ok().flatten().unwrap_or_default();
            return Err(DownloadError::Status {
                status: response.status(),
                excerpt: excerpt(&body, is_signed),
                retry_after: retry_after::read(response.headers()),
            });
        }
        if action == Action::Replace && self.file.length > 0 {
            let file = PartialFile::create(&self.settings.target, self.settings.overwrite).await;
            self.file = file.map_err(|error| DownloadError::io(&self.settings.target, error))?;
        }
        self.version.update(response.headers());
        // Checks the promised length before anything is read, and reports the start.
        self.write(b"").await?;
        if self.file.length == 0 {
            let mut head = Vec::new();
            while head.len() < HEAD_BYTES
                && let Some(chunk) = response.chunk().await.map_err(TransportError::new)?
            {
                head.extend_from_slice(&chunk);
            }
            if head.is_empty() {
                return Err(DownloadError::Empty);
            }
            let expected = self.settings.expected;
            self.media_type = match detect(&head, response.headers()) {
                Ok(found) if found.starts_with(expected) => found,
                found => {
                    let found = clean(&found.map_or_else(|other| other, str::to_owned), WORD);
                    let excerpt = excerpt(&head, is_signed);
                    return Err(DownloadError::WrongType { expected, found, excerpt });
                }
            };
            self.write(&head).await?;
        }
        while let Some(chunk) = response.chunk().await.map_err(TransportError::new)? {
            self.write(&chunk).await?;
        }
        let got = self.file.length;
        let expected = self.version.total.unwrap_or(got);
        if got < expected {
            return Err(DownloadError::WrongLength { expected, got });
        }
        self.version.total = Some(got);
        self.write(b"").await
    }

    /// Appends to the file within the limits, and reports the progress.
    async fn write(&mut self, bytes: &[u8]) -> Result<(), DownloadError> {
        let (total, limit) = (self.version.total, self.settings.max_bytes);
        let got = self.file.length + bytes.len() as u64;
        if got.max(total.unwrap_or_default()) > limit {
            return Err(DownloadError::TooLarge { limit });
        }
        if let Some(expected) = total.filter(|total| got > *total) {
            // Which of the bytes are wrong is not known.
            self.version.refuses_ranges = true;
            return Err(DownloadError::WrongLength { expected, got });
        }
        let written = self.file.write(bytes).await;
        written.map_err(|error| DownloadError::io(&self.settings.target, error))?;
        (self.settings.on_progress)(Progress { bytes: got, total });
        Ok(())
    }
}

impl Settings<'_> {
    /// How long to wait after an error; `None` if it ends the download.
    fn delay(&self, error: &DownloadError, retries: usize, elapsed: Duration) -> Option<Duration> {
        // A policy without retries has none for a new video, either.
        self.retry.delays().next()?;
        if error.is_expired() && self.is_new {
            let policy = self.retry.max_attempts(u32::MAX).max_elapsed(APPEARS_WITHIN);
            let rest = APPEARS_WITHIN.checked_sub(elapsed).filter(|rest| !rest.is_zero())?;
            // The last request is sent when the time is up.
            let backoff = policy.delays().nth(retries)?.min(rest);
            return policy.delay(backoff, error.retry_after(), elapsed);
        }
        let backoff = self.retry.delays().nth(retries).filter(|_| error.is_retryable())?;
        self.retry.delay(backoff, error.retry_after(), elapsed)
    }
}

/// Requests the file, or the rest of it, and follows redirects.
async fn send(luma: &Luma, url: &str, range: Range<'_>) -> Result<Response, DownloadError> {
    let (mut location, mut previous) = (url.to_owned(), None);
    for _ in 0..=MAX_REDIRECTS {
        let url = media_url(&location, previous.as_ref(), luma.base_is_loopback());
        let url = url.map_err(|reason| DownloadError::Url { url: shown(&location), reason })?;
        let request = luma.media().for_url(&url)?.get(url.clone());
        let mut request = request.header(ACCEPT_ENCODING, "identity");
        if let Some((from, etag)) = range {
            request = request.header(RANGE, format!("bytes={from}-")).header(IF_RANGE, etag);
        }
        let response = request.send().await.map_err(TransportError::new)?;
        let next = response.headers().get(LOCATION);
        let Some(next) = next.filter(|_| response.status().is_redirection()) else {
            return Ok(response);
        };
        location = String::from_utf8_lossy(next.as_bytes()).into_owned();
        previous = Some(url);
    }
    Err(DownloadError::Url { url: shown(&location), reason: "at most five redirects are followed" })
}

/// The beginning of a body that is text, as one line. Nothing of a signed URL is shown.
fn excerpt(body: &[u8], is_signed: bool) -> String {
    match is_text(body) && !is_signed {
        true => clean(&String::from_utf8_lossy(&to_utf8(body)), EXCERPT),
        false => String::new(),
    }
}

#[cfg(test)]
mod tests;
