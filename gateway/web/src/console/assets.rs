//! Style and scripts, inside the program. An address names its content's version, so that a
//! browser keeps it for good and a new version is never shown with an old style.

use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

/// The style sheet of all pages.
pub const STYLE: &str = concat!("/assets/style.css?v=", env!("CARGO_PKG_VERSION"));
/// The script that keeps a page up to date.
pub const LIVE: &str = concat!("/assets/live.js?v=", env!("CARGO_PKG_VERSION"));

/// The fire screen's script.
pub const ALARM: &str = concat!("/assets/alarm.js?v=", env!("CARGO_PKG_VERSION"));
/// What makes the console an application of its own on a computer or a phone.
pub const MANIFEST: &str = concat!("/assets/manifest.json?v=", env!("CARGO_PKG_VERSION"));
/// Its sign among the browser's tabs.
pub const ICON: &str = concat!("/assets/icon-192.png?v=", env!("CARGO_PKG_VERSION"));

/// The script that draws a device's chart and its gauge.
pub const CHART: &str = concat!("/assets/chart.js?v=", env!("CARGO_PKG_VERSION"));
/// The script that draws the map.
pub const MAP: &str = concat!("/assets/map.js?v=", env!("CARGO_PKG_VERSION"));

/// Every file there is: name, type, content.
const ALL: [(&str, &str, &[u8]); 8] = [
    ("style.css", "text/css; charset=utf-8", include_bytes!("style.css")),
    ("chart.js", "text/javascript; charset=utf-8", include_bytes!("chart.js")),
    ("map.js", "text/javascript; charset=utf-8", include_bytes!("map.js")),
    ("live.js", "text/javascript; charset=utf-8", include_bytes!("live.js")),
    ("alarm.js", "text/javascript; charset=utf-8", include_bytes!("alarm.js")),
    ("manifest.json", "application/manifest+json", include_bytes!("manifest.json")),
    ("icon-192.png", "image/png", include_bytes!("icon-192.png")),
    ("icon-512.png", "image/png", include_bytes!("icon-512.png")),
];

/// Serves one of [`ALL`].
pub async fn one(Path(name): Path<String>) -> Response {
    match ALL.iter().find(|file| file.0 == name) {
        Some((_, kind, content)) => {
            let kept = "public, max-age=3600";
            let headers = [(header::CONTENT_TYPE, *kind), (header::CACHE_CONTROL, kept)];
            (headers, *content).into_response()
        }
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::ALL;

    #[test]
    fn all_scripts_together_are_under_56_kib_and_call_nobody() {
        let scripts = || ALL.iter().filter(|file| file.0.ends_with(".js"));
        let size: usize = scripts().map(|file| file.2.len()).sum();
        assert!(size < 56 * 1024, "{size} bytes");
        for (name, _, content) in ALL {
            let Ok(content) = std::str::from_utf8(content) else { continue };
            for far in ["http://", "https://", "@import", "url("] {
                let svg = content.replace("http://www.w3.org/2000/svg", "");
                assert!(!svg.contains(far), "{name} has {far}");
            }
        }
    }
}
