//! The HTTP client for files: no token, careful with redirects.

use std::{sync::OnceLock, time::Duration};

use reqwest::redirect::Policy;
use url::Url;

use crate::{
    client::{http_client, setup_error},
    config::ConfigError,
};

/// How long a download may stand still by default.
pub(crate) const READ_TIMEOUT: Duration = Duration::from_secs(30);
/// How many redirects are followed.
const MAX_REDIRECTS: usize = 5;

/// The client for the files of one service, built for the first of them: it takes as long to build
/// as the one for calls, and not every program downloads.
#[derive(Debug)]
pub(crate) struct MediaClient {
    near: Url,
    connect_timeout: Duration,
    read_timeout: Duration,
    client: OnceLock<reqwest::Client>,
}

impl MediaClient {
    pub(crate) fn new(near: Url, connect_timeout: Duration, read_timeout: Duration) -> Self {
        Self {
            near,
            connect_timeout,
            read_timeout,
            client: OnceLock::new(),
        }
    }

    pub(crate) fn get(&self) -> Result<reqwest::Client, ConfigError> {
        if let Some(client) = self.client.get() {
            return Ok(client.clone());
        }
        let client = media_client(&self.near, self.connect_timeout, self.read_timeout)?;
        // Another download may have been faster; one of the two clients is kept.
        Ok(self.client.get_or_init(|| client).clone())
    }
}

/// A client for files. `near` is where they are, or the service that tells where.
pub(crate) fn media_client(
    near: &Url,
    connect_timeout: Duration,
    read_timeout: Duration,
) -> Result<reqwest::Client, ConfigError> {
    let policy = Policy::custom(|attempt| match hop(attempt.previous(), attempt.url()) {
        Ok(()) => attempt.follow(),
        Err(reason) => attempt.error(reason),
    });
    http_client(near, connect_timeout)
        .redirect(policy)
        // The query of a signed URL is a secret.
        .referer(false)
        .read_timeout(read_timeout)
        .build()
        .map_err(setup_error)
}

/// Whether a redirect may be followed. `previous` begins with the URL that was asked for.
fn hop(previous: &[Url], next: &Url) -> Result<(), &'static str> {
    let was_https = previous.iter().any(|url| url.scheme() == "https");
    match next.scheme() {
        "https" => {}
        "http" if was_https => return Err("it redirects from https to plain http"),
        "http" => {}
        _ => return Err("it redirects to a URL that is neither http nor https"),
    }
    if previous.len() > MAX_REDIRECTS {
        return Err("it redirects more than five times");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects() {
        const S: &str = "https://a.example/1";
        const H: &str = "http://a.example/1";
        for (previous, next, follows) in [
            (&[S][..], S, true),
            (&[S], "https://b.example/", true),
            (&[H], H, true),
            (&[H], S, true),
            (&[S], H, false),
            // Once it was https, it stays so.
            (&[H, S], H, false),
            (&[S, H, S], H, false),
            (&[H], "ftp://a.example/1", false),
            (&[S], "file:///etc/passwd", false),
            (&[S; 5], S, true),
            (&[S; 6], S, false),
            (&[H; 6], H, false),
        ] {
            let url = |text: &&str| Url::parse(text).expect("a URL");
            let previous: Vec<Url> = previous.iter().map(url).collect();
            assert_eq!(
                hop(&previous, &url(&next)).is_ok(),
                follows,
                "{previous:?} {next}"
            );
        }
    }
}
