//! The `Retry-After` header.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, header::RETRY_AFTER};

use super::time::date;

/// The longest `Retry-After`, a year: a program may add it to any time.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(365 * 24 * 3600);

/// Reads a `Retry-After`: seconds (a fraction is tolerated) or an HTTP date. How long is waited at most is up
/// to the caller.
///
/// A date counts from the `Date` of the same response, so a wrong local clock does no harm.
pub(crate) fn read(headers: &HeaderMap) -> Option<Duration> {
    let now = date(headers).unwrap_or_else(SystemTime::now);
    parse(headers.get(RETRY_AFTER)?.as_bytes(), now)
}

pub(crate) fn parse(value: &[u8], now: SystemTime) -> Option<Duration> {
    let text = std::str::from_utf8(value).ok()?.trim();
    let after = match text.parse::<f64>() {
        Ok(seconds) if seconds.is_nan() || seconds < 0.0 => return None,
        Ok(seconds) => Duration::try_from_secs_f64(seconds).unwrap_or(MAX_RETRY_AFTER),
        Err(_) => httpdate::parse_http_date(text).ok()?.duration_since(now).unwrap_or_default(),
    };
    Some(after.min(MAX_RETRY_AFTER))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_as_seconds_or_date_is_read() {
        let now = httpdate::parse_http_date("Sat, 01 Aug 2026 12:00:00 GMT").expect("a date");
        for (value, expected) in [
            ("0", Some(0.0)),
            ("5", Some(5.0)),
            (" 5 ", Some(5.0)),
            ("1.5", Some(1.5)),
            ("Sat, 01 Aug 2026 12:00:30 GMT", Some(30.0)),
            ("Sat, 01 Aug 2026 11:00:00 GMT", Some(0.0)),
            ("Saturday, 01-Aug-26 12:00:30 GMT", Some(30.0)),
            ("86400", Some(86_400.0)),
            ("Sun, 02 Aug 2026 12:00:00 GMT", Some(86_400.0)),
            ("Sat, 01 Aug 2099 12:00:00 GMT", Some(31_536_000.0)),
            ("99999999999999999999999", Some(31_536_000.0)),
            ("inf", Some(31_536_000.0)),
            ("-5", None),
            ("NaN", None),
            ("soon", None),
            ("", None),
        ] {
            let got = parse(value.as_bytes(), now).map(|after| after.as_secs_f64());
            assert_eq!(got, expected, "{value:?}");
        }
        assert_eq!(parse(b"\xff", now), None);
    }

    proptest::proptest! {
        #[test]
        fn retry_after_of_any_bytes_is_bounded(
            value in proptest::prelude::any::<Vec<u8>>(), now: u32,
        ) {
            let now = SystemTime::UNIX_EPOCH + Duration::from_secs(now.into());
            let after = parse(&value, now);
            proptest::prop_assert!(after.is_none_or(|after| after <= MAX_RETRY_AFTER));
        }

        #[test]
        fn retry_after_of_any_date_is_read(now in 0_u64..4_000_000_000, after in 0_u64..3600) {
            let now = SystemTime::UNIX_EPOCH + Duration::from_secs(now);
            let after = Duration::from_secs(after);
            let date = httpdate::fmt_http_date(now + after);
            proptest::prop_assert_eq!(parse(date.as_bytes(), now), Some(after));
        }
    }
}
