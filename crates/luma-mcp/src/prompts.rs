//! Three prompts: how to choose a tool, workflows step by step, how to write a video prompt.

use rmcp::{
    ErrorData,
    model::{
        ArgumentInfo, CompletionInfo, GetPromptResult, JsonObject, Prompt, PromptArgument,
        PromptMessage, Reference, Role,
    },
};
use serde_json::Value;

use luma_client::AspectRatio;

const GUIDE: &str = "luma_video_generation_guide";
const WORKFLOWS: &str = "luma_workflow_examples";
const WRITING: &str = "luma_prompt_suggestions";

/// The longest argument, in characters.
const LONGEST: usize = 4_000;

/// The prompts in the list. A read-only server has only the one that names no tool.
pub(crate) fn list(read_only: bool) -> Vec<Prompt> {
    let mut prompts = all();
    prompts.retain(|prompt| !read_only || prompt.name == WRITING);
    prompts
}

fn all() -> Vec<Prompt> {
    let ratio = || argument(RATIO, "Aspect ratio", "Width to height of the video.");
    vec![
        Prompt::new(
            GUIDE,
            Some("Which tool makes which kind of video, and how to wait for it."),
            Some(vec![
                argument(
                    "goal",
                    "Goal",
                    "What the video is for, or what it should show.",
                ),
                ratio(),
            ]),
        )
        .with_title("Choose the right Luma tool"),
        Prompt::new(
            WORKFLOWS,
            Some("Whole workflows, call by call."),
            Some(vec![argument(
                WORKFLOW,
                "Workflow",
                "text, image, transition, extend or batch. Without it, all of them.",
            )]),
        )
        .with_title("Luma workflows step by step"),
        Prompt::new(
            WRITING,
            Some("How to write a prompt that gives a good video."),
            Some(vec![
                argument("subject", "Subject", "What the video should show."),
                ratio(),
            ]),
        )
        .with_title("Write a good video prompt"),
    ]
}

fn argument(name: &str, title: &str, description: &str) -> PromptArgument {
    PromptArgument::new(name)
        .with_title(title)
        .with_description(description)
        .with_required(false)
}

/// The text of a prompt.
pub(crate) fn get(
    read_only: bool,
    name: &str,
    arguments: Option<JsonObject>,
) -> Result<GetPromptResult, ErrorData> {
    let arguments = Arguments(arguments.unwrap_or_default());
    let text = match name {
        GUIDE if !read_only => guide(arguments.text("goal")?, arguments.ratio()?),
        WORKFLOWS if !read_only => workflows(arguments.text(WORKFLOW)?)?,
        WRITING => writing(arguments.text("subject")?, arguments.ratio()?),
        _ => return Err(unknown(name)),
    };
    Ok(GetPromptResult::new(vec![PromptMessage::new_text(
        Role::User,
        text,
    )]))
}

/// The values of an argument that begin with the typed text.
pub(crate) fn complete(
    read_only: bool,
    reference: &Reference,
    argument: &ArgumentInfo,
) -> Result<CompletionInfo, ErrorData> {
    let Some(name) = reference.as_prompt_name() else {
        return Err(ErrorData::invalid_params("this server has no resources", None));
    };
    let Some(prompt) = list(read_only).into_iter().find(|known| known.name == name) else {
        return Err(unknown(name));
    };
    let has_it = prompt
        .arguments
        .iter()
        .flatten()
        .any(|known| known.name == argument.name);
    let values: Vec<String> = match argument.name.as_str() {
        _ if !has_it => Vec::new(),
        RATIO => AspectRatio::KNOWN.iter().map(ToString::to_string).collect(),
        WORKFLOW => WORKFLOW_TEXTS.map(|(name, _)| name.to_owned()).to_vec(),
        _ => Vec::new(),
    };
    let typed = argument.value.trim();
    let values = values.into_iter().filter(|value| value.starts_with(typed));
    CompletionInfo::with_all_values(values.collect())
        .map_err(|reason| ErrorData::internal_error(reason, None))
}

fn unknown(name: &str) -> ErrorData {
    let name: String = name.chars().take(64).collect();
    ErrorData::invalid_params(format!("this server has no prompt {name:?}"), None)
}

/// The arguments of a prompt. A blank one counts as left out.
struct Arguments(JsonObject);

