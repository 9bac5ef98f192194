//! One request of a download, redirects included, and what is read of its response.

use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, IF_RANGE, LOCATION, RANGE};
use reqwest::Response;
use url::Url;

use super::{
    error::DownloadError,
    media_type::{HEAD_BYTES, detect, is_text},
};
use crate::{
    client::Luma,
    util::{
        retry_after,
        text::{EXCERPT, clean},
        url::{media_url, redact_query, shown},
    },
};

const MAX_REDIRECTS: usize = 5;

/// Parses and checks a URL. `previous` is the URL that redirected to it.
pub(super) fn checked(
    luma: &Luma,
    url: &str,
    previous: Option<&Url>,
) -> Result<Url, DownloadError> {
    let checked = media_url(url, previous, luma.base_is_loopback());
    checked.map_err(|reason| DownloadError::Url { url: shown(url), reason })
}

/// Requests the file, or the rest of it, and follows redirects.
pub(super) async fn send(
    luma: &Luma,
    url: &Url,
    range: Option<(u64, &str)>,
) -> Result<Response, DownloadError> {
    let (mut url, mut redirects) = (url.clone(), 0);
    loop {
        let client = luma.media().for_url(&url)?;
        let mut request = client.get(url.clone()).header(ACCEPT_ENCODING, "identity");
        if let Some((from, etag)) = range {
            request = request.header(RANGE, format!("bytes={from}-")).header(IF_RANGE, etag);
        }
        let response = request.send().await.map_err(DownloadError::of_transport)?;
        let (301..=303 | 307 | 308, Some(location)) =
            (response.status().as_u16(), response.headers().get(LOCATION))
        else {
            return Ok(response);
        };
        let location = String::from_utf8_lossy(location.as_bytes());
        let next = checked(luma, &location, Some(&url))?;
        redirects += 1;
        if redirects > MAX_REDIRECTS {
            return Err(DownloadError::Url {
                url: shown(&location),
                reason: "at most five redirects are followed",
            });
        }
        url = next;
    }
}

pub(super) async fn read(response: &mut Response) -> Result<Option<Bytes>, DownloadError> {
    response.chunk().await.map_err(DownloadError::of_transport)
}

/// Reads until the format is known, or as much as is looked at.
pub(super) async fn read_head(response: &mut Response) -> Result<Vec<u8>, DownloadError> {
    let mut head = Vec::new();
    while head.len() < HEAD_BYTES
        && detect(&head).is_none()
        && let Some(chunk) = read(response).await?
    {
        head.extend_from_slice(&chunk);
    }
    Ok(head)
}

/// The error for a status that is not that of a file.
pub(super) async fn failed(url: &Url, mut response: Response) -> DownloadError {
    // One piece is enough, and a slow server does not send a second one.
    let body = response.chunk().await.ok().flatten().unwrap_or_default();
    DownloadError::Status {
        status: response.status(),
        excerpt: excerpt(&body, [url, response.url()]),
        retry_after: retry_after::read(response.headers()),
    }
}

/// The beginning of a body that is text, as one line, without the secrets of the URLs.
pub(super) fn excerpt(body: &[u8], urls: [&Url; 2]) -> String {
    if !is_text(body) {
        return String::new();
    }
    let line = clean(&String::from_utf8_lossy(body), usize::MAX);
    let line = urls.iter().fold(line, |line, url| redact_query(&line, url));
    clean(&line, EXCERPT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refused_url_is_shown_without_its_secret() {
        let luma = Luma::builder().token("a-token").base_url("https://api.example");
        let luma = luma.build().expect("a client");
        for url in ["https://user:s3cret@a.example/v", "http://a.example/v?s3cret", "v.mp4?s3cret"]
        {
            let error = checked(&luma, url, None).expect_err(url);
            assert!(!format!("{error} {error:?}").contains("s3cret"), "{error:?}");
        }
        assert!(checked(&luma, "https://a.example/v.mp4?s=1", None).is_ok());
    }

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
        assert!(long.chars().count() <= EXCERPT + 1, "{long}");
    }
}
