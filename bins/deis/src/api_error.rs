//! What the controller refused, as users see it.

use std::fmt;

use reqwest::StatusCode;
use serde_json::Value;

/// The most of an unreadable answer that is shown, in characters.
const MAX_BODY: usize = 2000;

/// An answer of 400 or above: printed as an empty line, `<code> <REASON>`, and what the controller said.
#[derive(Debug)]
pub(crate) struct ApiError {
    status: StatusCode,
    details: Vec<String>,
}

impl ApiError {
    /// The refusal with this status and body.
    pub(crate) fn new(status: StatusCode, body: &str) -> Self {
        let details = match serde_json::from_str(body) {
            Ok(Value::Object(fields)) => fields.iter().flat_map(|(key, value)| field(key, value)).collect(),
            _ if body.trim().is_empty() => Vec::new(),
            _ => vec![body.trim().chars().take(MAX_BODY).collect()],
        };
        Self { status, details }
    }

    /// The same, and what to do about it.
    pub(crate) fn with_advice(mut self, advice: String) -> Self {
        self.details.push(advice);
        self
    }
}

/// One line per message.
fn field(key: &str, value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![format!("{key}: {text}")],
        Value::Array(values) => values.iter().flat_map(|value| field(key, value)).collect(),
        other => vec![format!("{key}: {other}")],
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reason = self.status.canonical_reason().unwrap_or("ERROR").to_uppercase();
        writeln!(formatter, "\n{} {reason}", self.status.as_u16())?;
        self.details.iter().try_for_each(|line| writeln!(formatter, "{line}"))
    }
}

impl std::error::Error for ApiError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(status: u16, body: &str, expected: &str) {
        assert_eq!(ApiError::new(StatusCode::from_u16(status).unwrap(), body).to_string(), expected);
    }

    #[test]
    fn errors_show_status_and_fields() {
        check(404, r#"{"detail":"Not found"}"#, "\n404 NOT FOUND\ndetail: Not found\n");
        check(
            400,
            r#"{"id":["This field must be unique."]}"#,
            "\n400 BAD REQUEST\nid: This field must be unique.\n",
        );
        check(503, r#"{"a":["x","y"],"b":"z"}"#, "\n503 SERVICE UNAVAILABLE\na: x\na: y\nb: z\n");
        check(401, "", "\n401 UNAUTHORIZED\n");
        check(500, "<h1>oops</h1>\n", "\n500 INTERNAL SERVER ERROR\n<h1>oops</h1>\n");
    }
}