impl Arguments {
    fn text(&self, name: &str) -> Result<Option<&str>, ErrorData> {
        let refuse = |reason| Err(ErrorData::invalid_params(format!("{name} {reason}"), None));
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if text.chars().count() > LONGEST => refuse("is too long"),
            Some(Value::String(text)) => Ok(Some(text.trim()).filter(|text| !text.is_empty())),
            Some(_) => refuse("must be a string"),
        }
    }

    fn ratio(&self) -> Result<Option<&str>, ErrorData> {
        let ratio = self.text(RATIO)?;
        let known = AspectRatio::KNOWN;
        match ratio {
            Some(ratio) if !known.iter().any(|known| known.as_str() == ratio) => {
                let known = known.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
                let message = format!("{RATIO} must be one of {known}");
                Err(ErrorData::invalid_params(message, None))
            }
            ratio => Ok(ratio),
        }
    }
}

const RATIO: &str = "aspect_ratio";
const WORKFLOW: &str = "workflow";

fn guide(goal: Option<&str>, ratio: Option<&str>) -> String {
    let mut text = String::from(
        "Make a video with the Luma tools. Choose the tool by what the user has:\n\
         - only a description: luma_generate_video\n\
         - a picture to animate, or two pictures to connect: luma_generate_video_from_image\n\
         - a finished Luma video to continue: luma_extend_video with its video id, or \
         luma_extend_video_from_url if only the URL is known\n\n\
         Every accepted call spends credits of the account. Agree on prompt and aspect ratio first, \
         call once, and never repeat a call to check on it. The call returns a task id; the video takes \
         1 to 5 minutes. Check one task with luma_get_task and several with luma_get_tasks_batch. If a \
         task is completed, give the user the URL of the video, and say that it works for about 30 \
         days. If it failed, tell the user the reason before anything is submitted again.",
    );
    if let Some(goal) = goal {
        text += &format!("\n\nThe goal: {goal}");
    }
    if let Some(ratio) = ratio {
        text += &format!("\n\nThe aspect ratio: {ratio}");
    }
    text
}

const WORKFLOW_TEXTS: [(&str, &str); 5] = [
    (
        "text",
        "From a description:\n\
         1. luma_generate_video with prompt and aspect_ratio; keep result.task_id.\n\
         2. luma_get_task with that task_id, again while the state is pending or processing.\n\
         3. completed: show the URL of the video. failed: show the reason.",
    ),
    (
        "image",
        "From a picture:\n\
         1. luma_generate_video_from_image with start_image_url, a public URL of the picture, a \
         prompt that says what moves, and the aspect_ratio nearest to that of the picture.\n\
         2. luma_get_task until the task has ended.",
    ),
    (
        "transition",
        "From one picture to another:\n\
         1. luma_generate_video_from_image with start_image_url and end_image_url, both of the \
         same shape, and a prompt that says how the first becomes the second.\n\
         2. luma_get_task until the task has ended.",
    ),
    (
        "extend",
        "A longer video:\n\
         1. luma_get_task of the finished video; keep the id of the video, which is not the \
         task id.\n\
         2. luma_extend_video with that video_id and a prompt that says what happens next. It is \
         a new task; the first video stays as it is.\n\
         3. luma_get_task of the new task; extend again from its own video id.",
    ),
    (
        "batch",
        "Several videos:\n\
         1. One luma_generate_video for each; keep every task id. Each call spends credits: agree \
         on the number first.\n\
         2. luma_get_tasks_batch with up to 50 ids, every half minute, until all have ended.",
    ),
];

fn workflows(name: Option<&str>) -> Result<String, ErrorData> {
    let Some(name) = name else {
        return Ok(WORKFLOW_TEXTS.map(|(_, text)| text).join("\n\n"));
    };
    match WORKFLOW_TEXTS.iter().find(|(known, _)| *known == name) {
        Some((_, text)) => Ok((*text).to_owned()),
        None => {
            let known = WORKFLOW_TEXTS.map(|(name, _)| name).join(", ");
            let message = format!("{WORKFLOW} must be one of {known}");
            Err(ErrorData::invalid_params(message, None))
        }
    }
}

