//! The arguments of the tools. The doc comments of the fields are the descriptions that the model reads.
//! Rules across several arguments stand in the description of the tool.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

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
    /// First frame: a public http or https URL of the image file itself. Local paths and base64 data do
    /// not work; ask the user for a URL.
    #[schemars(length(max = URL))]
    pub(crate) start_image_url: Option<String>,
    /// Last frame: a public http or https URL of the image file itself, in the same shape as the first
    /// frame if both are given.
    #[schemars(length(max = URL))]
    pub(crate) end_image_url: Option<String>,
    #[serde(flatten)]
    pub(crate) options: Options,
}

/// What both generate tools take.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct Options {
    /// Width to height. Choose by where the video is shown: 16:9 for screens, 9:16 for phones, 1:1 for
    /// feeds. luma_list_aspect_ratios describes each value.
    #[schemars(with = "Option<KnownRatio>")]
    pub(crate) aspect_ratio: Option<AspectRatio>,
    /// Whether the last frame leads back into the first, for a clip that repeats without a visible cut.
    #[schemars(extend("default" = false))]
    pub(crate) r#loop: Option<bool>,
    /// Whether the service may rewrite the prompt for a clearer picture. Choose false if the wording is
    /// already exact.
    #[schemars(extend("default" = true))]
    pub(crate) enhancement: Option<bool>,
    /// Seconds for which this call waits for the finished video, at most 45, and less if the host allows
    /// less. 0 returns at once. The task continues when the time is up.
    #[schemars(range(min = 0), extend("default" = 0))]
    pub(crate) timeout: Option<f64>,
    /// An http or https endpoint of the user to which the service POSTs the finished video, unsigned and
    /// possibly twice. Never invent one; polling needs none.
    #[schemars(length(max = URL))]
    pub(crate) callback_url: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
pub(crate) struct ExtendVideo {
    /// result.video.id of luma_get_task, or result.tasks[].video.id of luma_get_tasks_batch. A task_id
    /// names a task, not a video, and is rejected.
    #[schemars(length(min = 1, max = ID))]
    pub(crate) video_id: String,
    #[serde(flatten)]
    pub(crate) next: Continuation,
}

#[derive(Deserialize, JsonSchema)]
pub(crate) struct ExtendVideoFromUrl {
    /// The http or https URL exactly as Luma returned it, with its query: result.video.url of
    /// luma_get_task, or a URL that the user saved.
    #[schemars(length(min = 1, max = URL))]
    pub(crate) video_url: String,
    #[serde(flatten)]
    pub(crate) next: Continuation,
}

/// What both extend tools take.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct Continuation {
    /// What happens after the last frame of the video. Describe only what is new.
    #[schemars(length(min = 1, max = PROMPT))]
    pub(crate) prompt: String,
    /// Picture on which the continuation ends: a public http or https URL of the image file itself.
    /// Without it, the end is free.
    #[schemars(length(max = URL))]
    pub(crate) end_image_url: Option<String>,
    /// An http or https endpoint of the user to which the service POSTs the finished video, unsigned and
    /// possibly twice. Never invent one; polling needs none.
    #[schemars(length(max = URL))]
    pub(crate) callback_url: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
pub(crate) struct GetTask {
    /// result.task_id of a generate or extend tool, from this conversation or an earlier one. A video id
    /// or a URL is not found.
    #[schemars(length(min = 1, max = ID))]
    pub(crate) task_id: String,
}

#[derive(Deserialize, JsonSchema)]
pub(crate) struct GetTasksBatch {
    /// result.task_id of each generate or extend call. Items come back in this order; duplicates are
    /// dropped. Split more ids over several calls.
    #[schemars(length(min = 1, max = BATCH), inner(length(min = 1, max = ID)))]
    pub(crate) task_ids: Vec<String>,
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
