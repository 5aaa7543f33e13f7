//! What is not as it should be while the gateway does its work: fires are paged all the same, and
//! a person has to know. Every page of the console shows it, `/readyz` names it and stays 200,
//! and `standpipe_degraded{part="…"}` is 1.
//!
//! A part that stops the work is a [`super::Part`]. The engine follows what is written here: it keeps an
//! incident about it, and forgets a trouble whose incident a person has closed ([`DegradedWatch`]).

use std::collections::BTreeSet;

use metrics::gauge;
use standpipe_rules::Ms;
use standpipe_rules::incidents::Text;
use standpipe_shared::Condition;
use tokio::sync::watch;

/// A part of which the gateway can do without for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DegradedPart {
    /// The store: nothing can be written, and the gateway works in memory.
    Rescue,
    /// The disk that the store is on: it is nearly full.
    Disk,
    /// The files of `[registry]`: they were not taken in at the start.
    Registry,
    /// `standpipe.toml`: something in it, or a file that it names, is not used.
    Config,
    /// A `[[webhook]]`: it is sent nothing, or pages of other stations than its section says.
    Receivers,
    /// The store: one was there, and what is in the new one is not all of it.
    Store,
    /// Rows of the store that can't be read: kept aside, and the rest is loaded.
    Rows,
    /// History: it is not written, or what was there can't be read.
    History,
    /// Accounts: nobody who had one can sign in.
    Accounts,
    /// `ids.secret`: ids of incidents and pages come from another one than before.
    Ids,
    /// A gateway on a copy of the store runs as well.
    Twin,
    /// Another client takes sessions of this gateway.
    Rival,
    /// The store was on another machine when the gateway last ran.
    Machine,
    /// The address of the console and the API: nobody is served there.
    Http,
    /// A station sends more actions than its people can.
    Actions,
}

impl DegradedPart {
    /// Every part, in the order in which they are shown.
    pub const ALL: [Self; 15] = [
        Self::Rescue,
        Self::Disk,
        Self::Registry,
        Self::Config,
        Self::Receivers,
        Self::Store,
        Self::Rows,
        Self::History,
        Self::Accounts,
        Self::Ids,
        Self::Twin,
        Self::Rival,
        Self::Machine,
        Self::Http,
        Self::Actions,
    ];

    /// The code in `/readyz` and in the metric's label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rescue => "rescue",
            Self::Disk => "disk",
            Self::Registry => "registry",
            Self::Config => "config",
            Self::Receivers => "receivers",
            Self::Store => "store_lost",
            Self::Rows => "store_rows",
            Self::History => "history",
            Self::Accounts => "accounts",
            Self::Ids => "ids",
            Self::Twin => "twin",
            Self::Rival => "rival",
            Self::Machine => "machine",
            Self::Http => "http",
            Self::Actions => "actions",
        }
    }

    /// What the incident about it is called.
    #[must_use]
    pub const fn condition(self) -> Condition {
        match self {
            Self::Registry => Condition::RegistryFault,
            Self::Rescue
            | Self::Disk
            | Self::Config
            | Self::Receivers
            | Self::Store
            | Self::Rows
            | Self::History
            | Self::Accounts
            | Self::Ids
            | Self::Twin
            | Self::Rival
            | Self::Machine
            | Self::Http
            | Self::Actions => Condition::Degraded,
        }
    }

    /// Whether it is over when the gateway finds that it is, and not before: a person who closes the
    /// incident changes nothing about it.
    #[must_use]
    pub const fn ends_by_itself(self) -> bool {
        match self {
            Self::Rescue | Self::Disk | Self::Twin | Self::Rival | Self::Actions => true,
            Self::Registry
            | Self::Config
            | Self::Receivers
            | Self::Store
            | Self::Rows
            | Self::History
            | Self::Accounts
            | Self::Ids
            | Self::Http
            | Self::Machine => false,
        }
    }
}

/// The conditions of the gateway that are kept from what is written here.
pub const CONDITIONS: [Condition; 2] = [Condition::RegistryFault, Condition::Degraded];

/// What is wrong with a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// With which.
    pub part: DegradedPart,
    /// Since when.
    pub since: Ms,
    /// What is wrong, and what to do, in both languages.
    pub why: Text,
    /// The same in a line, for the incident: what is wrong, and the command that mends it.
    pub detail: String,
}

/// Everything that is wrong now: one trouble a part. Whoever finds it writes, anybody reads.
#[derive(Debug, Default)]
pub struct Degraded(watch::Sender<Vec<Trouble>>);

impl Degraded {
    /// Something is wrong with a part. Said again, it has been wrong since the first time, and the
    /// newest words are shown.
    pub fn set(&self, trouble: Trouble) {
        let part = trouble.part;
        self.0.send_if_modified(|all| {
            let Some(known) = all.iter_mut().find(|known| known.part == part) else {
                all.push(trouble);
                all.sort_by_key(|known| known.part);
                return true;
            };
            let newest = Trouble { since: known.since, ..trouble };
            let is_news = *known != newest;
            *known = newest;
            is_news
        });
        metric(part, 1.0);
    }

    /// The clock was set by so much: each part has been in trouble for as long as before.
    pub fn shift(&self, by: Ms) {
        self.0.send_modify(|all| all.iter_mut().for_each(|trouble| trouble.since += by));
    }

