//! Reads messages, and says what is wrong with them.
//!
//! rmcp drops a line that is not a message, and answers such an HTTP body with 415. A host would wait for
//! the answer in vain, so both are answered here (tests: `broken_lines_are_answered`,
//! `broken_bodies_are_answered_in_json`).

use rmcp::{
    ErrorData,
    model::{
        CallToolRequestParams, CancelTaskParams, ClientJsonRpcMessage, CompleteRequestParams,
        ErrorCode, GetPromptRequestParams, GetTaskParams, JsonRpcError, PaginatedRequestParams,
        ReadResourceRequestParams, RequestId, UpdateTaskParams,
    },
};
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, IgnoredAny, MapAccess, Visitor},
};
use serde_json::{Map, Value, json};

/// The largest message, in bytes.
pub(crate) const MAX_MESSAGE: usize = 1 << 20;

/// Some systems begin a text with a byte order mark.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// A message, and its JSON without what the server does not use.
pub(crate) type Message = (ClientJsonRpcMessage, Value);

/// Reads one message.
///
/// # Errors
///
/// The error to answer with. It has the id of the message, if that can be read.
pub(crate) fn read(text: &[u8]) -> Result<Message, JsonRpcError> {
    let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
    parse(text).map_err(|error| JsonRpcError::new(id(text), error))
}

/// Never repeats a part of the message, because the error can end up in a log.
fn parse(text: &[u8]) -> Result<Message, ErrorData> {
    let invalid = |reason: &'static str| ErrorData::invalid_request(reason, None);
    if text.len() > MAX_MESSAGE {
        let reason = format!("a message has at most {MAX_MESSAGE} bytes");
        return Err(ErrorData::invalid_request(reason, None));
    }
    let mut json: Value = serde_json::from_slice(text).map_err(|error| {
        let reason = error.to_string();
        match reason.starts_with("recursion limit") {
            true => invalid("the message is nested too deeply"),
            false => ErrorData::parse_error(format!("this is not JSON: {reason}"), None),
        }
    })?;
    if let Some(fault) = fault(&json) {
        return Err(invalid(fault));
    }
    let method = json["method"].as_str().filter(|_| json.get("id").is_some());
    if let Some(method) = method.filter(|method| !is_served(method, &json)) {
        return Err(unknown(method));
    }
    simplify(&mut json);
    match ClientJsonRpcMessage::deserialize(&json) {
        Ok(message) => Ok((message, json)),
        Err(_) => Err(invalid("this is not a message of JSON-RPC 2.0")),
    }
}

/// What keeps JSON from being a message.
fn fault(json: &Value) -> Option<&'static str> {
    let message = match json {
        Value::Object(message) => message,
        Value::Array(_) => {
            return Some("JSON-RPC batches are not supported: send one message at a time");
        }
        _ => return Some("a message must be a JSON object"),
    };
    let fits = |key: &str, fits: fn(&Value) -> bool| message.get(key).is_none_or(fits);
    let is_message = ["method", "result", "error"].map(|key| message.contains_key(key));
    if json["jsonrpc"] != "2.0" {
        Some("jsonrpc must be \"2.0\"")
    } else if !fits("id", |id| id.is_string() || id.is_i64()) {
        Some("id must be a string or a whole number of up to 64 bits, or be left out")
    } else if !fits("method", Value::is_string) {
        Some("method must be a string")
    } else if !fits("params", |params| params.is_object() || params.is_null()) {
        Some("params must be an object")
    } else if !is_message.contains(&true) {
        Some("method is missing")
    } else {
        None
    }
}

/// Whether the server has the method. rmcp would answer with nothing but its name.
fn is_served(method: &str, message: &Value) -> bool {
    match method {
        "initialize"
        | "server/discover"
        | "tools/list"
        | "tools/call"
        | "prompts/list"
        | "prompts/get"
        | "resources/list"
        | "resources/read"
        | "resources/templates/list"
        | "completion/complete"
        | "tasks/get"
        | "tasks/update"
        | "tasks/cancel" => true,
        "ping" => !is_stateless(message),
        _ => false,
    }
}

/// Whether a request names its revision itself. Such revisions have no `initialize` and no `ping`.
fn is_stateless(message: &Value) -> bool {
    !message["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"].is_null()
}

