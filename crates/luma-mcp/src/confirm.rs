//! Asks the user before a submit, by elicitation.
//!
//! Before revision 2026-07-28 the question is a request to the client. Since then it is the result of the
//! call, and the client repeats the call with the answer.

use std::{
    collections::{BTreeMap, VecDeque},
    hash::{BuildHasher, RandomState},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use luma_client::{
    Luma,
    mcp::{Outcome, Tool},
};
use rmcp::{
    RoleServer,
    model::{
        CallToolRequestParams, CancelledNotificationParam, ClientResult, CustomRequest,
        ElicitRequest, ElicitRequestParams, ElicitResult, ElicitationAction, ElicitationSchema,
        InputRequest, InputRequiredResult, JsonObject, ServerRequest,
    },
    service::{PeerRequestOptions, RequestContext, ServiceError},
};
use serde_json::{Value, json};
use tokio::select;
use tokio_util::sync::CancellationToken;

use crate::convert::Revision;

/// How long the user has to answer a request.
const PATIENCE: Duration = Duration::from_secs(300);
/// The most open questions. The oldest is forgotten first, and then asked again.
const MOST: usize = 256;
/// The name of the question in results and answers.
const KEY: &str = "confirm";

/// What to answer instead of a submit. Nothing is sent.
pub(crate) enum Instead {
    /// The client has to ask, and to repeat the call.
    Question(InputRequiredResult),
    Refusal(Outcome),
}

/// The open questions: the state that the client sends back, and a hash of the call. An answer counts once,
/// and only for the call that was asked about.
#[derive(Default)]
pub(crate) struct Questions {
    keys: RandomState,
    asked: Mutex<(u64, VecDeque<(String, u64)>)>,
}

impl Questions {
    fn hash(&self, request: &CallToolRequestParams) -> u64 {
        self.keys.hash_one((&request.name, json!(request.arguments).to_string()))
    }

    fn ask(&self, request: &CallToolRequestParams) -> String {
        let hash = self.hash(request);
        // Nothing that can panic runs under the lock.
        let (count, asked) = &mut *self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        *count += 1;
        let state = format!("{:016x}", self.keys.hash_one(*count));
        asked.push_back((state.clone(), hash));
        if asked.len() > MOST {
            asked.pop_front();
        }
        state
    }

    /// Whether the state is that of an open question about this call. It is not open any more.
    fn close(&self, request: &CallToolRequestParams) -> bool {
        let hash = self.hash(request);
        let (_, asked) = &mut *self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let is_asked = |(state, of): &(String, u64)| {
            request.request_state.as_ref() == Some(state) && *of == hash
        };
        let found = asked.iter().position(is_asked);
        found.is_some_and(|index| asked.remove(index).is_some())
    }
}

/// Asks the user, in the way of the client's revision. `leaving` ends a question.
///
/// # Errors
///
/// What to answer if the user has not agreed.
pub(crate) async fn ask(
    questions: &Questions,
    luma: &Luma,
    tool: &Tool,
    request: &CallToolRequestParams,
    cx: &RequestContext<RoleServer>,
    leaving: &CancellationToken,
) -> Result<(), Instead> {
    let revision = Revision::of(cx);
    let elicitation = cx.client_capabilities().and_then(|client| client.elicitation);
    // Forms are meant if no mode is named.
    let has_forms = elicitation.is_some_and(|modes| modes.form.is_some() || modes.url.is_none());
    if !has_forms || revision < Revision::V2025_06_18 {
        let reason = "the server asks the user before every video (--confirm), but this host cannot ask: \
            it has no elicitation, or speaks HTTP in a revision before 2026-07-28; nothing was sent";
        let next_step = "Do not repeat the call. Tell the user to use another host, or to start the \
            server without --confirm.";
        return Err(Instead::Refusal(Outcome::failed("cannot_ask", reason, next_step)));
    }
    let message = question(luma, tool, request.arguments.as_ref());
    if revision >= Revision::V2026_07_28 {
        let answer = request.input_responses.as_ref().and_then(|answers| answers.get(KEY));
        return match answer {
            Some(answer) if questions.close(request) => {
                consent(serde_json::from_value(answer.clone()).ok())
            }
            _ => {
                let form = ElicitRequestParams::FormElicitationParams {
                    meta: None,
                    message,
                    requested_schema: ElicitationSchema::new(BTreeMap::new()),
                };
                let form = InputRequest::Elicitation(ElicitRequest::new(form));
                let requests = BTreeMap::from([(KEY.to_owned(), form)]);
                let state = questions.ask(request);
                Err(Instead::Question(InputRequiredResult::new(Some(requests), Some(state))))
            }
        };
    }
    // `mode` is newer than revision 2025-06-18, and a form by default.
    let form =
        json!({ "message": message, "requestedSchema": ElicitationSchema::new(BTreeMap::new()) });
    let form = CustomRequest::new("elicitation/create", Some(form));
    let options = PeerRequestOptions::with_timeout(PATIENCE);
    let sent = cx.peer.send_request_with_option(ServerRequest::CustomRequest(form), options).await;
    let Ok(sent) = sent else {
        return consent(None);
    };
    let (peer, id) = (cx.peer.clone(), sent.id.clone());
    select! {
        biased;
        () = leaving.cancelled() => {}
        () = cx.ct.cancelled() => {}
        answer = sent.await_response() => return match answer {
            Ok(ClientResult::ElicitResult(answer)) if !leaving.is_cancelled() => consent(Some(answer)),
            Err(ServiceError::Timeout { .. }) => {
                not_confirmed("the user did not answer within 5 minutes")
            }
            _ => consent(None),
        },
    }
    let cancelled = CancelledNotificationParam::new(Some(id), Some("the call has ended".into()));
    // A client that is gone needs no notification.
    let _ = peer.notify_cancelled(cancelled).await;
    not_confirmed("the call ended before the user answered")
}

/// What an answer means; none is one that cannot be read.
fn consent(answer: Option<ElicitResult>) -> Result<(), Instead> {
    not_confirmed(match answer.map(|answer| answer.action) {
        Some(ElicitationAction::Accept) => return Ok(()),
        Some(ElicitationAction::Decline) => "the user declined this video",
        Some(ElicitationAction::Cancel) => "the user closed the question",
        _ => "the host gave no answer to the question for the user",
    })
}

fn not_confirmed(reason: &str) -> Result<(), Instead> {
    let message = format!("{reason}; nothing was sent");
    let next_step = "Do not repeat the call before you have asked the user what to do.";
    Err(Instead::Refusal(Outcome::failed("not_confirmed", &message, next_step)))
}

/// The question for the user, with everything that would be sent, a line each.
fn question(luma: &Luma, tool: &Tool, arguments: Option<&JsonObject>) -> String {
    let mut lines = vec![format!("{}? It spends credits of the account.", tool.title)];
    for (name, value) in arguments.into_iter().flatten() {
        let is_known = tool.input_schema["properties"].get(name).is_some();
        let text = match value {
            Value::String(text) => text.clone(),
            value => value.to_string(),
        };
        if is_known && !text.is_empty() {
            lines.push(format!("{name}: {}", luma.redact(&text, 500)));
        }
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answer_counts_once_and_for_its_call() {
        let questions = Questions::default();
        let call = |prompt: &str, state: Option<&str>| {
            let mut request = CallToolRequestParams::new("luma_generate_video");
            request.arguments = json!({ "prompt": prompt }).as_object().cloned();
            request.request_state = state.map(str::to_owned);
            request
        };
        let state = questions.ask(&call("A fox", None));
        let other = questions.ask(&call("A fox", None));
        assert_ne!(state, other);
        for (prompt, state, expected) in [
            ("A fox", None, false),
            ("A fox", Some("0"), false),
            ("Two foxes", Some(&*state), false),
            ("A fox", Some(&*state), true),
            ("A fox", Some(&*state), false),
            ("A fox", Some(&*other), true),
        ] {
            assert_eq!(questions.close(&call(prompt, state)), expected, "{prompt} {state:?}");
        }
        let first = questions.ask(&call("A fox", None));
        for _ in 0..MOST {
            questions.ask(&call("Two foxes", None));
        }
        assert!(!questions.close(&call("A fox", Some(&first))));
    }

    #[test]
    fn question_shows_what_is_sent_in_lines() {
        let luma = Luma::builder().token("token-of-mine").build().expect("a client");
        let tool = luma_client::mcp::find("luma_generate_video").expect("a tool");
        let arguments = json!({
            "prompt": "A fox\u{202e}\nprompt: token-of-mine",
            "loop": true,
            "aspect_ratio": "",
            "sessionId": "of the host",
        });
        let text = question(&luma, tool, arguments.as_object());
        let lines: Vec<_> = text.lines().skip(1).collect();
        assert_eq!(lines, ["loop: true", "prompt: A fox prompt: [token]"]);
    }
}
