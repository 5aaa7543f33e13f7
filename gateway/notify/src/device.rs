//! What is asked of devices: retained settings, commands that expire; the gateway's clock; and what
//! stations are told of announced work, which is no page and may wait.
//!
//! A broker that comes back is given again the settings that devices do not run yet, in case it
//! forgot. A command is given to it once; when it is sent again is decided in
//! `standpipe_rules::orders`, and it is then owed like any other. The session is in
//! `session.rs`.

use std::collections::{HashMap, HashSet};
use std::thread::JoinHandle;

use metrics::counter;
use standpipe_engine::{Inbox, Input};
use standpipe_machine::clock::Stamp;
use standpipe_rules::Ms;
use standpipe_rules::registry::DeviceIx;
use standpipe_shared::Command;
use standpipe_store::Reader;
use standpipe_store::bulletins::Bulletin;
use standpipe_store::orders::{OwedCommand, OwedSettings};
use standpipe_transport::mqtt::{Broker, PublishReceipt};
use ulid::Ulid;

use super::SenderSetup;
use super::flight::LEAVE_ALONE;
use super::packets::Packets;
use super::session::{self, Landed, MqttMessage, Owed, Shelf};

/// Settings, and commands, read from the store at one time.
const AT_ONCE: usize = 256;

/// Starts the sender on its own thread. It ends after `setup.stop`.
///
/// # Errors
/// What the system says when it gives no thread.
pub fn start(
    setup: SenderSetup,
    broker: Broker,
    root: &str,
    gateway: &str,
) -> std::io::Result<JoinHandle<()>> {
    let shelf = Shelf::new(DeviceMail::NAME, setup.store.clone());
    let bell = setup.rings.devices.clone();
    session::start(
        DeviceMail::new(root, shelf),
        setup,
        (broker, format!("standpipe-devices-{gateway}")),
        bell,
    )
}

/// What a message brings about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum LetterKey {
    /// The broker keeps that number for a device in that area.
    Settings(DeviceIx, u32, Box<str>),
    /// The device gets a command, which was sent again so often before.
    Command(Ulid, u32),
    /// The broker keeps that revision for a station.
    Bulletin(Box<str>, u32),
}

/// What one device, or one station, is to be sent.
#[derive(Clone, Debug)]
enum Letter {
    /// What the broker keeps where a device was goes.
    Empty(OwedSettings),
    Settings(OwedSettings),
    Command(Box<OwedCommand>),
    Bulletin(Bulletin),
}

/// What is owed to devices.
struct DeviceMail {
    root: Box<str>,
    shelf: Shelf,
    packets: Packets<Letter>,
    /// What is planned or on its way.
    busy: HashSet<LetterKey>,
    /// What arrived or was refused: left alone until then.
    resting: HashMap<LetterKey, Ms>,
    /// Where reading goes on, of owed settings and commands.
    from: (DeviceIx, u64),
    /// Where reading goes on of what the broker may have forgotten.
    again_from: Option<DeviceIx>,
    more: bool,
}

impl Letter {
    fn key(&self) -> Option<LetterKey> {
        match self {
            Self::Empty(_) => None,
            Self::Settings(owed) => {
                Some(LetterKey::Settings(owed.ix, owed.settings.rev, owed.area.clone()))
            }
            Self::Command(owed) => Some(LetterKey::Command(owed.command.id, owed.command.resends)),
            Self::Bulletin(bulletin) => {
                Some(LetterKey::Bulletin(bulletin.station.clone(), bulletin.rev))
            }
        }
    }
}

impl DeviceMail {
    fn new(root: &str, shelf: Shelf) -> Self {
        Self {
            root: root.into(),
            shelf,
            packets: Packets::default(),
            busy: HashSet::new(),
            resting: HashMap::new(),
            from: (DeviceIx(0), 0),
            again_from: None,
            more: false,
        }
    }

    fn plan(&mut self, letter: Letter) {
        let Some(key) = letter.key() else { return };
        if self.resting.contains_key(&key) || !self.busy.insert(key) {
            return;
        }
        if let Letter::Settings(owed) = &letter
            && !owed.left_area.is_empty()
        {
            self.packets.plan(Letter::Empty(owed.clone()));
        }
        self.packets.plan(letter);
    }

    fn read_settings(&mut self) {
        let from = self.from.0;
        let owed = self.shelf.read(|reader| reader.owed_settings(from, AT_ONCE));
        let owed = owed.unwrap_or_default();
        self.from.0 = after(&owed).unwrap_or(DeviceIx(0));
        self.more |= owed.len() == AT_ONCE;
        owed.into_iter().for_each(|settings| self.plan(Letter::Settings(settings)));
    }

    /// What the broker had and no device has said that it runs: it may be forgotten.
    fn read_pending(&mut self) {
        let Some(from) = self.again_from else { return };
        let Some(again) = self.shelf.read(|reader| reader.pending_settings(from, AT_ONCE)) else {
            return;
        };
        self.again_from = after(&again);
        self.more |= self.again_from.is_some();
        again.into_iter().for_each(|settings| self.plan(Letter::Settings(settings)));
    }

