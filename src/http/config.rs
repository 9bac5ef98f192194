//! What a client is built from, checked before anything is sent. Pure functions.

use std::env;

use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::util::url::{is_loopback, parse_http, shown};

/// The environment variable with the API token.
pub const TOKEN_VARIABLE: &str = "ACEDATACLOUD_API_TOKEN";
/// The environment variable with the base URL, if it is not the default.
pub const BASE_URL_VARIABLE: &str = "ACEDATACLOUD_API_BASE_URL";
/// The base URL of the service, unless the builder or the environment has another one.
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
    /// The token is a placeholder, such as `${ACEDATACLOUD_API_TOKEN}`.
    #[error(
        "the API token is a placeholder, not a token: the program that started this one did not \
         expand it. Write the token itself there, or set {TOKEN_VARIABLE}"
    )]
    PlaceholderToken,
    /// The token has characters that a header cannot hold.
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
    /// A time or a size is zero, so that every request would fail.
    #[error("{setting} is zero, so every request would fail: use a larger value, or leave it out")]
    Zero {
        /// The setter of the builder.
        setting: &'static str,
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

/// The token of the builder, else of the environment, without what is often copied along with it.
pub(crate) fn token(
    given: Option<SecretString>,
    environment: impl Fn(&str) -> Option<String>,
) -> Result<SecretString, ConfigError> {
    let token = given
        .or_else(|| environment(TOKEN_VARIABLE).map(SecretString::from))
        .ok_or(ConfigError::NoToken)?;
    match bare_token(token.expose_secret()) {
        "" => Err(ConfigError::BlankToken),
        token if is_placeholder(token) => Err(ConfigError::PlaceholderToken),
        token if !token.bytes().all(|byte| byte.is_ascii_graphic()) => {
            Err(ConfigError::MalformedToken)
        }
        token => Ok(token.to_owned().into()),
    }
}

/// The token without white space, quotes and `Bearer` around it.
fn bare_token(text: &str) -> &str {
    let text = unquoted(text);
    match text.split_once(char::is_whitespace).unwrap_or((text, "")) {
        (scheme, token) if scheme.eq_ignore_ascii_case("Bearer") => unquoted(token),
        _ => text,
    }
}

fn unquoted(text: &str) -> &str {
    let text = text.trim();
    let within = |quote| text.strip_prefix(quote)?.strip_suffix(quote);
    within('"').or_else(|| within('\'')).map_or(text, str::trim)
}

/// Whether it is what a configuration file has in place of a token: `${VARIABLE}`, `${input:token}`,
/// `$VARIABLE`, `%VARIABLE%`, `{{token}}`, `[token]`, `<token>`, `YOUR_API_TOKEN`, `…`, or what a program
/// makes of a missing value: `undefined`, `null`.
fn is_placeholder(token: &str) -> bool {
    let is_between = |begin, end| token.starts_with(begin) && token.ends_with(end);
    let lower = token.to_ascii_lowercase();
    token.starts_with('$')
        || is_between('%', '%')
        || is_between('<', '>')
        || is_between('{', '}')
        || is_between('[', ']')
        || (lower.contains("your") && (lower.contains("token") || lower.contains("key")))
        || lower.ends_with("api_token")
        || matches!(&*lower, "undefined" | "null")
        || token.chars().all(|c| matches!(c, '.' | '…' | '*'))
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
    let Some(mut url) = parse_http(text) else {
        // It may hold anything, a token too.
        let reason = match Url::parse(text) {
            Err(url::ParseError::InvalidPort) => "its port is not a number from 1 to 65535",
            _ => "use an http or https URL with a host, such as https://api.acedata.cloud",
        };
        return Err(ConfigError::BaseUrl { url: "…".to_owned(), reason });
    };
    let reason = if url.port() == Some(0) {
        "its port is not a number from 1 to 65535"
    } else if !url.username().is_empty() || url.password().is_some() {
        "remove the user name and password"
    } else if url.query().is_some() || url.fragment().is_some() {
        "remove the query and the fragment"
    } else if url.scheme() == "http" && !allow_http && !is_loopback(&url) {
        "plain http would show the token to the network: use https"
    } else {
        let path = url.path().trim_end_matches('/').to_owned();
        url.set_path(&path);
        return Ok(url);
    };
    Err(ConfigError::BaseUrl { url: shown(text), reason })
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
    fn token_that_was_not_expanded_is_refused() {
        for placeholder in [
            "${ACEDATACLOUD_API_TOKEN}",
            "${env:ACEDATACLOUD_API_TOKEN}",
            "${input:token}",
            "$TOKEN",
            "%TOKEN%",
            "{{token}}",
            "<token>",
            "<your API token>",
            "YOUR_API_TOKEN",
            "your-api-key",
            "paste-your-token-here",
            "ACEDATACLOUD_API_TOKEN",
            "[token]",
            "undefined",
            "null",
            "YOUR API TOKEN",
            "…",
            "...",
            "****",
        ] {
            for given in [
                placeholder.to_owned(),
                format!(" \"{placeholder}\" "),
                format!("Bearer {placeholder}"),
                format!("'bearer {placeholder}'"),
            ] {
                let got = token(Some(given.clone().into()), |_| None).map(|_| ());
                assert_eq!(got, Err(ConfigError::PlaceholderToken), "{given}");
            }
        }
    }

    #[test]
    fn token_with_quotes_or_scheme_around_it_is_taken() {
        for (given, expected) in [
            ("Bearer sk-1", Ok("sk-1")),
            ("bearer  sk-1\n", Ok("sk-1")),
            ("\"sk-1\"", Ok("sk-1")),
            (" 'sk-1' ", Ok("sk-1")),
            ("\"Bearer sk-1\"", Ok("sk-1")),
            ("Bearer \"sk-1\"", Ok("sk-1")),
            ("your-1", Ok("your-1")),
            ("bearer-1", Ok("bearer-1")),
            ("sk-\"1\"", Ok("sk-\"1\"")),
            ("\"\"", Err(ConfigError::BlankToken)),
            ("Bearer ", Err(ConfigError::BlankToken)),
            ("Bearer sk 1", Err(ConfigError::MalformedToken)),
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
    fn base_url_with_a_bad_port_is_refused_because_of_it() {
        for port in ["0", "65536", "99999", "-1", "http", "80x"] {
            let error = check_base_url(&format!("http://127.0.0.1:{port}"), false);
            let error = error.expect_err(port).to_string();
            assert!(error.contains("port is not a number from 1 to 65535"), "{error}");
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
