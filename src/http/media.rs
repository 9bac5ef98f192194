//! The HTTP clients for files: no token, and no redirects of their own.

use std::{error::Error, iter::successors, sync::OnceLock, time::Duration};

use reqwest::{Client, ClientBuilder, redirect::Policy};
use url::Url;

use super::{config::ConfigError, settings::AGENT};
use crate::util::url::is_loopback;

/// The HTTP clients that fetch files.
pub(crate) struct MediaClients {
    connect_timeout: Duration,
    read_timeout: Duration,
    /// The builder's `download_client`, proxies included; else that for the internet, made when it is
    /// first needed: TLS takes time to set up.
    shared: OnceLock<Client>,
    is_given: bool,
}

impl MediaClients {
    pub(crate) fn new(
        given: Option<ClientBuilder>,
        connect_timeout: Duration,
        read_timeout: Duration,
    ) -> Result<Self, ConfigError> {
        let is_given = given.is_some();
        let shared = match given {
            Some(client) => finish(client, read_timeout)?.into(),
            None => OnceLock::new(),
        };
        Ok(Self { connect_timeout, read_timeout, shared, is_given })
    }

    /// The client for this URL. The host of the file decides about proxies, not the service's.
    pub(crate) fn for_url(&self, url: &Url) -> Result<Client, ConfigError> {
        let is_shared = self.is_given || !is_loopback(url);
        if let Some(client) = self.shared.get().filter(|_| is_shared) {
            return Ok(client.clone());
        }
        let client = finish(http_client(url, self.connect_timeout), self.read_timeout)?;
        // Without proxies and certificates, for a simulator: quickly made.
        Ok(if is_shared { self.shared.get_or_init(|| client).clone() } else { client })
    }
}

fn finish(client: ClientBuilder, read_timeout: Duration) -> Result<Client, ConfigError> {
    let client = client
        // The query of a signed URL is a secret.
        .referer(false)
        // A download has no other bound.
        .read_timeout(read_timeout);
    build_client(client)
}

/// A client for this URL, before it is built.
pub(crate) fn http_client(url: &Url, connect_timeout: Duration) -> ClientBuilder {
    let builder = Client::builder().user_agent(AGENT).connect_timeout(connect_timeout);
    // No proxy reaches this machine's loopback.
    let builder = if is_loopback(url) { builder.no_proxy() } else { builder };
    // Plain http needs no CA certificates, and must work on a machine without them.
    #[cfg(feature = "rustls")]
    if is_loopback(url) && url.scheme() == "http" {
        return builder.tls_certs_only([]);
    }
    builder
}

/// Builds a client with the settings that are never the user's choice.
pub(crate) fn build_client(client: ClientBuilder) -> Result<Client, ConfigError> {
    let client = client
        // A redirect or a retry could send a submit twice; a download checks each URL first.
        .redirect(Policy::none())
        .retry(reqwest::retry::never())
        // The range of a file has a meaning only if its bytes come as they are. What the API sends is
        // decoded within the limit of its size.
        .no_gzip()
        .no_brotli()
        .no_deflate()
        .no_zstd()
        // It would show the token and the query of a signed URL.
        .connection_verbose(false)
        .build();
    client.map_err(|error| {
        let causes = successors(Some(&error as &dyn Error), |error| (*error).source());
        ConfigError::Http(causes.map(ToString::to_string).collect::<Vec<_>>().join(": "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_client_for_the_internet_is_made_once() {
        let second = Duration::from_secs(1);
        let media = MediaClients::new(None, second, second).expect("no client yet");
        for (url, is_made) in [
            ("http://127.0.0.1:1/v.mp4", false),
            ("https://cdn.example/v.mp4", true),
            ("https://127.0.0.1:1/v.mp4", true),
        ] {
            let url = Url::parse(url).expect("a URL");
            media.for_url(&url).expect("a client");
            assert_eq!(media.shared.get().is_some(), is_made, "{url}");
        }
    }
}
