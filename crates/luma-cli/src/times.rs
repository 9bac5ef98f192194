//! Durations and times as they are typed and printed.

use std::time::{Duration, SystemTime};

use jiff::{Span, SpanRelativeTo, Timestamp, civil::DateTime, tz::TimeZone};

/// `90` (seconds), `90s`, `10m`, `1h 30m`; more than zero.
pub fn duration(text: &str) -> Result<Duration, String> {
    let parsed = match text.trim().parse::<f64>() {
        Ok(seconds) => Duration::try_from_secs_f64(seconds).ok(),
        Err(_) => text.trim().parse().ok().and_then(unsigned),
    };
    match parsed {
        Some(duration) if !duration.is_zero() => Ok(duration),
        Some(_) => Err("it must be more than zero".to_owned()),
        None => Err("use a duration such as 90s, 10m or 1h".to_owned()),
    }
}

fn unsigned(span: Span) -> Option<Duration> {
    let duration = span.to_duration(SpanRelativeTo::days_are_24_hours()).ok()?;
    duration.try_into().ok()
}

/// A point in time as it was typed.
#[derive(Clone, Debug)]
pub struct Time {
    pub at: SystemTime,
    /// The time with its zone, if the text had none and the local zone was assumed.
    pub assumed: Option<String>,
}

/// `2h` (that long ago), any RFC 3339 time, or a date or a time without offset in the local zone.
pub fn time(text: &str) -> Result<Time, String> {
    let text = text.trim();
    let ago = text.parse::<Span>().ok().and_then(|span| unsigned(span.abs()));
    if let Some(at) = ago.and_then(|ago| SystemTime::now().checked_sub(ago)) {
        return Ok(Time { at, assumed: None });
    }
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(Time { at: at.into(), assumed: None });
    }
    let local = text.parse::<DateTime>().ok();
    match local.and_then(|time| time.to_zoned(TimeZone::system()).ok()) {
        Some(time) => Ok(Time { at: time.timestamp().into(), assumed: Some(time.to_string()) }),
        None => Err("use a time such as 2h (ago), 2026-08-01 or 2026-08-01T12:00:00Z".to_owned()),
    }
}

/// A time in UTC, to the second. A time that no calendar has stays a number.
pub fn utc(unix_seconds: f64) -> String {
    match Timestamp::from_second(unix_seconds as i64) {
        Ok(time) => time.to_string(),
        Err(_) => unix_seconds.to_string(),
    }
}

/// Minutes and seconds: `2:05`.
pub fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    format!("{}:{:02}", seconds / 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duration_of_typed_text_is_read_or_refused() {
        for (text, expected) in [
            ("90", Some(90.0)),
            ("0.5", Some(0.5)),
            ("90s", Some(90.0)),
            ("250ms", Some(0.25)),
            ("10m", Some(600.0)),
            ("1h 30m", Some(5400.0)),
            ("2d", Some(172_800.0)),
            ("0", None),
            ("0s", None),
            ("-1", None),
            ("-1s", None),
            ("inf", None),
            ("NaN", None),
            ("1e300", None),
            ("", None),
            ("soon", None),
        ] {
            let got = duration(text).ok().map(|got| got.as_secs_f64());
            assert_eq!(got, expected, "{text:?}");
        }
    }

    #[test]
    fn time_with_offset_is_exact() {
        for (text, expected) in [
            ("2026-08-01T12:00:00Z", Some(1_785_585_600.0)),
            ("2026-08-01 12:00:00Z", Some(1_785_585_600.0)),
            ("2026-08-01T12:00:00z", Some(1_785_585_600.0)),
            ("2026-08-01t12:00:00z", Some(1_785_585_600.0)),
            ("2026-08-01T14:00:00+02:00", Some(1_785_585_600.0)),
            ("2026-08-01T06:30:00-05:30", Some(1_785_585_600.0)),
            ("2026-08-01T12:00:00.250Z", Some(1_785_585_600.25)),
            ("1985-04-12T23:20:50.52Z", Some(482_196_050.52)),
            ("", None),
            ("yesterday", None),
            ("2026-13-01", None),
            ("2026-08-01T25:00:00Z", None),
        ] {
            let got = time(text).ok();
            assert!(got.iter().all(|time| time.assumed.is_none()), "{text}");
            let since = |time: Time| time.at.duration_since(SystemTime::UNIX_EPOCH).ok();
            let got = got.and_then(since).map(|since| since.as_secs_f64());
            assert_eq!(got, expected, "{text:?}");
        }
        for (text, seconds) in [("2h", 7_200), ("2h ago", 7_200), ("1d", 86_400)] {
            let ago = time(text).expect("a time").at.elapsed().expect("in the past");
            assert!((seconds..seconds + 60).contains(&ago.as_secs()), "{ago:?}");
        }
    }

    #[test]
    fn time_without_offset_is_local_and_says_so() {
        for text in ["2026-08-01", "2026-08-01 12:00", "2026-08-01T12:00:00"] {
            let assumed = time(text).expect(text).assumed.expect("a zone");
            assert!(assumed.starts_with("2026-08-01T") && assumed.contains('['), "{assumed}");
        }
    }

    #[test]
    fn utc_of_impossible_time_is_number() {
        assert_eq!(utc(0.0), "1970-01-01T00:00:00Z");
        assert_eq!(utc(1_785_585_600.75), "2026-08-01T12:00:00Z");
        assert_eq!(utc(1e30), "1000000000000000000000000000000");
    }

    #[test]
    fn clock_shows_minutes_and_seconds() {
        assert_eq!(clock(Duration::from_secs(125)), "2:05");
    }
}
