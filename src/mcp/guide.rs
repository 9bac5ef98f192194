//! What the two lists say: fixed, and known without asking anybody.

use super::{
    context::Offers,
    results::{Action, Actions, AspectRatios, Ratio, Workflow},
    tools::{Kind, tools},
};
use crate::AspectRatio;

pub(crate) fn aspect_ratios(offers: Offers) -> AspectRatios {
    let ratios = AspectRatio::KNOWN.map(|ratio| {
        let (shape, suits) = describe(&ratio);
        Ratio {
            aspect_ratio: ratio.to_string(),
            shape,
            suits,
        }
    });
    AspectRatios {
        aspect_ratios: Some(ratios.into()),
        default: Some(AspectRatio::default().to_string()),
        error: None,
        next_step: match offers {
            Offers::All => {
                "Pass one of them as aspect_ratio to luma_generate_video or \
                 luma_generate_video_from_image. The extend tools take none."
            }
            Offers::Lookups => {
                "This server is read-only: it makes no videos. Tell the user which shape fits."
            }
        }
        .to_owned(),
    }
}

fn describe(ratio: &AspectRatio) -> (&'static str, &'static str) {
    match ratio {
        AspectRatio::Ratio16x9 => ("landscape", "televisions, computer screens, YouTube"),
        AspectRatio::Ratio9x16 => ("portrait", "phones: stories, reels, shorts, TikTok"),
        AspectRatio::Ratio1x1 => ("square", "feeds and profile pages"),
        AspectRatio::Ratio4x3 => ("landscape, nearly square", "slides and older screens"),
        AspectRatio::Ratio3x4 => ("portrait, nearly square", "portraits and posts in feeds"),
        AspectRatio::Ratio21x9 => ("very wide", "the look of cinema, banners"),
        AspectRatio::Ratio9x21 => ("very tall", "tall screens and signage"),
        AspectRatio::Other(_) => ("", ""),
    }
}

pub(crate) fn actions(offers: Offers) -> Actions {
    match offers {
        Offers::All => all(),
        Offers::Lookups => lookups(),
    }
}

fn all() -> Actions {
    let actions = tools().iter().map(|tool| {
        let goal = match tool.kind {
            Kind::GenerateVideo => "Make a new video from text alone",
            Kind::GenerateVideoFromImage => "Make a new video that starts or ends on a picture",
            Kind::ExtendVideo => "Make a finished video longer, by its id",
            Kind::ExtendVideoFromUrl => "Make a finished video longer when only its URL is known",
            Kind::GetTask => "See whether one video is ready, and get it",
            Kind::GetTasksBatch => "See which of several videos are ready, and get them",
            Kind::ListAspectRatios => "Choose the shape of a video",
            Kind::ListActions => "Choose a tool",
        };
        let required = tool.input_schema.get("required");
        let required = required.and_then(|names| names.as_array());
        Action {
            goal,
            tool: tool.name,
            needs: required
                .into_iter()
                .flatten()
                .filter_map(|name| name.as_str().map(str::to_owned))
                .collect(),
            costs_credits: !tool.annotations.read_only_hint,
        }
    });
    Actions {
        actions: Some(actions.collect()),
        workflows: Some(vec![
            Workflow {
                goal: "A video from text",
                steps: vec![
                    "luma_generate_video once; keep result.task_id",
                    "luma_get_task with it until result.state is completed or failed",
                    "give the user result.video.url",
                ],
            },
            Workflow {
                goal: "A video from pictures",
                steps: vec![
                    "luma_generate_video_from_image once, with start_image_url, end_image_url or \
                     both; keep result.task_id",
                    "luma_get_task with it until result.state is completed or failed",
                    "give the user result.video.url",
                ],
            },
            Workflow {
                goal: "A longer video",
                steps: vec![
                    "luma_get_task until result.state is completed; keep result.video.id",
                    "luma_extend_video once with that video_id; keep the new result.task_id",
                    "luma_get_task with the new task_id until result.state is completed or failed",
                ],
            },
            Workflow {
                goal: "Several videos at once",
                steps: vec![
                    "a generate tool once for each video; keep every result.task_id",
                    "luma_get_tasks_batch with all ids, then with those still going on",
                ],
            },
        ]),
        error: None,
        next_step: "Call the tool whose goal fits.".to_owned(),
    }
}

/// The actions of a server that only looks up.
fn lookups() -> Actions {
    let Actions { actions, .. } = all();
    let lookups = actions.into_iter().flatten();
    Actions {
        actions: Some(lookups.filter(|action| !action.costs_credits).collect()),
        workflows: Some(vec![Workflow {
            goal: "A video that was submitted elsewhere",
            steps: vec![
                "luma_get_task with its task id until result.state is completed or failed",
                "give the user result.video.url",
            ],
        }]),
        error: None,
        next_step: "Call the tool whose goal fits. This server is read-only: it makes no videos."
            .to_owned(),
    }
}
