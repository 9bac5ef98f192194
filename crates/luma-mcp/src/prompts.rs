//! Three prompts: how to choose a tool, workflows step by step, how to write a video prompt.

use luma_client::AspectRatio;
use rmcp::{
    ErrorData,
    model::{
        ArgumentInfo, CompletionInfo, GetPromptResult, JsonObject, Prompt, PromptArgument,
        PromptMessage, Reference, Role,
    },
};
use serde_json::Value;

const GUIDE: &str = "luma_video_generation_guide";
const WORKFLOWS: &str = "luma_workflow_examples";
const WRITING: &str = "luma_prompt_suggestions";

const RATIO: &str = "aspect_ratio";
const WORKFLOW: &str = "workflow";

/// The longest argument, in characters.
const LONGEST: usize = 4_000;

const WORKFLOW_TEXTS: [(&str, &str); 6] = [
    ("text", include_str!("prompts/text.md")),
    ("image", include_str!("prompts/image.md")),
    ("transition", include_str!("prompts/transition.md")),
    ("extend", include_str!("prompts/extend.md")),
    ("batch", include_str!("prompts/batch.md")),
    ("wait", include_str!("prompts/wait.md")),
];

/// The prompts in the list. A read-only server has only the one that names no tool.
pub(crate) fn list(read_only: bool) -> Vec<Prompt> {
    let ratio = || argument(RATIO, "Aspect ratio", "Width to height of the video.");
    let workflow = "text, image, transition, extend, batch or wait. Without it, all of them.";
    let prompts = [
        prompt(
            GUIDE,
            "Choose the right Luma tool",
            "Which tool makes which kind of video, and how to wait for it.",
            vec![
                argument("goal", "Goal", "What the video is for, or what it should show."),
                ratio(),
            ],
        ),
        prompt(
            WORKFLOWS,
            "Luma workflows step by step",
            "Whole workflows, call by call.",
            vec![argument(WORKFLOW, "Workflow", workflow)],
        ),
        prompt(
            WRITING,
            "Write a good video prompt",
            "How to write a prompt that gives a good video.",
            vec![argument("subject", "Subject", "What the video should show."), ratio()],
        ),
    ];
    let is_offered = |prompt: &Prompt| !read_only || prompt.name == WRITING;
    prompts.into_iter().filter(is_offered).collect()
}

fn prompt(name: &str, title: &str, description: &str, arguments: Vec<PromptArgument>) -> Prompt {
    Prompt::new(name, Some(description), Some(arguments)).with_title(title)
}

fn argument(name: &str, title: &str, description: &str) -> PromptArgument {
    PromptArgument::new(name).with_title(title).with_description(description).with_required(false)
}

/// The text of a prompt.
pub(crate) fn get(
    read_only: bool,
    name: &str,
    arguments: Option<JsonObject>,
) -> Result<GetPromptResult, ErrorData> {
    let arguments = Arguments(arguments.unwrap_or_default());
    let text = match name {
        GUIDE if !read_only => {
            let mut text = include_str!("prompts/guide.md").to_owned();
            if let Some(goal) = arguments.text("goal")? {
                text += &format!("\nThe goal: {goal}\n");
            }
            if let Some(ratio) = arguments.choice(RATIO)? {
                text += &format!("\nThe aspect ratio: {ratio}\n");
            }
            text
        }
        WORKFLOWS if !read_only => {
            let chosen = arguments.choice(WORKFLOW)?;
            let texts = WORKFLOW_TEXTS.iter();
            let texts = texts.filter(|(name, _)| chosen.is_none_or(|chosen| chosen == *name));
            texts.map(|(_, text)| *text).collect::<Vec<_>>().join("\n")
        }
        WRITING => {
            let mut text = include_str!("prompts/writing.md").to_owned();
            text += &match arguments.text("subject")? {
                Some(subject) => format!("\nWrite three different prompts about: {subject}\n"),
                None => "\nAsk the user what the video should show, then write three prompts.\n"
                    .to_owned(),
            };
            if let Some(ratio) = arguments.choice(RATIO)? {
                text += &format!("\nThey are for a picture of {ratio}: compose for that shape.\n");
            }
            text
        }
        _ => return Err(unknown(name)),
    };
    let message = PromptMessage::new_text(Role::User, text);
    Ok(GetPromptResult::new(vec![message]))
}

/// The guide that an agent can read: all that the prompts say, or what a read-only server may say.
pub(crate) fn guide(read_only: bool) -> String {
    let whole = [include_str!("prompts/guide.md")].into_iter();
    let whole = whole.chain(WORKFLOW_TEXTS.iter().map(|(_, text)| *text));
    let texts = whole.filter(|_| !read_only).chain([include_str!("prompts/writing.md")]);
    texts.collect::<Vec<_>>().join("\n")
}

