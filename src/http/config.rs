//! What a client is built from, checked before anything is sent. Pure functions.

use std::env;

use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::util::has_blanks;
pub(crate) use crate::util::url::is_loopback;

/// Environment variable with the API token.
pub const TOKEN_VARIABLE: &str = "ACEDATACLOUD_API_TOKEN";
/// Environment variable with the base URL, instead of the default.
pub const BASE_URL_VARIABLE: &str = "ACEDATACLOUD_API_BASE_URL";
/// Where the service is, unless the builder or the environment says otherwise.
pub const DEFAULT_BASE_URL: &str = "https://api.acedata.cloud";

/// Why a client cannot be built. It never shows the token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// No token was given and the environment has none.
    #[error("no API token: set {TOKEN_VARIABLE}")]
    NoToken,
    /// The token is empty or white space.
    #[error("the API token is blank")]
    BlankToken,
    /// The token cannot stand in a header.
    #[error(
        "the API token has spaces, line breaks, control characters or non-ASCII characters: copy it \
         again, without anything around it"
    )]
    MalformedToken,
    /// The base URL cannot be used.
    #[error("the base URL {url:?} cannot be used: {reason}")]
    BaseUrl {
        /// The URL, without user name, password, query and fragment.
        url: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The HTTP client could not be set up.
    #[error("the HTTP client could not be set up: {0}")]
    Http(String),
    /// A call would block a thread of an async runtime. Nothing was sent.
    #[error("block_on was called on a thread of an async runtime: use .await there")]
    InsideRuntime,
    /// The runtime of blocking calls could not be set up.
    #[error("the runtime of blocking calls could not be set up: {0}")]
    Runtime(String),
}

/// Reads a variable of the environment. In one that is not Unicode the unreadable bytes are replaced,
/// so that it is refused later instead of counting as unset.
pub(crate) fn environment(name: &str) -> Option<String> {
    Some(env::var_os(name)?.to_string_lossy().into_owned())
}

/// The token of the builder, else of the environment, without white space around it.
pub(crate) fn token(
    given: Option<SecretString>,
    environment: impl Fn(&str) -> Option<String>,
) -> Result<SecretString, ConfigError> {
    let token = given
        .or_else(|| environment(TOKEN_VARIABLE).map(SecretString::from))
        .ok_or(ConfigError::NoToken)?;
    let trimmed = token.expose_secret().trim();
    if trimmed.is_empty() {
        return Err(ConfigError::BlankToken);
    }
    if !trimmed.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(ConfigError::MalformedToken);
    }
    Ok(trimmed.to_owned().into())
}

/// The base URL of the builder, else of the environment, else the default.
pub(crate) fn base_url(
    given: Option<String>,
    allow_http: bool,
    environment: impl Fn(&str) -> Option<String>,
) -> Result<Url, ConfigError> {
    // An empty variable counts as unset; an empty argument is a mistake.
    let found = || environment(BASE_URL_VARIABLE).filter(|text| !text.trim().is_empty());
    let text = given.or_else(found).unwrap_or_else(|| DEFAULT_BASE_URL.to_owned());
    check_base_url(text.trim(), allow_http)
}

fn check_base_url(text: &str, allow_http: bool) -> Result<Url, ConfigError> {
    let refuse = |url: &str, reason| Err(ConfigError::BaseUrl { url: url.to_owned(), reason });
    // The parser accepts what other programs refuse.
    let is_clean = !has_blanks(text) && !text.contains('\\');
    let parsed = Url::parse(text).ok().filter(|_| is_clean && text.contains("://"));
    let Some(mut url) = parsed else {
        // It may hold anything, a token too.
        return refuse("…", "use a URL such as https://api.acedata.cloud");
    };
    let has_credentials = !url.username().is_empty() || url.password().is_some();
    let has_tail = url.query().is_some() || url.fragment().is_some();
    // Neither setter fails where it matters: a URL without a host has no credentials.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_query(None);
    url.set_fragment(None);
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        let shown = format!("{}:…", url.scheme());
        return refuse(&shown, "use an http or https URL with a host");
    }
    let shown = url.as_str();
    if has_credentials {
        return refuse(shown, "remove the user name and password");
    }
    if has_tail {
        return refuse(shown, "remove the query and the fragment");
    }
    if url.scheme() == "http" && !allow_http && !is_loopback(&url) {
        return refuse(shown, "plain http would show the token to the network: use https");
    }
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&path);
    Ok(url)
}

