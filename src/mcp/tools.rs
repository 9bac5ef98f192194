//! The catalogue: names, descriptions, schemas, annotations.

use std::{fmt, sync::LazyLock};

use serde::Serialize;
use serde_json::{Map, Value};

use super::{
    arguments,
    outcome::Outcome,
    read::nearest,
    results::{Actions, AspectRatios, BatchReport, ListReport, Output, Submitted, TaskReport},
    schema::schema_of,
};

/// A description is one line.
macro_rules! text {
    ($name:literal) => {
        one_line(include_str!(concat!("descriptions/", $name, ".md")))
    };
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

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
    pub description: String,
    /// JSON Schema 2020-12 of the arguments: an object without references and unions.
    pub input_schema: Map<String, Value>,
    /// JSON Schema of what a host can rely on in [`Outcome::structured_content`].
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
    const STATIC: Self = Self { open_world_hint: false, ..Self::LOOKUP };
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    GenerateVideo,
    GenerateVideoFromImage,
    ExtendVideo,
    ExtendVideoFromUrl,
    GetTask,
    GetTasksBatch,
    ListTasks,
    ListAspectRatios,
    ListActions,
}

impl Tool {
    /// Returns whether an accepted call creates a video and spends credits.
    pub fn submits(&self) -> bool {
        !self.annotations.read_only_hint
    }

    /// Returns the description for a model that has only the lookup tools. It names no other tool.
    pub fn read_only_description(&self) -> &str {
        static RATIOS: LazyLock<String> =
            LazyLock::new(|| text!("luma_list_aspect_ratios.read_only"));
        match self.kind {
            Kind::ListAspectRatios => &RATIOS,
            _ => &self.description,
        }
    }
}

/// Returns the tools, always in this order.
///
/// ```
/// let names: Vec<_> = luma_client::mcp::tools().iter().map(|tool| tool.name).collect();
/// assert_eq!(names[0], "luma_generate_video");
/// assert_eq!(names.len(), 9);
/// ```
pub fn tools() -> &'static [Tool] {
    static TOOLS: LazyLock<[Tool; 9]> = LazyLock::new(catalogue);
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

/// Makes the catalogue from a table of kinds, names, results and titles.
macro_rules! tools {
    ($($kind:ident $name:literal $result:ty: $title:literal;)*) => {
        [$(Tool {
            name: $name,
            title: $title,
            description: described(Kind::$kind, text!($name)),
            input_schema: schema_of::<arguments::$kind>(),
            output_schema: schema_of::<Output<$result>>(),
            annotations: annotations(Kind::$kind),
            kind: Kind::$kind,
        }),*]
    };
}

fn annotations(kind: Kind) -> Annotations {
    match kind {
        Kind::GetTask | Kind::GetTasksBatch | Kind::ListTasks => Annotations::LOOKUP,
        Kind::ListAspectRatios | Kind::ListActions => Annotations::STATIC,
        _ => Annotations::SUBMIT,
    }
}

fn described(kind: Kind, text: String) -> String {
    match annotations(kind).read_only_hint {
        true => text,
        false => format!("{text} {}", text!("submit")),
    }
}

fn catalogue() -> [Tool; 9] {
    tools! {
        GenerateVideo "luma_generate_video" Submitted:
            "Generate a Luma video from a text prompt";
        GenerateVideoFromImage "luma_generate_video_from_image" Submitted:
            "Generate a Luma video from one or two images";
        ExtendVideo "luma_extend_video" Submitted:
            "Extend a Luma video by its video id";
        ExtendVideoFromUrl "luma_extend_video_from_url" Submitted:
            "Extend a Luma video by its URL";
        GetTask "luma_get_task" TaskReport:
            "Check one Luma video task and get its video";
        GetTasksBatch "luma_get_tasks_batch" BatchReport:
            "Check up to 50 Luma video tasks in one call";
        ListTasks "luma_list_tasks" ListReport:
            "List the newest Luma video tasks of the account";
        ListAspectRatios "luma_list_aspect_ratios" AspectRatios:
            "List the aspect ratios of Luma videos";
        ListActions "luma_list_actions" Actions:
            "List what the Luma tools can do";
    }
}
