//! The catalogue: names, texts, schemas, hints.

use std::sync::LazyLock;

use serde::Serialize;
use serde_json::{Map, Value};

use super::{
    arguments::{
        ExtendVideo, ExtendVideoFromUrl, GenerateVideo, GenerateVideoFromImage, GetTask,
        GetTasksBatch, Nothing,
    },
    results::{Actions, AspectRatios, BatchReport, Output, TaskReport},
    schema::{of_arguments, of_results},
};
#[cfg(feature = "mcp-server")]
use crate::mcp::context::Offers;

/// A tool as MCP describes it; it serializes to an entry of `tools/list`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Tool {
    /// What a call names.
    pub name: &'static str,
    /// The name for people.
    pub title: &'static str,
    /// What the model reads; at most 1,024 characters.
    pub description: &'static str,
    /// JSON Schema 2020-12 of the arguments: an object without references and unions.
    pub input_schema: Map<String, Value>,
    /// The same of [`Outcome::structured_content`](super::Outcome::structured_content).
    pub output_schema: Map<String, Value>,
    /// Hints on how it behaves.
    pub annotations: Annotations,
    #[serde(skip)]
    pub(crate) kind: Kind,
}

/// Hints of MCP on how a tool behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Annotations {
    /// It changes nothing and costs nothing.
    pub read_only_hint: bool,
    /// It may destroy something. No tool does.
    pub destructive_hint: bool,
    /// Calling it twice has no more effect than once. A second submit is a second bill.
    pub idempotent_hint: bool,
    /// It talks to the service.
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

/// The tools, always in this order.
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

pub(crate) fn find(name: &str) -> Option<&'static Tool> {
    tools().iter().find(|tool| tool.name == name)
}

/// What a tool says of itself, where these are offered.
#[cfg(feature = "mcp-server")]
pub(crate) fn description(tool: &Tool, offers: Offers) -> &'static str {
    match (tool.kind, offers) {
        (Kind::ListAspectRatios, Offers::Lookups) => {
            "Lists the seven aspect ratios of Luma videos, with the shape of each, where it fits, \
             and the default. Use it to tell the user which shape suits a place or a format, such \
             as a story or a banner; this server is read-only and makes no videos. Not for the \
             size of a finished video, which luma_get_task gives. The list is built in: it needs \
             no token and costs no credits, and one call per conversation is enough."
        }
        _ => tool.description,
    }
}

