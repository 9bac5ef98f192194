//! URLs named by the service: which ones are fetched, and how one is shown.

use std::net::{Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

use super::{
    has_blanks,
    text::{WORD, clean},
};

/// Parses an absolute http or https URL. The parser alone accepts more than other programs do: white
/// space, backslashes, and missing or additional slashes.
pub(crate) fn parse_http(text: &str) -> Option<Url> {
    let lower = text.get(..8).unwrap_or(text).to_ascii_lowercase();
    let has_slashes = lower.starts_with("https://") || lower.starts_with("http://");
    let is_odd = has_blanks(text) || text.contains('\\') || text.contains(":///");
    Url::parse(text).ok().filter(|url| has_slashes && !is_odd && url.has_host())
}

/// Parses the URL of a file, and checks it before it is requested. `previous` is the URL that
/// redirected to it.
///
/// Host names are not resolved: only `localhost` and literal addresses are recognized.
///
/// # Errors
///
/// What is wrong with the URL, as the end of a sentence.
pub(crate) fn media_url(
    text: &str,
    previous: Option<&Url>,
    base_is_loopback: bool,
) -> Result<Url, &'static str> {
    let url = Url::options().base_url(previous).parse(text);
    let url = url.map_err(|_| "it is not a valid URL")?;
    let is_https = url.scheme() == "https";
    let was_https = previous.is_some_and(|previous| previous.scheme() == "https");
    // A public server must not lead to services of this machine.
    let may_be_loopback = base_is_loopback && previous.is_none_or(is_loopback);
    let problems = [
        (!is_https && url.scheme() != "http", "only http and https URLs can be downloaded"),
        (
            !url.username().is_empty() || url.password().is_some(),
            "a URL with a user name or a password is not allowed",
        ),
        (
            is_loopback(&url) && !may_be_loopback,
            "a file on this machine is allowed only if the API is on it, too",
        ),
        (!is_loopback(&url) && !is_public(&url), "the address of the host is private or reserved"),
        (
            !is_https && (was_https || !base_is_loopback),
            "plain http is not allowed: the file could be changed on its way",
        ),
    ];
    match problems.iter().find(|(is_wrong, _)| *is_wrong) {
        Some((_, problem)) => Err(problem),
        None => Ok(url),
    }
}

/// Whether the URL leads to this machine: `localhost`, or a literal loopback address.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => {
            name.trim_end_matches('.').rsplit('.').next() == Some("localhost")
        }
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.to_canonical().is_loopback(),
        None => false,
    }
}

fn is_public(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => is_public_v4(address),
        Some(Host::Ipv6(address)) => is_public_v6(address),
        name => name.is_some(),
    }
}

/// Not in the IANA registry of special-purpose IPv4 addresses, nor multicast or reserved.
fn is_public_v4(address: Ipv4Addr) -> bool {
    let is_special = match address.octets() {
        [0 | 127 | 224.., ..] | [100, 64..=127, ..] | [198, 18 | 19, ..] => true,
        [192, 0, 0, _] | [192, 88, 99, _] => true,
        _ => address.is_private() || address.is_link_local() || address.is_documentation(),
    };
    !is_special
}

/// Global unicast (2000::/3) without the special-purpose blocks in it. IPv4 addresses embedded in
/// IPv6 ones (mapped, NAT64, 6to4, Teredo) are not public.
fn is_public_v6(address: Ipv6Addr) -> bool {
    match address.segments() {
        [0x2001, ..=0x01ff | 0x0db8, ..] | [0x2002, ..] | [0x3fff, ..=0x0fff, ..] => false,
        [first, ..] => (0x2000..=0x3fff).contains(&first),
    }
}

