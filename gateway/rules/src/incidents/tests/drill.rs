//! The drill language. One line is a time, something that happens, `=>` and all that follows:
//!
//! ```text
//! 02:00:00 raise SD-1 smoke       => #1 fire open e1; p1 #1 T1
//! 02:01:00 -                      => p2 #1 T2 T3
//! ```
//!
//! `-`: only time passes. `a + b`: both within one transaction; `tick`: and time passes between
//! them. `look #1 x`: somebody looks at it; `T1 resolve@x #1`: and says so of what was seen then. `#1`: the first incident. `e1`: its episode. `p2r1`: a page of step 2, first repetition,
//! and all its receivers (`@name`: a webhook). What follows between two lines and is not written
//! down fails the drill.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt::Write;

use standpipe_shared::Measurements;

use super::town::town;
use crate::changes::{Page, Presence, Receiver, TrailEntry};
use crate::detect::HydrantNow;
use crate::incidents::{Book, IdSecret, Incident, IncidentId, Plan, Refused, Saved, WireIncident};
use crate::registry::{DeviceIx, Registry};
use crate::{Changes, Ms};

/// Some midnight.
pub const DAY: Ms = 1_763_942_400_000;

/// Ids of drills.
pub const SECRET: IdSecret = IdSecret::new([7; 32]);

pub struct Drill {
    pub book: Book,
    pub registry: Registry,
    pub trail: Vec<TrailEntry>,
    pub pages: Vec<Page>,
    plan: Plan,
    restarts: bool,
    pub labels: Vec<IncidentId>,
    seen: BTreeMap<IncidentId, (String, u32)>,
    closed: BTreeMap<IncidentId, Incident>,
    presence: BTreeMap<Box<str>, Presence>,
    pub settled: HashSet<ulid::Ulid>,
    tuples: HashSet<(IncidentId, u32, u8, u32, Receiver)>,
    pub trust: BTreeMap<DeviceIx, HydrantNow>,
    pub values: BTreeMap<DeviceIx, Measurements>,
    /// What somebody saw of an incident: its version, by the name that the drill gave it.
    pub looks: BTreeMap<String, Box<str>>,
}

/// Runs a drill in the standard town, twice.
pub fn drill(script: &str) -> Drill {
    drill_with(&Plan { webhooks: Vec::new(), ..Plan::default() }, script)
}

/// Runs a drill by another plan.
pub fn drill_with(plan: &Plan, script: &str) -> Drill {
    twice(&|| Drill::new(at_once(plan)), script)
}

/// Runs a drill in which a person's word that it is over can be taken back for 30 s, as it can be in
/// earnest. In all others it holds at once, and what follows from it is read in the same line.
pub fn taken_back(script: &str) -> Drill {
    twice(&|| Drill::new(Plan { webhooks: Vec::new(), ..Plan::default() }), script)
}

/// A plan by which a person's word holds at once.
pub fn at_once(plan: &Plan) -> Plan {
    Plan { undo_s: 0, ..plan.clone() }
}

/// The same, in which a page is confirmed by what the script says.
pub fn unconfirmed(plan: &Plan, script: &str) -> Drill {
    twice(&|| Drill::unconfirmed(at_once(plan)), script)
}

fn twice(begin: &dyn Fn() -> Drill, script: &str) -> Drill {
    let mut restarted = begin().with_restarts();
    restarted.run(script);
    let mut drill = begin();
    drill.run(script);
    assert_eq!(drill.trail, restarted.trail, "a restart changed the trail");
    assert_eq!(drill.pages, restarted.pages, "a restart changed the pages");
    assert!(drill.book.open().eq(restarted.book.open()), "a restart changed the incidents");
    drill
}

/// `02:00:00` or `02:00:00.5` of the first day, `1d02:00:00` of the second.
pub fn time(text: &str) -> Ms {
    let (days, clock) = text.split_once('d').unwrap_or(("0", text));
    let mut parts = clock.split(':').map(|part| part.parse::<f64>().expect(text));
    let seconds = parts.by_ref().take(3).fold(0.0, |sum, part| sum * 60.0 + part);
    #[expect(clippy::cast_possible_truncation, reason = "seconds of a day")]
    let ms = (seconds * 1_000.0).round() as Ms;
    DAY + days.parse::<Ms>().expect(text) * 86_400_000 + ms
}