fn catalogue() -> [Tool; 8] {
    [
        Tool {
            name: "luma_generate_video",
            title: "Generate a Luma video from a text prompt",
            description: "Submits a new Luma video made from text alone and returns its task_id, \
                without waiting for the video unless timeout asks to; that usually takes 1 to 5 \
                minutes. With a picture to start or end on, use luma_generate_video_from_image; to \
                make a finished video longer, luma_extend_video. Not for checking on a video: \
                luma_get_task does that, also when callback_url is set. Every accepted call makes \
                another video and is billed in credits. If the service's answer is lost, the call \
                first searches the account's history for the task, for up to 45 seconds. Error \
                code unconfirmed means that it may have been accepted all the same: call again \
                only if the user agrees to pay twice. The host supplies the Ace Data Cloud API \
                token; it is never an argument. Arguments are checked before anything is sent; \
                what fails there costs nothing.",
            input_schema: of_arguments::<GenerateVideo>(),
            output_schema: of_results::<Output<TaskReport>>(),
            annotations: Annotations::SUBMIT,
            kind: Kind::GenerateVideo,
        },
        Tool {
            name: "luma_generate_video_from_image",
            title: "Generate a Luma video from a start image, an end image or both",
            description: "Submits a new Luma video that starts on a picture, ends on one, or leads \
                from one to the other, and returns its task_id, without waiting for the video \
                unless timeout asks to; that usually takes 1 to 5 minutes. Give at least one \
                picture as a public URL, and the aspect_ratio nearest to its shape. Without a \
                picture use luma_generate_video; to continue a video, luma_extend_video. Not for \
                checking on a video: luma_get_task does that, also when callback_url is set. Every \
                accepted call makes another video and is billed in credits. If the service's \
                answer is lost, the call first searches the account's history for the task, for up \
                to 45 seconds. Error code unconfirmed means that it may have been accepted all the \
                same: call again only if the user agrees to pay twice. The host supplies the Ace \
                Data Cloud API token; it is never an argument. Bad arguments cost nothing; a \
                picture that the service cannot fetch may show only later, as a failed task.",
            input_schema: of_arguments::<GenerateVideoFromImage>(),
            output_schema: of_results::<Output<TaskReport>>(),
            annotations: Annotations::SUBMIT,
            kind: Kind::GenerateVideoFromImage,
        },
        Tool {
            name: "luma_extend_video",
            title: "Extend a finished Luma video by its video id",
            description: "Submits the continuation of a finished Luma video, named by its \
                video_id, and returns the task_id of a new task; the original stays as it is. The \
                continuation usually takes 1 to 5 minutes. The video must be completed: \
                luma_get_task tells, and gives the video_id (a task_id does not work here). If \
                only its URL is known, use luma_extend_video_from_url; for a video that continues \
                nothing, luma_generate_video. Every accepted call makes another continuation and \
                is billed in credits. Never repeat one to check on it: luma_get_task with the new \
                task_id does that, also when callback_url is set. If the service's answer is lost, \
                the call first searches the account's history for the task, for up to 45 seconds. \
                Error code unconfirmed means that it may have been accepted all the same: call \
                again only if the user agrees to pay twice. The host supplies the Ace Data Cloud \
                API token; it is never an argument.",
            input_schema: of_arguments::<ExtendVideo>(),
            output_schema: of_results::<Output<TaskReport>>(),
            annotations: Annotations::SUBMIT,
            kind: Kind::ExtendVideo,
        },
        Tool {
            name: "luma_extend_video_from_url",
            title: "Extend a finished Luma video when only its URL is known",
            description: "Submits the continuation of a finished Luma video, named by the URL that \
                Luma returned for it, and returns the task_id of a new task; the original stays as \
                it is. The continuation usually takes 1 to 5 minutes. Only where no video id is \
                known: prefer luma_extend_video, since a URL may expire, and look a known task's \
                id up with luma_get_task. Not for uploads or other sites' videos; to start on a \
                picture, use luma_generate_video_from_image. Every accepted call makes another \
                continuation and is billed in credits. Never repeat one to check on it: \
                luma_get_task with the new task_id does that, also when callback_url is set. If \
                the service's answer is lost, the call first searches the account's history for \
                the task, for up to 45 seconds. Error code unconfirmed means that it may have been \
                accepted all the same: call again only if the user agrees to pay twice. The host \
                supplies the Ace Data Cloud API token; it is never an argument.",
            input_schema: of_arguments::<ExtendVideoFromUrl>(),
            output_schema: of_results::<Output<TaskReport>>(),
            annotations: Annotations::SUBMIT,
            kind: Kind::ExtendVideoFromUrl,
        },
        Tool {
            name: "luma_get_task",
            title: "Check one Luma video task and get its video",
            description: "Looks one Luma task up by its task_id and returns its state and, once \
                completed, the video's URL, id and size. For two or more tasks use \
                luma_get_tasks_batch. Not before a submit has returned a task_id. While the state \
                is pending, processing or unknown, the call may be held for up to 45 seconds, with \
                progress where the host shows it; if it returns without an end, call again, no \
                more often than every 20 seconds. Videos usually take 1 to 5 minutes, and \
                submitting again only buys another. completed and failed are final: ask again only \
                if the video's URL no longer works. Costs no credits; the host supplies the Ace \
                Data Cloud API token, never an argument. A failed task is a result, with its \
                reason; an unknown id is an error.",
            input_schema: of_arguments::<GetTask>(),
            output_schema: of_results::<Output<TaskReport>>(),
            annotations: Annotations::LOOKUP,
            kind: Kind::GetTask,
        },
        Tool {
            name: "luma_get_tasks_batch",
            title: "Check up to 50 Luma video tasks in one call",
            description: "Checks up to 50 Luma tasks in one request and returns the state of each \
                and, for those completed, the video's URL, id and size. For a single task use \
                luma_get_task, which can also hold the call until the task ends; this one answers \
                at once. Not before submits have returned the ids. To follow several videos, call \
                it no more often than every 20 seconds, with only the ids still pending, \
                processing or unknown; each usually takes 1 to 5 minutes. Costs no credits; the \
                host supplies the Ace Data Cloud API token, never an argument. Failures are per \
                item: an unknown id becomes an item with the error not_found, a failed task one \
                with its reason, and the others are not affected.",
            input_schema: of_arguments::<GetTasksBatch>(),
            output_schema: of_results::<Output<BatchReport>>(),
            annotations: Annotations::LOOKUP,
            kind: Kind::GetTasksBatch,
        },
        Tool {
            name: "luma_list_aspect_ratios",
            title: "List the aspect ratios of Luma videos and what each suits",
            description: "Lists the seven aspect ratios that luma_generate_video and \
                luma_generate_video_from_image take, with the shape of each, where it fits, and \
                the default. Use it when the user names a place or a format, such as a story or a \
                banner, and the ratio is open; then pass the chosen value as aspect_ratio. Not \
                needed when the ratio is known, because those tools list the allowed values \
                themselves, nor for luma_extend_video, which takes no ratio; to choose a tool, \
                call luma_list_actions. The list is built in: it needs no token and costs no \
                credits, and one call per conversation is enough.",
            input_schema: of_arguments::<Nothing>(),
            output_schema: of_results::<Output<AspectRatios>>(),
            annotations: Annotations::STATIC,
            kind: Kind::ListAspectRatios,
        },
        Tool {
            name: "luma_list_actions",
            title: "List what the Luma tools can do and in which order to use them",
            description: "Lists what can be done with Luma videos: for each goal its tool, the \
                arguments it needs and whether it costs credits, and the order of calls for usual \
                jobs, such as a video from pictures or a longer video. Use it when a request does \
                not clearly fit one tool or takes several, then call the tool that it names. Not \
                needed when the tool is known; for the status of a task call luma_get_task, for \
                the shapes of videos luma_list_aspect_ratios. The lists are built in: they need no \
                token and cost no credits, and one call per conversation is enough.",
            input_schema: of_arguments::<Nothing>(),
            output_schema: of_results::<Output<Actions>>(),
            annotations: Annotations::STATIC,
            kind: Kind::ListActions,
        },
    ]
}
