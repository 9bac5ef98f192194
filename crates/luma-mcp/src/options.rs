//! The options of the HTTP server, checked before it listens. Pure functions.

use std::net::SocketAddr;

use http::uri::Authority;
use url::Url;

use crate::access::{Access, WeakKey};

/// The address and the access rules of an HTTP server.
///
/// ```
/// use luma_mcp::{Access, HttpOptions};
///
/// let key = "0123456789abcdef0123456789abcdef".to_owned();
/// let options = HttpOptions::new("127.0.0.1:8000".parse()?, Access::Key(key.into()))
///     .allow_host("mcp.example.com") // the name of the reverse proxy
///     .allow_origin("https://app.example.com"); // a web app that may call
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "options have no effect until a server listens with them"]
pub struct HttpOptions {
    pub(crate) address: SocketAddr,
    pub(crate) access: Access,
    hosts: Vec<String>,
    origins: Vec<String>,
}

/// The error for options that would be unsafe, or that are malformed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidOptions {
    /// Other machines can reach the address, but no host name is allowed.
    #[error(
        "other machines can reach {0}: allow the host name that they use, such as mcp.example.com, with \
         allow_host (--allow-host)"
    )]
    NoHost(SocketAddr),
    /// The text is not a host name, with or without a port.
    #[error(
        "{0:?} is not a valid host name: use one such as mcp.example.com or mcp.example.com:8443"
    )]
    Host(String),
    /// The text is not an origin.
    #[error("{0:?} is not a valid origin: use one such as https://app.example.com")]
    Origin(String),
    /// The access key is too weak.
    #[error(transparent)]
    Key(#[from] WeakKey),
    /// The access key contains the API token.
    #[error(
        "the access key contains the API token, which no client should know: make another key, for \
         example with `openssl rand -hex 32`"
    )]
    KeyIsToken,
}

impl HttpOptions {
    /// Creates options for an address and a kind of access. Port 0 means any free port.
    pub fn new(address: SocketAddr, access: Access) -> Self {
        Self { address, access, hosts: Vec::new(), origins: Vec::new() }
    }

    /// Allows requests whose `Host` header is this host, with or without a port. Loopback names are
    /// allowed if the address is a loopback address. Any other address needs at least one host.
    pub fn allow_host(mut self, host: impl Into<String>) -> Self {
        self.hosts.push(host.into());
        self
    }

    /// Allows requests from web pages of this origin, such as `https://app.example.com`. By default, no
    /// web page may call.
    pub fn allow_origin(mut self, origin: impl Into<String>) -> Self {
        self.origins.push(origin.into());
        self
    }

    pub(crate) fn check(&self) -> Result<Allowed, InvalidOptions> {
        self.access.check()?;
        Ok(Allowed {
            hosts: hosts(self.address, &self.hosts)?,
            is_loopback: self.address.ip().is_loopback(),
            origins: self
                .origins
                .iter()
                .map(|origin| {
                    read_origin(origin).ok_or_else(|| InvalidOptions::Origin(origin.clone()))
                })
                .collect::<Result<_, _>>()?,
        })
    }
}

#[derive(Debug, PartialEq)]
pub(crate) struct Allowed {
    pub(crate) hosts: Vec<Authority>,
    /// Browsers are told that these may call.
    pub(crate) origins: Vec<String>,
    /// Whether loopback origins are allowed, too, as MCP recommends. Browsers still block them, because
    /// no CORS header allows them.
    is_loopback: bool,
}

impl Allowed {
    pub(crate) fn admits(&self, origin: &String) -> bool {
        let is_loopback =
            ["http://localhost", "http://127.0.0.1", "http://[::1]"].iter().any(|host| {
                let port = origin.strip_prefix(host);
                port.is_some_and(|port| port.is_empty() || port.starts_with(':'))
            });
        self.is_loopback && is_loopback || self.origins.contains(origin)
    }
}

