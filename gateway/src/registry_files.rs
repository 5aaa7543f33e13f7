//! The files of `[registry]`: they fill an empty registry, all of both or nothing of either; of one that
//! has something, it is said how they differ.
//!
//! Whatever is wrong with a file is a list of faults and never more: it may be missing, a folder,
//! of another encoding, or not end. The two files refer to each other, so a good one beside a bad
//! one is not taken either. Not here: what a row may say (`standpipe_lists`), and
//! what follows from faults (`run`, `cli::check`).

use std::fmt;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use standpipe_config::RegistryFiles;
use standpipe_lists::{BadRow, FaultCause, File, Import, Listed, RegistryDifference, told};
use standpipe_machine::limits::REGISTRY_FILE;
use standpipe_machine::small_file;
use standpipe_rules::incidents::Text;
use standpipe_rules::registry::{Device, Registry};
use standpipe_rules::selftest;
use standpipe_words::{Lang, Language};

/// Faults in the log of a gateway that runs; the rest are counted.
const LOGGED: usize = 5;
/// Faults listed by a gateway that does not start; a service manager retries it, and the list with it.
const LISTED: usize = 50;

/// Why nothing was taken, one line a fault, each with its place and what to do; never empty.
#[derive(Debug, PartialEq, Eq)]
pub struct Untaken(Vec<Text>);

impl fmt::Display for Untaken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let listed = self.0.get(..LISTED).unwrap_or(&self.0);
        let lines: Vec<&str> = listed.iter().map(|fault| fault.en.as_str()).collect();
        f.write_str(&lines.join("\n"))?;
        match self.0.len() - listed.len() {
            0 => Ok(()),
            more => write!(f, "\nand {more} more faults: `standpipe check` lists them all"),
        }
    }
}

impl Untaken {
    /// Every fault, of many of one cause the first few.
    pub fn faults(&self, language: Language) -> impl Iterator<Item = &str> {
        self.0.iter().map(move |fault| Lang::usual(language).text(fault))
    }

    /// The first fault and how many more there are, in one line: for the incident.
    #[must_use]
    pub fn detail(&self) -> String {
        let first = self.0.first().map_or("", |fault| &fault.en);
        match self.0.len() {
            0 | 1 => first.to_owned(),
            all => format!("{first} (+{})", all - 1),
        }
    }

    /// What is wrong, what follows, and what to do, for whoever looks at a page.
    #[must_use]
    pub fn why(&self) -> Text {
        let all = self.0.len();
        let first = |language| self.faults(language).next().unwrap_or_default();
        let (first_en, first_zh) = (first(Language::English), first(Language::Chinese));
        Text {
            en: format!(
                "Not read in: {all} fault{}. The gateway works with the stations and devices it has \
                 stored, and fires are paged. First: {first_en}. Correct the file (standpipe check \
                 lists every fault), then restart the gateway.",
                if all == 1 { "" } else { "s" }
            ),
            zh: format!(
                "未导入：{all} 处错误。网关按已保存的站点和设备运行，火警照常通知。第一处：{first_zh}。\
                 请修正文件（standpipe check 可列出全部错误），然后重启网关。"
            ),
        }
    }

    /// The first few faults, and a count.
    pub fn log(&self) {
        let all = self.0.len();
        tracing::error!(
            faults = all,
            "the files of `[registry]` are not taken in: the gateway goes on with the stations \
             and devices it has stored"
        );
        for fault in self.faults(Language::English).take(LOGGED) {
            tracing::error!("{fault}");
        }
        if all > LOGGED {
            let more = all - LOGGED;
            tracing::error!("and {more} more faults: `standpipe check` lists them all");
        }
    }
}

/// Reads the files of `[registry]`; what they refer to may also be in `known`. The good rows are to
/// be taken only where nothing is wrong.
#[must_use]
pub fn read(files: &RegistryFiles, known: &Registry) -> (Import, Option<Untaken>) {
    let mut faults = Vec::new();
    let mut content = |path: &Option<PathBuf>| {
        let path = path.as_ref()?;
        match bytes(path) {
            Ok(bytes) => Some((path.display().to_string(), bytes)),
            Err(why) => {
                let Text { en, zh } = why;
                let path = path.display();
                faults.push(Text { en: format!("{path}: {en}"), zh: format!("{path}: {zh}") });
                None
            }
        }
    };
    let (stations, devices) = (content(&files.stations), content(&files.devices));
    let import = Import::read(
        stations.as_ref().map(|(name, bytes)| File { name, bytes }),
        devices.as_ref().map(|(name, bytes)| File { name, bytes }),
        known,
    );
    let unread = stations.is_none() && files.stations.is_some();
    // Which stations there are is not known then, and that has been said.
    let of_other = |bad: &&BadRow| !unread || bad.cause != FaultCause::NoStation;
    let bad: Vec<BadRow> = import.bad.iter().filter(of_other).cloned().collect();
    let (en, zh) = (told(&bad, Language::English), told(&bad, Language::Chinese));
    faults.extend(en.into_iter().zip(zh).map(|(en, zh)| Text { en, zh }));
    let untaken = (!faults.is_empty()).then_some(Untaken(faults));
    (import, untaken)
}

/// Whether nobody has registered anything yet. What was only heard, and the detectors of the self-test, do
/// not count.
#[must_use]
pub fn is_empty(known: &Registry) -> bool {
    let ours = |device: &Device| device.claimed && !selftest::is_detector(&device.id);
    known.stations().is_empty() && !known.devices().iter().any(ours)
}

/// How good files differ from what is registered, what follows, and what to do, for whoever looks; `None`:
/// taking them in would change nothing. Logged.
#[must_use]
pub fn difference(files: &RegistryFiles, import: &Import, known: &Registry) -> Option<Text> {
    let listed = Listed { stations: files.stations.is_some(), devices: files.devices.is_some() };
    let difference = RegistryDifference::of(import, known, listed);
    if difference.is_empty() {
        return None;
    }
    let option = |name: &str, path: &Option<PathBuf>| {
        path.as_ref().map(|path| format!(" --{name} {}", path.display())).unwrap_or_default()
    };
    let (stations, devices) =
        (option("stations", &files.stations), option("devices", &files.devices));
    let command = format!("standpipe import{stations}{devices}");
    let Text { en, zh } = difference.summary();
    tracing::warn!(
        "the files of `[registry]` differ from the registry, and nothing of them was taken: {en}; \
         `{command}` shows the difference, with `--yes` it is taken"
    );
    Some(Text {
        en: format!(
            "The files of [registry] differ from the registry, and nothing of them was taken: {en}. \
             `{command}` shows the difference; with --yes it is taken."
        ),
        zh: format!(
            "[registry] 的文件与已登记的台账不同，未作任何更改：{zh}。用 `{command}` 查看差异，加 --yes 导入。"
        ),
    })
}

/// A file's content, or why there is none.
fn bytes(path: &Path) -> Result<Vec<u8>, Text> {
    small_file::read(path, REGISTRY_FILE).map_err(|bad| {
        if bad.kind() == ErrorKind::FileTooLarge {
            let most = REGISTRY_FILE / 1024 / 1024;
            return Text {
                en: format!("at most {most} MiB are read ({bad}): correct `[registry]`"),
                zh: format!("最多读取 {most} MiB（{bad}）：请更正 `[registry]`"),
            };
        }
        Text {
            en: format!("cannot be read ({bad}): put it there, or correct `[registry]`"),
            zh: format!("无法读取（{bad}）：请放好文件，或更正 `[registry]`"),
        }
    })
}
