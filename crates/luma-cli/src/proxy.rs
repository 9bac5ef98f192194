//! The proxy variables of the environment: checked before use, and named if the proxy fails.

use std::{env, net::IpAddr};

use hyper_util::client::proxy::matcher::Matcher;
use luma_client::http_types::Uri;

/// The variables that the HTTP client reads, for https, for http, and for both.
const VARIABLES: [[&str; 2]; 3] =
    [["HTTPS_PROXY", "https_proxy"], ["HTTP_PROXY", "http_proxy"], ["ALL_PROXY", "all_proxy"]];
const SCHEMES: [&str; 6] = ["http", "https", "socks4", "socks4a", "socks5", "socks5h"];

/// A variable that names no usable proxy. Its value may hold a password.
pub struct Unusable(pub &'static str);

/// Checks the variables before a request to this URL. The HTTP client silently ignores or misreads
/// values that it cannot use. URLs on loopback need no proxy.
pub fn check(url: &str) -> Result<(), Unusable> {
    if url.parse().is_ok_and(|url| is_loopback(&url)) {
        return Ok(());
    }
    let is_bad = |variable: &&&str| {
        let value = env::var_os(variable).unwrap_or_default();
        !value.to_str().is_some_and(is_usable)
    };
    VARIABLES.as_flattened().iter().find(is_bad).map_or(Ok(()), |variable| Err(Unusable(variable)))
}

/// The proxy that requests to this URL go through, and the variable that names it.
pub fn of(url: &str) -> Option<(String, &'static str)> {
    let url: Uri = url.parse().ok()?;
    let proxy = Matcher::from_env().intercept(&url).filter(|_| !is_loopback(&url))?;
    let own = usize::from(url.scheme_str() == Some("http"));
    let is_set = |variable: &&str| env::var_os(variable).is_some_and(|value| !value.is_empty());
    let variable = VARIABLES[own].into_iter().chain(VARIABLES[2]).find(is_set)?;
    Some((origin(proxy.uri())?, variable))
}

/// Scheme, host and port, without secrets that a URL may hold.
pub fn origin(url: &Uri) -> Option<String> {
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    Some(format!("{}://{}{port}", url.scheme()?, url.host()?))
}

fn is_loopback(url: &Uri) -> bool {
    let host = url.host().unwrap_or_default().trim_matches(['[', ']']);
    let address = host.parse::<IpAddr>();
    address.map_or(host.eq_ignore_ascii_case("localhost"), |address| address.is_loopback())
}

/// Whether the HTTP client uses this proxy as it is meant. An empty value is no proxy.
fn is_usable(value: &str) -> bool {
    let is_proxy = |url: Uri| {
        let authority = url.authority().map_or("", |authority| authority.as_str());
        // Behind a user and an IPv6 address.
        let port = authority.rsplit(['@', ']']).next().unwrap_or_default();
        SCHEMES.contains(&url.scheme_str().unwrap_or("http"))
            && url.host().is_some_and(|host| !host.is_empty())
            && (!port.contains(':') || url.port_u16().is_some())
            && url.path_and_query().is_none_or(|path| path.as_str() == "/")
    };
    value.is_empty() || (!value.contains('#') && value.parse().is_ok_and(is_proxy))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proxy_that_would_be_ignored_is_not_usable() {
        for (value, expected) in [
            ("", true),
            ("http://127.0.0.1:3128", true),
            ("http://127.0.0.1:3128/", true),
            ("127.0.0.1:3128", true),
            ("proxy.example", true),
            ("https://user:p%40ss@proxy.example:443", true),
            ("socks5://127.0.0.1:1080", true),
            ("socks5h://[::1]:1080", true),
            ("socks4a://127.0.0.1", true),
            ("socks://127.0.0.1:1080", false),
            (" http://127.0.0.1:3128", false),
            ("http://127.0.0.1:3128 ", false),
            ("http://127.0.0.1:p#w@127.0.0.1:3128", false),
            ("http://", false),
            ("http://:3128", false),
            ("http://proxy.example:", false),
            ("http://proxy.example:port", false),
            ("http://proxy.example:99999", false),
            ("http://proxy.example/path", false),
            ("http://proxy.example?x", false),
            ("ftp://proxy.example", false),
            ("direct", true),
        ] {
            assert_eq!(is_usable(value), expected, "{value:?}");
        }
    }

    #[test]
    fn loopback_is_recognized() {
        for (url, expected) in [
            ("http://127.0.0.1:80/x", true),
            ("http://127.1.2.3", true),
            ("https://[::1]:8080", true),
            ("http://LocalHost", true),
            ("https://api.acedata.cloud", false),
            ("http://localhost.example", false),
            ("http://0.0.0.0", false),
        ] {
            assert_eq!(is_loopback(&url.parse().expect(url)), expected, "{url}");
        }
    }
}