/// Removes or completes what the server does not use, so that rmcp cannot stumble over it: old and
/// unusual clients send null, leave out required fields of `initialize`, or fill them with other types.
fn simplify(message: &mut Value) {
    if message["params"].is_null() {
        message.as_object_mut().map(|message| message.remove("params"));
    }
    if message["method"] == "initialize" && !is_stateless(message) {
        let params = &message["params"];
        let version = params["protocolVersion"].as_str().unwrap_or("2025-03-26");
        let client = |field: &str| params["clientInfo"][field].as_str().unwrap_or("unknown");
        let elicitation = &params["capabilities"]["elicitation"];
        let modes = ["form", "url"].into_iter().filter(|mode| elicitation[mode].is_object());
        let modes: Value = modes.map(|mode| (mode, json!({}))).collect();
        message["params"] = json!({
            "protocolVersion": version,
            "capabilities": match elicitation.is_object() {
                true => json!({ "elicitation": modes }),
                false => json!({}),
            },
            "clientInfo": { "name": client("name"), "version": client("version") },
        });
    }
    if let Some(Value::Object(params)) = message.get_mut("params") {
        params.retain(|key, value| key != "_meta" || value.is_object());
    }
}

/// Removes the request for progress, because progress needs a stream of events.
pub(crate) fn remove_progress_token(message: &mut Value) {
    if let Some(Value::Object(meta)) = message.pointer_mut("/params/_meta") {
        meta.remove("progressToken");
    }
}

/// The id of a message that need not be complete. The rest is skipped, however deeply nested.
fn id(text: &[u8]) -> Option<RequestId> {
    struct Id<'a>(&'a mut Option<RequestId>);

    impl<'de> Visitor<'de> for Id<'_> {
        type Value = ();

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
            while let Some(key) = map.next_key::<String>()? {
                if key == "id" {
                    *self.0 = Some(map.next_value()?);
                } else {
                    map.next_value::<IgnoredAny>()?;
                }
            }
            Ok(())
        }
    }

    let mut id = None;
    // It stops where the message breaks off. An id before that counts.
    let _ = serde_json::Deserializer::from_slice(text).deserialize_map(Id(&mut id));
    id
}

/// The answer to a request that rmcp cannot read, because its parameters do not fit.
pub(crate) fn misread(method: &str, params: Option<&Value>) -> ErrorData {
    let reason = match method {
        "tools/call" => reason::<CallToolRequestParams>(params),
        "prompts/get" => reason::<GetPromptRequestParams>(params),
        "resources/read" => reason::<ReadResourceRequestParams>(params),
        "completion/complete" => reason::<CompleteRequestParams>(params),
        "tasks/get" => reason::<GetTaskParams>(params),
        "tasks/update" => reason::<UpdateTaskParams>(params),
        "tasks/cancel" => reason::<CancelTaskParams>(params),
        "tools/list" | "prompts/list" => reason::<PaginatedRequestParams>(params),
        _ => return unknown(method),
    };
    ErrorData::invalid_params(format!("invalid params of {method}: {reason}"), None)
}

/// The answer to a method that this server does not have.
fn unknown(method: &str) -> ErrorData {
    let method: String = method.chars().take(64).collect();
    let reason = format!(
        "this server has no method {method:?}; it has tools and prompts, and resources to read"
    );
    ErrorData::new(ErrorCode::METHOD_NOT_FOUND, reason, None)
}

