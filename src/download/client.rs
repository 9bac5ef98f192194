//! The HTTP clients for files: no token, careful with redirects.

use std::{
    fmt,
    sync::{Arc, OnceLock},
    time::Duration,
};

use reqwest::{Client, ClientBuilder, redirect::Policy};
use url::Url;

use crate::{
    builder::{http_client, setup_error},
    config::{ConfigError, is_loopback},
};

/// How many redirects are followed.
const MAX_REDIRECTS: usize = 5;

/// How files are fetched. Clones share their connections.
#[derive(Clone)]
pub(crate) struct Media(Arc<Clients>);

enum Clients {
    /// Of the user's making, proxies included.
    Given(Client),
    /// Made when they are first needed: TLS takes its time to set up.
    Own {
        timeouts: Timeouts,
        /// To this machine, where no proxy reaches.
        near: OnceLock<Client>,
        far: OnceLock<Client>,
    },
}

#[derive(Clone, Copy)]
pub(crate) struct Timeouts {
    pub(crate) connect: Duration,
    /// How long a download may stand still.
    pub(crate) read: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            read: Duration::from_secs(30),
        }
    }
}

impl fmt::Debug for Media {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Media").finish_non_exhaustive()
    }
}

impl Media {
    pub(crate) fn new(timeouts: Timeouts) -> Self {
        Self(Arc::new(Clients::Own {
            timeouts,
            near: OnceLock::new(),
            far: OnceLock::new(),
        }))
    }

    pub(crate) fn given(client: ClientBuilder, read: Duration) -> Result<Self, ConfigError> {
        Ok(Self(Arc::new(Clients::Given(finish(client, read)?))))
    }

    /// The client for this file. The file decides about proxies, not the service that named it.
    pub(super) fn client(&self, url: &Url) -> Result<Client, ConfigError> {
        let (timeouts, place) = match &*self.0 {
            Clients::Given(client) => return Ok(client.clone()),
            Clients::Own { timeouts, near, .. } if is_loopback(url) => (timeouts, near),
            Clients::Own { timeouts, far, .. } => (timeouts, far),
        };
        if let Some(client) = place.get() {
            return Ok(client.clone());
        }
        let client = finish(http_client(url, timeouts.connect), timeouts.read)?;
        Ok(place.get_or_init(|| client).clone())
    }
}

/// The settings that are never up to the user.
fn finish(client: ClientBuilder, read_timeout: Duration) -> Result<Client, ConfigError> {
    let policy = Policy::custom(|attempt| match hop(attempt.previous(), attempt.url()) {
        Ok(()) => attempt.follow(),
        Err(reason) => attempt.error(reason),
    });
    client
        .redirect(policy)
        // The query of a signed URL is a secret.
        .referer(false)
        .connection_verbose(false)
        // A download has no other bound.
        .read_timeout(read_timeout)
        .build()
        .map_err(setup_error)
}

/// Whether a redirect may be followed. `previous` begins with the URL that was asked for.
///
/// To plain http only within this machine, where there is nobody to listen or to meddle.
fn hop(previous: &[Url], next: &Url) -> Result<(), &'static str> {
    let is_near = |url: &Url| url.scheme() == "http" && is_loopback(url);
    match next.scheme() {
        "https" => {}
        "http" if is_near(next) && previous.iter().all(is_near) => {}
        "http" => return Err("it redirects to plain http"),
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
        const L: &str = "http://127.0.0.1:1/1";
        for (previous, next, follows) in [
            (&[S][..], S, true),
            (&[S], "https://b.example/", true),
            (&[H], S, true),
            (&[L], S, true),
            (&[S], H, false),
            (&[H], H, false),
            (&[H], "http://b.example/", false),
            (&[H, S], H, false),
            (&[L], H, false),
            // Nobody leads from outside to this machine.
            (&[L], L, true),
            (&[L], "http://localhost:2/", true),
            (&[H], L, false),
            (&[S], L, false),
            (&[L, S], L, false),
            (&[H], "ftp://a.example/1", false),
            (&[S], "file:///etc/passwd", false),
            (&[S; 5], S, true),
            (&[S; 6], S, false),
            (&[L; 6], L, false),
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

    #[test]
    fn each_client_is_made_once() {
        let media = Media::new(Timeouts::default());
        let Clients::Own { near, far, .. } = &*media.0 else {
            panic!("not given");
        };
        for (url, is_near) in [
            ("https://cdn.example/v.mp4", false),
            ("http://127.0.0.1:1/v.mp4", true),
        ] {
            media
                .client(&Url::parse(url).expect("a URL"))
                .expect("a client");
            assert!(far.get().is_some());
            assert_eq!(near.get().is_some(), is_near, "{url}");
        }
    }
}
