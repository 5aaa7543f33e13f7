//! A search for a type finds that type alone.

use std::collections::BTreeMap;

use super::{is_test, none, sources, without_tests};

/// Two types may have one name where a refusal quotes it: the parser's words name the type that it
/// expected, and what is on the wire stays.
const QUOTED: &[&str] = &["Act"];

/// The type that a line declares for others to name, if it does.
fn declared(line: &str) -> Option<&str> {
    let line = line.trim_start().strip_prefix("pub")?;
    let line = match line.strip_prefix('(') {
        Some(within) => within.split_once(')')?.1,
        None => line,
    };
    let (kind, name) = line.trim_start().split_once(' ')?;
    let kinds = ["struct", "enum", "trait", "type", "union"];
    let end = |letter: char| !letter.is_alphanumeric() && letter != '_';
    kinds.contains(&kind).then(|| name.split(end).next().unwrap_or_default())
}

#[test]
fn no_two_types_of_the_gateway_have_one_name() {
    let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let ours = |name: &String| name.starts_with("gateway/") || name.starts_with("shared/src/");
    for file in sources().into_iter().filter(|name| ours(name) && !is_test(name)) {
        for (at, line) in without_tests(&file).lines().enumerate() {
            if let Some(name) = declared(line) {
                places.entry(name.to_owned()).or_default().push(format!("{file}:{}", at + 1));
            }
        }
    }
    assert!(places.len() > 500, "only {} types: has the gateway moved?", places.len());
    let twice = |(name, places): &(&String, &Vec<String>)| {
        places.len() > 1 && !QUOTED.contains(&name.as_str())
    };
    let found: Vec<String> = places
        .iter()
        .filter(twice)
        .map(|(name, places)| format!("{name}: {}", places.join(", ")))
        .collect();
    none("one name for two types: give each the field's own term", &found);
}

#[test]
fn a_declaration_is_known_by_how_it_begins() {
    for (line, name) in [
        ("pub struct Page {", Some("Page")),
        ("    pub(super) enum Step<'a> {", Some("Step")),
        ("pub(in crate::api) type Rank = (u64, Id);", Some("Rank")),
        ("pub trait Log: Send {", Some("Log")),
        ("struct Own;", None),
        ("pub fn structure() {}", None),
        ("publish struct", None),
    ] {
        assert_eq!(declared(line), name, "{line}");
    }
}
