//! From arguments to what is submitted or looked up. Pure functions: nothing is sent here.

use url::Url;

use super::{
    arguments::{ExtendVideo, ExtendVideoFromUrl, GenerateVideo, GenerateVideoFromImage},
    check::shorten,
};
use crate::{
    client::Luma,
    task::{TaskId, has_blanks},
    video::{Extend, Generate, Source},
};

/// All that is wrong with the arguments, in words.
pub(crate) type Refused = Vec<String>;

pub(crate) fn generate(luma: &Luma, arguments: GenerateVideo) -> Result<Generate, Refused> {
    let GenerateVideo {
        prompt,
        aspect_ratio,
        r#loop,
        enhancement,
        timeout: _,
        callback_url,
    } = arguments;
    none_of([bad_url("callback_url", callback_url.as_deref())])?;
    let video = luma.generate(prompt);
    let video = given(aspect_ratio, video, Generate::aspect_ratio);
    let video = given(r#loop, video, Generate::looped);
    let video = given(enhancement, video, Generate::enhancement);
    Ok(given(callback_url, video, Generate::callback_url))
}

pub(crate) fn generate_from_image(
    luma: &Luma,
    arguments: GenerateVideoFromImage,
) -> Result<Generate, Refused> {
    let GenerateVideoFromImage {
        prompt,
        start_image_url,
        end_image_url,
        aspect_ratio,
        r#loop,
        enhancement,
        timeout,
        callback_url,
    } = arguments;
    let (start, end) = (not_empty(start_image_url), not_empty(end_image_url));
    let none = start.is_none() && end.is_none();
    none_of([
        none.then(|| {
            "start_image_url or end_image_url must be given; without a picture call \
             luma_generate_video instead"
                .to_owned()
        }),
        bad_url("start_image_url", start.as_deref()),
        bad_url("end_image_url", end.as_deref()),
        bad_url("callback_url", callback_url.as_deref()),
    ])?;
    let text = GenerateVideo {
        prompt,
        aspect_ratio,
        r#loop,
        enhancement,
        timeout,
        callback_url,
    };
    let video = generate(luma, text)?;
    let video = given(start, video, Generate::start_image_url);
    Ok(given(end, video, Generate::end_image_url))
}

pub(crate) fn extend(luma: &Luma, arguments: ExtendVideo) -> Result<Extend, Refused> {
    let ExtendVideo {
        video_id,
        prompt,
        end_image_url,
        callback_url,
    } = arguments;
    let problem = has_blanks(&video_id).then(|| no_id("video_id", &video_id));
    let video = luma.extend(Source::VideoId(video_id), prompt);
    continuation(video, end_image_url, callback_url, problem)
}

pub(crate) fn extend_from_url(
    luma: &Luma,
    arguments: ExtendVideoFromUrl,
) -> Result<Extend, Refused> {
    let ExtendVideoFromUrl {
        video_url,
        prompt,
        end_image_url,
        callback_url,
    } = arguments;
    let problem = bad_url("video_url", Some(&video_url));
    let video = luma.extend(Source::Url(video_url), prompt);
    continuation(video, end_image_url, callback_url, problem)
}

fn continuation(
    video: Extend,
    end_image_url: Option<String>,
    callback_url: Option<String>,
    problem: Option<String>,
) -> Result<Extend, Refused> {
    let end = not_empty(end_image_url);
    none_of([
        problem,
        bad_url("end_image_url", end.as_deref()),
        bad_url("callback_url", callback_url.as_deref()),
    ])?;
    let video = given(end, video, Extend::end_image_url);
    Ok(given(callback_url, video, Extend::callback_url))
}

/// Sets what was given.
fn given<T, V>(value: Option<V>, target: T, set: impl FnOnce(T, V) -> T) -> T {
    match value {
        Some(value) => set(target, value),
        None => target,
    }
}

/// The vendor's server has the empty string as default of the pictures: hosts may send it.
fn not_empty(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.trim().is_empty())
}

fn none_of<const N: usize>(problems: [Option<String>; N]) -> Result<(), Refused> {
    let problems: Refused = problems.into_iter().flatten().collect();
    match problems.is_empty() {
        true => Ok(()),
        false => Err(problems),
    }
}

fn bad_url(name: &str, text: Option<&str>) -> Option<String> {
    let text = text?;
    let is_web = Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
    // A parser would drop line breaks silently.
    (!is_web || has_blanks(text)).then(|| {
        let head = text.split(['?', '#']).next().unwrap_or_default();
        format!(
            "{name} must be a public http or https URL, not {}",
            shorten(head)
        )
    })
}

fn no_id(name: &str, text: &str) -> String {
    format!("{name} must be an id without spaces, not {}", shorten(text))
}

fn read_id(name: &str, text: &str) -> Result<TaskId, Refused> {
    text.parse().map_err(|_| vec![no_id(name, text)])
}

pub(crate) fn task_id(text: &str) -> Result<TaskId, Refused> {
    read_id("task_id", text)
}

pub(crate) fn task_ids(texts: &[String]) -> Result<Vec<TaskId>, Refused> {
    let mut ids = Vec::with_capacity(texts.len());
    for (index, text) in texts.iter().enumerate() {
        let id = read_id(&format!("task_ids[{index}]"), text)?;
        if ids.contains(&id) {
            return Err(vec![format!(
                "task_ids has {id} more than once: name each task once"
            )]);
        }
        ids.push(id);
    }
    Ok(ids)
}
