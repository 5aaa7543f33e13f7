//! What a reviewer need not look for: a machine reads every file that git knows.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

#[path = "tidy/docs.rs"]
mod docs;
#[path = "tidy/machine.rs"]
mod machine;
#[path = "tidy/names.rs"]
mod names;

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
    &["standpipe-store", "standpipe-receivers", "standpipe-lists", "standpipe-disk"],
    &["standpipe-config"],
    &["standpipe-engine"],
    &["standpipe-transport", "standpipe-series"],
    &["standpipe-notify", "standpipe-web"],
    &["standpipe-demo"],
    &["standpipe"],
    &["standpipe-tests"],
];

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
        .filter(|name| root().join(name).is_file())
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
    files().into_iter().filter(|name| name.ends_with(".rs")).collect()
}

/// The sources of a place that are no tests.
fn code_below(place: &str) -> Vec<String> {
    sources().into_iter().filter(|name| name.starts_with(place) && !is_test(name)).collect()
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
    let top: BTreeSet<&str> = files.iter().filter_map(|name| name.split('/').next()).collect();
    let strange: Vec<String> =
        top.iter().filter(|top| !TOP.contains(top)).map(|top| (*top).to_owned()).collect();
    none("not a name of the top level", &strange);
    let missing: Vec<String> = NEEDED
        .iter()
        .filter(|needed| !files.iter().any(|file| file == *needed))
        .map(|needed| (*needed).to_owned())
        .collect();
    none("missing", &missing);
}

