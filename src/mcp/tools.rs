//! The catalogue: names, descriptions, schemas, annotations.

use std::{fmt, sync::LazyLock};

use serde::Serialize;
use serde_json::{Map, Value};

use super::{
    arguments::{
        ExtendVideo, ExtendVideoFromUrl, GenerateVideo, GenerateVideoFromImage, GetTask,
        GetTasksBatch, NoArguments,
    },
    outcome::Outcome,
    read::nearest,
    results::{Actions, AspectRatios, BatchReport, Output, TaskReport},
    schema::{of_arguments, of_results},
};

/// A tool as MCP describes it. It serializes to an entry of `tools/list`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Tool {
    /// The name in a call.
    pub name: &'static str,
    /// The name for people.
    pub title: &'static str,
    /// The description for the model; at most 1,024 characters.
    pub description: &'static str,
    /// JSON Schema 2020-12 of the arguments: an object without references and unions.
    pub input_schema: Map<String, Value>,
    /// JSON Schema of [`Outcome::structured_content`].
    pub output_schema: Map<String, Value>,
    /// Hints on the behavior.
    pub annotations: Annotations,
    #[serde(skip)]
    pub(crate) kind: Kind,
}

/// MCP's hints on the behavior of a tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Annotations {
    /// The tool changes nothing and costs nothing.
    pub read_only_hint: bool,
    /// The tool may destroy something. No tool does.
    pub destructive_hint: bool,
    /// A second call has no further effect. A second submit is a second video.
    pub idempotent_hint: bool,
    /// The tool talks to the service.
    pub open_world_hint: bool,
}

impl Annotations {
    const SUBMIT: Self = Self {
        read_only_hint: false,
        destructive_hint: false,
        idempotent_hint: false,
        open_world_hint: true,
    };
    const LOOKUP: Self = Self {
        read_only_hint: true,
        destructive_hint: false,
        idempotent_hint: true,
        open_world_hint: true,
    };
    const STATIC: Self = Self {
        open_world_hint: false,
        ..Self::LOOKUP
    };
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    GenerateVideo,
    GenerateVideoFromImage,
    ExtendVideo,
    ExtendVideoFromUrl,
    GetTask,
    GetTasksBatch,
    ListAspectRatios,
    ListActions,
}

impl Tool {
    /// Returns whether an accepted call creates a video and spends credits.
    pub fn submits(&self) -> bool {
        !self.annotations.read_only_hint
    }

    /// Returns the description for a model that has only the lookup tools. It names no other tool.
    pub fn read_only_description(&self) -> &'static str {
        match self.kind {
            Kind::ListAspectRatios => RATIOS_READ_ONLY,
            _ => self.description,
        }
    }
}

/// Returns the tools, always in this order.
///
/// ```
/// let names: Vec<_> = luma_client::mcp::tools().iter().map(|tool| tool.name).collect();
/// assert_eq!(names[0], "luma_generate_video");
/// assert_eq!(names.len(), 8);
/// ```
pub fn tools() -> &'static [Tool] {
    static TOOLS: LazyLock<[Tool; 8]> = LazyLock::new(catalogue);
    &*TOOLS
}

/// Finds a tool by its name.
///
/// # Errors
///
/// [`UnknownTool`] if no tool has the name.
pub fn find(name: &str) -> Result<&'static Tool, UnknownTool> {
    let found = tools().iter().find(|tool| tool.name == name);
    found.ok_or_else(|| UnknownTool {
        name: name.chars().take(64).collect(),
        nearest: nearest(name, tools().iter().map(|tool| tool.name)),
    })
}

/// The error for a name that no tool has. In MCP it is the protocol error -32602; for a model, turn it
/// into an [`Outcome`].
///
/// ```
/// # async fn example(luma: luma_client::Luma) {
/// use luma_client::mcp::{self, Context, Outcome};
///
/// let outcome = mcp::call(&luma, "luma_make_video", "{}", &Context::new())
///     .await
///     .unwrap_or_else(Outcome::from);
/// assert!(outcome.is_error && outcome.text.contains("luma_generate_video"));
/// # }
/// # let luma = luma_client::Luma::builder().token("my-token").build().unwrap();
/// # tokio::runtime::Runtime::new().unwrap().block_on(example(luma));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnknownTool {
    /// The name in the call, shortened to 64 characters.
    pub name: String,
    /// The tool that is probably meant.
    pub nearest: Option<&'static str>,
}

