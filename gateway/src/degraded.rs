//! What a start does without: each thing that is not needed to page is found here, replaced by what
//! runs on in its place, and told with the command that mends it. The table is in `deploy/README.md`.
//!
//! A trouble is shown on every page, by `/readyz` and `/metrics`, and the engine keeps the incident
//! (`standpipe_engine::health::Degraded`). Not here: the files of `[registry]`, which tell of themselves
//! (`registry_files`); rows of the store, which the store skips.

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use standpipe_config::{Config, ConfigFault, ConfigFaults};
use standpipe_engine::health::{DegradedPart, Trouble};
use standpipe_machine::Machine;
use standpipe_machine::clock::in_file_names;
use standpipe_rules::Ms;
use standpipe_rules::incidents::Text;
use standpipe_series::off::NoHistory;
use standpipe_series::{NotOpened, Series};
use standpipe_store::accounts::{AccountError, Accounts};
use standpipe_store::files::{Database, UNREADABLE, set_aside};
use standpipe_store::lost::{Loss, LostStore};
use standpipe_store::{SkippedRow, StationIds};

/// Faults that the log lists; the rest are counted.
const LOGGED: usize = 20;
/// What keys of webhooks begin with, as they are shown.
const WEBHOOK: &str = "webhook[";

/// The configuration's file, as commands take it.
#[must_use]
pub fn file_of(config: &Config) -> String {
    let file = config.file.as_ref();
    file.map_or_else(|| "FILE".to_owned(), |file| file.display().to_string())
}

fn restore(file: &str) -> String {
    format!("standpipe restore --from BACKUP --config {file}")
}

/// What people are told of a store that is another than the one that was here; `file`: the configuration's.
#[must_use]
pub fn store_lost(lost: &LostStore, file: &str, now: Ms) -> Trouble {
    let restore = restore(file);
    let accept = format!("standpipe run --new-store --config {file}");
    tracing::error!(
        "{lost}: stop the gateway and `{restore}`, or go on with the new one: `{accept}`"
    );
    let known_zh = match (&lost.how, &lost.kept) {
        (Loss::Gone, _) => "数据库文件不见了，已新建".to_owned(),
        (Loss::Empty, _) => "数据库文件是空的，已新建".to_owned(),
        (Loss::Malformed, kept) => format!(
            "数据库损坏，原文件保留为 {}，能读取的 {} 条记录已转入新库",
            kept.as_deref().unwrap_or(Path::new("?")).display(),
            lost.rows
        ),
    };
    let detail = format!("{lost}: `{restore}`, or `{accept}`");
    let (en, zh) = (
        format!(
            "{lost}. Fires are paged, of any device that speaks; incidents, acknowledgements and work \
                 of before may be missing. Stop the gateway and put back a backup (`{restore}`), or go on \
                 with the new one (`{accept}`)."
        ),
        format!(
            "{known_zh}。凡有设备报警仍照常通知；以前的事件、确认和维护可能缺失。请停止网关后恢复备份\
                 （`{restore}`），或确认使用新库（`{accept}`）。"
        ),
    );
    Trouble { part: DegradedPart::Store, since: now, why: Text { en, zh }, detail }
}

/// Where a start finds what it does without.
#[derive(Debug)]
pub struct Start<'a> {
    pub config: &'a Config,
    /// What is wrong with the configuration.
    pub faults: Option<&'a ConfigFaults>,
    pub machine: &'a Machine,
    pub now: Ms,
}

