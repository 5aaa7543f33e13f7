//! A code with its parts, as a store keeps it in two columns: what a line of a trail or of the audit log
//! says, for programs. The type itself is written with `#[serde(tag = "code", content = "parts")]`.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A code's name, and its parts where it has some.
///
/// # Errors
/// [`serde_json::Error`]: it is written in another way.
pub fn named(code: &impl Serialize) -> Result<(String, Option<Value>), serde_json::Error> {
    #[derive(Deserialize)]
    struct Named {
        code: String,
        parts: Option<Value>,
    }
    let Named { code, parts } = Named::deserialize(serde_json::to_value(code)?)?;
    Ok((code, parts))
}

/// The same for two columns of text: no parts are an empty text.
///
/// # Errors
/// As of [`named`].
pub fn columns(code: &impl Serialize) -> Result<(String, String), serde_json::Error> {
    let (code, parts) = named(code)?;
    Ok((code, parts.map_or_else(String::new, |parts| parts.to_string())))
}

/// The code of two columns; the usual one where nobody knows it here.
#[must_use]
pub fn of_columns<T: DeserializeOwned + Default>(code: &str, parts: &str) -> T {
    let whole = match serde_json::from_str::<Value>(parts) {
        Ok(parts) => serde_json::json!({ "code": code, "parts": parts }),
        Err(_none) => serde_json::json!({ "code": code }),
    };
    T::deserialize(whole).unwrap_or_default()
}