fn writing(subject: Option<&str>, ratio: Option<&str>) -> String {
    let mut text = String::from(
        "Write one prompt for a short video of a few seconds: one scene, one or two sentences, in \
         plain words, the most important first. Say\n\
         - who or what is seen, and what it does: one action that fits into a few seconds\n\
         - where it is, at what time of day, in what light\n\
         - how the camera moves: static, slow zoom in, pan left, orbit, aerial, handheld\n\
         - the style, where it matters: photographic, film grain, animation, watercolour\n\n\
         Leave out what cannot be seen, lists of quality words, text that should be read in the \
         picture, and what should not be there. For a picture, describe what moves, not what the \
         picture shows already. For an extension, begin where the last frame ends. Turn loop on \
         for a motion that can repeat, and enhancement off where the words should be taken as they \
         are.\n\n\
         An example: A red fox trots across fresh snow at sunrise, breath steaming, long blue \
         shadows; low tracking shot beside it, photographic.",
    );
    match subject {
        Some(subject) => text += &format!("\n\nWrite three different prompts about: {subject}"),
        None => text += "\n\nAsk the user what the video should show, then write three prompts.",
    }
    if let Some(ratio) = ratio {
        text += &format!("\n\nThey are for a picture of {ratio}: compose for that shape.");
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn text(name: &str, arguments: Value) -> Result<String, ErrorData> {
        let result = get(false, name, arguments.as_object().cloned())?;
        let block = serde_json::to_value(&result.messages[0].content).expect("JSON");
        Ok(block["text"].as_str().expect("a text").to_owned())
    }

    #[test]
    fn every_prompt_answers_without_arguments() {
        for prompt in list(false) {
            let text = text(&prompt.name, Value::Null).expect("a prompt");
            assert!(text.contains("video"), "{}", prompt.name);
            assert!(prompt.title.is_some() && prompt.description.is_some());
        }
    }

    #[test]
    fn arguments_end_up_in_the_text() {
        for (name, arguments, part) in [
            (
                GUIDE,
                json!({ "goal": "a birthday card" }),
                "a birthday card",
            ),
            (GUIDE, json!({ "aspect_ratio": " 9:16 " }), "ratio: 9:16"),
            (WRITING, json!({ "subject": "a fox" }), "about: a fox"),
            (WRITING, json!({ "aspect_ratio": "1:1" }), "picture of 1:1"),
            (
                WORKFLOWS,
                json!({ "workflow": "extend" }),
                "luma_extend_video",
            ),
        ] {
            let text = text(name, arguments).expect("a prompt");
            assert!(text.contains(part), "{name}: {text}");
        }
        let extend = text(WORKFLOWS, json!({ "workflow": "extend" })).expect("a prompt");
        assert!(!extend.contains("luma_get_tasks_batch"));
        // Blank is left out.
        let blank = text(GUIDE, json!({ "goal": "  " })).expect("a prompt");
        assert_eq!(blank, text(GUIDE, json!({})).expect("a prompt"));
    }

    #[test]
    fn read_only_names_no_tool() {
        let names: Vec<_> = list(true).into_iter().map(|prompt| prompt.name).collect();
        assert_eq!(names, [WRITING]);
        let writing = get(true, WRITING, None).expect("a prompt");
        assert!(!format!("{writing:?}").contains("luma_"));
        for name in [GUIDE, WORKFLOWS] {
            assert_eq!(get(true, name, None).expect_err(name).code.0, -32602);
            let typed = ArgumentInfo::new(RATIO, "");
            assert!(super::complete(true, &Reference::for_prompt(name), &typed).is_err());
        }
    }

    #[test]
    fn refusals() {
        for (name, arguments) in [
            ("luma_nothing", json!({})),
            (GUIDE, json!({ "aspect_ratio": "2:1" })),
            (GUIDE, json!({ "goal": 3 })),
            (GUIDE, json!({ "goal": "x".repeat(LONGEST + 1) })),
            (WORKFLOWS, json!({ "workflow": "nothing" })),
        ] {
            let error = text(name, arguments.clone()).expect_err(name);
            assert_eq!(error.code.0, -32602, "{name} {arguments}");
        }
    }

    #[test]
    fn completions() {
        let complete = |prompt: &str, name: &str, value: &str| {
            let argument = ArgumentInfo::new(name, value);
            super::complete(false, &Reference::for_prompt(prompt), &argument)
                .map(|info| info.values)
        };
        for (prompt, name, value, expected) in [
            (
                GUIDE,
                RATIO,
                "",
                AspectRatio::KNOWN.iter().map(ToString::to_string).collect(),
            ),
            (WRITING, RATIO, "1", vec!["16:9".into(), "1:1".into()]),
            (WRITING, RATIO, "9:", vec!["9:16".into(), "9:21".into()]),
            (GUIDE, RATIO, "x", vec![]),
            (GUIDE, "goal", "", vec![]),
            (
                WORKFLOWS,
                WORKFLOW,
                "t",
                vec!["text".into(), "transition".into()],
            ),
            (WORKFLOWS, RATIO, "", vec![]),
        ] {
            assert_eq!(
                complete(prompt, name, value),
                Ok(expected),
                "{prompt} {name} {value}"
            );
        }
        assert!(complete("luma_nothing", RATIO, "").is_err());
        let resource = Reference::for_resource("file:///x");
        assert!(super::complete(false, &resource, &ArgumentInfo::new(RATIO, "")).is_err());
    }
}