impl Start<'_> {
    fn trouble(&self, part: DegradedPart, detail: String, (en, zh): (String, String)) -> Trouble {
        Trouble { part, since: self.now, why: Text { en, zh }, detail }
    }

    /// The configuration's file, as commands take it.
    fn file(&self) -> String {
        file_of(self.config)
    }

    /// How a backup is put back.
    fn restore(&self) -> String {
        restore(&self.file())
    }

    /// Keys of the configuration that are not used as they are written.
    #[must_use]
    pub fn keys(&self) -> Option<Trouble> {
        let faults = self.faults?;
        let of_keys = |fault: &&ConfigFault| !fault.key.starts_with(WEBHOOK);
        let lines: Vec<String> =
            faults.list.iter().filter(of_keys).map(|fault| faults.line(fault)).collect();
        let first = lines.first()?;
        let (all, more) = (lines.len(), more(lines.len()));
        log("the configuration is not all used: what is at fault is at its default", &lines);
        let mend = format!("standpipe check --config {}", self.file());
        Some(self.trouble(
            DegradedPart::Config,
            format!("{first}{more}: `{mend}` lists every fault; then restart the gateway"),
            (
                format!(
                    "{all} fault{} of the configuration: each such setting is at its default, and fires are \
                     paged. First: {first}. Correct the file (`{mend}` lists every fault), then restart the \
                     gateway.",
                    plural(all)
                ),
                format!(
                    "配置有 {all} 处错误：相应设置按默认值运行，火警照常通知。第一处：{first}。请修正文件\
                     （`{mend}` 可列出全部错误），然后重启网关。"
                ),
            ),
        ))
    }

    /// Receivers that are not sent what their section says.
    #[must_use]
    pub fn receivers(&self, unknown: &[UnknownStation]) -> Option<Trouble> {
        let of_webhooks = |fault: &&ConfigFault| fault.key.starts_with(WEBHOOK);
        let faults = self.faults.into_iter().flat_map(|faults| {
            faults.list.iter().filter(of_webhooks).map(|fault| faults.line(fault))
        });
        let mut lines: Vec<String> = faults.collect();
        lines.extend(unknown.iter().map(|UnknownStation { webhook, station }| {
            format!(
                "webhook `{webhook}`: station = `{station}`: no such station: it is told of every \
                 station's incidents"
            )
        }));
        let first = lines.first()?;
        let off = self.config.webhooks.iter().filter(|webhook| webhook.off.is_some());
        let off: Vec<String> = off.map(|webhook| format!("`{}`", webhook.name)).collect();
        let (off_en, off_zh) = match off.join(", ") {
            none if none.is_empty() => (String::new(), String::new()),
            names => (
                format!(" Nothing is sent to {names}: what it is owed waits."),
                format!("不向 {names} 发送，应发的通知保留待发。"),
            ),
        };
        let (all, more) = (lines.len(), more(lines.len()));
        log("receivers are not used as the configuration says", &lines);
        let mend = format!("standpipe check --config {}", self.file());
        Some(self.trouble(
            DegradedPart::Receivers,
            format!("{first}{more}:{off_en} `{mend}` lists every fault; then restart the gateway"),
            (
                format!(
                    "{all} fault{} of receivers.{off_en} All others are paged. First: {first}. Correct the \
                     file (`{mend}` lists every fault), then restart the gateway.",
                    plural(all)
                ),
                format!(
                    "接警端配置有 {all} 处错误。{off_zh}其余接警端照常通知。第一处：{first}。请修正文件\
                     （`{mend}` 可列出全部错误），然后重启网关。"
                ),
            ),
        ))
    }

    /// Where readings go, and what is wrong with that.
    #[must_use]
    pub fn history(&self) -> (Arc<dyn Series>, Option<Trouble>) {
        let place = self.config.store.history();
        let open = || standpipe_series::open(self.config);
        let is_damaged = |bad: &NotOpened| match bad {
            NotOpened::Embedded(bad) => bad.is_damaged(),
            NotOpened::Settings(_) => false,
        };
        match opened_anew((&place, self.now), open, is_damaged) {
            Ok((history, aside)) => {
                let before = || newest_aside(&place).filter(|_| self.config.influx.is_none());
                let aside = aside.or_else(before);
                (history, aside.map(|aside| self.history_aside(&aside)))
            }
            Err(why) => self.no_history(&why),
        }
    }

    fn history_aside(&self, aside: &Path) -> Trouble {
        let (aside, restore) = (aside.display(), self.restore());
        tracing::error!("history could not be read: a new one is written, the old one is {aside}");
        self.trouble(
            DegradedPart::History,
            format!("history could not be read, it is kept as {aside}: `{restore}`, or `rm {aside}`"),
            (
                format!(
                    "History could not be read: it is kept as {aside}, and a new one is written. Fires are \
                     paged. Put back that of a backup (stop the gateway, then `{restore}`), or, when nobody \
                     needs it, `rm {aside}`; then restart the gateway."
                ),
                format!(
                    "历史数据无法读取：原文件保留为 {aside}，已新建历史库，火警照常通知。请停止网关后用\
                     `{restore}` 恢复备份；若不再需要，请 `rm {aside}`，然后重启网关。"
                ),
            ),
        )
    }

    fn no_history(&self, why: &str) -> (Arc<dyn Series>, Option<Trouble>) {
        tracing::error!("no history is written: {why}");
        let trouble = self.trouble(
            DegradedPart::History,
            format!("no history is written: {why}; then restart the gateway"),
            (
                format!(
                    "No history is written: {why}; then restart the gateway. Readings wait in the store, and \
                     fires are paged."
                ),
                format!(
                    "历史数据未写入：{why}。处理后请重启网关。读数暂存于数据库，火警照常通知。"
                ),
            ),
        );
        (Arc::new(NoHistory::because(why)), Some(trouble))
    }

    /// The accounts, and what is wrong with them.
    ///
    /// # Errors
    /// Not even an empty list can be kept in memory.
    pub fn accounts(&self) -> Result<(Accounts, Option<Trouble>), AccountError> {
        let store = &self.config.store.path;
        let place = Database::Accounts.place(store);
        let open = || Accounts::open(store, &self.machine.entropy);
        match opened_anew((&place, self.now), open, AccountError::is_damaged) {
            Ok((accounts, aside)) => {
                let before =
                    || newest_aside(&place).filter(|_| accounts.is_empty().unwrap_or(false));
                let lost = aside.or_else(before).map(|aside| self.accounts_aside(&aside));
                Ok((accounts, lost))
            }
            Err(why) => self.no_accounts(&why),
        }
    }

    fn accounts_aside(&self, aside: &Path) -> Trouble {
        let (aside, restore, file) = (aside.display(), self.restore(), self.file());
        let add = format!("standpipe account add NAME --role admin --config {file}");
        tracing::error!(
            "accounts.db could not be read, it is kept as {aside}: nobody can sign in until \
             `{add}` has made an account, or `{restore}` has put them back"
        );
        self.trouble(
            DegradedPart::Accounts,
            format!("accounts could not be read, they are kept as {aside}: `{add}`, or `{restore}`"),
            (
                format!(
                    "The accounts could not be read: they are kept as {aside}, and nobody can sign in. \
                     Terminals and pages go on. Make an account (`{add}`), or put back those of a backup (stop \
                     the gateway, then `{restore}`); then restart the gateway."
                ),
                format!(
                    "账户无法读取：原文件保留为 {aside}，目前无人能登录，终端和通知照常工作。请用 `{add}` \
                     新建账户，或停止网关后用 `{restore}` 恢复备份，然后重启网关。"
                ),
            ),
        )
    }

    /// No accounts, and why.
    ///
    /// # Errors
    /// Not even an empty list can be kept in memory.
    pub fn no_accounts(&self, why: &str) -> Result<(Accounts, Option<Trouble>), AccountError> {
        tracing::error!("nobody can sign in: {why}");
        let trouble = self.trouble(
            DegradedPart::Accounts,
            format!("nobody can sign in: {why}; then restart the gateway"),
            (
                format!(
                    "Nobody can sign in: {why}; then restart the gateway. Terminals and pages go on."
                ),
                format!("目前无人能登录：{why}。处理后请重启网关。终端和通知照常工作。"),
            ),
        );
        Ok((Accounts::in_memory(&self.machine.entropy)?, Some(trouble)))
    }

    /// The store that was here is not the one that is here now.
    #[must_use]
    pub fn store(&self, lost: &LostStore) -> Trouble {
        store_lost(lost, &self.file(), self.now)
    }

    /// Rows of the store that were skipped.
    #[must_use]
    pub fn rows(&self, skipped: &[SkippedRow]) -> Option<Trouble> {
        let lines: Vec<String> = skipped.iter().map(ToString::to_string).collect();
        let first = lines.first()?;
        log("rows of the store can't be read: they are kept aside, the rest is loaded", &lines);
        let (all, more, restore) = (lines.len(), more(lines.len()), self.restore());
        Some(self.trouble(
            DegradedPart::Rows,
            format!("{first}{more}: `{restore}`, or register the device anew"),
            (
                format!(
                    "{all} row{} of the store can't be read, and the gateway works without them; they are kept \
                     in its table `unreadable`. Fires are paged. First: {first}. Put back a backup (stop the \
                     gateway, then `{restore}`), or register the device anew, and restart the gateway.",
                    plural(all)
                ),
                format!(
                    "数据库有 {all} 条记录无法读取，已另存于表 `unreadable`，网关在缺少这些记录的情况下运行，\
                     火警照常通知。第一条：{first}。请停止网关后用 `{restore}` 恢复备份，或重新登记设备，然后\
                     重启网关。"
                ),
            ),
        ))
    }

    /// Ids are made with another secret than before.
    #[must_use]
    pub fn ids(&self) -> Trouble {
        let name = crate::ids::NAME;
        tracing::error!(
            "`{name}` is not the one that ids were made with so far: an alarm that is delivered again \
             may be another incident; put back the file of a backup"
        );
        let put = format!("cp BACKUP/config/{name} .");
        self.trouble(
            DegradedPart::Ids,
            format!("`{name}` is another one than before: `{put}`, then restart the gateway"),
            (
                format!(
                    "`{name}` is another one than before. Fires are paged; an alarm that is delivered again may \
                     be paged under another id. Put back the file of a backup (`{put}`) and restart the gateway, \
                     or close this incident to go on with the new one."
                ),
                format!(
                    "`{name}` 与以前不同。火警照常通知，重复送达的警情可能使用新的编号。请恢复备份中的文件\
                     （`{put}`）并重启网关；如继续使用新密钥，请关闭本事件。"
                ),
            ),
        )
    }

    /// The address of the console is not to be had.
    #[must_use]
    pub fn http(&self, why: &str) -> Trouble {
        let address = self.config.http.listen;
        let look = format!("ss -ltnp 'sport = :{}'", address.port());
        tracing::error!(
            "nobody is served at {address} ({why}): change `http.listen`, or stop what listens there \
             (`{look}`); it is tried again, and pages go on"
        );
        self.trouble(
            DegradedPart::Http,
            format!("http can't listen on {address} ({why}): stop what listens there (`{look}`)"),
            (
                format!(
                    "The console and the API can't listen on {address} ({why}). Fires are paged. Stop what \
                     listens there (`{look}`): it is tried again by itself; or change `http.listen` and restart \
                     the gateway."
                ),
                format!(
                    "控制台和接口无法监听 {address}（{why}），火警照常通知。请停止占用该端口的程序\
                     （`{look}`），网关会自动重试；或修改 `http.listen` 后重启网关。"
                ),
            ),
        )
    }
}

