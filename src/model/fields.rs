//! Types of single response fields for which a schema is too strict. Each keeps the value as sent.
//!
//! An unexpected value in one of them never makes the whole response unreadable.
//!
//! ```
//! use luma_client::Task;
//!
//! let task: Task = serde_json::from_str(r#"{"id":"b8976e18","elapsed":"93.5","error":"busy"}"#)?;
//! assert_eq!(task.elapsed.and_then(|number| number.as_f64()), Some(93.5));
//! assert_eq!(task.error.as_ref().and_then(|error| error.message()), Some("busy"));
//! # Ok::<(), serde_json::Error>(())
//! ```

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::{
    OffsetDateTime, PrimitiveDateTime,
    format_description::well_known::{Iso8601, Rfc3339},
};

pub use super::response::{QueryResponse, TaskResponse};

/// A number, also when it was sent as a string.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Number(Value);

impl Number {
    /// Returns the number; `None` for anything but a finite number.
    pub fn as_f64(&self) -> Option<f64> {
        let number = self.0.as_f64().or_else(|| text(&self.0)?.parse().ok());
        number.filter(|number| number.is_finite())
    }

    /// The number as a size in pixels: positive and whole.
    pub(crate) fn as_pixels(&self) -> Option<u32> {
        let number = self.as_f64()?;
        let pixels = number as u32;
        (pixels > 0 && f64::from(pixels) == number).then_some(pixels)
    }
}

/// A point in time: Unix seconds, or an ISO 8601 string (one without an offset is read as UTC).
///
/// ```
/// use luma_client::fields::Timestamp;
///
/// let sent: Timestamp = serde_json::from_str(r#""2026-08-01T12:00:00.5Z""#)?;
/// assert_eq!(sent.unix_seconds(), Some(1_785_585_600.5));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(Value);

impl Timestamp {
    /// Returns the seconds since the Unix epoch; `None` if the value is not a time.
    ///
    /// Milliseconds, microseconds and nanoseconds are recognized by their size.
    pub fn unix_seconds(&self) -> Option<f64> {
        /// Seconds of the year 5138: larger numbers are in smaller units.
        const LAST_SECOND: f64 = 1e11;
        let mut seconds = self.0.as_f64().or_else(|| parse_text(text(&self.0)?))?;
        for _ in 0..3 {
            if seconds >= LAST_SECOND {
                seconds /= 1e3;
            }
        }
        (seconds.is_finite() && seconds > 0.0).then_some(seconds)
    }

    /// Returns the time; `None` if the value is not a time.
    pub fn to_system_time(&self) -> Option<SystemTime> {
        let offset = Duration::try_from_secs_f64(self.unix_seconds()?).ok()?;
        SystemTime::UNIX_EPOCH.checked_add(offset)
    }
}

fn parse_text(text: &str) -> Option<f64> {
    if let Ok(seconds) = text.parse() {
        return Some(seconds);
    }
    // Python's `str(datetime)` has a space for the `T`, and perhaps no offset.
    let text = text.replacen(' ', "T", 1);
    let time = OffsetDateTime::parse(&text, &Rfc3339)
        .or_else(|_| OffsetDateTime::parse(&text, &Iso8601::DEFAULT))
        .or_else(|_| PrimitiveDateTime::parse(&text, &Iso8601::DEFAULT).map(|t| t.assume_utc()));
    Some(time.ok()?.unix_timestamp_nanos() as f64 / 1e9)
}

/// The service's word for the state of a task, as it was sent.
///
/// The services use several words for one state and add new ones. What a word means is decided in
/// one place, by [`Task::state`](crate::Task::state).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RawState(Value);

impl RawState {
    /// Returns the word without white space around it; `None` if there is none.
    pub fn as_str(&self) -> Option<&str> {
        text(&self.0)
    }
}

/// What went wrong: an object with code and message, a bare string, or something else.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ErrorInfo(pub(crate) Value);

impl ErrorInfo {
    /// Creates an error with a code and a message, as the service reports it.
    pub fn new(code: &str, message: &str) -> Self {
        Self(serde_json::json!({ "code": code, "message": message }))
    }

