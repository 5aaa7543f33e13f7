//! What asks the machine for something does so in `gateway/machine`, or is listed here with its reason.

use super::{code, code_below, is_test, manifests, none, read, sources, without_tests};

/// What stands for asking the system, by what it is about.
const ASKED: &[(&str, &[&str])] = &[
    ("the time", &["SystemTime::now", "Instant::now"]),
    ("waiting", &["thread::sleep", "thread::park"]),
    ("entropy", &["getrandom::", "SystemRandom", "RandomState", "rand::", "OsRng"]),
    ("threads", &["thread::Builder", "thread::spawn", "thread::scope", "Builder::new().name("]),
    ("files", &["std::fs", "tokio::fs", "fs::", "File::", "OpenOptions", "read_dir("]),
    ("sockets", &["TcpListener::bind", "TcpStream::connect", "UdpSocket", "UnixStream"]),
    ("databases", &["Connection::open"]),
];

/// Who asks past `gateway/machine`: a file or a folder, what about, and why.
#[rustfmt::skip] // a table
const PAST_IT: &[(&str, &str, &str)] = &[
    ("gateway/src/cli/", "files", "commands read and write what a person names"),
    ("gateway/src/keep/", "files", "a backup is folders of files, and nothing else runs meanwhile"),
    ("gateway/src/provision/", "files", "certificates and passwords, made by a command"),
    ("gateway/src/archive/", "files", "lines for people to keep are added to a folder; nothing reads them"),
    ("gateway/src/degraded.rs", "files", "looks for databases that were set aside, at the start"),
    ("gateway/demo/", "files", "the folder of a demonstration"),
    ("gateway/demo/", "sockets", "looks for a port, and whether its broker is there"),
    ("gateway/demo/", "waiting", "for its broker"),
    ("gateway/src/cli/daily.rs", "waiting", "until tomorrow, on a clock that is made anew each time"),
    ("gateway/src/run/listening.rs", "sockets", "the address of the pages is taken before anything else is begun"),
    ("gateway/transport/src/mqtt/broker.rs", "sockets", "the one way to a broker; `Source` is its seam"),
    ("gateway/notify/", "the time", "tokio's, which tests pause"),
    ("gateway/notify/src/webhook/tried.rs", "files", "a hint, written before each attempt and never waited for"),
    ("gateway/store/", "databases", "SQLite's own seam, its VFS, lies below this; `tests/disk` is one"),
    ("gateway/series/src/embedded/", "databases", "as the store"),
    ("gateway/store/", "files", "sets a damaged database aside, and locks one"),
    ("gateway/store/src/copy.rs", "waiting", "for a page that somebody else holds"),
];

/// Who asks about something past the machine: the file, and the line.
fn past_the_machine() -> Vec<(String, &'static str, String)> {
    let mut found = Vec::new();
    for file in code_below("gateway/").into_iter().filter(|name| !name.contains("/machine/")) {
        // Played by tests alone, in a file of its own.
        let of_tests = ["gateway/series/src/rig.rs", "gateway/series/src/stories.rs"];
        if of_tests.contains(&&*file) {
            continue;
        }
        for (at, line) in without_tests(&file).lines().enumerate() {
            for (about, words) in ASKED {
                if words.iter().any(|word| names(code(line), word)) {
                    found.push((
                        file.clone(),
                        *about,
                        format!("{file}:{}: {}", at + 1, line.trim()),
                    ));
                }
            }
        }
    }
    found
}

/// Whether a line names that, and not only something whose name ends so.
fn names(line: &str, word: &str) -> bool {
    let within = |before: char| before.is_alphanumeric() || before == '_';
    line.match_indices(word).any(|(at, _)| !line[..at].ends_with(within))
}

#[test]
fn the_system_is_asked_by_way_of_the_machine() {
    let found = past_the_machine();
    let listed = |file: &str, about: &str| {
        PAST_IT.iter().any(|(place, what, _)| file.starts_with(place) && *what == about)
    };
    let unlisted: Vec<String> = found
        .iter()
        .filter(|(file, about, _)| !listed(file, about))
        .map(|(_, about, line)| format!("{about}: {line}"))
        .collect();
    none("asked past gateway/machine: ask there, or say here why not", &unlisted);
    let idle: Vec<String> = PAST_IT
        .iter()
        .filter(|(place, what, _)| {
            !found.iter().any(|(file, about, _)| file.starts_with(place) && about == what)
        })
        .map(|(place, what, _)| format!("{place}: {what}"))
        .collect();
    none("listed, and asks nothing", &idle);
}

/// The disk that fails is for tests: what is installed has no part in it.
#[test]
fn nothing_that_is_installed_is_made_with_the_disk_of_tests() {
    let found: Vec<String> = manifests()
        .into_iter()
        .filter(|package| package.needs.iter().any(|need| need == "standpipe-disk"))
        .map(|package| package.name)
        .collect();
    none("depends on the disk of tests", &found);
}

/// Clippy refuses the clock of the machine everywhere; this is who may overrule it.
#[test]
fn only_the_clock_asks_the_time() {
    let lint = format!("clippy::{}_methods", "disallowed");
    let found: Vec<String> = sources()
        .into_iter()
        .filter(|name| {
            name.starts_with("gateway/") && name != "gateway/machine/src/clock.rs" && !is_test(name)
        })
        .filter(|name| {
            let text = read(name);
            // Tests stand last in a file.
            let end = text.find("#[cfg(test)]").unwrap_or(text.len());
            text[..end].contains(&lint)
        })
        .collect();
    none("overrules the ban on clocks", &found);
}