/// A webhook whose station is not registered.
#[derive(Debug, PartialEq, Eq)]
pub struct UnknownStation {
    pub webhook: Box<str>,
    pub station: Box<str>,
}

/// Has webhooks of stations that nobody registered told of everybody's incidents, as one without a
/// station is: better too many pages than none.
#[must_use]
pub fn widen_unknown(
    config: &mut Config,
    registered: &StationIds,
    lost: Option<&LostStore>,
) -> Vec<UnknownStation> {
    // Before there is any station, none is missing; but where all were lost, everybody is told of all.
    if registered.is_empty() && lost.is_none() {
        return Vec::new();
    }
    let mut unknown = Vec::new();
    for webhook in &mut config.webhooks {
        if let Some(station) = webhook.station.take_if(|station| !registered.contains(station)) {
            unknown.push(UnknownStation { webhook: webhook.name.clone(), station });
        }
    }
    unknown
}

/// Opens what is at that place. A file that is damaged is moved out of the way, and another one takes its
/// place: then where the damaged one lies now is given back, too.
///
/// # Errors
/// Why there is none, in words.
fn opened_anew<T, E: Display>(
    (place, now): (&Path, Ms),
    open: impl Fn() -> Result<T, E>,
    is_damaged: impl Fn(&E) -> bool,
) -> Result<(T, Option<PathBuf>), String> {
    let words = |bad: E| bad.to_string();
    match open() {
        Ok(opened) => Ok((opened, None)),
        Err(bad) if is_damaged(&bad) => {
            let aside = set_aside(place, &format!("{UNREADABLE}{}", in_file_names(now)))
                .map_err(|why| format!("{bad}; it can't be set aside ({why})"))?;
            Ok((open().map_err(words)?, Some(aside)))
        }
        Err(bad) => Err(words(bad)),
    }
}

/// What was moved out of the way last and still lies there.
fn newest_aside(place: &Path) -> Option<PathBuf> {
    let folder = place.parent().filter(|folder| !folder.as_os_str().is_empty());
    let begins = format!("{}{UNREADABLE}", place.file_name()?.to_str()?);
    let names = std::fs::read_dir(folder.unwrap_or(Path::new("."))).ok()?.flatten();
    let names = names.filter_map(|entry| entry.file_name().into_string().ok());
    let of_it = |name: &String| {
        name.starts_with(&begins) && !name.ends_with("-wal") && !name.ends_with("-shm")
    };
    names.filter(of_it).max().map(|name| place.with_file_name(name))
}

fn log(what: &str, lines: &[String]) {
    tracing::error!(faults = lines.len(), "{what}");
    for line in lines.iter().take(LOGGED) {
        tracing::warn!("{line}");
    }
    if lines.len() > LOGGED {
        tracing::warn!("and {} more", lines.len() - LOGGED);
    }
}

fn more(all: usize) -> String {
    if all > 1 { format!(" (+{})", all - 1) } else { String::new() }
}

const fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}
