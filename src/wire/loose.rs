//! Values of any JSON type, read as what they should be. Each keeps what was sent.

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::{
    OffsetDateTime, PrimitiveDateTime,
    format_description::well_known::{Iso8601, Rfc3339},
};

/// A number, also when it was sent as a string.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Number(Value);

impl Number {
    /// The number; `None` for anything that is not a finite one.
    pub fn as_f64(&self) -> Option<f64> {
        match &self.0 {
            Value::Number(number) => number.as_f64(),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        }
        .filter(|number: &f64| number.is_finite())
    }

    /// The number as a size in pixels: positive and whole.
    pub(crate) fn as_pixels(&self) -> Option<u32> {
        let number = self.as_f64()?;
        (number >= 1.0 && number <= f64::from(u32::MAX) && number.fract() == 0.0)
            .then_some(number as u32)
    }

    /// What was sent.
    pub fn raw(&self) -> &Value {
        &self.0
    }
}

impl<T: Into<serde_json::Number>> From<T> for Number {
    fn from(number: T) -> Self {
        Self(Value::Number(number.into()))
    }
}

/// A point in time: Unix seconds, or an ISO 8601 string (one without an offset is read as UTC).
///
/// ```
/// use luma_client::wire::Timestamp;
///
/// let sent: Timestamp = serde_json::from_str(r#""2026-08-01T12:00:00.5Z""#)?;
/// assert_eq!(sent.unix_seconds(), Some(1_785_585_600.5));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(Value);

impl Timestamp {
    /// Seconds since the Unix epoch; `None` where what was sent is no time.
    pub fn unix_seconds(&self) -> Option<f64> {
        let seconds = match &self.0 {
            Value::Number(number) => number.as_f64(),
            Value::String(text) => parse_text(text.trim()),
            _ => None,
        }?;
        (seconds.is_finite() && seconds > 0.0).then_some(seconds)
    }

    /// The time; `None` where what was sent is no time.
    pub fn to_system_time(&self) -> Option<SystemTime> {
        let offset = Duration::try_from_secs_f64(self.unix_seconds()?).ok()?;
        SystemTime::UNIX_EPOCH.checked_add(offset)
    }

    /// What was sent.
    pub fn raw(&self) -> &Value {
        &self.0
    }
}

impl From<f64> for Timestamp {
    /// From Unix seconds; no time at all where they are not finite.
    fn from(unix_seconds: f64) -> Self {
        Self(unix_seconds.into())
    }
}

fn parse_text(text: &str) -> Option<f64> {
    let seconds = |time: OffsetDateTime| time.unix_timestamp_nanos() as f64 / 1e9;
    text.parse()
        .ok()
        .or_else(|| OffsetDateTime::parse(text, &Rfc3339).ok().map(seconds))
        .or_else(|| {
            OffsetDateTime::parse(text, &Iso8601::DEFAULT)
                .ok()
                .map(seconds)
        })
        .or_else(|| {
            // Python's `str(datetime)` has a space for the `T`, and no offset.
            let text = text.replacen(' ', "T", 1);
            PrimitiveDateTime::parse(&text, &Iso8601::DEFAULT)
                .ok()
                .map(|time| seconds(time.assume_utc()))
        })
}

/// The service's word for the state of a task, as it was sent.
///
/// The services use several words for one state and add new ones. What a word means is decided in
/// one place, by [`Task::state`](crate::Task::state).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StateWord(Value);

impl StateWord {
    /// The word without white space around it; `None` where there is none.
    pub fn as_str(&self) -> Option<&str> {
        let word = self.0.as_str()?.trim();
        (!word.is_empty()).then_some(word)
    }
}

impl From<&str> for StateWord {
    fn from(word: &str) -> Self {
        Self(word.into())
    }
}

/// What went wrong: an object with code and message, a bare string, or something else.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ErrorInfo(Value);

impl ErrorInfo {
    /// An error with a code and a message, as the service reports it.
    pub fn new(code: &str, message: &str) -> Self {
        Self(serde_json::json!({ "code": code, "message": message }))
    }

    /// The code; `None` where the error is a bare string or has none.
    pub fn code(&self) -> Option<&str> {
        text(self.0.get("code")?)
    }

    /// The message: that of the object, or the bare string.
    pub fn message(&self) -> Option<&str> {
        text(self.0.get("message").unwrap_or(&self.0))
    }

    /// Whether the error says anything at all: `null`, `false`, `{}` and `""` do not.
    pub(crate) fn is_some(&self) -> bool {
        match &self.0 {
            Value::Null | Value::Bool(false) => false,
            Value::String(text) => !text.trim().is_empty(),
            Value::Object(map) => !map.is_empty(),
            Value::Array(list) => !list.is_empty(),
            _ => true,
        }
    }

    /// What was sent.
    pub fn raw(&self) -> &Value {
        &self.0
    }
}

impl From<Value> for ErrorInfo {
    fn from(value: Value) -> Self {
        Self(value)
    }
}

fn text(value: &Value) -> Option<&str> {
    value
        .as_str()
        .map(str::trim)
        .filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_come_as_numbers_and_as_strings() {
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
    fn pixels_are_positive_and_whole() {
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
    fn timestamps_come_in_many_forms() {
        let noon = Some(1_785_585_600.0);
        for (sent, expected) in [
            (json!(1_785_585_600), noon),
            (json!(1_785_585_600.25), Some(1_785_585_600.25)),
            (json!("1785585600"), noon),
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
    fn a_time_beyond_the_clock_is_no_system_time() {
        assert_eq!(Timestamp(json!(1e300)).to_system_time(), None);
    }

    #[test]
    fn errors_come_in_many_forms() {
        for (sent, code, message, some) in [
            (
                json!({"code": "forbidden", "message": "No."}),
                Some("forbidden"),
                Some("No."),
                true,
            ),
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
