//! The newest messages that were not understood.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use serde::Serialize;
use standpipe_rules::Ms;
use utoipa::ToSchema;

use super::ApiState;
use super::list::{List, Source, Where};
use super::params::Params;
use super::problem::Problem;

/// One message that was not understood.
#[derive(Debug, Serialize, ToSchema)]
pub struct Item {
    /// When it arrived.
    at: Ms,
    topic: String,
    /// A name that is counted.
    reason: String,
    /// What is wrong, and what to do.
    detail: String,
    /// The first 4 KiB of the bad part.
    payload_base64: String,
}

const ITEMS: Source = Source {
    select: "at, topic, reason, detail, payload",
    from: "quarantine",
    joins: "",
    group: "",
    order: "ORDER BY n DESC",
};

/// Newest first.
#[utoipa::path(get, path = "/api/v1/quarantine", tag = "proof",
    params(("page" = Option<u32>, Query), ("per_page" = Option<u32>, Query)),
    responses((status = 200, body = List<Item>), (status = 400, body = super::problem::Body)))]
pub async fn list(State(api): State<Arc<ApiState>>, uri: Uri) -> Result<Json<List<Item>>, Problem> {
    let page = Params::read(&uri, &["page", "per_page"])?.page()?;
    let list = api.store.read(move |db| {
        ITEMS.page(db, &Where::default(), page, |row| {
            Ok(Item {
                at: row.get(0)?,
                topic: row.get(1)?,
                reason: row.get(2)?,
                detail: row.get(3)?,
                payload_base64: base64(row.get_ref(4)?.as_blob().unwrap_or_default()),
            })
        })
    });
    Ok(Json(list.await?))
}

/// Standard base64 with padding (RFC 4648 §4).
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let at = |i: usize| three.get(i).copied().map_or(0, u32::from);
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for i in 0..4 {
            let sextet = (bits >> (18 - 6 * i)) & 63;
            let letter = ALPHABET.get(sextet as usize).copied().unwrap_or(b'=');
            text.push(if i > three.len() { '=' } else { char::from(letter) });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::base64;

    #[test]
    #[rustfmt::skip] // a table
    fn the_test_vectors_of_rfc_4648() {
        for (bytes, text) in [
            ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="), ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
        assert_eq!(base64(&[0xff, 0xfb, 0xf0]), "//vw");
    }
}
