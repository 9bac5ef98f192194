//! The two static lists.

use super::{
    results::{Action, Actions, AspectRatios, Ratio, Workflow},
    tools::{Kind, tools},
};
use crate::AspectRatio;

pub(crate) fn aspect_ratios(read_only: bool) -> AspectRatios {
    let ratios = AspectRatio::KNOWN.iter().map(|ratio| {
        let (shape, suits) = describe(ratio);
        Ratio { aspect_ratio: ratio.to_string(), shape, suits }
    });
    let next_step = match read_only {
        false => {
            "Pass one of them as aspect_ratio to luma_generate_video or luma_generate_video_from_image. \
             The extend tools take none."
        }
        true => "This server is read-only. Tell the user which shape fits.",
    };
    AspectRatios {
        aspect_ratios: Some(ratios.collect()),
        default: Some(AspectRatio::default().to_string()),
        next_step: next_step.to_owned(),
    }
}

fn describe(ratio: &AspectRatio) -> (&'static str, &'static str) {
    match ratio {
        AspectRatio::Ratio16x9 => ("landscape", "televisions, computer screens, YouTube"),
        AspectRatio::Ratio9x16 => ("portrait", "phones: stories, reels, shorts, TikTok"),
        AspectRatio::Ratio1x1 => ("square", "feeds and profile pages"),
        AspectRatio::Ratio4x3 => ("landscape, nearly square", "slides and older screens"),
        AspectRatio::Ratio3x4 => ("portrait, nearly square", "portraits and posts in feeds"),
        AspectRatio::Ratio21x9 => ("very wide", "cinema look, banners"),
        AspectRatio::Ratio9x21 => ("very tall", "tall screens and signage"),
        _ => ("", ""),
    }
}

pub(crate) fn actions(read_only: bool) -> Actions {
    let offered = tools().iter().filter(|tool| !read_only || !tool.submits());
    let actions = offered.map(|tool| {
        let required = tool.input_schema.get("required");
        let required = required.and_then(|names| names.as_array());
        Action {
            goal: goal(tool.kind),
            tool: tool.name,
            needs: required
                .into_iter()
                .flatten()
                .filter_map(|name| name.as_str().map(str::to_owned))
                .collect(),
            costs_credits: tool.submits(),
        }
    });
    let (workflows, next_step) = match read_only {
        false => (&WORKFLOWS[..], "Call the tool whose goal fits."),
        true => (
            &LOOKUP_WORKFLOWS[..],
            "Call the tool whose goal fits. This server is read-only and creates no videos.",
        ),
    };
    let workflows = workflows.iter().map(|(goal, steps)| Workflow { goal, steps: steps.to_vec() });
    Actions {
        actions: Some(actions.collect()),
        workflows: Some(workflows.collect()),
        next_step: next_step.to_owned(),
    }
}

fn goal(kind: Kind) -> &'static str {
    match kind {
        Kind::GenerateVideo => "Make a new video from text alone",
        Kind::GenerateVideoFromImage => "Make a new video that starts or ends on a picture",
        Kind::ExtendVideo => "Continue a finished video, by its id",
        Kind::ExtendVideoFromUrl => "Continue a finished video when only its URL is known",
        Kind::GetTask => "Check whether one video is ready, and get it",
        Kind::GetTasksBatch => "Check which of several videos are ready, and get them",
        Kind::ListTasks => "Find a task whose id was lost, or an earlier video",
        Kind::ListAspectRatios => "Choose the shape of a video",
        Kind::ListActions => "Choose a tool",
    }
}

type Steps = (&'static str, &'static [&'static str]);

const WORKFLOWS: [Steps; 4] = [
    (
        "A video from text",
        &[
            "luma_generate_video once; keep result.task_id",
            "luma_get_task with it until result.state is completed or failed",
            "give the user result.video.url",
        ],
    ),
    (
        "A video from pictures",
        &[
            "luma_generate_video_from_image once, with start_image_url, end_image_url or both; keep \
             result.task_id",
            "luma_get_task with it until result.state is completed or failed",
            "give the user result.video.url",
        ],
    ),
    (
        "A longer video",
        &[
            "luma_get_task until result.state is completed; keep result.video.id",
            "luma_extend_video once with that video_id; keep the new result.task_id",
            "luma_get_task with the new task_id until result.state is completed or failed",
        ],
    ),
    (
        "Several videos at once",
        &[
            "a generate tool once for each video; keep every result.task_id",
            "luma_get_tasks_batch with all ids, then with only those that are still running",
        ],
    ),
];

const LOOKUP_WORKFLOWS: [Steps; 1] = [(
    "A video that was submitted elsewhere",
    &[
        "luma_get_task with its task id until result.state is completed or failed",
        "give the user result.video.url",
    ],
)];
