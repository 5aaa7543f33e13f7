//! Doc comments say more than the name of what they stand over.

use std::collections::BTreeSet;

use super::{none, read, sources};

/// Where every doc comment says more than the name below it; the other crates follow.
const DOCS_SAY_MORE: &[&str] = &[
    "firmware/",
    "gateway/config/",
    "gateway/demo/",
    "gateway/machine/",
    "gateway/notify/",
    "gateway/receivers/",
    "gateway/series/",
    "gateway/src/",
    "gateway/transport/",
    "gateway/trust/",
    "gateway/words/",
    "shared/",
    "tests/",
];
/// Words that say nothing by themselves.
const EMPTY_WORDS: [&str; 10] = ["the", "a", "an", "its", "this", "of", "and", "it", "is", "s"];

#[test]
fn a_doc_comment_says_more_than_the_name_below_it() {
    #[rustfmt::skip] // a table
    let cases = [
        ("/// Its id.\npub id: u8,",                              1),
        ("    /// The page event.\n    #[x]\n    fn page_event()", 1),
        ("/// `battery_low`.\nBatteryLow,",                       1),
        ("/// The\n/// stations.\npub const fn station() {}",     1),
        ("/// The id of who sent it.\npub id: u8,",               0),
        ("/// Unix ms.\npub sent: Ms,",                           0),
        ("/// A table:\n/// one row a device.\nstruct Table;",    0),
    ];
    for (source, expected) in cases {
        assert_eq!(repeating_names(source).len(), expected, "{source}");
    }
    let covered = |name: &String| DOCS_SAY_MORE.iter().any(|place| name.starts_with(place));
    let covered: Vec<String> = sources().into_iter().filter(covered).collect();
    for place in DOCS_SAY_MORE {
        assert!(covered.iter().any(|name| name.starts_with(place)), "{place} is not there");
    }
    let mut found = Vec::new();
    for name in &covered {
        let repeating = repeating_names(&read(name));
        found.extend(repeating.into_iter().map(|(n, text)| format!("{name}:{n}: {text}")));
    }
    none("a comment of the words of the name alone: say what the name does not", &found);
}

/// Doc comments that say nothing but the name of their item: line, and what stands there.
fn repeating_names(source: &str) -> Vec<(usize, String)> {
    let (mut found, mut comment, mut begins) = (Vec::new(), String::new(), 0);
    for (n, line) in source.lines().map(str::trim).enumerate() {
        if let Some(text) = line.strip_prefix("///") {
            if comment.is_empty() {
                begins = n + 1;
            }
            comment.push_str(text);
            comment.push(' ');
        } else if !line.is_empty() && !line.starts_with("#[") {
            let name = words_of_name(item_name(line));
            let said = said_words(&comment);
            if !said.is_empty() && said.is_subset(&name) {
                found.push((begins, comment.trim().to_owned()));
            }
            comment.clear();
        }
    }
    found
}

/// What the item is called that this line begins.
fn item_name(line: &str) -> &str {
    let words = line.split(|next: char| !next.is_alphanumeric() && next != '_');
    const BEFORE: &[&str] = &[
        "pub", "crate", "super", "in", "const", "async", "unsafe", "fn", "struct", "enum", "trait",
        "static", "type", "mod", "", "r",
    ];
    words.into_iter().find(|word| !BEFORE.contains(word)).unwrap_or_default()
}

/// `BatteryLow` and `battery_low`: battery, low.
fn words_of_name(name: &str) -> BTreeSet<String> {
    let mut apart = String::new();
    let mut before = '_';
    for next in name.chars() {
        if next.is_uppercase() && (before.is_lowercase() || before.is_numeric()) {
            apart.push(' ');
        }
        apart.push(if next == '_' { ' ' } else { next });
        before = next;
    }
    apart.split_whitespace().map(singular).collect()
}

fn said_words(comment: &str) -> BTreeSet<String> {
    let words = comment.split(|next: char| !next.is_alphanumeric());
    let names = words.filter(|word| !word.is_empty()).flat_map(words_of_name);
    names.filter(|word| !EMPTY_WORDS.contains(&word.as_str())).collect()
}

fn singular(word: &str) -> String {
    let word = word.to_lowercase();
    match word.strip_suffix('s') {
        Some(one) if one.len() > 2 => one.to_owned(),
        _ => word,
    }
}
