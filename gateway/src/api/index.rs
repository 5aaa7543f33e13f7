//! The front page until the console comes: what this is, and where to ask.

use axum::response::Html;

/// What this is, in Chinese and English.
pub async fn page() -> Html<&'static str> {
    Html(include_str!("index.html"))
}
