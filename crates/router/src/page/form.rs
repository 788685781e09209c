//! The forms in which a page comes: for people who look, for programs, for whoever reads text.

use http::header::{ACCEPT, HeaderMap};

use super::Failure;

/// The form of a page.
#[derive(Clone, Copy)]
pub(super) enum Form {
    /// For browsers.
    Html,
    /// For programs.
    Json,
    /// For all others.
    Text,
}

impl Form {
    /// The one that the `Accept` of a request's `headers` prefers: browsers name HTML, programs JSON; whoever names neither
    /// reads plain text best.
    pub(super) fn wanted(headers: &HeaderMap) -> Self {
        let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
        match (accept.find("text/html"), accept.find("json")) {
            (Some(html), Some(json)) if json < html => Self::Json,
            (Some(_), _) => Self::Html,
            (None, Some(_)) => Self::Json,
            (None, None) => Self::Text,
        }
    }

    /// What `Content-Type` says of it.
    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::Html => "text/html; charset=utf-8",
            Self::Json => "application/json",
            Self::Text => "text/plain; charset=utf-8",
        }
    }

    /// What it says of the `failure` of the request with this name.
    pub(super) fn render(self, failure: &Failure, id: &str) -> String {
        match self {
            Self::Html => html(failure, id),
            Self::Json => json(failure, id),
            Self::Text => text(failure, id),
        }
    }
}

fn html(failure: &Failure, id: &str) -> String {
    let (status, side) = (failure.status(), failure.side());
    // Messages are constants or name a fault, and ids are checked: nothing needs escaping but backticks' looks.
    let sentence = sentence(&failure.to_string()).replace('`', "&quot;");
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{status}</title>\
         <meta name=\"viewport\" content=\"width=device-width\"><style>{STYLE}</style></head>\
         <body><main><h1>{status}</h1><p>{sentence}</p><ol>{path}</ol>\
         <footer>Request {id}</footer></main></body></html>\n",
        path = path_to_app(side),
    )
}

/// A message as people read it.
fn sentence(message: &str) -> String {
    let mut letters = message.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    first.into_iter().chain(letters).chain(['.']).collect()
}

fn text(failure: &Failure, id: &str) -> String {
    format!("{}\n{failure}.\nfailed: {}\nrequest: {id}\n", failure.status(), failure.side())
}

fn json(failure: &Failure, id: &str) -> String {
    let page = serde_json::json!({
        "status": failure.status().as_u16(),
        "error": failure.status().to_string(),
        "detail": failure.to_string(),
        "failed": failure.side(),
        "request_id": id,
    });
    format!("{page}\n")
}

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;color:#222;background:#fafafa;margin:0}\
main{max-width:34em;margin:15vh auto;padding:0 1em}h1{font-size:1.6em}ol{list-style:none;padding:0;display:flex;gap:.5em}\
li{flex:1;border-top:4px solid #3a3;padding:.3em 0}li.failed{border-color:#c33}li.failed~li{border-color:#ccc}\
footer{color:#777;font-size:.85em}\
@media(prefers-color-scheme:dark){body{color:#ddd;background:#181818}}";

fn path_to_app(failed: &str) -> String {
    let step = |name: &&str| {
        let class = if *name == failed { " class=\"failed\"" } else { "" };
        format!("<li{class}>{name}</li>")
    };
    let last = if failed == "platform" { "platform" } else { "app" };
    ["request", "router", last].iter().map(step).collect()
}
