//! The download itself: ask, write, and after a cut ask for the rest.

use std::{path::Path, time::Duration};

use http::header::{ACCEPT_ENCODING, CONTENT_TYPE, IF_RANGE, RANGE};
use reqwest::{Client, Response};
use tokio::time::{Instant, sleep, timeout};
use url::Url;

use super::{
    OnProgress, Progress,
    error::DownloadError,
    kind::Kind,
    partial::Partial,
    plan::{Plan, Refusal, plan},
    sniff::Sniff,
};
use crate::{
    error::excerpt,
    retry::{RetryPolicy, read_retry_after},
};

/// How much is read, and how long, of an answer that is not kept.
const EXCERPT_BYTES: usize = 800;
const EXCERPT_TIME: Duration = Duration::from_secs(5);

/// What a download needs once it has begun.
pub(super) struct Transfer<'a> {
    pub(super) client: Client,
    pub(super) url: Url,
    pub(super) kind: Kind,
    pub(super) max_bytes: u64,
    pub(super) retry: RetryPolicy,
    pub(super) on_progress: Option<OnProgress<'a>>,
    /// For messages.
    pub(super) target: &'a Path,
}

/// What an attempt came to that is no error.
enum Step {
    /// The file is complete; its content type.
    Done(Option<String>),
    /// What was there is thrown away.
    AskAnew,
}

