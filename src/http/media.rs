//! The HTTP clients for files: no token, no redirects.

use std::{
    fmt,
    sync::{Arc, OnceLock},
    time::Duration,
};

use reqwest::{Client, ClientBuilder, redirect::Policy};
use url::Url;

use super::ConfigError;
use crate::util::url::is_loopback;

/// How files are fetched. Clones share their connections.
#[derive(Clone)]
pub(crate) struct MediaClients(Arc<Clients>);

enum Clients {
    /// Configured by the user, proxies included.
    Given(Client),
    /// Built when they are first needed, because setting up TLS takes time.
    Own {
        connect_timeout: Duration,
        read_timeout: Duration,
        /// For loopback, which no proxy reaches.
        near: OnceLock<Client>,
        far: OnceLock<Client>,
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
            near: OnceLock::new(),
            far: OnceLock::new(),
        }))
    }

    pub(crate) fn given(client: ClientBuilder, read: Duration) -> Result<Self, ConfigError> {
        Ok(Self(Arc::new(Clients::Given(finish(client, read)?))))
    }

    /// The client for this URL. The file decides about proxies, not the service that named it.
    pub(crate) fn for_url(&self, url: &Url) -> Result<Client, ConfigError> {
        let (connect_timeout, read_timeout, near, far) = match &*self.0 {
            Clients::Given(client) => return Ok(client.clone()),
            Clients::Own {
                connect_timeout,
                read_timeout,
                near,
                far,
            } => (*connect_timeout, *read_timeout, near, far),
        };
        let place = if is_loopback(url) { near } else { far };
        if let Some(client) = place.get() {
            return Ok(client.clone());
        }
        let builder = Client::builder()
            .user_agent(concat!("luma-client/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(connect_timeout);
        let builder = if is_loopback(url) {
            builder.no_proxy()
        } else {
            builder
        };
        let client = finish(builder, read_timeout)?;
        Ok(place.get_or_init(|| client).clone())
    }
}

/// The settings that the user cannot change.
fn finish(client: ClientBuilder, read_timeout: Duration) -> Result<Client, ConfigError> {
    client
        // A download checks each URL, and follows redirects itself.
        .redirect(Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        // A range of a file has a meaning only if its bytes come as they are.
        .no_gzip()
        .no_brotli()
        .no_deflate()
        .no_zstd()
        // It would log the query of a signed URL.
        .connection_verbose(false)
        .read_timeout(read_timeout)
        .build()
        .map_err(|error| ConfigError::Http(error.to_string()))
}
