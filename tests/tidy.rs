//! What a reviewer need not look for: a machine reads every file that git knows.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Everything that may stand at the top.
const TOP: &[&str] = &[
    ".cargo",
    ".ci",
    ".clippy.toml",
    ".deny.toml",
    ".github",
    ".gitignore",
    ".rustfmt.toml",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "README.md",
    "deploy",
    "firmware",
    "gateway",
    "shared",
    "tests",
];
/// What must stand there.
const NEEDED: &[&str] =
    &[".ci/run", "Cargo.lock", "LICENSE", "README.md", "deploy/standpipe.toml", "tests/run"];
/// Lines of one file, its tests among them.
const LONGEST_FILE: usize = 600;
/// Where the deciding code is.
const RULES: &str = "gateway/rules/";
/// Where SQL stands: the store, and the database of embedded history.
const SQL_STANDS: [&str; 2] = ["gateway/store/", "gateway/series/src/embedded/"];
/// The crates from the ground up: one knows only crates of layers below its own.
const LAYERS: &[&[&str]] = &[
    &["standpipe-shared"],
    &["standpipe-rules", "standpipe-firmware"],
    &["standpipe-machine", "standpipe-words", "standpipe-simulator", "standpipe-trust"],
    &["standpipe-store", "standpipe-receivers"],
    &["standpipe-config"],
    &["standpipe-engine"],
    &["standpipe-transport", "standpipe-series"],
    &["standpipe-notify", "standpipe-web"],
    &["standpipe-demo"],
    &["standpipe"],
    &["standpipe-tests"],
];

