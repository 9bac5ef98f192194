//! The requests of a download: follows redirects, retries, and writes what comes.

use std::{mem, time::Duration};

use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, CONTENT_TYPE, IF_RANGE, LOCATION, RANGE};
use reqwest::Response;
use tokio::time::{Instant, sleep, timeout};
use url::Url;

use super::{
    error::DownloadError,
    media_type::{HEAD_BYTES, Kind, Mismatch, detect, is_text, judge},
    partial::PartialFile,
    response::{Action, Version, compression, decide, text},
};
use crate::{
    http::{MediaClients, RetryPolicy},
    util::{
        retry_after::read_retry_after,
        text::{clean, limits},
        url::{check_media_url, redact_query, shown},
    },
};

const MAX_REDIRECTS: usize = 5;
/// How much of an error's body is read, and for how long.
const EXCERPT_BYTES: usize = 4096;
const EXCERPT_TIME: Duration = Duration::from_secs(5);
/// How long a new video's file may take to appear at its URL.
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

pub(super) type OnProgress<'a> = Box<dyn FnMut(Progress) + Send + 'a>;

/// The settings of a download, and what is known of the file so far.
pub(super) struct Transfer<'a> {
    pub(super) clients: MediaClients,
    pub(super) base_is_loopback: bool,
    pub(super) kind: Kind,
    pub(super) max_bytes: u64,
    pub(super) retry: RetryPolicy,
    pub(super) on_progress: Option<OnProgress<'a>>,
    version: Version,
    /// Whether the server is assumed to support `Range`.
    ranges: bool,
    /// Once the bytes so far have told it.
    media_type: Option<String>,
}

impl<'a> Transfer<'a> {
    pub(super) fn new(
        clients: MediaClients,
        base_is_loopback: bool,
        kind: Kind,
        max_bytes: u64,
    ) -> Self {
        Self {
            clients,
            base_is_loopback,
            kind,
            max_bytes,
            retry: RetryPolicy::default(),
            on_progress: None,
            version: Version::default(),
            ranges: true,
            media_type: None,
        }
    }

    /// Fills the file. Returns its media type.
    pub(super) async fn run(
        &mut self,
        url: &Url,
        file: &mut PartialFile,
        is_new: bool,
    ) -> Result<String, DownloadError> {
        let mut retries = Retries::new(self.retry);
        let mut appearance = Retries::until_it_appears(self.retry);
        let mut longest = 0;
        loop {
            let error = match self.attempt(url, file).await {
                Ok(Some(media_type)) => return Ok(media_type),
                // Never twice in a row: the next request is for the whole file.
                Ok(None) => continue,
                Err(error) => error,
            };
            if file.length() > longest {
                longest = file.length();
                retries = Retries::new(self.retry);
            }
            let delay = match &error {
                DownloadError::Expired { status, .. } if is_new && status.as_u16() != 410 => {
                    appearance.next_delay(None)
                }
                error if error.is_retryable() => retries.next_delay(error.retry_after()),
                _ => None,
            };
            tracing::debug!(%error, bytes = file.length(), retry = delay.is_some(), "download");
            match delay {
                Some(delay) => sleep(delay).await,
                None => return Err(error),
            }
        }
    }

    /// One request. Returns the media type of the complete file; `None` if the whole file has to be
    /// requested.
    async fn attempt(
        &mut self,
        url: &Url,
        file: &mut PartialFile,
    ) -> Result<Option<String>, DownloadError> {
        let etag = self
            .version
            .strong_etag()
            .filter(|_| self.ranges && file.length() > 0);
        let range = etag.map(|etag| (file.length(), etag));
        let response = send(&self.clients, self.base_is_loopback, url, range).await?;
        let from = range.map(|(from, _)| from);
        match decide(
            from,
            &self.version,
            response.status().as_u16(),
            response.headers(),
        ) {
            Action::Append(total) => self.version.total = Some(total),
            Action::Replace(version) => {
                (self.version, self.media_type) = (version, None);
                file.clear().await?;
            }
            Action::Restart => {
                self.ranges = false;
                return Ok(None);
            }
            Action::Fail => return Err(failed(url, response).await),
        }
        if self
            .version
            .total
            .is_some_and(|total| total > self.max_bytes)
        {
            return Err(self.too_large());
        }
        self.report(file.length());
        self.receive(url, response, file).await?;
        let got = file.length();
        match self.version.total {
            Some(expected) if got < expected => Err(DownloadError::WrongLength { expected, got }),
            _ => {
                self.version.total = Some(got);
                self.report(got);
                Ok(self.media_type.clone())
            }
        }
    }

