//! What arrives: messages, and the errors that answer what is none.

use rmcp::{
    ErrorData,
    model::{
        CallToolRequestParams, CancelTaskParams, ClientJsonRpcMessage, CompleteRequestParams,
        ErrorCode, GetPromptRequestParams, GetTaskParams, InitializeRequestParams, JsonRpcError,
        PaginatedRequestParams, RequestId, UpdateTaskParams,
    },
};
use serde::{
    Deserializer,
    de::{DeserializeOwned, IgnoredAny, MapAccess, Visitor},
};
use serde_json::Value;

use super::MAX_MESSAGE;

/// Reads one message, or says why it is none. The error has the id where it can be read.
pub(super) fn read(text: &[u8]) -> Result<ClientJsonRpcMessage, JsonRpcError> {
    let error = if text.len() > MAX_MESSAGE {
        ErrorData::invalid_request(format!("a message has {MAX_MESSAGE} bytes at most"), None)
    } else {
        match serde_json::from_slice(text) {
            Ok(message) => return Ok(message),
            Err(error) => explain(text, &error),
        }
    };
    Err(JsonRpcError::new(id(text), error))
}

/// Nothing of the message is repeated: a log may hear of it.
fn explain(text: &[u8], error: &serde_json::Error) -> ErrorData {
    let reason = error.to_string();
    if error.is_data() {
        ErrorData::invalid_request(fault(text), None)
    } else if reason.starts_with("recursion limit") {
        ErrorData::invalid_request("the message is nested too deeply", None)
    } else {
        ErrorData::parse_error(format!("this is not JSON: {reason}"), None)
    }
}

/// What keeps JSON from being a message.
fn fault(text: &[u8]) -> &'static str {
    let message = match serde_json::from_slice(text) {
        Ok(Value::Object(message)) => message,
        Ok(Value::Array(_)) => return "batches are not taken: send each message by itself",
        _ => return "a message must be a JSON object",
    };
    let has = |key: &str, is_good: fn(&Value) -> bool| message.get(key).is_none_or(is_good);
    let is_id = |id: &Value| id.is_string() || id.is_i64();
    if message
        .get("jsonrpc")
        .is_none_or(|version| version != "2.0")
    {
        "jsonrpc must be \"2.0\""
    } else if !has("id", is_id) {
        "id must be a string or a whole number of up to 64 bits, or be left out"
    } else if !has("method", Value::is_string) {
        "method must be a string"
    } else if !has("params", Value::is_object) {
        "params must be an object"
    } else if !["method", "result", "error"]
        .map(|key| message.contains_key(key))
        .contains(&true)
    {
        "method is missing"
    } else {
        "this is no message of JSON-RPC 2.0"
    }
}

/// The id of an object that need not be whole. What else is in it is skipped, however deep.
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
    // It breaks off where the message does: what was found before counts.
    let _ = serde_json::Deserializer::from_slice(text).deserialize_map(Id(&mut id));
    id
}

/// The answer to a request that rmcp does not know: either nobody does, or its parameters are not
/// those of its method. `initialize` is not among them: in the stateless revisions it is gone.
pub(super) fn misread(method: &str, params: Option<&Value>) -> ErrorData {
    let reason = match method {
        "tools/call" => reason::<CallToolRequestParams>(params),
        "prompts/get" => reason::<GetPromptRequestParams>(params),
        "completion/complete" => reason::<CompleteRequestParams>(params),
        "tasks/get" => reason::<GetTaskParams>(params),
        "tasks/update" => reason::<UpdateTaskParams>(params),
        "tasks/cancel" => reason::<CancelTaskParams>(params),
        "tools/list" | "prompts/list" => reason::<PaginatedRequestParams>(params),
        "ping" | "server/discover" => reason::<IgnoredAny>(params),
        _ => {
            let method: String = method.chars().take(64).collect();
            let reason = format!("there is no method {method:?}");
            return ErrorData::new(ErrorCode::METHOD_NOT_FOUND, reason, None);
        }
    };
    invalid(method, &reason)
}

/// The answer to an `initialize` that cannot be read.
pub(super) fn misread_initialize(params: Option<&Value>) -> ErrorData {
    invalid("initialize", &reason::<InitializeRequestParams>(params))
}

fn invalid(method: &str, reason: &str) -> ErrorData {
    ErrorData::invalid_params(format!("invalid params of {method}: {reason}"), None)
}

fn reason<T: DeserializeOwned>(params: Option<&Value>) -> String {
    let none = Value::Object(serde_json::Map::new());
    let params = params.unwrap_or(&none);
    if !params.is_object() {
        return "they must be an object".to_owned();
    }
    match T::deserialize(params) {
        Err(error) => error.to_string(),
        // The one part that all methods share.
        Ok(_) => "_meta cannot be read".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_no_message_is_answered() {
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
            let error = read(&text).expect_err("no message");
            let text = String::from_utf8_lossy(&text[..text.len().min(60)]);
            assert_eq!((error.error.code.0, error.id), (code, id), "{text}");
        }
        // With the two objects around them.
        assert!(read(nested(125).as_bytes()).is_ok());
        assert!(read(nested(126).as_bytes()).is_err());
        assert!(read(request("{}").as_bytes()).is_ok());
    }

    #[test]
    fn parameters_that_do_not_fit_have_a_reason() {
        for (method, params, part) in [
            ("tools/call", None, "missing field `name`"),
            ("tools/call", Some(json!({})), "missing field `name`"),
            ("tools/call", Some(json!({ "name": 5 })), "integer `5`"),
            (
                "tools/call",
                Some(json!({ "name": "a", "arguments": "b" })),
                "expected a map",
            ),
            ("tools/call", Some(json!(["a"])), "must be an object"),
            ("tools/list", Some(json!(5)), "must be an object"),
            ("prompts/get", Some(json!({})), "missing field `name`"),
            ("completion/complete", Some(json!({})), "missing field"),
            ("tasks/get", Some(json!({})), "missing field"),
            ("ping", Some(json!({ "_meta": 5 })), "_meta"),
        ] {
            let error = misread(method, params.as_ref());
            assert_eq!(error.code.0, -32602, "{method}");
            assert!(error.message.contains(part), "{method}: {}", error.message);
        }
        for method in ["nothing/at/all", "", &"x".repeat(1_000)] {
            let error = misread(method, Some(&json!({})));
            assert_eq!(error.code.0, -32601);
            assert!(error.message.starts_with("there is no method \""));
            assert!(error.message.len() < 100);
        }
    }

    #[test]
    fn each_fault_has_its_name() {
        for (text, part) in [
            ("[]", "batches"),
            (r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#, "batches"),
            ("7", "a JSON object"),
            ("{}", "jsonrpc must"),
            (r#"{"id":1,"method":"ping"}"#, "jsonrpc must"),
            (
                r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#,
                "jsonrpc must",
            ),
            (r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#, "id must"),
            (r#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#, "id must"),
            (r#"{"jsonrpc":"2.0","id":1e30,"method":"ping"}"#, "id must"),
            (
                r#"{"jsonrpc":"2.0","id":18446744073709551615,"method":"ping"}"#,
                "id must",
            ),
            (r#"{"jsonrpc":"2.0","id":1,"method":7}"#, "method must"),
            (
                r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}"#,
                "params must",
            ),
            (r#"{"jsonrpc":"2.0","id":1}"#, "method is missing"),
        ] {
            let error = read(text.as_bytes()).expect_err(text).error;
            assert_eq!(error.code.0, -32600, "{text}");
            assert!(error.message.contains(part), "{text}: {}", error.message);
        }
    }
}