/// Where every doc comment says more than the name below it; the other crates follow.
const DOCS_SAY_MORE: &[&str] = &[
    "gateway/demo/",
    "gateway/machine/",
    "gateway/notify/",
    "gateway/receivers/",
    "gateway/series/",
    "gateway/transport/",
    "gateway/trust/",
    "gateway/words/",
];
/// Words that say nothing by themselves.
const EMPTY_WORDS: [&str; 10] = ["the", "a", "an", "its", "this", "of", "and", "it", "is", "s"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Every file of the repository: those git keeps, and new ones it does not ignore.
fn files() -> Vec<String> {
    let out = Command::new("git")
        .current_dir(root())
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .output()
        .expect("git");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let names = String::from_utf8(out.stdout).expect("names in UTF-8");
    let names: Vec<String> = names
        .split_terminator('\0')
        .filter(|it| root().join(it).is_file())
        .map(str::to_owned)
        .collect();
    assert!(names.len() > 50, "only {} files: is this a clone?", names.len());
    names
}

fn read(name: &str) -> String {
    let bytes = std::fs::read(root().join(name)).unwrap_or_else(|bad| panic!("{name}: {bad}"));
    String::from_utf8_lossy(&bytes).into_owned()
}

fn sources() -> Vec<String> {
    files().into_iter().filter(|it| it.ends_with(".rs")).collect()
}

/// Fails with every fault, a line each.
fn none(what: &str, faults: &[String]) {
    assert!(faults.is_empty(), "{what}:\n  {}", faults.join("\n  "));
}

/// `file:line` of every line of these files in which `bad` finds something.
fn lines(names: &[String], bad: impl Fn(&str) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    for name in names {
        for (n, line) in read(name).lines().enumerate() {
            if bad(line) {
                found.push(format!("{name}:{}: {}", n + 1, line.trim()));
            }
        }
    }
    found
}

/// The words of a line that stand for code: what follows `//` is said, not done.
fn code(line: &str) -> &str {
    line.split("//").next().unwrap_or_default()
}

#[test]
fn whoever_opens_the_repository_knows_where_everything_is() {
    let files = files();
    let top: BTreeSet<&str> = files.iter().filter_map(|it| it.split('/').next()).collect();
    let strange: Vec<String> =
        top.iter().filter(|it| !TOP.contains(it)).map(|it| (*it).to_owned()).collect();
    none("not a name of the top level", &strange);
    let missing: Vec<String> = NEEDED
        .iter()
        .filter(|it| !files.iter().any(|file| file == *it))
        .map(|it| (*it).to_owned())
        .collect();
    none("missing", &missing);
}

#[test]
fn nothing_is_left_for_later() {
    // Put together here, so that this file does not find itself.
    let marks = ["todo", "unimplemented"].map(|it| format!("{it}!"));
    let ignored = format!("#[{}", "ignore");
    let found = lines(&sources(), |line| {
        let line = code(line);
        marks.iter().any(|it| line.contains(it.as_str())) || line.contains(&ignored)
    });
    none("left for later", &found);
}

#[test]
fn no_file_is_longer_than_a_reader_can_hold() {
    let long: Vec<String> = sources()
        .into_iter()
        .map(|name| (read(&name).lines().count(), name))
        .filter(|(lines, _)| *lines > LONGEST_FILE)
        .map(|(lines, name)| format!("{name}: {lines} lines, at most {LONGEST_FILE}: split it"))
        .collect();
    none("too long", &long);
}

#[test]
fn every_file_says_first_what_is_in_it() {
    let silent: Vec<String> = sources()
        .into_iter()
        .filter(|name| !read(name).trim_start().starts_with("//!"))
        .map(|name| format!("{name}: starts without //!"))
        .collect();
    none("silent", &silent);
}

#[test]
fn every_link_of_the_pages_leads_somewhere() {
    let mut dead = Vec::new();
    for page in files().iter().filter(|it| it.ends_with(".md")) {
        let folder = root().join(page).parent().unwrap().to_owned();
        for link in links(&read(page)) {
            let file = link.split('#').next().unwrap_or_default();
            let far = ["http://", "https://", "mailto:"].iter().any(|it| link.starts_with(it));
            if !far && !file.is_empty() && !folder.join(file).exists() {
                dead.push(format!("{page}: {link}"));
            }
        }
    }
    none("dead links", &dead);
}

/// What `[…](…)` points to, outside fenced code.
fn links(page: &str) -> Vec<String> {
    let prose: Vec<&str> = page.split("```").step_by(2).collect();
    let mut links = Vec::new();
    for part in prose.concat().split("](").skip(1) {
        links.extend(part.split(')').next().map(str::to_owned));
    }
    links
}

/// A reader with the map in hand finds what it names: `file` and `file:name`, relative to `gateway/`.
/// A file in capitals is one that is yet to be written.
#[test]
fn the_map_of_the_gateway_names_what_is_there() {
    let is_map =
        |page: &String| page == "gateway/README.md" || page.starts_with("gateway/decisions/");
    let (mut named, mut lost) = (0, Vec::new());
    for page in files().iter().filter(|page| is_map(page)) {
        for place in code_spans(&read(page)).iter().filter(|span| span.contains('/')) {
            let (path, name) = place.split_once(':').unwrap_or((place, ""));
            let stem = path.rsplit('/').find(|part| !part.is_empty()).unwrap_or_default();
            let to_be_written = stem.trim_end_matches(".rs").chars().all(char::is_uppercase);
            if path.contains([' ', '{', '…', '<']) || path.starts_with('/') || to_be_written {
                continue;
            }
            named += 1;
            let file = root().join("gateway").join(path);
            let text = || std::fs::read_to_string(&file).unwrap_or_default();
            if !file.exists() || !name.is_empty() && !defines(&text(), name) {
                lost.push(format!("{page}: `{place}`"));
            }
        }
    }
    assert!(named > 100, "only {named} places are named: has the map moved?");
    none("not where the map says", &lost);
}

/// What stands between backquotes, outside fenced code.
fn code_spans(page: &str) -> Vec<String> {
    let prose: String = page.split("```").step_by(2).collect();
    prose.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// Whether a source has an item of that name.
fn defines(source: &str, name: &str) -> bool {
    ["fn", "struct", "enum", "trait", "const", "type"].iter().any(|kind| {
        source
            .split(&format!("{kind} {name}"))
            .skip(1)
            .any(|after| !after.starts_with(|next: char| next.is_alphanumeric() || next == '_'))
    })
}

#[test]
fn what_decides_neither_waits_nor_asks_the_time() {
    let rules: Vec<String> =
        sources().into_iter().filter(|it| it.starts_with(RULES) && !is_test(it)).collect();
    assert!(rules.len() > 20, "{RULES} has moved: tell this test where");
    const FOREIGN: &[&str] = &[
        "tokio",
        "rusqlite",
        "async fn",
        ".await",
        "std::net",
        "std::fs",
        "std::thread",
        "std::process",
        "std::env",
        "SystemTime",
        "Instant",
        "thread_local",
        "static mut",
        "Mutex",
    ];
    let found = lines(&rules, |line| FOREIGN.iter().any(|it| code(line).contains(it)));
    none("the deciding code reaches outside", &found);
    let manifest = read("gateway/rules/Cargo.toml");
    let wanted = manifest.split("[dev-dependencies]").next().unwrap_or_default();
    for foreign in ["tokio", "rusqlite", "reqwest", "rumqttc", "axum", "metrics"] {
        assert!(!wanted.contains(foreign), "gateway/rules depends on {foreign}");
    }
}

/// A file without its tests, which stand last in it.
fn without_tests(name: &str) -> String {
    let text = read(name);
    let end = text.find("#[cfg(test)]").unwrap_or(text.len());
    text.get(..end).unwrap_or_default().to_owned()
}

#[test]
fn no_sql_stands_outside_the_store() {
    const SQL: &[&str] = &[
        "SELECT ",
        "INSERT INTO ",
        "INSERT OR ",
        "UPDATE ",
        "DELETE FROM ",
        "CREATE TABLE ",
        "PRAGMA ",
        "json_extract(",
        "prepare_cached(",
        "execute_batch(",
        "query_row(",
    ];
    let gateway: Vec<String> =
        sources().into_iter().filter(|it| it.starts_with("gateway/") && !is_test(it)).collect();
    let stands = |name: &str| SQL_STANDS.iter().any(|place| name.starts_with(place));
    let is_sql = |line: &str| SQL.iter().any(|word| code(line).contains(word));
    let (inside, outside): (Vec<String>, Vec<String>) =
        gateway.into_iter().partition(|name| stands(name));
    for place in SQL_STANDS {
        let files = inside.iter().filter(|name| name.starts_with(place));
        let found = files.filter(|name| without_tests(name).lines().any(is_sql)).count();
        assert!(found > 0, "{place} holds no SQL: tell this test where it is");
    }
    let mut found = Vec::new();
    for name in &outside {
        for (n, line) in without_tests(name).lines().enumerate().filter(|(_, line)| is_sql(line)) {
            found.push(format!("{name}:{}: {}", n + 1, line.trim()));
        }
    }
    none("SQL outside the store: make it a view of standpipe_store", &found);
    let foreign: Vec<String> = manifests()
        .into_iter()
        .filter(|it| {
            !["standpipe-store", "standpipe-series", "standpipe-tests"].contains(&&*it.name)
        })
        .filter(|it| it.needs.iter().any(|need| need == "rusqlite"))
        .map(|it| format!("{} depends on rusqlite", it.name))
        .collect();
    none("SQLite outside the store", &foreign);
}

/// A crate of the workspace, and what it needs but for its tests.
struct Manifest {
    name: String,
    needs: Vec<String>,
}

/// Every member of the workspace.
fn manifests() -> Vec<Manifest> {
    let workspace = read("Cargo.toml");
    let members = workspace.split("members = [").nth(1).unwrap().split(']').next().unwrap();
    let folders = members.split(',').map(|it| it.trim().trim_matches('"'));
    let folders = folders.filter(|it| !it.is_empty());
    folders.map(|it| manifest(&read(&format!("{it}/Cargo.toml")))).collect()
}

fn manifest(text: &str) -> Manifest {
    let (mut section, mut needs, mut name) = ("", Vec::new(), String::new());
    for line in text.lines().map(str::trim) {
        if line.starts_with('[') {
            section = line.trim_matches(['[', ']']);
            // `[dependencies.serde]` is written nowhere here, and would be passed over.
            assert!(!section.contains("dependencies."), "{section}: write it in one line");
            continue;
        }
        let Some((key, value)) = line.split_once('=') else { continue };
        let key = key.trim().split('.').next().unwrap_or_default();
        if section == "package" && key == "name" {
            name = value.trim().trim_matches('"').to_owned();
        }
        let needed = section.ends_with("dependencies") && !section.ends_with("dev-dependencies");
        if needed && !key.starts_with('#') {
            needs.push(key.to_owned());
        }
    }
    Manifest { name, needs }
}

#[test]
fn no_crate_knows_one_above_it() {
    let layer = |name: &str| LAYERS.iter().position(|crates| crates.contains(&name));
    let mut wrong = Vec::new();
    for Manifest { name, needs } in manifests() {
        let Some(own) = layer(&name) else {
            wrong.push(format!("{name} has no layer: tell this test where it stands"));
            continue;
        };
        for need in needs.iter().filter(|need| need.starts_with("standpipe")) {
            if layer(need).is_none_or(|below| below >= own) {
                wrong.push(format!("{name} depends on {need}"));
            }
        }
    }
    none("a crate knows one that does not stand below it", &wrong);
}

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

/// Tests may do what they like.
fn is_test(name: &str) -> bool {
    let test = |it: &str| matches!(it, "tests" | "drills" | "tests.rs" | "benches");
    name.split('/').any(test) || name.ends_with("_tests.rs")
}

/// Clippy refuses the clock of the machine everywhere; this is who may overrule it.
#[test]
fn only_the_clock_asks_the_time() {
    let lint = format!("clippy::{}_methods", "disallowed");
    let found: Vec<String> = sources()
        .into_iter()
        .filter(|it| {
            it.starts_with("gateway/") && it != "gateway/machine/src/clock.rs" && !is_test(it)
        })
        .filter(|it| {
            let text = read(it);
            // Tests stand last in a file.
            let end = text.find("#[cfg(test)]").unwrap_or(text.len());
            text[..end].contains(&lint)
        })
        .collect();
    none("overrules the ban on clocks", &found);
}

#[test]
fn the_repository_is_at_home_on_every_machine() {
    let strangers: Vec<String> = files()
        .into_iter()
        .filter(|it| !it.ends_with(".gz") && it != "Cargo.lock" && !it.ends_with("go.sum"))
        .collect();
    // Put together here, so that this file does not find itself.
    let homes = ["root", "home", "Users"].map(|it| format!("/{it}/"));
    let mirrors = ["mirror", "proxy", "registry"].map(|it| format!("://{it}."));
    let work = format!("/{}/", "work");
    let found = lines(&strangers, |line| {
        homes.iter().chain(&mirrors).any(|it| line.contains(it.as_str()))
            || line.split(['"', '\'', ' ', '=', '`', '(']).any(|it| it.starts_with(&work))
    });
    none("names a machine", &found);
    let lock = read("Cargo.lock");
    let sources: BTreeSet<&str> =
        lock.lines().filter_map(|it| it.strip_prefix("source = ")).collect();
    let known = "\"registry+https://github.com/rust-lang/crates.io-index\"";
    assert_eq!(sources, BTreeSet::from([known]), "Cargo.lock names another registry");
}