    /// Writes the body, after its first bytes have shown that it is a file of the right kind.
    async fn receive(
        &mut self,
        url: &Url,
        mut response: Response,
        file: &mut PartialFile,
    ) -> Result<(), DownloadError> {
        let mut head = Vec::new();
        loop {
            let chunk = response
                .chunk()
                .await
                .map_err(DownloadError::of_transport)?;
            let is_end = chunk.is_none();
            let mut bytes = chunk.unwrap_or_default();
            if self.media_type.is_none() {
                head.extend_from_slice(&bytes);
                if !is_end && head.len() < HEAD_BYTES && detect(&head).is_none() {
                    continue;
                }
                if head.is_empty() {
                    return Err(DownloadError::Empty);
                }
                self.media_type = Some(self.checked(url, &head, &response)?);
                bytes = Bytes::from(mem::take(&mut head));
            }
            let got = file.length() + bytes.len() as u64;
            if let Some(expected) = self.version.total.filter(|total| got > *total) {
                // What is wrong with the bytes so far is not known.
                self.ranges = false;
                return Err(DownloadError::WrongLength { expected, got });
            }
            if got > self.max_bytes {
                return Err(self.too_large());
            }
            if !bytes.is_empty() {
                file.write(&bytes).await?;
                self.report(got);
            }
            if is_end {
                return Ok(());
            }
        }
    }

    fn checked(
        &self,
        url: &Url,
        head: &[u8],
        response: &Response,
    ) -> Result<String, DownloadError> {
        let content_type = text(response.headers(), CONTENT_TYPE).unwrap_or_default();
        let compression = compression(response.headers());
        judge(self.kind, head, content_type, compression).map_err(|mismatch| match mismatch {
            Mismatch::Type(found) => DownloadError::WrongType {
                expected: self.kind.name(),
                found: clean(&found, limits::WORD),
                excerpt: excerpt(head, [url, response.url()]),
            },
            Mismatch::Encoding(encoding) => DownloadError::Encoded {
                encoding: clean(&encoding, limits::WORD),
            },
        })
    }

    fn too_large(&self) -> DownloadError {
        DownloadError::TooLarge {
            limit: self.max_bytes,
            bytes: self.version.total,
        }
    }

    fn report(&mut self, bytes: u64) {
        if let Some(callback) = &mut self.on_progress {
            callback(Progress {
                bytes,
                total: self.version.total,
            });
        }
    }
}

/// Requests the file, and follows redirects.
async fn send(
    clients: &MediaClients,
    base_is_loopback: bool,
    url: &Url,
    range: Option<(u64, &str)>,
) -> Result<Response, DownloadError> {
    let mut url = url.clone();
    for redirects in 0.. {
        let mut request = clients
            .for_url(&url)?
            .get(url.clone())
            .header(ACCEPT_ENCODING, "identity");
        if let Some((from, etag)) = range {
            request = request
                .header(RANGE, format!("bytes={from}-"))
                .header(IF_RANGE, etag);
        }
        let response = request.send().await.map_err(DownloadError::of_transport)?;
        let location = response.headers().get(LOCATION);
        let (301 | 302 | 303 | 307 | 308, Some(location)) = (response.status().as_u16(), location)
        else {
            return Ok(response);
        };
        let location = String::from_utf8_lossy(location.as_bytes());
        let refuse = |reason| DownloadError::Url {
            url: shown(&location),
            reason,
        };
        if redirects == MAX_REDIRECTS {
            return Err(refuse("more than five redirects are not followed"));
        }
        let next = url
            .join(&location)
            .map_err(|_| refuse("it is not a valid URL"))?;
        check_media_url(&next, Some(&url), base_is_loopback).map_err(refuse)?;
        url = next;
    }
    unreachable!("redirects are counted")
}