    /// Returns the code; `None` if the error is a bare string or has no code.
    pub fn code(&self) -> Option<&str> {
        text(self.0.get("code")?)
    }

    /// Returns the message of the object, or the bare string.
    pub fn message(&self) -> Option<&str> {
        text(self.0.get("message").unwrap_or(&self.0))
    }

    /// Whether the error says anything at all: `null`, `false`, `{}` and `""` do not.
    pub(crate) fn is_some(&self) -> bool {
        match &self.0 {
            Value::Null | Value::Bool(false) => false,
            Value::String(_) => text(&self.0).is_some(),
            Value::Object(map) => !map.is_empty(),
            Value::Array(list) => !list.is_empty(),
            _ => true,
        }
    }
}

fn text(value: &Value) -> Option<&str> {
    value.as_str().map(str::trim).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn number_as_string_is_read() {
        for (sent, expected) in [
            (json!(1360), Some(1360.0)),
            (json!(154.3), Some(154.3)),
            (json!("1360"), Some(1360.0)),
            (json!(" 752 "), Some(752.0)),
            (json!("wide"), None),
            (json!("NaN"), None),
            (json!("inf"), None),
            (json!([1]), None),
            (json!(true), None),
        ] {
            assert_eq!(Number(sent.clone()).as_f64(), expected, "{sent}");
        }
    }

    #[test]
    fn pixels_of_odd_numbers_are_none() {
        for (sent, expected) in [
            (json!(1360), Some(1360)),
            (json!(1360.0), Some(1360)),
            (json!(0), None),
            (json!(-1), None),
            (json!(0.5), None),
            (json!(1e300), None),
        ] {
            assert_eq!(Number(sent.clone()).as_pixels(), expected, "{sent}");
        }
    }

    #[test]
    fn timestamp_in_many_forms_is_read() {
        let noon = Some(1_785_585_600.0);
        for (sent, expected) in [
            (json!(1_785_585_600), noon),
            (json!(1_785_585_600.25), Some(1_785_585_600.25)),
            (json!("1785585600"), noon),
            (json!(1_785_585_600_000_u64), noon),
            (json!(1_785_585_600_000_000_u64), noon),
            (json!(1_785_585_600_000_000_000_u64), noon),
            (json!("1785585600250"), Some(1_785_585_600.25)),
            (json!("2026-08-01T12:00:00Z"), noon),
            (json!("2026-08-01T12:00:00.000Z"), noon),
            (json!("2026-08-01T14:00:00+02:00"), noon),
            (json!("2026-08-01T12:00:00+00:00"), noon),
            (json!("2026-08-01T12:00:00"), noon),
            (json!("2026-08-01 12:00:00.000000"), noon),
            (json!("20260801T120000Z"), noon),
            (json!(""), None),
            (json!("yesterday"), None),
            (json!(0), None),
            (json!(-5), None),
            (json!({}), None),
            (json!("1e999"), None),
        ] {
            let time = Timestamp(sent.clone());
            assert_eq!(time.unix_seconds(), expected, "{sent}");
            assert_eq!(time.to_system_time().is_some(), expected.is_some());
        }
    }

    #[test]
    fn timestamp_beyond_the_clock_is_none() {
        assert_eq!(Timestamp(json!(1e300)).to_system_time(), None);
    }

    #[test]
    fn error_info_in_many_forms_is_read() {
        for (sent, code, message, some) in [
            (json!({"code": "forbidden", "message": "No."}), Some("forbidden"), Some("No."), true),
            (json!({"code": "forbidden"}), Some("forbidden"), None, true),
            (json!("temporary"), None, Some("temporary"), true),
            (json!(null), None, None, false),
            (json!({}), None, None, false),
            (json!(""), None, None, false),
            (json!({"code": 5}), None, None, true),
            (json!([1]), None, None, true),
        ] {
            let error = ErrorInfo(sent.clone());
            assert_eq!((error.code(), error.message()), (code, message), "{sent}");
            assert_eq!(error.is_some(), some, "{sent}");
        }
    }
}
