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
        let required = tool.input_schema.get("required").and_then(|names| names.as_array());
        let required = required.into_iter().flatten().filter_map(|name| name.as_str());
        // A rule across two arguments, which the schema cannot say.
        let picture = (tool.kind == Kind::GenerateVideoFromImage)
            .then_some("start_image_url or end_image_url");
        Action {
            goal: tool.title,
            tool: tool.name,
            needs: required.chain(picture).map(str::to_owned).collect(),
            costs_credits: tool.submits(),
        }
    });
    let next_step = match read_only {
        false => "Call the tool whose goal fits.",
        true => "Call the tool whose goal fits. This server is read-only and creates no videos.",
    };
    let workflows = workflows(read_only);
    Actions { actions: Some(actions.collect()), workflows, next_step: next_step.to_owned() }
}

/// Jobs of several steps. They are texts, so they are in a file of texts.
fn workflows(read_only: bool) -> Option<Vec<Workflow>> {
    serde_json::from_str(match read_only {
        false => include_str!("descriptions/workflows.json"),
        true => include_str!("descriptions/workflows.read_only.json"),
    })
    .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workflows_can_be_read() {
        assert_eq!(workflows(false).map(|list| list.len()), Some(4));
        assert_eq!(workflows(true).map(|list| list.len()), Some(2));
    }
}