    fn read_commands(&mut self, now: Ms) {
        let from = self.from.1;
        let owed = self.shelf.read(|reader| reader.owed_commands(from, AT_ONCE));
        let owed = owed.unwrap_or_default();
        let full = owed.len() == AT_ONCE;
        self.from.1 = owed.last().filter(|_| full).map_or(0, |last| last.command.number);
        self.more |= full;
        for due in owed.into_iter().filter(|due| due.command.expires_at > now) {
            self.plan(Letter::Command(Box::new(due)));
        }
    }

    fn message(&self, pkid: u16, letter: &Letter, now: Ms) -> MqttMessage {
        let topic = |area: &str, device: &str, channel: &str| {
            format!("{}/{area}/{device}/{channel}", self.root)
        };
        match letter {
            Letter::Empty(owed) => MqttMessage {
                topic: topic(&owed.left_area, &owed.device, "settings"),
                payload: String::new(),
                pkid,
                retain: true,
                expiry_s: 0,
            },
            Letter::Bulletin(bulletin) => MqttMessage {
                topic: format!("{}/stations/{}/maintenance", self.root, bulletin.station),
                payload: bulletin.json.clone().into(),
                pkid,
                retain: true,
                expiry_s: 0,
            },
            Letter::Settings(owed) => MqttMessage {
                topic: topic(&owed.area, &owed.device, "settings"),
                payload: serde_json::to_string(&owed.settings).unwrap_or_default(),
                pkid,
                retain: true,
                expiry_s: 0,
            },
            Letter::Command(owed) => {
                let (id, asked) = (owed.command.id.to_string(), &owed.command);
                let command = Command { id: &id, command: asked.command, seconds: asked.seconds };
                let left_s = ((asked.expires_at - now).max(1) + 999) / 1_000;
                MqttMessage {
                    topic: topic(&owed.area, &owed.device, "command"),
                    payload: serde_json::to_string(&command).unwrap_or_default(),
                    pkid,
                    retain: false,
                    expiry_s: u32::try_from(left_s).unwrap_or(u32::MAX),
                }
            }
        }
    }

    fn arrived(&mut self, letter: Letter, now: Stamp) -> Vec<Inbox> {
        let Some(key) = letter.key() else { return Vec::new() };
        let report = match letter {
            Letter::Empty(_) => return Vec::new(),
            Letter::Settings(owed) => {
                Input::SettingsSent { device: owed.ix, rev: owed.settings.rev }.at(now)
            }
            Letter::Bulletin(bulletin) => {
                Input::BulletinSent { station: bulletin.station, rev: bulletin.rev }.into()
            }
            Letter::Command(owed) => {
                let (id, resends) = (owed.command.id, owed.command.resends);
                Input::CommandSent { id, resends }.at(now)
            }
        };
        self.resting.insert(key, now.steady() + LEAVE_ALONE);
        vec![report]
    }
}

/// Where to go on after a full page; `None`: that was all.
fn after(page: &[OwedSettings]) -> Option<DeviceIx> {
    page.last().filter(|_| page.len() == AT_ONCE).map(|last| DeviceIx(last.ix.0 + 1))
}

impl Owed for DeviceMail {
    const NAME: &'static str = "device orders";

    fn connected(&mut self, _: Stamp) {
        self.again_from = Some(DeviceIx(0));
        for bulletin in self.shelf.read(Reader::kept_bulletins).unwrap_or_default() {
            self.plan(Letter::Bulletin(bulletin));
        }
        self.read_pending();
    }

    fn read(&mut self, now: Stamp) {
        self.resting.retain(|_, until| *until > now.steady());
        self.more = false;
        for bulletin in self.shelf.read(Reader::owed_bulletins).unwrap_or_default() {
            self.plan(Letter::Bulletin(bulletin));
        }
        self.read_settings();
        self.read_pending();
        self.read_commands(now.told());
    }

    fn wants_more(&mut self) -> bool {
        self.more && self.packets.is_idle()
    }

    fn next(&mut self, window: usize, now: Stamp) -> Option<MqttMessage> {
        let (pkid, letter) = self.packets.next(window)?;
        Some(self.message(pkid, &letter, now.told()))
    }

    fn landed(&mut self, pkid: u16, receipt: &PublishReceipt, now: Stamp) -> Landed {
        let Some(letter) = self.packets.landed(pkid) else { return Landed::default() };
        let key = letter.key();
        if let Some(key) = &key {
            self.busy.remove(key);
        }
        match receipt {
            PublishReceipt::Taken => Landed { reports: self.arrived(letter, now), refused: None },
            PublishReceipt::Refused(_) => {
                counter!("standpipe_order_failures_total").increment(1);
                self.resting.extend(key.map(|key| (key, now.steady() + LEAVE_ALONE)));
                let refused = Some(self.message(0, &letter, now.told()).topic);
                Landed { reports: Vec::new(), refused }
            }
        }
    }

    fn lost(&mut self) {
        self.packets.lost();
        self.busy.clear();
        self.resting.clear();
    }

    /// The time, for devices without a clock of their own.
    fn each_minute(&self, now: Ms) -> Option<MqttMessage> {
        let topic = format!("{}/gateway/clock", self.root);
        let payload = format!(r#"{{"ts":{now}}}"#);
        Some(MqttMessage { topic, payload, pkid: 0, retain: false, expiry_s: 0 })
    }
}

#[cfg(test)]
mod tests;
