//! The files of `[registry]`: all of both is taken, or nothing of either.
//!
//! Whatever is wrong with a file is a list of faults and never more: it may be missing, a folder,
//! of another encoding, or not end. The two files refer to each other, so a good one beside a bad
//! one is not taken either. Not here: what a row may say (`standpipe_rules::registry::files`), and
//! what follows from faults (`run`, `cli::check`).

use std::fmt;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use standpipe_config::RegistryFiles;
use standpipe_machine::limits::REGISTRY_FILE;
use standpipe_machine::small_file;
use standpipe_rules::incidents::Text;
use standpipe_rules::registry::Registry;
use standpipe_rules::registry::files::{BadRow, File, Import};

/// Faults in the log of a gateway that runs; the rest are counted.
const LOGGED: usize = 5;
/// Faults listed by a gateway that does not start; a service manager retries it, and the list with it.
const LISTED: usize = 50;

/// Why nothing was taken, one line a fault, each with its place and what to do; never empty.
#[derive(Debug, PartialEq, Eq)]
pub struct Untaken(Vec<String>);

impl fmt::Display for Untaken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let listed = self.0.get(..LISTED).unwrap_or(&self.0);
        f.write_str(&listed.join("\n"))?;
        match self.0.len() - listed.len() {
            0 => Ok(()),
            more => write!(f, "\nand {more} more faults: `standpipe check` lists them all"),
        }
    }
}

impl Untaken {
    /// Every fault.
    #[must_use]
    pub fn faults(&self) -> &[String] {
        &self.0
    }

    /// The first fault and how many more there are, in one line: for the incident.
    #[must_use]
    pub fn detail(&self) -> String {
        let first = self.0.first().map_or("", String::as_str);
        match self.0.len() {
            0 | 1 => first.to_owned(),
            all => format!("{first} (+{})", all - 1),
        }
    }

    /// What is wrong, what follows, and what to do, for whoever looks at a page.
    #[must_use]
    pub fn why(&self) -> Text {
        let (first, all) = (self.0.first().map_or("", String::as_str), self.0.len());
        Text {
            en: format!(
                "Not read in: {all} fault{}. The gateway works with the stations and devices it has \
                 stored, and fires are paged. First: {first}. Correct the file (standpipe check \
                 lists every fault), then restart the gateway.",
                if all == 1 { "" } else { "s" }
            ),
            zh: format!(
                "未导入：{all} 处错误。网关按已保存的站点和设备运行，火警照常通知。第一处：{first}。\
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
        for fault in self.0.iter().take(LOGGED) {
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
                faults.push(format!("{}: {why}", path.display()));
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
    let told = |bad: &&BadRow| !unread || &*bad.column != "station";
    faults.extend(import.bad.iter().filter(told).map(ToString::to_string));
    let untaken = (!faults.is_empty()).then_some(Untaken(faults));
    (import, untaken)
}

/// A file's content, or why there is none.
fn bytes(path: &Path) -> Result<Vec<u8>, String> {
    small_file::read(path, REGISTRY_FILE).map_err(|bad| {
        if bad.kind() == ErrorKind::FileTooLarge {
            let most = REGISTRY_FILE / 1024 / 1024;
            return format!("at most {most} MiB are read ({bad}): correct `[registry]`");
        }
        format!("cannot be read ({bad}): put it there, or correct `[registry]`")
    })
}