fn hosts(address: SocketAddr, given: &[String]) -> Result<Vec<Authority>, InvalidOptions> {
    let is_loopback = address.ip().is_loopback();
    if given.is_empty() && !is_loopback {
        return Err(InvalidOptions::NoHost(address));
    }
    let mut hosts = Vec::new();
    if is_loopback {
        hosts.extend(["localhost", "127.0.0.1", "[::1]"].map(Authority::from_static));
    }
    for host in given {
        let host_name = host.parse::<Authority>().ok().filter(|authority| {
            let name = authority.host();
            let bytes = name.trim_start_matches('[').trim_end_matches(']').bytes();
            !name.is_empty()
                && !authority.as_str().contains('@')
                && bytes.clone().all(|byte| byte.is_ascii_alphanumeric() || b".-_:".contains(&byte))
        });
        hosts.push(host_name.ok_or_else(|| InvalidOptions::Host(host.clone()))?);
    }
    Ok(hosts)
}

/// Reads an http or https origin, and writes it as browsers do: in lower case, without a default port.
pub(crate) fn read_origin(text: &str) -> Option<String> {
    let url = Url::parse(text).ok()?;
    let origin = url.origin().ascii_serialization();
    let with_port = format!("{origin}:{}", url.port_or_known_default()?);
    let given = text.strip_suffix('/').unwrap_or(text).to_ascii_lowercase();
    let is_plain = (given == origin || given == with_port) && !given.contains('*');
    (is_plain && matches!(url.scheme(), "http" | "https")).then_some(origin)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> SocketAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn host_without_a_plain_name_is_refused() {
        for (listens, given, expected) in [
            ("127.0.0.1:0", &[][..], Some(3)),
            ("[::1]:80", &[], Some(3)),
            ("127.0.0.1:0", &["mcp.example.com"], Some(4)),
            ("0.0.0.0:80", &["mcp.example.com", "10.0.0.1:80"], Some(2)),
            ("0.0.0.0:80", &["[2001:db8::1]:80"], Some(1)),
            ("0.0.0.0:80", &[], None),
            ("[::]:80", &[], None),
            ("10.0.0.1:80", &[], None),
            ("127.0.0.1:0", &[""], None),
            ("127.0.0.1:0", &["*"], None),
            ("127.0.0.1:0", &["*.example.com"], None),
            ("127.0.0.1:0", &["https://mcp.example.com"], None),
            ("127.0.0.1:0", &["user@mcp.example.com"], None),
            ("127.0.0.1:0", &["mcp.example.com/mcp"], None),
        ] {
            let given: Vec<_> = given.iter().map(|host| (*host).to_owned()).collect();
            let hosts = hosts(address(listens), &given).ok();
            assert_eq!(hosts.map(|hosts| hosts.len()), expected, "{listens} {given:?}");
        }
    }

    #[test]
    fn origin_is_read_as_browsers_write_it() {
        for (given, expected) in [
            ("https://app.example.com", Some("https://app.example.com")),
            ("https://APP.example.com:443/", Some("https://app.example.com")),
            ("http://localhost:6274", Some("http://localhost:6274")),
            ("http://[::1]:6274", Some("http://[::1]:6274")),
            ("null", None),
            ("*", None),
            ("https://*.example.com", None),
            ("app.example.com", None),
            ("https://app.example.com/page", None),
            ("https://app.example.com?x", None),
            ("https://user@app.example.com", None),
            ("https://app.example.com@evil.example", None),
            ("chrome-extension://abc", None),
            ("", None),
        ] {
            assert_eq!(read_origin(given).as_deref(), expected, "{given}");
        }
    }

    #[test]
    fn options_in_a_log_show_no_key() {
        let key = Access::Key("0123456789abcdef".to_owned().into());
        let options = HttpOptions::new(address("127.0.0.1:0"), key);
        assert!(options.check().is_ok());
        assert!(!format!("{options:?}").contains("0123456789"));
    }
}
