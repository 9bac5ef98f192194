//! The arguments of the tools. The doc comments of the fields are the descriptions that the model reads.
//! Rules across several arguments stand in the description of the tool.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

use super::results::State;
use crate::AspectRatio;

// The service documents no lengths. These bounds are far beyond any useful value.
/// The longest prompt, in characters.
const PROMPT: usize = 10_000;
/// The longest URL, in characters.
const URL: usize = 8_192;
/// The longest id, in characters.
const ID: usize = 200;
/// The most ids in one batch, as the vendor recommends.
const BATCH: usize = 50;

#[derive(Deserialize, JsonSchema)]
pub(crate) struct GenerateVideo {
    /// What the video shows: subject, action, setting, camera movement, style.
    #[schemars(length(min = 1, max = PROMPT))]
    pub(crate) prompt: String,
    #[serde(flatten)]
    pub(crate) options: Options,
}

#[derive(Deserialize, JsonSchema)]
pub(crate) struct GenerateVideoFromImage {
    /// What happens in the video: what moves, how the camera moves, how the start picture turns into the
    /// end picture.
    #[schemars(length(min = 1, max = PROMPT))]
    pub(crate) prompt: String,
    /// First frame: public http or https URL of the image file itself.
    #[schemars(length(max = URL))]
    pub(crate) start_image_url: Option<String>,
    /// Last frame: public http or https URL of the image file itself.
    #[schemars(length(max = URL))]
    pub(crate) end_image_url: Option<String>,
    #[serde(flatten)]
    pub(crate) options: Options,
}

/// What both generate tools take.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct Options {
    /// Width to height: 16:9 for screens, 9:16 for phones and stories, 1:1 for feeds; the others:
    /// luma_list_aspect_ratios.
    #[schemars(with = "Option<KnownRatio>")]
    pub(crate) aspect_ratio: Option<AspectRatio>,
    /// Whether the last frame leads back into the first, so that the clip repeats seamlessly.
    #[schemars(extend("default" = false))]
    pub(crate) r#loop: Option<bool>,
    /// Whether the service may rewrite the prompt. Choose false if its wording is exact.
    #[schemars(extend("default" = true))]
    pub(crate) enhancement: Option<bool>,
    /// Seconds to wait for the finished video, cut to 45, or to 4 if the host shows no progress. After that
    /// the task continues.
    #[schemars(range(min = 0), extend("default" = 0))]
    pub(crate) timeout: Option<f64>,
    /// http or https endpoint that the user named, for an unsigned POST of the result.
    #[schemars(length(max = URL))]
    pub(crate) callback_url: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
pub(crate) struct ExtendVideo {
    /// video.id of a completed task, from luma_get_task or luma_list_tasks. A task_id is rejected.
    #[schemars(length(min = 1, max = ID))]
    pub(crate) video_id: String,
    #[serde(flatten)]
    pub(crate) next: Continuation,
}

#[derive(Deserialize, JsonSchema)]
pub(crate) struct ExtendVideoFromUrl {
    /// http or https URL of a video as a Luma tool returned it, with its query.
    #[schemars(length(min = 1, max = URL))]
    pub(crate) video_url: String,
    #[serde(flatten)]
    pub(crate) next: Continuation,
}

/// What both extend tools take.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct Continuation {
    /// What happens after the last frame. Describe only what is new, not the original.
    #[schemars(length(min = 1, max = PROMPT))]
    pub(crate) prompt: String,
    /// Last frame of the continuation: public http or https URL of the image file itself.
    #[schemars(length(max = URL))]
    pub(crate) end_image_url: Option<String>,
    /// http or https endpoint that the user named, for an unsigned POST of the result.
    #[schemars(length(max = URL))]
    pub(crate) callback_url: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
pub(crate) struct GetTask {
    /// task_id of a generate or extend tool, or of luma_list_tasks. Not a video id, not a URL.
    #[schemars(length(min = 1, max = ID))]
    pub(crate) task_id: String,
}

#[derive(Deserialize, JsonSchema)]
pub(crate) struct GetTasksBatch {
    /// task_ids that a Luma tool returned, not video ids. Items keep this order, each id once.
    #[schemars(length(min = 1, max = BATCH), inner(length(min = 1, max = ID)))]
    pub(crate) task_ids: Vec<String>,
}

#[derive(Deserialize, JsonSchema)]
pub(crate) struct ListTasks {
    /// Only tasks that are in this state now; without it, tasks in any state.
    pub(crate) state: Option<State>,
    /// Oldest creation time: an age (30m, 2h, 7d), a UTC date (YYYY-MM-DD) or an RFC 3339 time.
    pub(crate) since: Option<String>,
    /// next_cursor of the page before, unchanged; without it, the newest tasks.
    pub(crate) cursor: Option<String>,
}

#[derive(JsonSchema)]
pub(crate) struct ListAspectRatios {}

#[derive(JsonSchema)]
pub(crate) struct ListActions {}

/// The documented aspect ratios. The client itself accepts others, too.
struct KnownRatio;

impl JsonSchema for KnownRatio {
    fn schema_name() -> Cow<'static, str> {
        "AspectRatio".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let known = AspectRatio::KNOWN.iter().map(ToString::to_string).collect::<Vec<_>>();
        let default = AspectRatio::default().to_string();
        json_schema!({ "type": "string", "enum": known, "default": default })
    }
}