/// The error for a status that is not that of a file.
async fn failed(url: &Url, mut response: Response) -> DownloadError {
    let mut body = Vec::new();
    let read = async {
        while body.len() < EXCERPT_BYTES
            && let Ok(Some(chunk)) = response.chunk().await
        {
            body.extend_from_slice(&chunk);
        }
    };
    // What has come until then is enough.
    let _ = timeout(EXCERPT_TIME, read).await;
    let excerpt = excerpt(&body, [url, response.url()]);
    let status = response.status();
    match status.as_u16() {
        403 | 404 | 410 => DownloadError::Expired { status, excerpt },
        _ => DownloadError::Status {
            status,
            excerpt,
            retry_after: read_retry_after(response.headers()),
        },
    }
}

/// The beginning of a body that is text, as one line, without the secrets of the URLs.
fn excerpt(body: &[u8], urls: [&Url; 2]) -> String {
    if !is_text(body) {
        return String::new();
    }
    let line = clean(&String::from_utf8_lossy(body), usize::MAX);
    let line = urls.iter().fold(line, |line, url| redact_query(&line, url));
    clean(&line, limits::EXCERPT)
}

/// Retries in a row that bring nothing.
struct Retries {
    policy: RetryPolicy,
    delays: Box<dyn Iterator<Item = Duration> + Send>,
    since: Instant,
}

impl Retries {
    fn new(policy: RetryPolicy) -> Self {
        Self {
            policy,
            delays: Box::new(policy.delays()),
            since: Instant::now(),
        }
    }

    /// As many as fit in the time that a new file may take, unless the policy allows none at all.
    fn until_it_appears(policy: RetryPolicy) -> Self {
        match policy.delays().next() {
            Some(_) => Self::new(policy.max_attempts(u32::MAX).max_elapsed(APPEARS_WITHIN)),
            None => Self::new(policy),
        }
    }

    fn next_delay(&mut self, retry_after: Option<Duration>) -> Option<Duration> {
        let backoff = self.delays.next()?;
        self.policy
            .delay(backoff, retry_after, self.since.elapsed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn excerpt_is_one_clean_line_without_secrets() {
        let url = Url::parse("https://a.example/v?Signature=s3cret-1").expect("a URL");
        let other = Url::parse("https://b.example/v?token=s3cret-2").expect("a URL");
        for (body, expected) in [
            (&b"<p>not\r\n\tfound</p>"[..], "<p>not found</p>"),
            (b"/v?Signature=s3cret-1 s3cret-2", "/v?Signature=… …"),
            (b"\x01\x02\xff", ""),
            (b"", ""),
        ] {
            assert_eq!(excerpt(body, [&url, &other]), expected);
        }
        let long = excerpt("long ".repeat(500).as_bytes(), [&url, &other]);
        assert!(long.chars().count() <= limits::EXCERPT + 1, "{long}");
    }

    #[tokio::test(start_paused = true)]
    async fn retries_for_a_new_file_last_thirty_seconds() {
        let mut retries = Retries::until_it_appears(RetryPolicy::default());
        let (begin, mut requests) = (Instant::now(), 1);
        while let Some(delay) = retries.next_delay(None) {
            sleep(delay).await;
            requests += 1;
        }
        let elapsed = begin.elapsed();
        assert!((10..=30).contains(&elapsed.as_secs()), "{elapsed:?}");
        assert!((5..=10).contains(&requests), "{requests}");

        let mut none = Retries::until_it_appears(RetryPolicy::none());
        assert_eq!(none.next_delay(None), None);
    }
}
