//! Fields of a request and what is wrong with them.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};

/// Messages per field, flat as clients expect them: `{"id": ["This field must be unique."]}`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct FieldErrors(pub BTreeMap<String, Vec<String>>);

impl FieldErrors {
    /// One message about one field.
    pub fn of(field: &str, message: impl ToString) -> Self {
        Self([(field.to_owned(), vec![message.to_string()])].into())
    }

    /// Adds a message about `field`, unless it is already there.
    pub fn add(&mut self, field: &str, message: impl ToString) {
        let messages = self.0.entry(field.to_owned()).or_default();
        let message = message.to_string();
        if !messages.contains(&message) {
            messages.push(message);
        }
    }

    /// `value` if there are no errors.
    pub fn into_result<T>(self, value: T) -> Result<T, Self> {
        if self.0.is_empty() { Ok(value) } else { Err(self) }
    }
}

/// The object in `field`, given as such or as a string that holds JSON; empty if missing, null or an empty string.
pub fn object(fields: &Map<String, Value>, field: &str) -> Result<Map<String, Value>, &'static str> {
    let parsed = match fields.get(field) {
        None | Some(Value::Null) => return Ok(Map::new()),
        Some(Value::String(text)) if text.is_empty() => return Ok(Map::new()),
        Some(Value::String(text)) => serde_json::from_str(text).ok(),
        Some(value) => Some(value.clone()),
    };
    match parsed {
        Some(Value::Object(entries)) => Ok(entries),
        _ => Err("This field must be a JSON object."),
    }
}
