//! A blocking HTTP client over a one-thread runtime; `authorization` may be empty.

use std::time::Duration;

use reqwest::{Client, RequestBuilder};
use serde_json::Value;

fn send(
    build: impl FnOnce(&Client) -> RequestBuilder,
    authorization: &str,
) -> Option<(u16, String)> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
    runtime.block_on(async {
        let client = Client::builder().timeout(Duration::from_secs(60)).build().ok()?;
        let mut request = build(&client);
        if !authorization.is_empty() {
            request = request.header("Authorization", authorization);
        }
        let response = request.send().await.ok()?;
        Some((response.status().as_u16(), response.text().await.ok()?))
    })
}

/// `GET`; `None` when nobody answers.
#[must_use]
pub fn try_get(url: &str, authorization: &str) -> Option<(u16, String)> {
    send(|client| client.get(url), authorization)
}

/// The same, for whoever reads that language.
#[must_use]
pub fn try_get_in(url: &str, authorization: &str, language: &str) -> Option<(u16, String)> {
    send(|client| client.get(url).header("Accept-Language", language), authorization)
}

/// `GET` of JSON.
///
/// # Panics
/// When nobody answers.
#[must_use]
pub fn get(url: &str, authorization: &str) -> (u16, Value) {
    let (status, text) = try_get(url, authorization).unwrap_or_else(|| panic!("no answer: {url}"));
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

/// `POST` of JSON.
///
/// # Panics
/// When nobody answers.
#[must_use]
pub fn post(url: &str, authorization: &str, body: &Value) -> (u16, Value) {
    let (status, text) = post_text(url, authorization, body);
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

/// `PUT` of JSON.
///
/// # Panics
/// When nobody answers.
#[must_use]
pub fn put(url: &str, authorization: &str, body: &Value) -> (u16, Value) {
    let answer = send(|client| client.put(url).json(body), authorization);
    let (status, text) = answer.unwrap_or_else(|| panic!("no answer: {url}"));
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

/// `DELETE`.
///
/// # Panics
/// When nobody answers.
#[must_use]
pub fn delete(url: &str, authorization: &str) -> (u16, Value) {
    let answer = send(|client| client.delete(url), authorization);
    let (status, text) = answer.unwrap_or_else(|| panic!("no answer: {url}"));
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

/// `POST` of JSON, answered with any text.
///
/// # Panics
/// When nobody answers.
#[must_use]
pub fn post_text(url: &str, authorization: &str, body: &Value) -> (u16, String) {
    send(|client| client.post(url).json(body), authorization)
        .unwrap_or_else(|| panic!("no answer: {url}"))
}

/// `POST` of plain text.
///
/// # Panics
/// When nobody answers.
#[must_use]
pub fn post_lines(url: &str, authorization: &str, body: String) -> (u16, String) {
    send(|client| client.post(url).body(body), authorization)
        .unwrap_or_else(|| panic!("no answer: {url}"))
}
