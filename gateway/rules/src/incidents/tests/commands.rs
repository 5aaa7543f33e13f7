//! What can happen in a drill, word by word.

use standpipe_shared::{Condition, Field};

use super::drill::{DAY, Drill, time};
use crate::detect::{HydrantNow, Trust};
use crate::fact::{Fact, Raised, Subject};
use crate::incidents::{
    Action, Actor, Announced, Announcement, Book, BookView, ReceiverNews, Refused, Said, Scope,
    Window,
};
use crate::registry::{DeviceIx, Registry};
use crate::wire::Arrived;
use crate::{Changes, Ms};

impl Drill {
    /// Shows the book around.
    pub fn look<T>(&self, then: impl FnOnce(&BookView) -> T) -> T {
        let ok = HydrantNow {
            pressure_kpa: Some(300.0),
            measured_at: Some(DAY),
            trust: Trust::Ok,
            reason: None,
        };
        let hydrant = |ix: DeviceIx, _| self.trust.get(&ix).copied().unwrap_or(ok);
        let value = |ix: DeviceIx| self.values.get(&ix).copied().unwrap_or_default();
        then(&BookView { registry: &self.registry, hydrant: &hydrant, value: &value })
    }

    fn ix(&self, id: &str) -> DeviceIx {
        self.registry.find(id).unwrap_or_else(|| panic!("no device {id}"))
    }

    /// Does what a line says.
    pub fn command(
        &mut self,
        book: &mut Book,
        command: &[&str],
        now: Ms,
        out: &mut Changes,
    ) -> Option<Refused> {
        match command {
            ["-"] => {}
            ["tick"] => self.look(|view| book.tick(view, now, out)),
            ["online", station] => book.presence((station, true), now, out),
            ["offline", station] => book.presence((station, false), now, out),
            ["announce", id, what, from, until, devices, conditions] => {
                let devices = devices.split(',').map(|id| self.ix(id)).collect();
                let conditions = conditions.split(',').map(named).collect();
                let (from, until) = (time(from), time(until));
                let (by, note) = ("Li".into(), "".into());
                let (id, what) = ((*id).into(), quoted::<Announced>(what));
                let (scope, alarm) = (None, None);
                let window =
                    Window { id, what, devices, conditions, from, until, by, note, scope, alarm };
                book.announce(window, out);
            }
            ["exercise", device, condition, until] => {
                let announcement = Announcement {
                    what: Announced::Exercise,
                    scope: Scope::Device((*device).into()),
                    conditions: [named(condition)].into(),
                    from: now,
                    until: time(until),
                    by: "Li".into(),
                    note: "drill".into(),
                };
                let window = announcement.window(ulid::Ulid::nil(), &self.registry, now);
                let window = window.unwrap_or_else(|bad| panic!("{bad:?}"));
                let begun = self.look(|view| book.exercise(view, window, now, out));
                begun.unwrap_or_else(|bad| panic!("{bad}"));
            }
            ["gateway", condition, detail @ ..] => {
                let detail = Some(detail.join(" ")).filter(|detail| !detail.is_empty());
                let what = (named(condition), detail.as_deref());
                self.look(|view| book.gateway(view, what, now, out));
            }
            ["refuses", name, since, answer @ ..] => {
                let (for_ms, answer) = (now - time(since), answer.join(" ").into());
                let news = ReceiverNews::Refuses { for_ms, answer };
                self.look(|view| book.receiver(view, (name, &news), now, out));
            }
            ["start"] => self.look(|view| book.forget_receivers(view, now, out)),
            ["refuses_for_good", name, answer @ ..] => {
                let news = ReceiverNews::RefusesForGood { answer: answer.join(" ").into() };
                self.look(|view| book.receiver(view, (name, &news), now, out));
            }
            ["takes", name] => {
                let news = (*name, &ReceiverNews::Takes);
                self.look(|view| book.receiver(view, news, now, out));
            }
            [how @ ("unreadable" | "heard-kept"), of, payload @ ..] => {
                let subject = match of.strip_prefix("topic:") {
                    Some(topic) => Subject::Topic(topic.into()),
                    None => Subject::Device(self.ix(of)),
                };
                let (topic, why) = (format!("a/{of}/alarm").into(), "json".into());
                let said = Said { topic, payload: payload.join(" ").into(), why };
                let print = payload.join(" ").bytes().map(u128::from).sum();
                let retained = *how == "heard-kept" || payload.first() == Some(&"retained");
                let arrived = Arrived { at: now, retained, print };
                self.look(|view| book.unreadable(view, (subject, said), arrived, out));
            }
            ["look", incident, name] => {
                let id = self.labels[number(incident) - 1];
                let version = book.get(id).expect("it is open").version(&self.registry);
                self.looks.insert((*name).to_owned(), version);
            }
            ["withdraw", id] => {
                let found = book.withdraw(&self.registry, id, now, out);
                assert!(found, "no announcement {id}");
                assert!(out.book_meta, "to be kept");
            }
            ["delivered", n] => {
                let id = self.settle(n);
                book.delivered(id, now, out);
            }
            ["gave_up", n, why] => {
                let id = self.settle(n);
                book.gave_up(id, why, now, out);
            }
            ["value", of, field, value] => {
                let field =
                    Field::ALL.into_iter().find(|known| known.as_str() == *field).expect("field");
                let values = self.values.entry(self.ix(of)).or_default();
                values.set(field, value.parse().expect("a number")).expect("finite");
            }
            [station, action, incident, rest @ ..] if incident.starts_with('#') => {
                let action = self.action((action, incident), rest);
                let actor = match *station {
                    "api" => Actor::admin("api"),
                    station => Actor::Station(station.into()),
                };
                return self.look(|view| book.act(view, (&actor, &action), now, out)).err();
            }
            _ => {
                let fact = self.fact(command, now);
                self.look(|view| book.hear(view, fact, now, out));
            }
        }
        None
    }

