//! What a line of the audit log says of what was done: a code with its parts, beside its words.
//! Lines that 0.1.0 wrote have words alone, which never change any more: they are read here, once.

use serde::{Deserialize, Serialize};
use standpipe_rules::coded;

use super::role::Role;

/// Who did something, where it was the program itself.
pub const GATEWAY: &str = "gateway";
/// Who did something, where it was somebody who has a shell on the gateway's machine.
pub const COMMAND_LINE: &str = "command line";

/// What beside its name belongs to what somebody did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "code", content = "parts", rename_all = "snake_case")]
pub enum AuditCode {
    /// Nothing but its text: an id of what it was done to.
    #[default]
    Text,
    InARow {
        /// Failures since the last success.
        times: u32,
    },
    Own,
    FirstAdmin,
    Account {
        /// The account's name, or the token's where it is made.
        #[serde(default)]
        name: Box<str>,
        /// The token's number, where it is taken away.
        #[serde(default)]
        id: Box<str>,
        /// The role that it has from now on, by its name on the wire.
        #[serde(default)]
        role: Box<str>,
        #[serde(default)]
        station: Box<str>,
    },
    /// A row of the registry.
    Row {
        id: Box<str>,
        /// `column before → after`, …; empty: all of it is new.
        #[serde(default)]
        changes: Box<str>,
    },
}

impl AuditCode {
    /// Its words; empty of [`Self::Text`], whose words are its own.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::Text => String::new(),
            Self::InARow { times } => format!("{times} in a row"),
            Self::Own => "their own".to_owned(),
            Self::FirstAdmin => "admin, the first".to_owned(),
            Self::Row { id, changes } if changes.is_empty() => id.to_string(),
            Self::Row { id, changes } => format!("{id}: {changes}"),
            Self::Account { name, id, role, station } => {
                format!("{name} {id}{role} {station}").trim().to_owned()
            }
        }
    }

    /// As it is kept: its name, and its parts; empty where it has none. A text has no code.
    pub(super) fn columns(&self) -> (String, String) {
        match self {
            Self::Text => <(String, String)>::default(),
            Self::InARow { .. }
            | Self::Own
            | Self::FirstAdmin
            | Self::Account { .. }
            | Self::Row { .. } => coded::columns(self).unwrap_or_default(),
        }
    }

    /// Read back from its columns; of a line without a code, from its words.
    pub(super) fn stored(code: &str, parts: &str, what: &str, detail: &str) -> Self {
        if code.is_empty() {
            return Self::before(what, detail);
        }
        coded::of_columns(code, parts)
    }

    /// The code of a line that was written without one.
    #[must_use]
    pub fn before(what: &str, detail: &str) -> Self {
        match what {
            "sign_in_failed" => {
                let times = detail.strip_suffix(" in a row").and_then(|times| times.parse().ok());
                times.map(|times| Self::InARow { times }).unwrap_or_default()
            }
            "password_changed" if detail == "their own" => Self::Own,
            "account_added" if detail == "admin, the first" => Self::FirstAdmin,
            "account_add" | "account_change" | "account_reset" | "account_remove"
            | "account_make_token" | "account_drop_token" => {
                let (name, rest) = detail.split_once(' ').unwrap_or((detail, ""));
                let (first, station) = rest.split_once(' ').unwrap_or((rest, ""));
                let (id, role) = match Role::named(first) {
                    Some(_) => ("", first),
                    None => (first, ""),
                };
                let [name, id, role, station] = [name, id, role, station].map(Box::from);
                Self::Account { name, id, role, station }
            }
            _ => Self::Text,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::AuditCode;

    #[test]
    #[rustfmt::skip] // a table
    fn a_code_is_kept_beside_the_words_of_before_and_old_lines_get_theirs() {
        let account = |name: &str, id: &str, role: &str, station: &str| {
            let [name, id, role, station] = [name, id, role, station].map(Box::from);
            AuditCode::Account { name, id, role, station }
        };
        for (what, code, words) in [
            ("sign_in_failed",     AuditCode::InARow { times: 3 },            "3 in a row"),
            ("password_changed",   AuditCode::Own,                            "their own"),
            ("account_added",      AuditCode::FirstAdmin,                     "admin, the first"),
            ("account_add",        account("li", "", "officer", "t-1"),       "li officer t-1"),
            ("account_change",     account("li", "", "admin", ""),            "li admin"),
            ("account_reset",      account("li", "", "", ""),                 "li"),
            ("account_make_token", account("desk", "", "viewer", "t-1"),      "desk viewer t-1"),
        ] {
            assert_eq!(code.words(), words);
            assert_eq!(AuditCode::before(what, words), code, "{words}");
            let (name, parts) = code.columns();
            assert_eq!(AuditCode::stored(&name, &parts, what, "⟦other words⟧"), code, "{words}");
        }
        assert_eq!(account("", "7", "", "").words(), "7", "a token has no name here");
        assert_eq!(AuditCode::Text.columns(), (String::new(), String::new()));
        for (what, detail) in [
            ("resolve", "01K"), ("password_changed", "of li"), ("sign_in_failed", "often"), ("something_new", "3 in a row"),
        ] {
            assert_eq!(AuditCode::before(what, detail), AuditCode::Text, "{what}");
        }
        assert_eq!(AuditCode::stored("of_tomorrow", "{}", "resolve", "01K"), AuditCode::Text);
    }
}
