//! Durations and times as they are typed.

use std::time::{Duration, SystemTime};

/// `90`, `90s`, `10m`, `1h 30m`; more than zero.
pub fn duration(text: &str) -> Result<Duration, String> {
    let parsed = match text.trim().parse::<f64>() {
        Ok(seconds) => Duration::try_from_secs_f64(seconds).ok(),
        Err(_) => humantime::parse_duration(text).ok(),
    };
    match parsed {
        Some(duration) if !duration.is_zero() => Ok(duration),
        Some(_) => Err("it must be more than zero".to_owned()),
        None => Err("it is no duration such as 90s, 10m or 1h".to_owned()),
    }
}

/// `2h` (that long ago), `2026-08-01`, `2026-08-01 12:00:00` or `2026-08-01T12:00:00Z`; UTC.
pub fn time(text: &str) -> Result<SystemTime, String> {
    let text = text.trim();
    let ago = humantime::parse_duration(text).ok();
    ago.and_then(|ago| SystemTime::now().checked_sub(ago))
        .or_else(|| humantime::parse_rfc3339_weak(text).ok())
        .or_else(|| humantime::parse_rfc3339(&format!("{text}T00:00:00Z")).ok())
        .ok_or_else(|| {
            "it is no time such as 2h (ago), 2026-08-01 or 2026-08-01T12:00:00Z".to_owned()
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (text, expected) in [
            ("90", Some(90.0)),
            ("0.5", Some(0.5)),
            ("90s", Some(90.0)),
            ("250ms", Some(0.25)),
            ("10m", Some(600.0)),
            ("1h 30m", Some(5400.0)),
            ("0", None),
            ("0s", None),
            ("-1", None),
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
    fn times() {
        let at = |seconds| Some(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
        for (text, expected) in [
            ("2026-08-01", at(1_785_542_400)),
            ("2026-08-01 12:00:00", at(1_785_585_600)),
            ("2026-08-01T12:00:00Z", at(1_785_585_600)),
            ("", None),
            ("yesterday", None),
            ("2026-13-01", None),
        ] {
            assert_eq!(time(text).ok(), expected, "{text:?}");
        }
        let ago = time("2h").expect("a time").elapsed().expect("in the past");
        assert!((7_200..7_260).contains(&ago.as_secs()), "{ago:?}");
    }
}