impl Transfer<'_> {
    /// Fills the partial file. Gives the content type.
    pub(super) async fn run(
        &mut self,
        partial: &mut Partial,
    ) -> Result<Option<String>, DownloadError> {
        // A part that cannot be gone on with counts for nothing.
        let mut longest = partial.resume().map_or(0, |resume| resume.from);
        let (mut begin, mut delays) = (Instant::now(), self.retry.delays());
        loop {
            let error = match self.attempt(partial).await {
                Ok(Step::Done(content_type)) => return Ok(content_type),
                // Never twice in a row: the next request is for the whole file.
                Ok(Step::AskAnew) => continue,
                Err(error) => error,
            };
            if partial.length() > longest {
                // It got further than ever, so the count of vain attempts begins anew.
                longest = partial.length();
                (begin, delays) = (Instant::now(), self.retry.delays());
            }
            let backoff = delays.next().filter(|_| error.is_retryable());
            let delay = backoff.and_then(|backoff| {
                let elapsed = begin.elapsed();
                self.retry.delay(backoff, error.retry_after(), elapsed)
            });
            tracing::debug!(%error, bytes = partial.length(), again = delay.is_some(), "cut");
            match delay {
                Some(delay) => sleep(delay).await,
                None => return Err(error),
            }
        }
    }

    async fn attempt(&mut self, partial: &mut Partial) -> Result<Step, DownloadError> {
        let resume = partial.resume();
        let mut request = self
            .client
            .get(self.url.clone())
            .header(ACCEPT_ENCODING, "identity");
        if let Some(resume) = &resume {
            request = request.header(RANGE, format!("bytes={}-", resume.from));
            if let Some(etag) = resume.version.strong_etag() {
                request = request.header(IF_RANGE, etag);
            }
        }
        let mut response = request.send().await.map_err(DownloadError::of_transport)?;
        let (status, headers) = (response.status(), response.headers());
        let plan = plan(resume.as_ref(), status, headers, self.kind, self.max_bytes);
        tracing::debug!(
            status = status.as_u16(),
            from = resume.as_ref().map_or(0, |resume| resume.from),
            "download"
        );
        let total = match plan {
            Plan::Append(version) => {
                let from = resume.map_or(0, |resume| resume.from);
                partial.cut(from).await.map_err(|e| self.io(e))?;
                version.total
            }
            Plan::Restart(version) => {
                let total = version.total;
                partial.restart(version).await.map_err(|e| self.io(e))?;
                total
            }
            Plan::AskAnew => {
                partial.forget();
                return Ok(Step::AskAnew);
            }
            Plan::Refuse(refusal) => return Err(self.refused(refusal, response).await),
        };
        let content_type = response.headers().get(CONTENT_TYPE);
        let content_type = content_type.and_then(|value| value.to_str().ok().map(str::to_owned));
        let named = content_type.as_deref().unwrap_or_default();
        // The beginning of a part has been looked at already.
        let sniff = match self.kind.is_named_by(named) || partial.length() > 0 {
            true => Sniff::File,
            false => Sniff::Undecided,
        };
        self.report(partial.length(), total);
        let read = self.read(&mut response, partial, total, sniff).await;
        // Also after a cut: what has come is kept.
        partial.flush().await.map_err(|e| self.io(e))?;
        read?;
        let got = partial.length();
        match total {
            Some(expected) if got != expected => Err(DownloadError::WrongLength { expected, got }),
            _ if got == 0 => Err(DownloadError::Empty),
            _ => Ok(Step::Done(content_type)),
        }
    }

    async fn read(
        &mut self,
        response: &mut Response,
        partial: &mut Partial,
        total: Option<u64>,
        mut sniff: Sniff,
    ) -> Result<(), DownloadError> {
        while let Some(chunk) = response
            .chunk()
            .await
            .map_err(DownloadError::of_transport)?
        {
            sniff = sniff.then(&chunk);
            if sniff == Sniff::Page {
                partial.forget();
                return Err(wrong_type(self.kind, response, chunk.to_vec()).await);
            }
            let got = partial.length() + chunk.len() as u64;
            if let Some(expected) = total.filter(|total| got > *total) {
                partial.forget();
                return Err(DownloadError::WrongLength { expected, got });
            }
            if got > self.max_bytes {
                return Err(DownloadError::TooLarge {
                    limit: self.max_bytes,
                    bytes: total,
                });
            }
            partial.write(&chunk).await.map_err(|e| self.io(e))?;
            self.report(got, total);
        }
        Ok(())
    }

    pub(super) fn report(&mut self, bytes: u64, total: Option<u64>) {
        if let Some(callback) = &mut self.on_progress {
            callback(Progress { bytes, total });
        }
    }

    pub(super) fn io(&self, error: std::io::Error) -> DownloadError {
        DownloadError::of_io(self.target, error)
    }

    async fn refused(&mut self, refusal: Refusal, mut response: Response) -> DownloadError {
        let status = response.status();
        match refusal {
            Refusal::Expired => DownloadError::Expired { status },
            Refusal::Status => {
                let retry_after = read_retry_after(response.headers());
                DownloadError::Status {
                    status,
                    excerpt: first_words(&mut response, Vec::new()).await,
                    retry_after,
                }
            }
            Refusal::WrongType => wrong_type(self.kind, &mut response, Vec::new()).await,
            Refusal::Encoded(encoding) => DownloadError::Encoded { encoding },
            Refusal::TooLarge(bytes) => DownloadError::TooLarge {
                limit: self.max_bytes,
                bytes: Some(bytes),
            },
        }
    }
}

/// `begin` is what has come of the body.
async fn wrong_type(kind: Kind, response: &mut Response, begin: Vec<u8>) -> DownloadError {
    let content_type = response.headers().get(CONTENT_TYPE);
    let content_type = content_type.and_then(|value| value.to_str().ok());
    DownloadError::WrongType {
        expected: kind.name(),
        content_type: content_type.unwrap_or_default().trim().to_owned(),
        excerpt: first_words(response, begin).await,
    }
}

/// The first words of a body, as far as they come soon.
async fn first_words(response: &mut Response, mut body: Vec<u8>) -> String {
    let read = async {
        while body.len() < EXCERPT_BYTES {
            match response.chunk().await {
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                Ok(None) | Err(_) => break,
            }
        }
    };
    // What has come until then has to do.
    let _ = timeout(EXCERPT_TIME, read).await;
    excerpt(&body)
}
