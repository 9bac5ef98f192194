//! The HTTP clients for files: no token, and no redirects of their own.

use std::{
    fmt,
    sync::{Arc, OnceLock},
    time::Duration,
};

use reqwest::{Client, ClientBuilder, redirect::Policy};
use url::Url;

use super::{
    config::{ConfigError, is_loopback},
    settings::AGENT,
};

/// The HTTP clients that fetch files. Clones share their connections.
#[derive(Clone)]
pub(crate) struct MediaClients(Arc<Clients>);

enum Clients {
    /// The builder's `download_client`, proxies included.
    Given(Client),
    /// Made when they are first needed: TLS takes time to set up.
    Own {
        connect_timeout: Duration,
        read_timeout: Duration,
        loopback: OnceLock<Client>,
        internet: OnceLock<Client>,
    },
}

impl fmt::Debug for MediaClients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MediaClients").finish_non_exhaustive()
    }
}

impl MediaClients {
    pub(crate) fn new(connect_timeout: Duration, read_timeout: Duration) -> Self {
        Self(Arc::new(Clients::Own {
            connect_timeout,
            read_timeout,
            loopback: OnceLock::new(),
            internet: OnceLock::new(),
        }))
    }

    pub(crate) fn given(
        client: ClientBuilder,
        read_timeout: Duration,
    ) -> Result<Self, ConfigError> {
        let client = finish(client, read_timeout)?;
        Ok(Self(Arc::new(Clients::Given(client))))
    }

    /// The client for this URL. The host of the file decides about proxies, not the service's.
    pub(crate) fn for_url(&self, url: &Url) -> Result<Client, ConfigError> {
        let (connect_timeout, read_timeout, slot) = match &*self.0 {
            Clients::Given(client) => return Ok(client.clone()),
            Clients::Own { connect_timeout, read_timeout, loopback, internet } => {
                let slot = match (is_loopback(url), url.scheme()) {
                    (true, "http") => loopback,
                    // Rare: not worth a client of its own.
                    (true, _) => return finish(http_client(url, *connect_timeout), *read_timeout),
                    (false, _) => internet,
                };
                (*connect_timeout, *read_timeout, slot)
            }
        };
        if let Some(client) = slot.get() {
            return Ok(client.clone());
        }
        let client = finish(http_client(url, connect_timeout), read_timeout)?;
        Ok(slot.get_or_init(|| client).clone())
    }
}

/// The settings that are never the user's choice.
fn finish(client: ClientBuilder, read_timeout: Duration) -> Result<Client, ConfigError> {
    client
        // A download checks each URL, and follows redirects itself.
        .redirect(Policy::none())
        .retry(reqwest::retry::never())
        // The range of a file has a meaning only if its bytes come as they are.
        .no_gzip()
        .no_brotli()
        .no_deflate()
        .no_zstd()
        // The query of a signed URL is a secret.
        .referer(false)
        .connection_verbose(false)
        // A download has no other bound.
        .read_timeout(read_timeout)
        .build()
        .map_err(setup_error)
}

/// A client for this URL, before it is built.
pub(crate) fn http_client(url: &Url, connect_timeout: Duration) -> ClientBuilder {
    let builder = Client::builder().user_agent(AGENT).connect_timeout(connect_timeout);
    // No proxy reaches this machine's loopback.
    let builder = match is_loopback(url) {
        true => builder.no_proxy(),
        false => builder,
    };
    // Plain http needs no CA certificates, and must work on a machine without them.
    #[cfg(feature = "rustls")]
    if is_loopback(url) && url.scheme() == "http" {
        return builder.tls_certs_only([]);
    }
    builder
}

pub(crate) fn setup_error(error: reqwest::Error) -> ConfigError {
    let mut reason = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        reason = format!("{reason}: {cause}");
        source = cause.source();
    }
    ConfigError::Http(reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_client_of_each_kind_is_made_once() {
        let media = MediaClients::new(Duration::from_secs(1), Duration::from_secs(1));
        let Clients::Own { loopback, internet, .. } = &*media.0 else {
            panic!("not given");
        };
        for (url, is_loopback) in
            [("https://cdn.example/v.mp4", false), ("http://127.0.0.1:1/v.mp4", true)]
        {
            let url = Url::parse(url).expect("a URL");
            media.for_url(&url).expect("a client");
            assert!(internet.get().is_some());
            assert_eq!(loopback.get().is_some(), is_loopback, "{url}");
        }
    }
}