fn clock(at: Ms) -> String {
    let (days, ms) = ((at - DAY) / 86_400_000, (at - DAY) % 86_400_000);
    let day = if days > 0 { format!("{days}d") } else { String::new() };
    let (h, m, s) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1_000 % 60);
    let rest = if ms % 1_000 > 0 { format!(".{:03}", ms % 1_000) } else { String::new() };
    format!("{day}{h:02}:{m:02}:{s:02}{rest}")
}

impl Drill {
    /// The standard town with every terminal online, in which every page is confirmed in time.
    pub fn new(plan: Plan) -> Self {
        Self::unconfirmed(Plan { confirm_s: 0, ..plan })
    }

    /// The same, in which a page is confirmed by what the script says.
    pub fn unconfirmed(plan: Plan) -> Self {
        let mut drill = Self {
            book: Book::new(plan.clone(), SECRET),
            registry: town(),
            trail: Vec::new(),
            pages: Vec::new(),
            plan,
            restarts: false,
            labels: Vec::new(),
            seen: BTreeMap::new(),
            closed: BTreeMap::new(),
            presence: BTreeMap::new(),
            settled: HashSet::new(),
            tuples: HashSet::new(),
            trust: BTreeMap::new(),
            values: BTreeMap::new(),
            looks: BTreeMap::new(),
        };
        for station in ["D", "T1", "T2", "T3", "T4", "C1"] {
            drill.happens(&["online", station], DAY);
        }
        drill
    }

    /// The same with a restart before everything that happens.
    pub fn restarting(plan: Plan) -> Self {
        Self::new(plan).with_restarts()
    }

    fn with_restarts(mut self) -> Self {
        self.restarts = true;
        self
    }

    /// Whether that incident was closed.
    pub fn was_closed(&self, id: IncidentId) -> bool {
        self.closed.contains_key(&id)
    }

