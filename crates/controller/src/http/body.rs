//! Bodies of requests: fields given as JSON or as a form; an empty body has none.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use serde_json::{Map, Value};

use deis_model::FieldErrors;

use crate::app::Refusal;

const REQUIRED: &str = "This field is required.";

/// The fields of a request.
pub(super) struct Fields(pub(super) Map<String, Value>);

impl Fields {
    /// The text in `field`, if it is there: numbers and flags as they are written.
    pub(super) fn text(&self, field: &str) -> Result<Option<String>, Refusal> {
        match self.0.get(field) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(value @ (Value::Number(_) | Value::Bool(_))) => Ok(Some(value.to_string())),
            Some(_) => Err(Refusal::field(field, "This field must be text.")),
        }
    }

    /// The text in `field`, or nothing.
    pub(super) fn text_or_empty(&self, field: &str) -> Result<String, Refusal> {
        self.text(field).map(Option::unwrap_or_default)
    }

    /// The texts in `fields`, all of which must be there.
    pub(super) fn required<const N: usize>(&self, fields: [&str; N]) -> Result<[String; N], Refusal> {
        let mut errors = FieldErrors::default();
        let texts = fields.map(|field| match self.text(field) {
            Ok(Some(text)) => text,
            Ok(None) => {
                errors.add(field, REQUIRED);
                String::new()
            }
            Err(_) => {
                errors.add(field, "This field must be text.");
                String::new()
            }
        });
        Ok(errors.into_result(texts)?)
    }
}

impl<S: Send + Sync> FromRequest<S> for Fields {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        let media_type =
            request.headers().get(CONTENT_TYPE).map(|value| String::from_utf8_lossy(value.as_bytes()));
        let media_type = media_type.map_or_else(String::new, |text| text.into_owned());
        let body = Bytes::from_request(request, state).await.map_err(|refusal| match refusal.status() {
            StatusCode::PAYLOAD_TOO_LARGE => Refusal::TooLarge,
            _ => Refusal::Invalid(refusal.body_text()),
        })?;
        parse(&media_type, &body).map(Self)
    }
}

fn parse(media_type: &str, body: &[u8]) -> Result<Map<String, Value>, Refusal> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(Map::new());
    }
    match media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
        "" | "application/json" => json(body),
        "application/x-www-form-urlencoded" => Ok(form(body)),
        "multipart/form-data" => multipart(media_type, body).ok_or_else(|| {
            Refusal::Invalid("Multipart form parse error - Invalid boundary in multipart".to_owned())
        }),
        _ => Err(Refusal::UnsupportedMedia(media_type.to_owned())),
    }
}

fn json(body: &[u8]) -> Result<Map<String, Value>, Refusal> {
    match serde_json::from_slice(body) {
        Ok(Value::Object(fields)) => Ok(fields),
        Ok(Value::Null) => Ok(Map::new()),
        Ok(_) => Err(Refusal::field("non_field_errors", "Invalid data. Expected a dictionary.")),
        Err(error) => Err(Refusal::Invalid(format!("JSON parse error - {error}"))),
    }
}

fn form(body: &[u8]) -> Map<String, Value> {
    let pairs = url::form_urlencoded::parse(body);
    pairs.map(|(name, value)| (name.into_owned(), Value::String(value.into_owned()))).collect()
}

/// The text fields of a multipart body; files are left out.
fn multipart(media_type: &str, body: &[u8]) -> Option<Map<String, Value>> {
    let boundary = parameter(media_type, "boundary").filter(|boundary| !boundary.is_empty())?;
    let body = std::str::from_utf8(body).ok()?;
    let delimiter = format!("--{boundary}");
    let parts = body.split(&delimiter).skip(1).filter_map(|part| part.strip_prefix("\r\n"));
    let fields = parts.filter_map(|part| {
        let (head, content) = part.split_once("\r\n\r\n")?;
        let disposition =
            head.lines().find(|line| line.to_ascii_lowercase().starts_with("content-disposition:"))?;
        let content = content.strip_suffix("\r\n").unwrap_or(content);
        Some((parameter(disposition, "name")?, Value::String(content.to_owned())))
    });
    Some(fields.collect())
}

/// The parameter called `name` of a header, without its quotes.
fn parameter(header: &str, name: &str) -> Option<String> {
    let parameters = header.split(';').skip(1).filter_map(|parameter| parameter.trim().split_once('='));
    let mut values = parameters.filter(|(key, _)| key.eq_ignore_ascii_case(name));
    values.next().map(|(_, value)| value.trim_matches('"').to_owned())
}