fn reason<T: DeserializeOwned>(params: Option<&Value>) -> String {
    let none = Value::Object(Map::new());
    match T::deserialize(params.unwrap_or(&none)) {
        Err(error) => error.to_string(),
        Ok(_) => "they cannot be read".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn read_of_a_broken_message_gives_code_and_id() {
        let request = |params: &str| {
            format!(r#"{{"method":"ping","params":{params},"jsonrpc":"2.0","id":7}}"#)
        };
        let nested = |depth: usize| {
            let arrays = "[".repeat(depth) + &"]".repeat(depth);
            request(&format!(r#"{{"a":{arrays}}}"#))
        };
        let large = request(&format!("{:?}", "x".repeat(MAX_MESSAGE)));
        let seven = Some(RequestId::Number(7));
        for (text, code, id) in [
            (large.clone().into_bytes(), -32600, seven.clone()),
            (large[..MAX_MESSAGE + 9].into(), -32600, None),
            (nested(200).into_bytes(), -32600, seven.clone()),
            (nested(100_000).into_bytes(), -32600, seven.clone()),
            (b"".to_vec(), -32700, None),
            (b"no JSON".to_vec(), -32700, None),
            (b"{".to_vec(), -32700, None),
            (br#"{"id":7,"method":"#.to_vec(), -32700, seven.clone()),
            (b"{\"id\":7,\"method\":\"\xff\"}".to_vec(), -32700, seven),
            (b"\xff\xfe".to_vec(), -32700, None),
            (b"[]".to_vec(), -32600, None),
            (b"[{\"id\":7}]".to_vec(), -32600, None),
            (b"7".to_vec(), -32600, None),
            (b"{}".to_vec(), -32600, None),
            (
                br#"{"jsonrpc":"1.0","id":"a","method":"ping"}"#.to_vec(),
                -32600,
                Some(RequestId::String("a".into())),
            ),
        ] {
            let error = read(&text).expect_err("not a message");
            let text = String::from_utf8_lossy(&text[..text.len().min(60)]);
            assert_eq!((error.error.code.0, error.id), (code, id), "{text}");
        }
        // With the two objects around them.
        assert!(read(nested(125).as_bytes()).is_ok());
        assert!(read(nested(126).as_bytes()).is_err());
        assert!(read(request("{}").as_bytes()).is_ok());
        assert!(read(format!("\u{feff}{}", request("{}")).as_bytes()).is_ok());
    }

    #[test]
    fn read_of_each_fault_names_it() {
        for (text, part) in [
            ("[]", "batches"),
            (r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#, "batches"),
            ("7", "a JSON object"),
            ("{}", "jsonrpc must"),
            (r#"{"id":1,"method":"ping"}"#, "jsonrpc must"),
            (r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#, "jsonrpc must"),
            (r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#, "id must"),
            (r#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#, "id must"),
            (r#"{"jsonrpc":"2.0","id":1e30,"method":"ping"}"#, "id must"),
            (r#"{"jsonrpc":"2.0","id":18446744073709551615,"method":"ping"}"#, "id must"),
            (r#"{"jsonrpc":"2.0","id":1,"method":7}"#, "method must"),
            (r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}"#, "params must"),
            (r#"{"jsonrpc":"2.0","id":1}"#, "method is missing"),
        ] {
            let error = read(text.as_bytes()).expect_err(text).error;
            assert_eq!(error.code.0, -32600, "{text}");
            assert!(error.message.contains(part), "{text}: {}", error.message);
        }
    }

    #[test]
    fn read_of_an_odd_initialize_is_an_initialize() {
        for params in [
            json!(null),
            json!({}),
            json!({ "protocolVersion": "2025-06-18" }),
            json!({ "protocolVersion": 1, "capabilities": null, "clientInfo": "a" }),
            json!({ "protocolVersion": "2025-06-18", "capabilities": { "roots": true },
                "clientInfo": { "name": "a", "version": 1, "icons": 5 }, "_meta": 5 }),
        ] {
            let text =
                json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params });
            let (message, _) = read(text.to_string().as_bytes()).expect("a message");
            assert!(format!("{message:?}").contains("InitializeRequest("), "{text}");
        }
    }

    #[test]
    fn misread_parameters_have_a_reason() {
        for (method, params, part) in [
            ("tools/call", None, "missing field `name`"),
            ("tools/call", Some(json!({})), "missing field `name`"),
            ("tools/call", Some(json!({ "name": 5 })), "integer `5`"),
            ("tools/call", Some(json!({ "name": "a", "arguments": "b" })), "expected a map"),
            ("prompts/get", Some(json!({})), "missing field `name`"),
            ("resources/read", Some(json!({})), "missing field `uri`"),
            ("completion/complete", Some(json!({})), "missing field"),
            ("tasks/get", Some(json!({})), "missing field"),
        ] {
            let error = misread(method, params.as_ref());
            assert_eq!(error.code.0, -32602, "{method}");
            assert!(error.message.contains(part), "{method}: {}", error.message);
        }
        for method in ["nothing/at/all", "", &"x".repeat(1_000)] {
            let error = misread(method, Some(&json!({})));
            assert_eq!(error.code.0, -32601);
            assert!(error.message.starts_with("this server has no method \""));
            assert!(error.message.len() < 150);
        }
    }
}