impl fmt::Display for UnknownTool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no tool has the name {:?}", self.name)?;
        match self.nearest {
            Some(nearest) => write!(f, "; did you mean {nearest}?"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for UnknownTool {}

impl From<UnknownTool> for Outcome {
    fn from(unknown: UnknownTool) -> Self {
        let names: Vec<_> = tools().iter().map(|tool| tool.name).collect();
        let next_step = format!("Call one of {}.", names.join(", "));
        Self::failed("unknown_tool", &unknown.to_string(), &next_step)
    }
}

fn catalogue() -> [Tool; 8] {
    [
        Tool {
            name: "luma_generate_video",
            title: "Generate a Luma video from a text prompt",
            description: GENERATE,
            input_schema: of_arguments::<GenerateVideo>(),
            output_schema: of_results::<Output<TaskReport>>(),
            annotations: Annotations::SUBMIT,
            kind: Kind::GenerateVideo,
        },
        Tool {
            name: "luma_generate_video_from_image",
            title: "Generate a Luma video from a start image, an end image or both",
            description: GENERATE_FROM_IMAGE,
            input_schema: of_arguments::<GenerateVideoFromImage>(),
            output_schema: of_results::<Output<TaskReport>>(),
            annotations: Annotations::SUBMIT,
            kind: Kind::GenerateVideoFromImage,
        },
        Tool {
            name: "luma_extend_video",
            title: "Extend a finished Luma video by its video id",
            description: EXTEND,
            input_schema: of_arguments::<ExtendVideo>(),
            output_schema: of_results::<Output<TaskReport>>(),
            annotations: Annotations::SUBMIT,
            kind: Kind::ExtendVideo,
        },
        Tool {
            name: "luma_extend_video_from_url",
            title: "Extend a finished Luma video when only its URL is known",
            description: EXTEND_FROM_URL,
            input_schema: of_arguments::<ExtendVideoFromUrl>(),
            output_schema: of_results::<Output<TaskReport>>(),
            annotations: Annotations::SUBMIT,
            kind: Kind::ExtendVideoFromUrl,
        },
        Tool {
            name: "luma_get_task",
            title: "Check one Luma video task and get its video",
            description: GET_TASK,
            input_schema: of_arguments::<GetTask>(),
            output_schema: of_results::<Output<TaskReport>>(),
            annotations: Annotations::LOOKUP,
            kind: Kind::GetTask,
        },
        Tool {
            name: "luma_get_tasks_batch",
            title: "Check up to 50 Luma video tasks in one call",
            description: GET_TASKS_BATCH,
            input_schema: of_arguments::<GetTasksBatch>(),
            output_schema: of_results::<Output<BatchReport>>(),
            annotations: Annotations::LOOKUP,
            kind: Kind::GetTasksBatch,
        },
        Tool {
            name: "luma_list_aspect_ratios",
            title: "List the aspect ratios of Luma videos and what each suits",
            description: RATIOS,
            input_schema: of_arguments::<NoArguments>(),
            output_schema: of_results::<Output<AspectRatios>>(),
            annotations: Annotations::STATIC,
            kind: Kind::ListAspectRatios,
        },
        Tool {
            name: "luma_list_actions",
            title: "List what the Luma tools can do and in which order to use them",
            description: ACTIONS,
            input_schema: of_arguments::<NoArguments>(),
            output_schema: of_results::<Output<Actions>>(),
            annotations: Annotations::STATIC,
            kind: Kind::ListActions,
        },
    ]
}

const GENERATE: &str = "Submits a new Luma video made from text alone and returns its task_id at once; the \
    video itself usually takes 1 to 5 minutes. To start or end on a picture, use \
    luma_generate_video_from_image; to continue a finished video, luma_extend_video. Every accepted call \
    makes another video and spends credits, and no task can be cancelled, so never repeat a call to check \
    on it: poll luma_get_task with the task_id, also if callback_url is set. If the service's response is \
    lost, the call searches the account's history for the task, for up to 45 seconds. The error code \
    unconfirmed means that the video may be made and billed all the same: submit again only if the user \
    agrees to that. Rejected arguments and refusals by moderation cost nothing.";

const GENERATE_FROM_IMAGE: &str = "Submits a new Luma video that starts on a picture, ends on one, or leads \
    from one to the other, and returns its task_id at once; the video itself usually takes 1 to 5 minutes. \
    Give start_image_url, end_image_url or both, and the aspect_ratio nearest to their shape, or the \
    picture may be cropped. Without a picture, use luma_generate_video; to continue a finished video, \
    luma_extend_video. Every accepted call makes another video and spends credits, and no task can be \
    cancelled, so never repeat a call to check on it: poll luma_get_task with the task_id, also if \
    callback_url is set. If the service's response is lost, the call searches the account's history for \
    the task, for up to 45 seconds. The error code unconfirmed means that the video may be made and billed \
    all the same: submit again only if the user agrees to that. Rejected arguments cost nothing; a picture \
    that the service cannot fetch can show up later, as a failed task.";

const EXTEND: &str = "Submits a continuation of a finished Luma video and returns the task_id of a new task; \
    it usually takes 1 to 5 minutes. The result is a video with its own id and URL, and the original stays \
    as it is. If only the URL is known, use luma_extend_video_from_url; for an unrelated video, \
    luma_generate_video. Wait until luma_get_task says completed: an unknown or unfinished video is \
    refused, or its task fails. Every accepted call makes another continuation and spends credits, and no \
    task can be cancelled, so never repeat a call to check on it: poll luma_get_task with the new task_id, \
    also if callback_url is set. If the service's response is lost, the call searches the account's \
    history for the task, for up to 45 seconds. The error code unconfirmed means that the continuation may \
    be made and billed all the same: submit again only if the user agrees to that.";

const EXTEND_FROM_URL: &str = "Submits a continuation of a finished Luma video, found by the URL that Luma \
    returned, and returns the task_id of a new task; it usually takes 1 to 5 minutes. The result is a \
    video with its own id and URL, and the original stays as it is. Prefer luma_extend_video: \
    luma_get_task gives the id of any known task, and URLs stop working after about 30 days. Not for \
    uploads or videos of other sites; to start on a picture, use luma_generate_video_from_image. Every \
    accepted call makes another continuation and spends credits, and no task can be cancelled, so never \
    repeat a call to check on it: poll luma_get_task with the new task_id, also if callback_url is set. If \
    the service's response is lost, the call searches the account's history for the task, for up to 45 \
    seconds. The error code unconfirmed means that the continuation may be made and billed all the same: \
    submit again only if the user agrees to that.";

const GET_TASK: &str = "Looks up one Luma task and returns its state and, once completed, the video's URL, \
    id and size. For two or more tasks use luma_get_tasks_batch. Not before a generate or extend tool has \
    returned a task_id; past tasks without a known id cannot be listed. While the video is being made, the \
    call waits a few seconds for the end, or up to 45 seconds if the host shows progress. If it returns \
    without an end, call again, at most every 20 seconds: videos usually take 1 to 5 minutes, and \
    submitting again only buys another. completed and failed are final; look up again only if the URL no \
    longer works, which is after about 30 days. Costs no credits. A failed task is a result with its \
    reason; an unknown id is an error.";

const GET_TASKS_BATCH: &str = "Looks up to 50 Luma tasks up in one request and returns the state of each \
    and, for those completed, the video's URL, id and size. Returns at once; for a single task use \
    luma_get_task, which can wait for its end. Not before generate or extend tools have returned the ids. \
    To follow several videos, call it at most every 20 seconds, with only the ids that are still pending, \
    processing or unknown; each video usually takes 1 to 5 minutes. Costs no credits. Failures are per \
    item: an unknown id becomes an item with the error not_found, a failed task an item with its reason.";

const RATIOS: &str = "Lists the seven aspect ratios of luma_generate_video and \
    luma_generate_video_from_image: the shape of each, where it fits, and the default. Use it when the user \
    names a place or a format, such as a story or a banner, and the ratio is open. Not for the size of a \
    finished video, which luma_get_task gives. The list is static: no token, no credits, and one call a \
    conversation is enough.";

const RATIOS_READ_ONLY: &str = "Lists the seven aspect ratios of Luma videos: the shape of each, where it \
    fits, and the default. Use it to tell the user which shape suits a place or a format, such as a story \
    or a banner; this server is read-only and creates no videos. Not for the size of a finished video, \
    which luma_get_task gives. The list is static: no token, no credits, and one call a conversation is \
    enough.";

const ACTIONS: &str = "Maps each goal to its Luma tool, with the required arguments and whether it costs \
    credits, and gives the order of calls for jobs of several steps, such as a longer video. Use it when a \
    request does not clearly fit one tool. Not for the status of a task, which luma_get_task gives, or the \
    shapes of videos, which luma_list_aspect_ratios gives. The map is static: no token, no credits, and one \
    call a conversation is enough.";
