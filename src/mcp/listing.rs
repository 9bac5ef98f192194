//! One page of the account's tasks. A cursor names the last task of a page, so that new tasks shift nothing.

use std::time::{Duration, SystemTime};

use futures_util::StreamExt;

use super::results::{State, TaskReport};
use crate::{Luma, RequestError, Task, fields::Timestamp};

/// How many tasks a page has at most.
const PAGE: usize = 20;
/// How many tasks one call looks through at most, because a filter can leave few of them.
const MOST: usize = 200;

/// The last task of a page: when it was created, and its id.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Cursor(f64, String);

impl Cursor {
    pub(crate) fn read(text: &str) -> Option<Self> {
        let (created, id) = text.split_once('~')?;
        let created = created.parse().ok().filter(|time| (0.0..1e11).contains(time))?;
        (!id.is_empty()).then(|| Self(created, id.to_owned()))
    }

    fn of(task: &Task) -> Option<Self> {
        let created = task.created_at.as_ref().and_then(Timestamp::unix_seconds);
        Some(Self(created?, task.id.clone()?))
    }
}

/// Reads an age, such as 2h, a date, or a time.
pub(crate) fn since(text: &str, now: SystemTime) -> Option<SystemTime> {
    let text = text.trim();
    let age = [('m', 60), ('h', 3_600), ('d', 86_400)].into_iter().find_map(|(unit, seconds)| {
        let count: u32 = text.strip_suffix(unit)?.trim().parse().ok()?;
        Some(Duration::from_secs(u64::from(count) * seconds))
    });
    let time =
        |text: String| serde_json::from_value::<Timestamp>(text.into()).ok()?.to_system_time();
    match age {
        Some(age) => now.checked_sub(age).filter(|time| *time > SystemTime::UNIX_EPOCH),
        None => time(text.to_owned()).or_else(|| time(format!("{text}T00:00:00Z"))),
    }
}

/// The tasks of a page, and the cursor of the next one if there may be more.
pub(crate) async fn page(
    luma: &Luma,
    state: Option<State>,
    since: Option<SystemTime>,
    mut after: Option<Cursor>,
    read_only: bool,
) -> Result<(Vec<TaskReport>, Option<String>), RequestError> {
    // One more than a page tells whether there is another.
    let mut history = luma.history().page_size(if state.is_some() { 50 } else { PAGE as u32 + 1 });
    if let Some(since) = since {
        history = history.since(since);
    }
    if let Some(Cursor(created, _)) = &after {
        // Rounded up: what is too new is skipped.
        let until = Duration::from_secs(*created as u64 + 1);
        history = history.until(SystemTime::UNIX_EPOCH + until);
    }
    let (mut reports, mut seen, mut last) = (Vec::new(), 0, None);
    while let Some(task) = history.next().await {
        let task = match task {
            // It has no id, and cannot be shown.
            Err(RequestError::Decode(error)) if error.is_item() => continue,
            task => task?,
        };
        let (Some(Ok(id)), cursor) = (task.id.as_deref().map(str::parse), Cursor::of(&task)) else {
            continue;
        };
        if let (Some(Cursor(end, end_id)), Some(Cursor(created, id))) = (&after, &cursor)
            && created >= end
        {
            if id == end_id {
                after = None;
            }
            continue;
        }
        if reports.len() == PAGE || seen == MOST {
            let next = last.map(|Cursor(created, id)| format!("{created}~{id}"));
            return Ok((reports, next));
        }
        seen += 1;
        last = cursor.or(last);
        let report = TaskReport::of(&id, &task, read_only).in_list(&task);
        if state.is_none_or(|state| report.state == Some(state)) {
            reports.push(report);
        }
    }
    Ok((reports, None))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn since_of_each_form_is_read() {
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let now = at(1_800_000_000);
        for (text, expected) in [
            ("30m", Some(at(1_799_998_200))),
            (" 2h ", Some(at(1_799_992_800))),
            ("7d", Some(at(1_799_395_200))),
            ("1790000000", Some(at(1_790_000_000))),
            ("2026-09-21", Some(at(1_789_948_800))),
            ("2026-09-21T01:00:00Z", Some(at(1_789_952_400))),
            ("2026-09-21T01:00:00+01:00", Some(at(1_789_948_800))),
            ("yesterday", None),
            ("-2h", None),
            ("h", None),
            ("5000000d", None),
            ("2026-13-01", None),
            ("é", None),
            ("", None),
        ] {
            assert_eq!(since(text, now), expected, "{text}");
        }
    }

    #[test]
    fn cursor_that_no_page_gave_is_refused() {
        assert_eq!(Cursor::read("1.5~a"), Some(Cursor(1.5, "a".into())));
        for text in ["", "~", "1.5", "1.5~", "~a", "a~b", "NaN~a", "-1~a", "1e300~a", "inf~a"] {
            assert_eq!(Cursor::read(text), None, "{text}");
        }
    }
}
