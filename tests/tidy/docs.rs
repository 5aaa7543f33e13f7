//! Doc comments say more than the name of what they stand over.

use std::collections::BTreeSet;

use super::{code, lines, none, read, sources};

/// Where every doc comment says more than the name below it; the other crates follow.
const DOCS_SAY_MORE: &[&str] = &[
    "firmware/",
    "gateway/config/",
    "gateway/demo/",
    "gateway/lists/",
    "gateway/machine/",
    "gateway/notify/",
    "gateway/receivers/",
    "gateway/rules/",
    "gateway/series/",
    "gateway/src/",
    "gateway/store/",
    "gateway/transport/",
    "gateway/trust/",
    "gateway/web/",
    "gateway/words/",
    "shared/",
    "tests/",
];
/// Where a field or a variant whose name says all has no comment: the compiler's `missing_docs`,
/// which knows no difference, is off there.
const FIELDS_SPEAK: &[&str] = &[
    "gateway/engine/",
    "gateway/lists/",
    "gateway/notify/",
    "gateway/rules/",
    "gateway/series/",
    "gateway/store/",
    "gateway/web/",
    "gateway/words/",
];
/// Where closure arguments and all other names say what they stand for.
const NO_IT: &[&str] = &[
    "firmware/",
    "gateway/benches/",
    "gateway/config/",
    "gateway/demo/",
    "gateway/lists/",
    "gateway/machine/",
    "gateway/notify/",
    "gateway/receivers/",
    "gateway/rules/",
    "gateway/series/",
    "gateway/src/",
    "gateway/store/",
    "gateway/transport/",
    "gateway/trust/",
    "gateway/web/",
    "gateway/words/",
    "shared/",
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
    let mut found = Vec::new();
    for name in &within(DOCS_SAY_MORE) {
        let repeating = repeating_names(&read(name));
        found.extend(repeating.into_iter().map(|(n, text)| format!("{name}:{n}: {text}")));
    }
    none("a comment of the words of the name alone: say what the name does not", &found);
}

#[test]
fn where_fields_speak_for_themselves_everything_else_public_has_a_comment() {
    #[rustfmt::skip] // a table
    let cases = [
        ("pub fn sent() {}",                                            1),
        ("/// Why.\n#[must_use]\npub const fn sent() {}",               0),
        ("/// Why.\n#[derive(\n    Debug\n)]\npub enum Sent {\n    Now,", 0),
        ("/// Why.\nfn sent() {}\npub struct Sent {\n    pub at: Ms,",   1),
        ("/// Why.\n\npub const SENT: u8 = 1;\npub type Sent = u8;",     1),
        ("pub mod sent;\npub use sent::Sent;\npub(super) fn sent() {}",  0),
        ("mod tests {\n    pub fn sent() {}",                           0),
    ];
    for (source, expected) in cases {
        assert_eq!(undocumented(source).len(), expected, "{source}");
    }
    let mut found = Vec::new();
    for name in within(FIELDS_SPEAK).iter().filter(|name| !name.contains("/tests/")) {
        let items = undocumented(&read(name));
        found.extend(items.into_iter().map(|(n, item)| format!("{name}:{n}: {item}")));
    }
    none("no comment: say what the name does not", &found);
}

#[test]
fn nothing_is_called_it() {
    for (line, expected) in [
        ("all.map(|it| it.id)", true),
        ("all.map(|(_, it)| it)", true),
        ("for it in all {", true),
        ("if let Some(it) = one {", true),
        ("fn sent(it: &Page) {", true),
        ("let mut it = one;", true),
        ("all.map(|item| item.id) // of it", false),
        ("text(\"it is\", &limit)", false),
    ] {
        assert_eq!(binds_it(line), expected, "{line}");
    }
    none("`it` is nobody: name what it stands for", &lines(&within(NO_IT), binds_it));
}

/// Sources in these places, each of which has some.
fn within(places: &[&str]) -> Vec<String> {
    let covered = |name: &String| places.iter().any(|place| name.starts_with(place));
    let covered: Vec<String> = sources().into_iter().filter(covered).collect();
    for place in places {
        assert!(covered.iter().any(|name| name.starts_with(place)), "{place} is not there");
    }
    covered
}

/// Whether a line gives something the name `it`.
fn binds_it(line: &str) -> bool {
    let bare = code(line).split('"').step_by(2).collect::<String>();
    let binds = |at: usize| {
        let (before, after) = (&bare[..at], &bare[at + 2..]);
        let apart = |next: char| !next.is_alphanumeric() && next != '_';
        let before = before.trim_end_matches([' ', '&', '(']);
        let whole = bare[..at].chars().next_back().is_none_or(|last| apart(last) && last != '.')
            && after.chars().next().is_none_or(apart);
        let pattern = ["|", "let", "mut", "for", ",", "Some", "Ok", "Err", "fn"];
        let ends = [":", "|", ",", ")", " =", " in "];
        whole
            && (pattern.iter().any(|word| before.ends_with(word)) || before.contains("fn "))
            && ends.iter().any(|end| after.starts_with(end))
    };
    bare.match_indices("it").any(|(at, _)| binds(at))
}

/// Public items without a comment, but for modules, whose file begins with one: line, and what
/// stands there.
fn undocumented(source: &str) -> Vec<(usize, String)> {
    let (mut found, mut documented, mut open) = (Vec::new(), false, 0);
    for (n, line) in source.lines().map(str::trim).enumerate() {
        if line.starts_with("mod tests") {
            break;
        }
        if open > 0 || line.starts_with("#[") {
            open += line.matches('[').count();
            open -= line.matches(']').count().min(open);
        } else if line.starts_with("///") {
            documented = true;
        } else if !line.is_empty() && !line.starts_with("//") {
            if is_public_item(line) && !documented {
                found.push((n + 1, line.to_owned()));
            }
            documented = false;
        }
    }
    found
}

fn is_public_item(line: &str) -> bool {
    const ITEMS: &[&str] = &["fn", "struct", "enum", "trait", "type", "static", "const"];
    let Some(item) = line.strip_prefix("pub ") else { return false };
    let kind = item.split(' ').find(|word| !["async", "unsafe"].contains(word));
    kind.is_some_and(|kind| ITEMS.contains(&kind))
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