    /// A part is as it should be, or a person has dealt with it.
    pub fn clear(&self, part: DegradedPart) {
        self.0.send_if_modified(|all| {
            let before = all.len();
            all.retain(|known| known.part != part);
            all.len() != before
        });
        metric(part, 0.0);
    }

    /// What is wrong with a part.
    #[must_use]
    pub fn of(&self, part: DegradedPart) -> Option<Trouble> {
        self.0.borrow().iter().find(|known| known.part == part).cloned()
    }

    /// Everything that is wrong, in the order of [`DegradedPart::ALL`].
    #[must_use]
    pub fn list(&self) -> Vec<Trouble> {
        self.0.borrow().clone()
    }

    /// For the engine, which keeps the incidents.
    #[must_use]
    pub fn watch(&self) -> DegradedWatch {
        let mut news = self.0.subscribe();
        // What an earlier start found may be over.
        news.mark_changed();
        DegradedWatch { news, told: BTreeSet::new() }
    }

    /// Counts every part, so that a part in order is a 0 and not an absent series.
    pub fn report(&self) {
        for part in DegradedPart::ALL {
            metric(part, if self.of(part).is_some() { 1.0 } else { 0.0 });
        }
    }
}

/// What is wrong, as the engine was told it last.
#[derive(Debug)]
pub struct DegradedWatch {
    news: watch::Receiver<Vec<Trouble>>,
    /// The parts whose trouble is in an incident.
    told: BTreeSet<DegradedPart>,
}

impl DegradedWatch {
    /// What each of [`CONDITIONS`] is about now, in words; `None`: nothing, it is over. Nothing at all
    /// when nothing has changed.
    pub fn news(&mut self) -> Option<[(Condition, Option<String>); 2]> {
        if !self.news.has_changed().unwrap_or(false) {
            return None;
        }
        let all = self.news.borrow_and_update();
        self.told = all.iter().map(|trouble| trouble.part).collect();
        Some(CONDITIONS.map(|condition| {
            let of = all.iter().filter(|trouble| trouble.part.condition() == condition);
            let details: Vec<&str> = of.map(|trouble| &*trouble.detail).collect();
            (condition, (!details.is_empty()).then(|| details.join("; ")))
        }))
    }

    /// Parts that were told, and whose incident stands no more: a person has dealt with them.
    pub fn dealt_with(&mut self, stands: impl Fn(Condition) -> bool) -> Vec<DegradedPart> {
        let done: Vec<_> =
            self.told.iter().copied().filter(|part| !stands(part.condition())).collect();
        self.told.retain(|part| !done.contains(part));
        done
    }
}

fn metric(part: DegradedPart, value: f64) {
    gauge!("standpipe_degraded", "part" => part.as_str()).set(value);
}

#[cfg(test)]
mod tests {
    use super::{Degraded, DegradedPart, Trouble};
    use metrics_exporter_prometheus::PrometheusBuilder;
    use standpipe_rules::incidents::Text;
    use standpipe_shared::Condition;

    fn trouble(since: i64, words: &str) -> Trouble {
        of(DegradedPart::Registry, since, words)
    }

    fn of(part: DegradedPart, since: i64, words: &str) -> Trouble {
        let why = Text { en: words.to_owned(), zh: words.to_owned() };
        Trouble { part, since, why, detail: words.to_owned() }
    }

    #[test]
    fn the_engine_is_told_once_and_forgets_only_what_it_was_told() {
        let degraded = Degraded::default();
        let mut watch = degraded.watch();
        let none = [(Condition::RegistryFault, None), (Condition::Degraded, None)];
        assert_eq!(watch.news(), Some(none), "what an earlier start told is over");
        assert_eq!(watch.news(), None);
        degraded.set(of(DegradedPart::Http, 0, "port"));
        assert_eq!(watch.dealt_with(|_| false), [], "nobody was told of it yet");
        degraded.set(of(DegradedPart::Config, 0, "key"));
        let both = Some("key; port".to_owned());
        assert_eq!(
            watch.news(),
            Some([(Condition::RegistryFault, None), (Condition::Degraded, both)])
        );
        assert_eq!(watch.dealt_with(|_| true), []);
        assert_eq!(watch.dealt_with(|_| false), [DegradedPart::Config, DegradedPart::Http]);
        assert_eq!(watch.dealt_with(|_| false), []);
    }

    #[test]
    fn a_part_is_in_trouble_since_the_first_time_until_it_is_cleared() {
        let recorder = PrometheusBuilder::new().build_recorder();
        metrics::with_local_recorder(&recorder, || {
            let degraded = Degraded::default();
            degraded.report();
            let line = "standpipe_degraded{part=\"registry\"} ";
            let says = |value: &str| recorder.handle().render().contains(&format!("{line}{value}"));
            assert!(says("0"), "{}", recorder.handle().render());
            degraded.set(trouble(1_000, "first"));
            degraded.set(trouble(2_000, "second"));
            assert_eq!(degraded.list(), [trouble(1_000, "second")]);
            assert!(says("1"));
            degraded.clear(DegradedPart::Registry);
            degraded.clear(DegradedPart::Registry);
            assert_eq!((degraded.list(), degraded.of(DegradedPart::Registry)), (vec![], None));
            assert!(says("0"));
        });
    }
}