    fn fact(&mut self, command: &[&str], now: Ms) -> Fact {
        match command {
            ["raise", of, condition, how @ ..] => {
                Fact::Raised(raised(&self.registry, (of, condition), how, now))
            }
            ["passed", of, condition, how @ ..] => {
                let raised = raised(&self.registry, (of, condition), how, now);
                Fact::Passed { raised, cleared_at: now - 1_000 }
            }
            ["clear", of, condition] => {
                let (subject, condition) = (subject(&self.registry, of), named(condition));
                Fact::Cleared { subject, condition, at: now }
            }
            ["real", of, condition] => {
                Fact::TestBecameReal { device: self.ix(of), condition: named(condition) }
            }
            ["verified", of] => Fact::Verified { device: self.ix(of), at: now },
            ["unverified", of] => Fact::Unverified { device: self.ix(of), at: now },
            ["trust", of, trust, kpa] => {
                let (trust, pressure_kpa) = (quoted(trust), kpa.parse().ok());
                let known =
                    HydrantNow { pressure_kpa, measured_at: Some(now), trust, reason: None };
                self.trust.insert(self.ix(of), known);
                Fact::Hydrant { device: self.ix(of) }
            }
            _ => panic!("{command:?}: not a command of drills"),
        }
    }

    fn action(&self, (action, incident): (&str, &str), rest: &[&str]) -> Action {
        let (by, note) = match rest {
            [] => ("", String::new()),
            [by, note @ ..] => (*by, note.join(" ")),
        };
        let incident = self.labels.get(number(incident) - 1).copied().unwrap_or_default();
        let (action, seen) = action.split_once('@').unwrap_or((action, ""));
        let seen = self.looks.get(seen).cloned().unwrap_or_default();
        Action { incident, kind: quoted(action), by: by.into(), note: note.into(), seen }
    }

    fn settle(&mut self, number: &str) -> ulid::Ulid {
        let number: usize = number.parse().expect("a number");
        let id = self.pages[number - 1].page_id;
        self.settled.insert(id);
        id
    }
}

/// Which incident `#2` is.
fn number(incident: &str) -> usize {
    incident.trim_start_matches('#').parse().expect("a number")
}

/// A name of the wire.
fn quoted<T: serde::de::DeserializeOwned>(name: &str) -> T {
    serde_json::from_str(&format!("\"{name}\"")).unwrap_or_else(|bad| panic!("{name}: {bad}"))
}

fn named(condition: &str) -> Condition {
    condition.parse().unwrap_or_else(|bad| panic!("{condition}: {bad}"))
}

fn subject(registry: &Registry, of: &str) -> Subject {
    match of.split_once(':') {
        Some(("zone", zone)) => Subject::Zone(zone.into()),
        Some(("area", station)) => Subject::Area(station.into()),
        _ if of == "gateway" => Subject::Gateway,
        _ => Subject::Device(registry.find(of).unwrap_or_else(|| panic!("no device {of}"))),
    }
}

/// `how`: `test`, `late=60`, `since=01:59:00`, `members=HY-1,HY-2`.
fn raised(registry: &Registry, (of, condition): (&str, &str), how: &[&str], now: Ms) -> Raised {
    let mut raised = Raised {
        subject: subject(registry, of),
        condition: named(condition),
        since: now,
        measured_at: now,
        received_at: now,
        late_s: 0,
        test: how.contains(&"test"),
        members: Vec::new(),
        reason: None,
    };
    for how in how {
        match how.split_once('=') {
            Some(("late", seconds)) => {
                raised.late_s = seconds.parse().expect("seconds");
                raised.measured_at = now - Ms::from(raised.late_s) * 1_000;
                raised.since = raised.measured_at;
            }
            Some(("since", at)) => raised.since = time(at),
            Some(("reason", why)) => raised.reason = Some(quoted(why)),
            Some(("members", ids)) => {
                raised.members =
                    ids.split(',').map(|id| registry.find(id).expect("device")).collect();
            }
            _ => assert_eq!(*how, "test"),
        }
    }
    raised
}
