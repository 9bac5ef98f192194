//! Which requests may use the service.

use std::net::IpAddr;

use http::{
    HeaderMap, StatusCode,
    header::{AUTHORIZATION, HOST},
    uri::Authority,
};

use secrecy::{ExposeSecret, SecretString};

use crate::answer::Refusal;

/// Refuses a foreign `Host`. Otherwise a web page could reach the simulator by a name of its own
/// that resolves to loopback (DNS rebinding).
pub(crate) fn check_host(headers: &HeaderMap) -> Result<(), Refusal> {
    let mut hosts = headers.get_all(HOST).iter();
    let host = hosts.next().and_then(|host| host.to_str().ok());
    if hosts.next().is_none() && host.is_some_and(is_loopback) {
        return Ok(());
    }
    let message = "the Host header must be localhost or a loopback address";
    Err(Refusal::new(StatusCode::FORBIDDEN, "forbidden", message))
}

fn is_loopback(host: &str) -> bool {
    let Ok(authority) = host.parse::<Authority>() else {
        return false;
    };
    let host = authority.host();
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
    host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

/// Refuses a missing token, and a wrong one if there is a right one.
pub(crate) fn check_token(
    headers: &HeaderMap,
    token: Option<&SecretString>,
) -> Result<(), Refusal> {
    let header = headers.get(AUTHORIZATION).map(|value| value.as_bytes());
    let (code, message) = match (header.and_then(bearer), token) {
        (None | Some([]), _) => ("no_token", "no bearer token was sent"),
        (Some(sent), Some(token)) if sent != token.expose_secret().as_bytes() => {
            ("invalid_token", "the token is not valid")
        }
        _ => return Ok(()),
    };
    Err(Refusal::new(StatusCode::UNAUTHORIZED, code, message))
}

/// The token of an Authorization header. `None` if the header has another scheme.
fn bearer(header: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = header.split_at_checked(7)?;
    let is_bearer = scheme.eq_ignore_ascii_case(b"Bearer ");
    is_bearer.then(|| token.trim_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_hosts_are_local() {
        for host in [
            "localhost",
            "LOCALHOST:80",
            "127.0.0.1:8080",
            "127.1.2.3",
            "[::1]",
            "[::1]:1",
        ] {
            assert!(is_loopback(host), "{host}");
        }
        for host in [
            "",
            "example.com",
            "localhost.example.com",
            "localhost@example.com",
            "127.0.0.1.example.com",
            "10.0.0.1:80",
            "[::2]",
            "0.0.0.0",
            "local host",
        ] {
            assert!(!is_loopback(host), "{host}");
        }
    }

    #[test]
    fn missing_or_repeated_host_is_refused() {
        let mut headers = HeaderMap::new();
        assert!(check_host(&headers).is_err());
        headers.append(HOST, "localhost".parse().unwrap());
        assert!(check_host(&headers).is_ok());
        headers.append(HOST, "localhost".parse().unwrap());
        assert!(check_host(&headers).is_err());
    }

    #[test]
    fn bearer_token_is_read_from_header() {
        let cases: [(&str, Option<&str>); 7] = [
            ("Bearer abc", Some("abc")),
            ("bearer  abc ", Some("abc")),
            ("Bearer ", Some("")),
            ("Bearer", None),
            ("Basic abc", None),
            ("abc", None),
            ("", None),
        ];
        for (header, token) in cases {
            assert_eq!(
                bearer(header.as_bytes()),
                token.map(str::as_bytes),
                "{header}"
            );
        }
    }
}
