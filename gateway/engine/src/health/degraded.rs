//! What is not as it should be while the gateway does its work: fires are paged all the same, and
//! a person has to know. Every page of the console shows it, `/readyz` names it and stays 200,
//! and `standpipe_degraded{part="…"}` is 1.
//!
//! A part that stops the work is a [`super::Part`]. An incident beside it, and who is paged about
//! that, is up to whoever finds the trouble.

use metrics::gauge;
use standpipe_rules::Ms;
use standpipe_rules::incidents::Text;
use tokio::sync::watch;

/// A part of which the gateway can do without for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DegradedPart {
    /// The files of `[registry]`: they were not taken in at the start.
    Registry,
}

impl DegradedPart {
    /// Every part, in the order in which they are shown.
    pub const ALL: [Self; 1] = [Self::Registry];

    /// The code in `/readyz` and in the metric's label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Registry => "registry",
        }
    }
}

/// What is wrong with a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// With which.
    pub part: DegradedPart,
    /// Since when.
    pub since: Ms,
    /// What is wrong, and what to do, in both languages.
    pub why: Text,
}

/// Everything that is wrong now: one trouble a part. Whoever finds it writes, anybody reads.
#[derive(Debug, Default)]
pub struct Degraded(watch::Sender<Vec<Trouble>>);

impl Degraded {
    /// Something is wrong with a part. Said again, it has been wrong since the first time, and the
    /// newest words are shown.
    pub fn set(&self, trouble: Trouble) {
        let part = trouble.part;
        self.0.send_modify(|all| match all.iter_mut().find(|known| known.part == part) {
            Some(known) => known.why = trouble.why,
            None => {
                all.push(trouble);
                all.sort_by_key(|known| known.part);
            }
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

    /// Counts every part, so that a part in order is a 0 and not an absent series.
    pub fn report(&self) {
        for part in DegradedPart::ALL {
            metric(part, if self.of(part).is_some() { 1.0 } else { 0.0 });
        }
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

    fn trouble(since: i64, words: &str) -> Trouble {
        let why = Text { en: words.to_owned(), zh: words.to_owned() };
        Trouble { part: DegradedPart::Registry, since, why }
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