/// The values of an argument that begin with the typed text.
pub(crate) fn complete(
    read_only: bool,
    reference: &Reference,
    argument: &ArgumentInfo,
) -> Result<CompletionInfo, ErrorData> {
    let Some(name) = reference.as_prompt_name() else {
        return Err(ErrorData::invalid_params("resources have no arguments", None));
    };
    let prompt = list(read_only).into_iter().find(|known| known.name == name);
    let known = prompt.ok_or_else(|| unknown(name))?.arguments.unwrap_or_default();
    let is_known = known.iter().any(|known| known.name == argument.name);
    let values = choices(&argument.name).into_iter();
    let values = values.filter(|value| is_known && value.starts_with(argument.value.trim()));
    CompletionInfo::with_all_values(values.map(str::to_owned).collect())
        .map_err(|reason| ErrorData::internal_error(reason, None))
}

fn unknown(name: &str) -> ErrorData {
    let name: String = name.chars().take(64).collect();
    ErrorData::invalid_params(format!("this server has no prompt {name:?}"), None)
}

/// The values of an argument that has fixed ones.
fn choices(argument: &str) -> Vec<&'static str> {
    match argument {
        RATIO => AspectRatio::KNOWN.iter().map(AspectRatio::as_str).collect(),
        WORKFLOW => WORKFLOW_TEXTS.map(|(name, _)| name).to_vec(),
        _ => Vec::new(),
    }
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

    fn choice(&self, name: &str) -> Result<Option<&str>, ErrorData> {
        let (chosen, choices) = (self.text(name)?, choices(name));
        if chosen.is_some_and(|chosen| !choices.contains(&chosen)) {
            let reason = format!("{name} must be one of {}", choices.join(", "));
            return Err(ErrorData::invalid_params(reason, None));
        }
        Ok(chosen)
    }
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
    fn prompt_without_arguments_is_answered() {
        for prompt in list(false) {
            let text = text(&prompt.name, Value::Null).expect("a prompt");
            assert!(text.contains("video"), "{}", prompt.name);
            assert!(prompt.title.is_some() && prompt.description.is_some());
        }
    }

    #[test]
    fn argument_of_a_prompt_is_in_its_text() {
        for (name, arguments, part) in [
            (GUIDE, json!({ "goal": "a birthday card" }), "a birthday card"),
            (GUIDE, json!({ "aspect_ratio": " 9:16 " }), "ratio: 9:16"),
            (WRITING, json!({ "subject": "a fox" }), "about: a fox"),
            (WRITING, json!({ "aspect_ratio": "1:1" }), "picture of 1:1"),
            (WORKFLOWS, json!({ "workflow": "extend" }), "luma_extend_video"),
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
    fn read_only_prompts_name_no_tool() {
        let names: Vec<_> = list(true).into_iter().map(|prompt| prompt.name).collect();
        assert_eq!(names, [WRITING]);
        let writing = get(true, WRITING, None).expect("a prompt");
        assert!(!format!("{writing:?}").contains("luma_"));
        assert!(!guide(true).contains("luma_") && guide(false).contains("luma_list_tasks"));
        for name in [GUIDE, WORKFLOWS] {
            assert_eq!(get(true, name, None).expect_err(name).code.0, -32602);
            let typed = ArgumentInfo::new(RATIO, "");
            assert!(super::complete(true, &Reference::for_prompt(name), &typed).is_err());
        }
    }

    #[test]
    fn wrong_argument_is_refused() {
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
    fn completion_gives_values_that_begin_so() {
        let complete = |prompt: &str, name: &str, value: &str| {
            let argument = ArgumentInfo::new(name, value);
            super::complete(false, &Reference::for_prompt(prompt), &argument)
                .map(|info| info.values)
        };
        for (prompt, name, value, expected) in [
            (GUIDE, RATIO, "", AspectRatio::KNOWN.iter().map(ToString::to_string).collect()),
            (WRITING, RATIO, "1", vec!["16:9".into(), "1:1".into()]),
            (WRITING, RATIO, "9:", vec!["9:16".into(), "9:21".into()]),
            (GUIDE, RATIO, "x", vec![]),
            (GUIDE, "goal", "", vec![]),
            (WORKFLOWS, WORKFLOW, "t", vec!["text".into(), "transition".into()]),
            (WORKFLOWS, RATIO, "", vec![]),
        ] {
            assert_eq!(complete(prompt, name, value), Ok(expected), "{prompt} {name} {value}");
        }
        assert!(complete("luma_nothing", RATIO, "").is_err());
        let resource = Reference::for_resource("file:///x");
        assert!(super::complete(false, &resource, &ArgumentInfo::new(RATIO, "")).is_err());
    }
}