/// The URL as the generated client wants it: what comes next begins with a slash.
pub(crate) fn stem(url: &Url) -> &str {
    url.as_str().trim_end_matches('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_of_odd_text_is_refused() {
        for (given, expected) in [
            ("sk-1", Ok("sk-1")),
            ("  sk-1\r\n", Ok("sk-1")),
            ("", Err(ConfigError::BlankToken)),
            (" \n", Err(ConfigError::BlankToken)),
            ("sk 1", Err(ConfigError::MalformedToken)),
            ("sk\n1", Err(ConfigError::MalformedToken)),
            ("sk\u{7f}1", Err(ConfigError::MalformedToken)),
            ("schlüssel", Err(ConfigError::MalformedToken)),
        ] {
            let got = token(Some(given.to_owned().into()), |_| None);
            let got = got.map(|token| token.expose_secret().to_owned());
            assert_eq!(got, expected.map(str::to_owned), "{given:?}");
        }
    }

    #[test]
    fn argument_comes_before_the_environment() {
        let environment = |name: &str| match name {
            TOKEN_VARIABLE => Some(" from-environment\n".to_owned()),
            BASE_URL_VARIABLE => Some("https://environment.example/".to_owned()),
            _ => None,
        };
        let text = |given: Option<&str>| {
            let token = token(given.map(|token| token.to_owned().into()), environment);
            token.map(|token| token.expose_secret().to_owned())
        };
        assert_eq!(text(Some("given")).as_deref(), Ok("given"));
        assert_eq!(text(None).as_deref(), Ok("from-environment"));
        assert_eq!(token(None, |_| None).map(|_| ()), Err(ConfigError::NoToken));

        let url = |given: Option<&str>, environment: &dyn Fn(&str) -> Option<String>| {
            let url = base_url(given.map(str::to_owned), false, environment);
            url.map(|url| stem(&url).to_owned())
        };
        let given = "https://given.example";
        assert_eq!(url(Some(given), &environment).as_deref(), Ok(given));
        let found = "https://environment.example";
        assert_eq!(url(None, &environment).as_deref(), Ok(found));
        assert_eq!(url(None, &|_| None).as_deref(), Ok(DEFAULT_BASE_URL));
        let blank = |_: &str| Some(" ".to_owned());
        assert_eq!(url(None, &blank).as_deref(), Ok(DEFAULT_BASE_URL));
        assert!(url(Some(""), &environment).is_err());
    }

    #[test]
    fn base_url_is_normalized() {
        for (given, expected) in [
            ("https://api.example.com", "https://api.example.com"),
            ("https://api.example.com/", "https://api.example.com"),
            ("https://api.example.com/v1/", "https://api.example.com/v1"),
            ("https://api.example.com//", "https://api.example.com"),
            ("HTTPS://API.example.com:443", "https://api.example.com"),
            ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
            ("http://127.9.9.9", "http://127.9.9.9"),
            ("http://[::1]:80/x", "http://[::1]/x"),
            ("http://localhost", "http://localhost"),
        ] {
            let url = check_base_url(given, false).expect(given);
            assert_eq!(stem(&url), expected, "{given}");
        }
    }

    #[test]
    fn base_url_that_is_unsafe_is_refused() {
        for given in [
            "api.example.com",
            "https:api.example.com",
            "https:\\\\api.example.com",
            "https://api.exam ple.com",
            "https://api.example.com/v1\nhttps://other.example",
            "https://\u{fffd}.example.com",
            "ftp://example.com",
            "https://",
            "file:///etc/passwd",
            "http://example.com",
            "http://128.0.0.1",
            "http://localhost.example.com",
            "https://user:s3cret@example.com",
            "https://s3cret@example.com",
            "https://example.com?token=s3cret",
            "https://example.com#s3cret",
            "data:s3cret",
            "s3cret",
        ] {
            let error = check_base_url(given, false).expect_err(given);
            assert!(!error.to_string().contains("s3cret"), "{error}");
        }
        assert!(check_base_url("http://example.com", true).is_ok());
    }
}
