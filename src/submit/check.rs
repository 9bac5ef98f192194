//! What can be wrong with a request before it is sent. Pure functions.

use crate::{
    api::types::VideoRequest,
    util::{
        has_blanks,
        text::is_visible,
        url::{parse_http, shown},
    },
};

/// Why a request was refused before it was sent. Nothing was billed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidInput {
    /// The prompt shows nothing: it is empty, white space or invisible characters.
    #[error("the prompt is blank: say what the video should show")]
    BlankPrompt,
    /// The id of the video to extend is empty or white space.
    #[error("the video id is blank: extend takes the id of a finished video")]
    BlankVideoId,
    /// The id of the video to extend has white space or control characters in it.
    #[error("the video id has spaces or control characters in it: use the id, not the prompt")]
    MalformedVideoId,
    /// The aspect ratio is empty or white space.
    #[error("the aspect ratio is blank: use one such as 16:9, or leave it out")]
    BlankAspectRatio,
    /// A URL is not an absolute http or https URL.
    #[error(
        "{field} {url:?} is not a valid URL: use an http or https URL, such as https://example.com/a.jpg"
    )]
    Url {
        /// The field of the request.
        field: &'static str,
        /// The given text, without user name, password and query.
        url: String,
    },
}

pub(super) fn check(request: &VideoRequest) -> Result<(), InvalidInput> {
    if !request.prompt.as_deref().is_some_and(is_visible) {
        return Err(InvalidInput::BlankPrompt);
    }
    if let Some(id) = &request.video_id {
        if !is_visible(id) {
            return Err(InvalidInput::BlankVideoId);
        }
        if has_blanks(id) {
            return Err(InvalidInput::MalformedVideoId);
        }
    }
    let ratio = request.aspect_ratio.as_ref();
    if ratio.is_some_and(|ratio| !is_visible(ratio.as_str())) {
        return Err(InvalidInput::BlankAspectRatio);
    }
    for (field, url) in [
        ("start_image_url", &request.start_image_url),
        ("end_image_url", &request.end_image_url),
        ("video_url", &request.video_url),
        ("callback_url", &request.callback_url),
    ] {
        if let Some(url) = url.as_deref().filter(|url| parse_http(url).is_none()) {
            return Err(InvalidInput::Url { field, url: shown(url) });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check_json(request: serde_json::Value) -> Result<(), InvalidInput> {
        check(&serde_json::from_value(request).expect("a request"))
    }

    #[test]
    fn request_with_bad_field_is_refused() {
        use InvalidInput::*;
        for (request, expected) in [
            (json!({}), Err(BlankPrompt)),
            (json!({ "prompt": "" }), Err(BlankPrompt)),
            (json!({ "prompt": " \n\u{200b}\u{2800}\u{3164}\u{ad}\u{e0041}" }), Err(BlankPrompt)),
            (json!({ "prompt": "a fox" }), Ok(())),
            (json!({ "prompt": "p", "video_id": " " }), Err(BlankVideoId)),
            (json!({ "prompt": "p", "video_id": "a b" }), Err(MalformedVideoId)),
            (json!({ "prompt": "p", "video_id": "v-1" }), Ok(())),
            (json!({ "prompt": "p", "aspect_ratio": " " }), Err(BlankAspectRatio)),
            (json!({ "prompt": "p", "aspect_ratio": "5:4" }), Ok(())),
        ] {
            assert_eq!(check_json(request.clone()), expected, "{request}");
        }
    }

    #[test]
    fn url_that_programs_read_differently_is_refused() {
        for (url, is_valid) in [
            ("https://example.com/a.jpg", true),
            ("HTTP://example.com", true),
            ("https://example.com/a b", false),
            (" https://example.com", false),
            ("https:example.com", false),
            ("https:///example.com", false),
            ("example.com", false),
            ("ftp://example.com", false),
            ("file:///etc/passwd", false),
            ("https://", false),
            ("", false),
        ] {
            for field in ["start_image_url", "end_image_url", "video_url", "callback_url"] {
                let got = check_json(json!({ "prompt": "p", field: url }));
                assert_eq!(got.is_ok(), is_valid, "{field} {url}");
            }
        }
    }

    #[test]
    fn refused_url_shows_no_secret() {
        for (url, expected) in [
            ("ftp://a/b?sig=s3cret", "ftp://a/b"),
            ("ftp://user:s3cret@a/b", "…@a/b"),
            ("ftp://a\u{202e}b\n/#s3cret", "ftp://ab /"),
        ] {
            assert_eq!(shown(url), expected);
        }
    }
}
