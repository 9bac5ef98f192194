//! What the tools take. The comments of the fields are what the model reads.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

use crate::{AspectRatio, lookup::MAX_BATCH};

// The service documents no lengths. These are far beyond what makes sense, and keep nonsense from it.
/// The longest prompt, in characters.
const PROMPT: usize = 10_000;
/// The longest URL.
const URL: usize = 8_192;
/// The longest id.
const ID: usize = 200;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct GenerateVideo {
    /// What the video shows, in plain words: subject, action, setting, camera movement, style. Not
    /// only white space. The service moderates it, and may reword it unless enhancement is false.
    #[schemars(length(min = 1, max = PROMPT))]
    pub(crate) prompt: String,
    /// Width to height of the video. Choose by where it is shown: 16:9 for screens, 9:16 for
    /// phones, 1:1 for feeds; luma_list_aspect_ratios describes all seven. Default 16:9.
    #[schemars(with = "Option<KnownRatio>")]
    pub(crate) aspect_ratio: Option<AspectRatio>,
    /// true: the last frame leads back into the first, for a clip that repeats without a visible
    /// cut. Default false.
    #[schemars(extend("default" = false))]
    pub(crate) r#loop: Option<bool>,
    /// true: the service may rewrite the prompt for a clearer picture. false: the prompt is to be
    /// taken as written, for wording that is already exact. Default true.
    #[schemars(extend("default" = true))]
    pub(crate) enhancement: Option<bool>,
    /// Seconds that this call may itself wait for the finished video, cut to the host's limit, 45
    /// at most. Left out or 0: the task_id comes back without waiting. It never ends the task: look
    /// up a video that is not ready by then with luma_get_task.
    #[schemars(range(min = 0))]
    pub(crate) timeout: Option<f64>,
    /// Public http or https URL of an endpoint of the user's, to which the service POSTs the
    /// finished video, unsigned and possibly twice; never invent one. Left out: poll with
    /// luma_get_task, which works with a callback too. Independent of timeout.
    #[schemars(length(min = 1, max = URL))]
    pub(crate) callback_url: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct GenerateVideoFromImage {
    /// What happens in the video, in plain words: what moves, how the camera moves, how the start
    /// picture turns into the end picture. Not only white space. The service moderates it, and may
    /// reword it unless enhancement is false.
    #[schemars(length(min = 1, max = PROMPT))]
    pub(crate) prompt: String,
    /// Picture for the first frame: a public http or https URL that leads straight to the image,
    /// no local path and no base64 data. Alone, it is brought to life; with end_image_url, the
    /// video leads from one to the other. At least one of the two must be given; an empty string
    /// counts as left out.
    #[schemars(length(max = URL))]
    pub(crate) start_image_url: Option<String>,
    /// Picture for the last frame: a public http or https URL that leads straight to the image, no
    /// local path and no base64 data. Alone, the video leads up to it; with start_image_url, the
    /// video leads from one to the other. At least one of the two must be given; an empty string
    /// counts as left out.
    #[schemars(length(max = URL))]
    pub(crate) end_image_url: Option<String>,
    /// Width to height of the video. Choose the one nearest to the picture's own shape, or the
    /// picture may be cropped; with two pictures, both should have that shape. Left out, it is 16:9
    /// even for a portrait picture; luma_list_aspect_ratios describes all seven. Default 16:9.
    #[schemars(with = "Option<KnownRatio>")]
    pub(crate) aspect_ratio: Option<AspectRatio>,
    /// true: the last frame leads back into the first, for a clip that repeats without a visible
    /// cut. Leave it false when the start and end pictures differ. Default false.
    #[schemars(extend("default" = false))]
    pub(crate) r#loop: Option<bool>,
    /// true: the service may rewrite the prompt for a clearer picture. false: the prompt is to be
    /// taken as written, for wording that is already exact. Default true.
    #[schemars(extend("default" = true))]
    pub(crate) enhancement: Option<bool>,
    /// Seconds that this call may itself wait for the finished video, cut to the host's limit, 45
    /// at most. Left out or 0: the task_id comes back without waiting. It never ends the task: look
    /// up a video that is not ready by then with luma_get_task.
    #[schemars(range(min = 0))]
    pub(crate) timeout: Option<f64>,
    /// Public http or https URL of an endpoint of the user's, to which the service POSTs the
    /// finished video, unsigned and possibly twice; never invent one. Left out: poll with
    /// luma_get_task, which works with a callback too. Independent of timeout.
    #[schemars(length(min = 1, max = URL))]
    pub(crate) callback_url: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExtendVideo {
    /// Id of the finished video to continue: result.video.id of luma_get_task or
    /// result.tasks[].video.id of luma_get_tasks_batch. A task_id does not work, even that of the
    /// same video.
    #[schemars(length(min = 1, max = ID))]
    pub(crate) video_id: String,
    /// What happens after the video's last frame, in plain words: only what is new. Not only white
    /// space. The service moderates it.
    #[schemars(length(min = 1, max = PROMPT))]
    pub(crate) prompt: String,
    /// Picture on which the continuation ends: a public http or https URL that leads straight to
    /// the image, no local path and no base64 data. Left out or empty: the end is free.
    #[schemars(length(max = URL))]
    pub(crate) end_image_url: Option<String>,
    /// Public http or https URL of an endpoint of the user's, to which the service POSTs the
    /// finished video, unsigned and possibly twice. Never invent one. Left out: poll with
    /// luma_get_task, which works with a callback too.
    #[schemars(length(min = 1, max = URL))]
    pub(crate) callback_url: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExtendVideoFromUrl {
    /// URL of the finished video to continue, http or https, copied whole, query included, as Luma
    /// returned it: what the user kept, or result.video.url (in a batch result.tasks[].video.url)
    /// of a result without video.id. With an id, use luma_extend_video. Never the URL of an upload
    /// or of a video site.
    #[schemars(length(min = 1, max = URL))]
    pub(crate) video_url: String,
    /// What happens after the video's last frame, in plain words: only what is new. Not only white
    /// space. The service moderates it.
    #[schemars(length(min = 1, max = PROMPT))]
    pub(crate) prompt: String,
    /// Picture on which the continuation ends: a public http or https URL that leads straight to
    /// the image, no local path and no base64 data. Left out or empty: the end is free.
    #[schemars(length(max = URL))]
    pub(crate) end_image_url: Option<String>,
    /// Public http or https URL of an endpoint of the user's, to which the service POSTs the
    /// finished video, unsigned and possibly twice. Never invent one. Left out: poll with
    /// luma_get_task, which works with a callback too.
    #[schemars(length(min = 1, max = URL))]
    pub(crate) callback_url: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct GetTask {
    /// Id of the task: result.task_id as a generate or extend tool returned it, in this
    /// conversation or an earlier one. Neither a video id nor a URL.
    #[schemars(length(min = 1, max = ID))]
    pub(crate) task_id: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct GetTasksBatch {
    /// Ids of the tasks, without duplicates: result.task_id as the generate and extend tools
    /// returned them, no video ids or URLs. The answer keeps this order. More than 50: split them
    /// over several calls.
    #[schemars(length(min = 1, max = MAX_BATCH), inner(length(min = 1, max = ID)))]
    pub(crate) task_ids: Vec<String>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Nothing {}

/// The schema of an aspect ratio: the documented ones, though the client itself takes any.
struct KnownRatio;

impl JsonSchema for KnownRatio {
    fn schema_name() -> Cow<'static, str> {
        "AspectRatio".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let known = AspectRatio::KNOWN.map(|ratio| ratio.to_string());
        let default = AspectRatio::default().to_string();
        json_schema!({ "type": "string", "enum": known, "default": default })
    }
}