/// A URL fit for a message: without user name, password, query and fragment, which may be secret.
pub(crate) fn shown(text: &str) -> String {
    let head = text.split(['?', '#']).next().unwrap_or_default();
    let tail = head.rsplit_once('@').map(|(_, tail)| format!("…@{tail}"));
    clean(tail.as_deref().unwrap_or(head), WORD)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).expect(text)
    }

    #[test]
    fn first_url_is_checked() {
        // (URL, allowed, allowed if the API is on loopback)
        for (text, allowed, near) in [
            ("https://cdn.example/v.mp4?s=1", true, true),
            ("HTTPS://cdn.example./v.mp4", true, true),
            ("https://93.184.215.14/v.mp4", true, true),
            ("https://[2606:2800:21f::1]/v.mp4", true, true),
            ("https://cdn.example:8443/v.mp4", true, true),
            ("http://cdn.example/v.mp4", false, true),
            ("http://localhost:1/v.mp4", false, true),
            ("http://LOCALHOST./v.mp4", false, true),
            ("https://a.localhost/v.mp4", false, true),
            ("http://127.0.0.1:1/v.mp4", false, true),
            ("http://127.1/v.mp4", false, true),
            ("http://2130706433/v.mp4", false, true),
            ("http://0x7f.0.0.1/v.mp4", false, true),
            ("https://[::1]/v.mp4", false, true),
            ("https://[::ffff:127.0.0.1]/v.mp4", false, true),
            ("https://[::ffff:7f00:1]/v.mp4", false, true),
            ("https://LocalHost:8443/v.mp4", false, true),
            ("https://localhost../v.mp4", false, true),
            ("https://127.255.255.254/v.mp4", false, true),
            ("http://017700000001/v.mp4", false, true),
            ("https://%6c%6f%63alhost/v.mp4", false, true),
            ("https://\u{ff11}27.0.0.1/v.mp4", false, true),
            ("https://notlocalhost/v.mp4", true, true),
            // A name is not resolved.
            ("https://localtest.me/v.mp4", true, true),
            // Never.
            ("ftp://cdn.example/v.mp4", false, false),
            ("file:///etc/passwd", false, false),
            ("data:video/mp4,x", false, false),
            ("a.example/v.mp4", false, false),
            ("https://", false, false),
            ("", false, false),
            ("ws://cdn.example/", false, false),
            ("https://user@cdn.example/v.mp4", false, false),
            ("https://user:password@cdn.example/v.mp4", false, false),
            ("https://:password@cdn.example/v.mp4", false, false),
            ("http://user@127.0.0.1/v.mp4", false, false),
        ] {
            assert_eq!(media_url(text, None, false).is_ok(), allowed, "{text}");
            assert_eq!(media_url(text, None, true).is_ok(), near, "{text}, near");
        }
    }

    #[test]
    fn redirect_is_checked() {
        const HTTPS: &str = "https://a.example/1";
        const HTTP: &str = "http://a.example/1";
        const NEAR: &str = "http://127.0.0.1:1/1";
        for (previous, next, allowed, near) in [
            (HTTPS, "https://b.example/", true, true),
            (HTTPS, "/2?s=1", true, true),
            (HTTPS, "//b.example/2", true, true),
            (HTTPS, "//[nonsense", false, false),
            (NEAR, "2", false, true),
            (HTTPS, "http://b.example/", false, false),
            (HTTP, "https://b.example/", true, true),
            (HTTP, "http://b.example/", false, true),
            (NEAR, "https://b.example/", true, true),
            (NEAR, "http://b.example/", false, true),
            (NEAR, "http://localhost:2/", false, true),
            ("https://127.0.0.1/", NEAR, false, false),
            // A public server does not lead to this machine.
            (HTTPS, "https://localhost/", false, false),
            (HTTP, NEAR, false, false),
            (HTTPS, "https://10.0.0.1/", false, false),
            (HTTPS, "https://169.254.169.254/", false, false),
            (NEAR, "http://169.254.169.254/", false, false),
            (HTTPS, "https://user@b.example/", false, false),
            (HTTPS, "file:///etc/passwd", false, false),
        ] {
            let check = |base| media_url(next, Some(&url(previous)), base).is_ok();
            assert_eq!(check(false), allowed, "{previous} -> {next}");
            assert_eq!(check(true), near, "{previous} -> {next}, near");
        }
    }

    #[test]
    fn non_public_address_is_refused() {
        for address in [
            "0.0.0.0",
            "0.1.2.3",
            "10.1.2.3",
            "100.64.0.1",
            "100.127.255.255",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.0.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.1.1.1",
            "240.0.0.1",
            "255.255.255.255",
            "0xa.1",
            "167772161",
            "[::]",
            "[::ffff:10.0.0.1]",
            "[::ffff:93.184.215.14]",
            "[::7f00:1]",
            "[64:ff9b::a00:1]",
            "[64:ff9b:1::1]",
            "[64:ff9b::7f00:1]",
            "[64:ff9b::127.0.0.1]",
            "[::ffff:0:127.0.0.1]",
            "[::ffff:169.254.169.254]",
            "[::ffff:100.64.0.1]",
            "0",
            "0x0a000001",
            "012.1.2.3",
            "100.100.100.200",
            "192.168.257",
            "169.254.43518",
            "[fe80::1:2]",
            "[fd00:ec2::254]",
            "[100::1]",
            "[2001::1]",
            "[2001:db8::1]",
            "[2002:a00:1::1]",
            "[3fff::1]",
            "[fc00::1]",
            "[fd00::1]",
            "[fe80::1]",
            "[fec0::1]",
            "[ff02::1]",
            "[5f00::1]",
        ] {
            let url = format!("https://{address}/v.mp4");
            for base_is_loopback in [false, true] {
                let checked = media_url(&url, None, base_is_loopback);
                assert!(checked.is_err(), "{address} {base_is_loopback}");
            }
        }
        for address in [
            "1.1.1.1",
            "100.63.255.255",
            "100.128.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.0.1.1",
            "192.167.1.1",
            "198.17.0.1",
            "198.20.0.1",
            "223.255.255.255",
            "[2001:200::1]",
            "[2001:4860:4860::8888]",
            "[2a00::1]",
            "[3fff:1000::1]",
        ] {
            let url = format!("https://{address}/v.mp4");
            assert!(media_url(&url, None, false).is_ok(), "{address}");
        }
    }

    #[test]
    fn shown_url_has_no_secret() {
        for (text, expected) in [
            ("https://a.example/v.mp4?s3cret", "https://a.example/v.mp4"),
            ("https://a.example/v.mp4#s3cret", "https://a.example/v.mp4"),
            ("https://s3cret:s3cret@a.example/v", "…@a.example/v"),
            ("ftp://s3cret@a@b?c", "…@b"),
            ("nonsense\r\n", "nonsense"),
        ] {
            assert_eq!(shown(text), expected, "{text}");
        }
    }
}
