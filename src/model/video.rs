//! A finished video.

use std::{
    fmt,
    time::{Duration, SystemTime},
};

use serde::{Deserialize, Serialize};

use super::fields::Number;
use crate::{api::types::VideoResult, util::TaskId};

/// A finished video. It is plain data, which can be stored and read again.
///
/// ```no_run
/// # async fn example(luma: luma_client::Luma, id: luma_client::TaskId)
/// # -> Result<(), luma_client::Error> {
/// let video = luma.task(id).wait().await?;
/// if let (Some(width), Some(height)) = (video.width(), video.height()) {
///     println!("{width} x {height} pixels");
/// }
/// luma.download(&video, "video.mp4").await?;
/// luma.download_thumbnail(&video, "video.jpg").await?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Video {
    task_id: Option<TaskId>,
    id: Option<String>,
    url: String,
    width: Option<u32>,
    height: Option<u32>,
    thumbnail_url: Option<String>,
    thumbnail_width: Option<u32>,
    thumbnail_height: Option<u32>,
    prompt: Option<String>,
    finished_at: Option<SystemTime>,
    /// When a wait of this process saw the end, by the local clock.
    seen_at: Option<SystemTime>,
}

impl Video {
    /// The video of a result that has one.
    pub(super) fn from_result(
        task_id: Option<&str>,
        result: &VideoResult,
        finished_at: Option<SystemTime>,
    ) -> Option<Self> {
        let text = |field: &Option<String>| {
            let text = field.as_deref()?.trim();
            (!text.is_empty()).then(|| text.to_owned())
        };
        let pixels = |field: &Option<Number>| field.as_ref().and_then(Number::as_pixels);
        let task_id = task_id.or(result.task_id.as_deref());
        Some(Self {
            task_id: task_id.and_then(|id| id.parse().ok()),
            id: text(&result.video_id),
            url: text(&result.video_url)?,
            width: pixels(&result.video_width),
            height: pixels(&result.video_height),
            thumbnail_url: text(&result.thumbnail_url),
            thumbnail_width: pixels(&result.thumbnail_width),
            thumbnail_height: pixels(&result.thumbnail_height),
            prompt: result.prompt.clone(),
            finished_at,
            seen_at: None,
        })
    }

    /// The video as seen to finish at this time of the local clock.
    pub(crate) fn seen_at(mut self, now: SystemTime) -> Self {
        self.seen_at = Some(now);
        self
    }

    /// Whether its task may have ended, or was seen to end, within this time before `now`: also if it is not
    /// known when it ended. A time in the future is by another clock, and counts as now.
    pub(crate) fn is_younger_than(&self, age: Duration, now: SystemTime) -> bool {
        let latest = self.finished_at.max(self.seen_at);
        latest.is_none_or(|time| now.duration_since(time).unwrap_or_default() < age)
    }

    /// Returns the id of the video, as [`extend`](crate::Luma::extend) takes it, if the service sent one.
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// Returns the task that made it.
    pub fn task_id(&self) -> Option<&TaskId> {
        self.task_id.as_ref()
    }

    /// Returns the URL of the file. It expires after 30 days; a new lookup of the task may give a
    /// fresh one.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Returns the width in pixels.
    pub fn width(&self) -> Option<u32> {
        self.width
    }

    /// Returns the height in pixels.
    pub fn height(&self) -> Option<u32> {
        self.height
    }

    /// Returns the URL of a still picture.
    pub fn thumbnail_url(&self) -> Option<&str> {
        self.thumbnail_url.as_deref()
    }

    /// Returns width and height of the still picture in pixels.
    pub fn thumbnail_size(&self) -> Option<(u32, u32)> {
        self.thumbnail_width.zip(self.thumbnail_height)
    }

    /// Returns the prompt as the service used it.
    pub fn prompt(&self) -> Option<&str> {
        self.prompt.as_deref()
    }

    /// Returns when its task ended, by the service's clock.
    pub fn finished_at(&self) -> Option<SystemTime> {
        self.finished_at
    }
}

impl fmt::Display for Video {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id().unwrap_or("video"))?;
        if let (Some(width), Some(height)) = (self.width, self.height) {
            write!(f, " ({width}x{height})")?;
        }
        write!(f, " at {}", self.url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn video_is_new_by_the_latest_known_time() {
        let (now, age) = (SystemTime::now(), Duration::from_secs(120));
        let ago = |seconds| Some(now - Duration::from_secs(seconds));
        let ahead = |seconds| Some(now + Duration::from_secs(seconds));
        let result = VideoResult { video_url: Some("u".to_owned()), ..VideoResult::default() };
        for (finished_at, seen_at, expected) in [
            (None, None, true),
            (ago(0), None, true),
            (ago(119), None, true),
            (ago(121), None, false),
            (ahead(300), None, true),
            (ahead(86_400), None, true),
            (None, ago(10), true),
            (None, ago(500), false),
            // Looked up late, or by another clock.
            (ago(500), ago(10), true),
            (ago(10), ago(500), true),
            (ago(500), ago(500), false),
        ] {
            let video = Video::from_result(None, &result, finished_at).expect("a video");
            let video = Video { seen_at, ..video };
            assert_eq!(video.is_younger_than(age, now), expected, "{finished_at:?} {seen_at:?}");
        }
    }
}