    /// Runs a script and compares all that followed with what it says.
    pub fn run(&mut self, script: &str) -> &mut Self {
        let (mut expected, mut found) = (String::new(), String::new());
        for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let (head, effects) = line.split_once("=>").unwrap_or((line, ""));
            let words: Vec<&str> = head.split_whitespace().collect();
            let [at, command @ ..] = words.as_slice() else { panic!("{line}: no time") };
            let now = time(at);
            while let Some(wake) = self.book.next_wake().filter(|wake| *wake < now) {
                let effects = self.happens(&["-"], wake);
                if !effects.is_empty() {
                    let _ = writeln!(found, "{} - => {effects}", clock(wake));
                }
            }
            let _ = writeln!(expected, "{at} {} => {}", command.join(" "), effects.trim());
            let effects = self.happens(command, now);
            let _ = writeln!(found, "{at} {} => {effects}", command.join(" "));
        }
        assert!(expected == found, "expected\n{expected}\nfound\n{found}");
        self
    }

    /// The incident of that number, as a station sees it.
    pub fn wire(&self, number: usize) -> WireIncident {
        self.incident(number).wire(&self.registry)
    }

    /// The incident of that number.
    pub fn incident(&self, number: usize) -> &Incident {
        let id = self.labels[number - 1];
        self.book.get(id).or_else(|| self.closed.get(&id)).expect("it was seen")
    }

    /// The trail of an incident: `time hop by: detail` a line.
    pub fn trail_of(&self, number: usize) -> Vec<String> {
        let id = self.labels[number - 1];
        let its = self.trail.iter().filter(|entry| entry.incident == id);
        its.map(|entry| {
            let hop = serde_json::to_string(&entry.hop).expect("a name").replace('"', "");
            format!("{} {hop} {}: {}", clock(entry.at), entry.by, entry.detail)
        })
        .collect()
    }

    fn restart(&mut self) {
        let owed = self.pages.iter();
        let saved = Saved {
            meta: again(self.book.meta()),
            incidents: self.book.open().map(again).collect(),
            closed: self.closed.keys().copied().collect(),
            owed: owed.filter(|page| !self.settled.contains(&page.page_id)).cloned().collect(),
            bundles: Vec::new(),
            presence: self.presence.values().cloned().collect(),
        };
        self.book = Book::new(self.plan.clone(), SECRET);
        self.book.restore(saved);
    }

    /// One thing happens, then time passes.
    pub fn quietly(&mut self, command: &[&str], now: Ms) -> (Changes, Option<Refused>) {
        let mut out = Changes::default();
        let mut book = std::mem::replace(&mut self.book, Book::new(self.plan.clone(), SECRET));
        let each = command.split(|word| *word == "+");
        let refused = each.filter_map(|part| self.command(&mut book, part, now, &mut out)).last();
        self.look(|view| book.tick(view, now, &mut out));
        self.book = book;
        self.presence.extend(
            out.presence.iter().cloned().map(|presence| (presence.station.clone(), presence)),
        );
        self.trail.extend(out.trail.iter().cloned());
        self.settled.extend(out.superseded.iter().map(|(page, _)| page.page_id));
        for page in &out.pages {
            assert!(self.tuples.insert(tuple(page)), "a page was owed twice: {page:?}");
            self.pages.push(page.clone());
        }
        (out, refused)
    }

    /// One thing happens, then time passes; all that followed, in words.
    pub fn happens(&mut self, command: &[&str], now: Ms) -> String {
        if self.restarts {
            self.restart();
        }
        let (out, refused) = self.quietly(command, now);
        let words = self.words(&out, refused);
        for id in &out.incidents {
            let incident = self.book.get(*id).expect("it is there until it is committed");
            if incident.outcome.is_some() {
                self.closed.insert(*id, incident.clone());
            }
        }
        self.book.committed();
        words
    }

    /// What followed, in words; checks what must hold of every change.
    fn words(&mut self, out: &Changes, refused: Option<Refused>) -> String {
        let mut words = Vec::new();
        words.extend(refused.map(|why| match why {
            Refused::Unknown => "refused: unknown".to_owned(),
            Refused::Unregistered => "refused: unregistered".to_owned(),
            Refused::NotTold => "refused: not told".to_owned(),
            Refused::NotAllowed => "refused: not allowed".to_owned(),
            Refused::Changed => "refused: changed".to_owned(),
            Refused::NotNow { state } => format!("refused: {}", state.as_str()),
        }));
        for id in &out.incidents {
            if !self.labels.contains(id) {
                self.labels.push(*id);
            }
        }
        for (n, id) in self.labels.iter().enumerate() {
            let Some(incident) = self.book.get(*id) else { continue };
            let mut now = format!(
                "{} {} e{}",
                incident.severity.as_str(),
                incident.state.as_str(),
                incident.episode
            );
            if let Some(parent) =
                incident.parent.and_then(|id| self.labels.iter().position(|label| *label == id))
            {
                let _ = write!(now, " in #{}", parent + 1);
            }
            if let Some(outcome) = incident.outcome {
                let _ = write!(now, " {}", outcome.as_str());
            }
            let (before, rev) = self.seen.get(id).cloned().unwrap_or_default();
            if before != now {
                assert!(
                    incident.rev > rev,
                    "#{} changed under rev {rev}: {before} to {now}",
                    n + 1
                );
                words.push(format!("#{} {now}", n + 1));
            }
            self.seen.insert(*id, (now, incident.rev));
        }
        let mut pages = BTreeMap::<_, BTreeSet<String>>::new();
        for page in &out.pages {
            let label =
                self.labels.iter().position(|label| *label == page.incident).unwrap_or(99) + 1;
            let key = (label, page.episode, page.step, page.repeat);
            pages.entry(key).or_default().insert(match &page.receiver {
                Receiver::Station(id) => id.to_string(),
                Receiver::Webhook(name) => format!("@{name}"),
            });
        }
        for ((label, _, step, repeat), receivers) in pages {
            let repeat = if repeat > 0 { format!("r{repeat}") } else { String::new() };
            let receivers: Vec<_> = receivers.into_iter().collect();
            words.push(format!("p{step}{repeat} #{label} {}", receivers.join(" ")));
        }
        words.join("; ")
    }
}

/// What makes a page one page.
fn tuple(page: &Page) -> (IncidentId, u32, u8, u32, Receiver) {
    (page.incident, page.episode, page.step, page.repeat, page.receiver.clone())
}

/// Stored and read back.
pub fn again<T: serde::Serialize + serde::de::DeserializeOwned>(stored: &T) -> T {
    let json = serde_json::to_string(stored).expect("it can be stored");
    serde_json::from_str(&json).expect("what was stored can be read")
}
