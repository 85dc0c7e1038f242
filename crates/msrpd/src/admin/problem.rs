//! Problem documents (RFC 9457).

use axum::http::{Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};

/// The answer to a path that is not served.
pub(super) async fn not_found(uri: Uri) -> Response {
    let detail = format!("Nothing is served at {}.", uri.path());
    problem(StatusCode::NOT_FOUND, &detail)
}

/// The answer to a method that a path does not serve.
pub(super) async fn method_not_allowed(method: Method, uri: Uri) -> Response {
    let detail = format!("{} does not serve {method}; use GET.", uri.path());
    problem(StatusCode::METHOD_NOT_ALLOWED, &detail)
}

fn problem(status: StatusCode, detail: &str) -> Response {
    let title = status.canonical_reason().unwrap_or_default();
    let body = format!(
        "{{\"type\":\"about:blank\",\"title\":{},\"status\":{},\"detail\":{}}}\n",
        json_string(title),
        status.as_u16(),
        json_string(detail)
    );
    let media_type = [(header::CONTENT_TYPE, "application/problem+json")];
    (status, media_type, body).into_response()
}

/// A JSON string with its quotes. A URI path and a method hold visible ASCII only.
fn json_string(text: &str) -> String {
    let mut json = String::with_capacity(text.len() + 2);
    json.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => json.extend(['\\', c]),
            c if c.is_control() => json.push(' '),
            c => json.push(c),
        }
    }
    json.push('"');
    json
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_string_special_characters_are_escaped() {
        assert_eq!(json_string("a\"b\\c\nd"), r#""a\"b\\c d""#);
    }
}