#[test]
fn nothing_is_left_for_later() {
    // Put together here, so that this file does not find itself.
    let marks = ["todo", "unimplemented"].map(|mark| format!("{mark}!"));
    let ignored = format!("#[{}", "ignore");
    let found = lines(&sources(), |line| {
        let line = code(line);
        marks.iter().any(|mark| line.contains(mark.as_str())) || line.contains(&ignored)
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
    for page in files().iter().filter(|name| name.ends_with(".md")) {
        let folder = root().join(page).parent().unwrap().to_owned();
        for link in links(&read(page)) {
            let file = link.split('#').next().unwrap_or_default();
            let far =
                ["http://", "https://", "mailto:"].iter().any(|scheme| link.starts_with(scheme));
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
    let rules = code_below(RULES);
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
    let found = lines(&rules, |line| FOREIGN.iter().any(|word| code(line).contains(word)));
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
    let gateway = code_below("gateway/");
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
        .filter(|package| {
            !["standpipe-store", "standpipe-series", "standpipe-tests", "standpipe-disk"]
                .contains(&&*package.name)
        })
        .filter(|package| package.needs.iter().any(|need| need == "rusqlite"))
        .map(|package| format!("{} depends on rusqlite", package.name))
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
    let folders = members.split(',').map(|folder| folder.trim().trim_matches('"'));
    let folders = folders.filter(|folder| !folder.is_empty());
    folders.map(|folder| manifest(&read(&format!("{folder}/Cargo.toml")))).collect()
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

/// A module that another one names, and the file in which it does.
type Edges = BTreeMap<String, BTreeMap<String, String>>;

/// Sources of one crate by their path below `src/`, without tests: which module at the top names
/// which others. What the root of the crate gives a shorter name counts for the module it is from.
fn edges(sources: &[(String, String)]) -> Edges {
    let module = |path: &str| path.split('/').next().unwrap_or_default().replace(".rs", "");
    let is_root = |path: &str| matches!(path, "lib.rs" | "main.rs");
    let modules: BTreeSet<String> =
        sources.iter().filter(|file| !is_root(&file.0)).map(|file| module(&file.0)).collect();
    let mut shorter = BTreeMap::new();
    for (_, text) in sources.iter().filter(|file| is_root(&file.0)) {
        for statement in text.split(';').filter_map(|part| part.rsplit_once("use ")) {
            let path: String = statement.1.split_whitespace().collect();
            let Some((from, names)) = path.trim_start_matches("crate::").split_once("::") else {
                continue;
            };
            for name in names.split(['{', '}', ',', ':']).filter(|_| modules.contains(from)) {
                shorter.insert(name.to_owned(), from.to_owned());
            }
        }
    }
    let mut edges = Edges::new();
    for (path, text) in sources.iter().filter(|file| !is_root(&file.0)) {
        let deep = path.trim_end_matches("/mod.rs").split('/').count();
        for root in ["crate::".to_owned(), "super::".repeat(deep)] {
            for name in names_behind(text, &root) {
                let to = modules.get(&name).or_else(|| shorter.get(&name));
                if let Some(to) = to.filter(|to| **to != module(path)) {
                    let named = edges.entry(module(path)).or_default();
                    named.entry(to.clone()).or_insert_with(|| path.clone());
                }
            }
        }
    }
    edges
}

/// What stands behind each of these paths: a name, or the first of each path in braces.
fn names_behind(text: &str, root: &str) -> Vec<String> {
    let mut names = Vec::new();
    for (at, _) in text.match_indices(root) {
        let before = text[..at].trim_end_matches("super::").len();
        let rest = text[at..].trim_start_matches(root);
        let is_whole = before == at && !rest.starts_with("super::");
        let in_a_path = text[..at].ends_with(|last: char| last.is_alphanumeric() || last == ':');
        if !is_whole || in_a_path {
            continue;
        }
        let mut depth = 0;
        for part in rest.split_inclusive(['{', '}', ',', ';', '(', ' ', '\n']) {
            let name = part.split(|letter: char| !letter.is_alphanumeric() && letter != '_').next();
            names.extend(name.filter(|name| !name.is_empty() && depth < 2).map(str::to_owned));
            depth += part.matches('{').count();
            depth -= part.matches('}').count().min(depth);
            let goes_on = part.ends_with([',', '{', '}']) || part.trim().is_empty();
            if depth == 0 || !goes_on {
                break;
            }
        }
    }
    names
}

/// Edges between modules each of which leads back to the other.
fn circles(edges: &Edges) -> Vec<String> {
    let reaches = |from: &str, to: &str| {
        let (mut seen, mut next) = (BTreeSet::new(), vec![from]);
        while let Some(module) = next.pop() {
            let named = edges.get(module).into_iter().flat_map(|named| named.keys());
            next.extend(named.map(String::as_str).filter(|name| seen.insert(*name)));
        }
        seen.contains(to)
    };
    let all = edges.iter().flat_map(|(from, named)| named.iter().map(move |to| (from, to)));
    all.filter(|(from, (to, _))| reaches(to, from))
        .map(|(from, (to, path))| format!("{from} names {to} ({path})"))
        .collect()
}

#[test]
fn no_modules_of_a_crate_stand_in_a_circle() {
    let mut crates: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
    for name in code_below("gateway/") {
        let Some((folder, path)) = name.split_once("/src/") else { continue };
        let text = read(&name);
        let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        let text = text.lines().map(code).collect::<Vec<_>>().join("\n");
        crates.entry(folder.to_owned()).or_default().push((path.to_owned(), text));
    }
    let (mut known, mut found) = (0, Vec::new());
    for (folder, sources) in &crates {
        let edges = edges(sources);
        known += edges.values().map(BTreeMap::len).sum::<usize>();
        found.extend(circles(&edges).into_iter().map(|circle| format!("{folder}: {circle}")));
    }
    assert!(known > 150, "only {known} modules name another: does this test still read them?");
    none("modules in a circle: move what both name below them", &found);
}

#[test]
#[rustfmt::skip] // a table
fn a_circle_of_modules_is_found_however_it_is_written() {
    let lib = "pub mod a;\npub mod b;\npub use b::{Thing, Other};\npub use a::Made;";
    for (a, b, circle) in [
        ("use crate::b::Thing;",                       "use crate::a::Made;",            true),
        ("use super::b::Thing;",                       "fn f() -> crate::a::Made {}",    true),
        ("use crate::{\n    Ms, Other,\n};",         "use crate::{Ms, a::{Made, X}};", true),
        ("use crate::Thing;",                          "use super::{Ms, Made};",         true),
        ("use crate::b::Thing;",                       "use super::Ms;\nuse other::a;", false),
        ("use crate::{c::{b, d}, Ms};",                "use crate::a::Made;",            false),
        ("use crate::b::Thing;",                       "mod inner;",                     false),
    ] {
        let sources = [("lib.rs", lib), ("a.rs", a), ("b.rs", b)];
        let sources = sources.map(|(path, text)| (path.to_owned(), text.to_owned()));
        assert_eq!(circles(&edges(&sources)).len(), if circle { 2 } else { 0 }, "{a}\n{b}");
    }
    let deep = [("lib.rs", lib), ("a.rs", "use crate::b;"), ("b/mod.rs", ""), ("b/c/d.rs", "use super::super::super::a;")];
    let deep = deep.map(|(path, text)| (path.to_owned(), text.to_owned()));
    assert_eq!(circles(&edges(&deep)), ["a names b (a.rs)", "b names a (b/c/d.rs)"]);
}

/// Who may read sentences, and whose these are.
const READERS: &[(&str, &str)] = &[
    ("gateway/rules/src/trail/before.rs", "lines that 0.1.0 wrote"),
    ("gateway/rules/src/incidents/title.rs", "titles that 0.1.0 wrote"),
    ("gateway/rules/src/digest.rs", "titles that 0.1.0 wrote"),
    ("gateway/store/src/accounts/audit.rs", "lines that 0.1.0 wrote"),
    ("gateway/series/src/influx/verdict.rs", "what InfluxDB answers"),
];

/// Whether a line searches a sentence or takes it apart.
fn reads_a_sentence(line: &str) -> bool {
    const SENTENCES: [&str; 6] = ["detail", "title", "why", "note", "words", "headline"];
    const READS: [&str; 9] = [
        "contains(",
        "starts_with(",
        "ends_with(",
        "strip_prefix(",
        "strip_suffix(",
        "find(",
        "rfind(",
        "split(",
        "split_once(",
    ];
    let line = code(line);
    let parts: Vec<&str> = line.split('.').collect();
    parts.iter().enumerate().any(|(at, part)| {
        let whose = match at.checked_sub(1).map(|before| parts[before]) {
            Some("en" | "zh" | "as_str()" | "detail()") if at >= 2 => parts[at - 2],
            Some(before) => before,
            None => return false,
        };
        let name = whose.rsplit(|letter: char| !letter.is_alphanumeric() && letter != '_').next();
        name.is_some_and(|name| SENTENCES.contains(&name))
            && READS.iter().any(|read| part.starts_with(read))
    })
}

/// Codes decide, words are for people: nothing hangs on how the gateway puts something.
#[test]
fn nothing_reads_the_gateways_own_sentences() {
    for line in [
        "if it.title.en.ends_with(id) {",
        "let why = why.split_once(\": \");",
        "hop.detail.as_str().contains(\"no \")",
    ] {
        assert!(reads_a_sentence(line), "{line}");
    }
    for line in ["// detail.contains(x)", "details.contains(x)", "title.is_empty()"] {
        assert!(!reads_a_sentence(line), "{line}");
    }
    let gateway = code_below("gateway/");
    let (mut found, mut readers) = (Vec::new(), BTreeSet::new());
    for name in gateway {
        let text = without_tests(&name);
        for (n, line) in text.lines().enumerate().filter(|(_, line)| reads_a_sentence(line)) {
            if READERS.iter().any(|(reader, _)| *reader == name) {
                readers.insert(name.clone());
            } else {
                found.push(format!("{name}:{}: {}", n + 1, line.trim()));
            }
        }
    }
    none("a sentence is read: give it a code", &found);
    assert_eq!(readers.len(), READERS.len(), "some read none any more: {readers:?}");
}

/// Tests may do what they like.
fn is_test(name: &str) -> bool {
    let test = |part: &str| matches!(part, "tests" | "drills" | "tests.rs" | "benches");
    name.split('/').any(test) || name.ends_with("_tests.rs")
}

#[test]
fn the_repository_is_at_home_on_every_machine() {
    let strangers: Vec<String> = files()
        .into_iter()
        .filter(|name| !name.ends_with(".gz") && name != "Cargo.lock" && !name.ends_with("go.sum"))
        .collect();
    // Put together here, so that this file does not find itself.
    let homes = ["root", "home", "Users"].map(|folder| format!("/{folder}/"));
    let mirrors = ["mirror", "proxy", "registry"].map(|kind| format!("://{kind}."));
    let work = format!("/{}/", "work");
    let found = lines(&strangers, |line| {
        homes.iter().chain(&mirrors).any(|place| line.contains(place.as_str()))
            || line.split(['"', '\'', ' ', '=', '`', '(']).any(|word| word.starts_with(&work))
    });
    none("names a machine", &found);
    let lock = read("Cargo.lock");
    let sources: BTreeSet<&str> =
        lock.lines().filter_map(|source| source.strip_prefix("source = ")).collect();
    let known = "\"registry+https://github.com/rust-lang/crates.io-index\"";
    assert_eq!(sources, BTreeSet::from([known]), "Cargo.lock names another registry");
}
