//! Which of several gateways on copies of one store pages: each says on the broker that it holds the
//! lease, and the one whose lease ranks below another that is alive stands back. In doubt a gateway
//! holds, and pages.
//!
//! A lease ranks by its epoch, which a restored backup raises; then by its term, which every takeover
//! raises, so that whoever pages already goes on; then by its holder, so that no two are equal. A
//! gateway that does not hold is in term 0.
//!
//! `now` is a clock that nobody sets. Not here: how a lease travels (`standpipe_transport::lease`), and
//! what follows for a gateway (`standpipe::run`).

use serde::{Deserialize, Serialize};

use crate::Ms;

/// How often a gateway says that it is there, ms.
pub const EVERY_MS: Ms = 2_000;
/// A lease that was not heard for so long is nobody's any more, ms.
pub const STALE_MS: Ms = 10_000;
/// After so many seconds the broker forgets a lease.
pub const EXPIRY_S: u32 = 10;
/// A gateway that starts listens this long for whoever said what the broker kept, ms.
const LISTEN_MS: Ms = EVERY_MS + 1_000;
/// No lease has changed hands more often, nor has a store an epoch later than 2200: what says so is
/// forged, and would be outranked by nobody ever again.
const TERM_MOST: u64 = 1_000_000_000;
const EPOCH_MOST: i64 = 7_258_118_400_000;
/// What the broker kept comes within so much of its grant, ms.
const KEPT_COMES_MS: Ms = 300;

/// What a gateway says of itself: `shared/schemas/lease.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// The store's own name, which its copies share.
    pub gateway: Box<str>,
    /// Which history of the store it is: raised by a restore.
    #[serde(default)]
    pub epoch: i64,
    /// How often the lease has changed hands; 0: this gateway does not hold it.
    #[serde(default)]
    pub term: u64,
    /// One life of a gateway, chosen at random.
    pub holder: Box<str>,
    /// The machine's name, for people.
    #[serde(default)]
    pub host: Box<str>,
    /// The store's file itself, of which no copy has the same; empty: not known. One gateway at a time
    /// has it open.
    #[serde(default, skip_serializing_if = "str::is_empty")]
    pub file: Box<str>,
}

impl Lease {
    /// Reads one; `None`: it is none, or none that a gateway can have.
    #[must_use]
    pub fn read(payload: &[u8]) -> Option<Self> {
        let lease: Self = serde_json::from_slice(payload).ok()?;
        (lease.term <= TERM_MOST && lease.epoch <= EPOCH_MOST).then_some(lease)
    }

    /// As it is sent.
    #[must_use]
    pub fn write(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Whether it pages.
    #[must_use]
    pub const fn holds(&self) -> bool {
        self.term > 0
    }

    fn rank(&self) -> (i64, u64, &str) {
        (self.epoch, self.term, &self.holder)
    }
}

/// What a gateway does with what devices say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaseStanding {
    /// It has just started, and listens whether somebody holds the lease; not after that.
    Listens { until: Ms },
    /// It pages.
    Holds { since: Ms },
    /// Another pages; this one takes no message and sends no page.
    StandsBack { since: Ms },
}

/// What happens to a lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LeaseEvent {
    /// The broker has granted the topic; or refused it, and then nobody will ever be heard.
    Granted,
    /// Somebody said it just now.
    Heard(Lease),
    /// Somebody said it before, and the broker kept it: it may be gone.
    Kept(Lease),
    /// What this gateway's own engine does.
    Engine(EngineWord),
    /// Time passes.
    Tick,
}

/// Whether a gateway's engine works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EngineWord {
    /// It takes what comes.
    Turns,
    /// It does not: nobody is paged, whatever the gateway's sessions say.
    Stands,
}

/// What a gateway knows of the others on its store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Twins {
    own: Lease,
    standing: LeaseStanding,
    /// Each at its newest word, and when that was heard.
    others: Vec<(Lease, Ms)>,
    /// The highest term that was ever heard.
    highest: u64,
    engine: EngineWord,
}

impl Twins {
    /// One that starts at `now`. `own` holds nothing yet.
    #[must_use]
    pub fn new(own: Lease, now: Ms) -> Self {
        let own = Lease { term: 0, ..own };
        let standing = LeaseStanding::Listens { until: now + LISTEN_MS };
        Self { own, standing, others: Vec::new(), highest: 0, engine: EngineWord::Turns }
    }

    /// What this gateway says of itself now. One whose engine stands does not say that it pages, so that
    /// another takes over; it goes on by itself if none does.
    #[must_use]
    pub fn own(&self) -> Lease {
        let term = match self.engine {
            EngineWord::Turns => self.own.term,
            EngineWord::Stands => 0,
        };
        Lease { term, ..self.own.clone() }
    }

    /// Whether it pages, or lets another.
    #[must_use]
    pub const fn standing(&self) -> LeaseStanding {
        self.standing
    }

    /// The others that are alive, in the order in which they were first heard.
    pub fn alive(&self, now: Ms) -> impl Iterator<Item = &Lease> {
        self.others.iter().filter(move |(_, heard)| now - heard < STALE_MS).map(|(lease, _)| lease)
    }

    /// Whether another may page as well at this moment.
    #[must_use]
    pub fn is_in_doubt(&self, now: Ms) -> bool {
        self.own.holds() && self.alive(now).any(Lease::holds)
    }

    /// Something happened at `now`.
    pub fn step(&mut self, event: LeaseEvent, now: Ms) {
        match event {
            LeaseEvent::Heard(lease) if self.is_twin(&lease) => self.hear(lease, now),
            LeaseEvent::Kept(lease) if self.is_twin(&lease) => {
                self.highest = self.highest.max(lease.term);
                if !self.is_former(&lease) {
                    self.listen(now + LISTEN_MS, Ms::max);
                }
            }
            LeaseEvent::Engine(word) => self.engine = word,
            LeaseEvent::Heard(_) | LeaseEvent::Kept(_) | LeaseEvent::Tick => {}
            LeaseEvent::Granted => self.listen(now + KEPT_COMES_MS, Ms::min),
        }
        self.others.retain(|(_, heard)| now - heard < STALE_MS);
        self.decide(now);
    }

    /// Another life on a copy of this store; our own words come back to us, too.
    fn is_twin(&self, lease: &Lease) -> bool {
        lease.gateway == self.own.gateway && lease.holder != self.own.holder
    }

    /// A former life of this gateway, which had the file that this one has open.
    fn is_former(&self, lease: &Lease) -> bool {
        !lease.file.is_empty() && lease.file == self.own.file
    }

    fn hear(&mut self, lease: Lease, now: Ms) {
        self.highest = self.highest.max(lease.term);
        match self.others.iter_mut().find(|(known, _)| known.holder == lease.holder) {
            Some(known) => *known = (lease, now),
            None => self.others.push((lease, now)),
        }
    }

    fn listen(&mut self, until: Ms, which: fn(Ms, Ms) -> Ms) {
        if let LeaseStanding::Listens { until: before } = self.standing {
            self.standing = LeaseStanding::Listens { until: which(before, until) };
        }
    }

    /// Whether somebody who is alive holds the lease and ranks above this gateway.
    fn outranked(&self) -> bool {
        self.others.iter().any(|(other, _)| other.holds() && other.rank() > self.own.rank())
    }

    #[rustfmt::skip] // a table
    fn decide(&mut self, now: Ms) {
        use LeaseStanding::{Holds, Listens, StandsBack};
        match (self.standing, self.outranked()) {
            (Listens { until }, _) if now < until => {}
            (Listens { .. } | Holds { .. }, true) => self.stand(StandsBack { since: now }, 0),
            (Listens { .. } | StandsBack { .. }, false) => self.stand(Holds { since: now }, TERM_MOST.min(self.highest + 1)),
            (Holds { .. }, false) | (StandsBack { .. }, true) => {}
        }
    }

    fn stand(&mut self, standing: LeaseStanding, term: u64) {
        self.standing = standing;
        self.own.term = term;
        self.highest = self.highest.max(term);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{EVERY_MS, EngineWord, Lease, LeaseEvent, LeaseStanding, STALE_MS, Twins};
    use crate::Ms;
    use crate::cases::cases;

    fn own(holder: &str, epoch: i64) -> Lease {
        let (gateway, holder, host) = ("7k2m".into(), holder.into(), "h".into());
        Lease { gateway, epoch, term: 0, holder, host, file: "".into() }
    }

    fn held(holder: &str, epoch: i64, term: u64) -> Lease {
        Lease { term, ..own(holder, epoch) }
    }

    fn holds(twins: &Twins) -> bool {
        matches!(twins.standing(), LeaseStanding::Holds { .. })
    }

    /// A gateway that has held for a while.
    fn holder(epoch: i64) -> Twins {
        let mut twins = Twins::new(own("a", epoch), 0);
        twins.step(LeaseEvent::Granted, 10);
        twins.step(LeaseEvent::Tick, 400);
        assert!(holds(&twins) && twins.own().term == 1, "{twins:?}");
        twins
    }

    #[test]
    fn one_that_hears_nobody_holds_at_once_and_in_any_case_soon() {
        let mut alone = Twins::new(own("a", 0), 0);
        alone.step(LeaseEvent::Granted, 100);
        alone.step(LeaseEvent::Tick, 399);
        assert!(!holds(&alone), "what the broker kept may come yet");
        alone.step(LeaseEvent::Tick, 400);
        assert!(holds(&alone));
        let mut without_broker = Twins::new(own("a", 0), 0);
        without_broker.step(LeaseEvent::Tick, 3_000);
        assert!(holds(&without_broker), "in doubt it pages");
    }

    #[test]
    fn what_the_broker_kept_is_a_reason_to_listen_and_not_to_stand_back() {
        let mut again = Twins::new(own("b", 0), 0);
        again.step(LeaseEvent::Granted, 100);
        again.step(LeaseEvent::Kept(held("a", 0, 4)), 110);
        again.step(LeaseEvent::Tick, 3_109);
        assert!(!holds(&again));
        again.step(LeaseEvent::Tick, 3_110);
        assert!(holds(&again) && again.own().term == 5, "its own former life has ended: {again:?}");
    }

    #[test]
    fn a_former_life_on_the_same_file_is_waited_for_no_longer_than_nobody() {
        for (own_file, kept_file, holds_at) in
            [("1", "1", 400), ("1", "2", 3_110), ("", "", 3_110), ("1", "", 3_110)]
        {
            let mut again = Twins::new(Lease { file: own_file.into(), ..own("b", 0) }, 0);
            again.step(LeaseEvent::Granted, 100);
            let kept = Lease { file: kept_file.into(), ..held("a", 0, 4) };
            again.step(LeaseEvent::Kept(kept.clone()), 110);
            again.step(LeaseEvent::Tick, holds_at - 1);
            assert!(!holds(&again), "{own_file:?} {kept_file:?}");
            again.step(LeaseEvent::Tick, holds_at);
            assert!(
                holds(&again) && again.own().term == 5,
                "{own_file:?} {kept_file:?}: {again:?}"
            );
        }
        let mut again = Twins::new(Lease { file: "1".into(), ..own("b", 0) }, 0);
        again.step(LeaseEvent::Granted, 100);
        again.step(LeaseEvent::Heard(Lease { file: "1".into(), ..held("a", 1, 4) }), 110);
        again.step(LeaseEvent::Tick, 400);
        assert!(!holds(&again), "whoever speaks is alive, whatever it says");
    }

    #[test]
    #[rustfmt::skip] // a table
    fn who_stands_back() {
        for (story, other, stands_back) in [
            ("a copy that starts later listens first", held("b", 0, 0), false),
            ("a restored store pages",                 held("b", 9, 1), true),
            ("an older one does not",                  held("b", -9, 7), false),
            ("who took over later goes on",            held("b", 0, 2), true),
            ("of two in one term the higher holder",   held("b", 0, 1), true),
            ("… and not the lower one",                held("Z", 0, 1), false),
            ("another store is no twin",               Lease { gateway: "other".into(), ..held("b", 9, 9) }, false),
            ("our own words",                          held("a", 9, 9), false),
        ] {
            let mut twins = holder(0);
            twins.step(LeaseEvent::Heard(other.clone()), 5_000);
            assert_eq!(!holds(&twins), stands_back, "{story}");
            let doubt = other.holds() && !stands_back && &*other.gateway == "7k2m" && &*other.holder != "a";
            assert_eq!(twins.is_in_doubt(5_001), doubt, "{story}: two may page");
            twins.step(LeaseEvent::Tick, 5_000 + STALE_MS - 1);
            assert_eq!(!holds(&twins), stands_back, "{story}: while it is alive");
            twins.step(LeaseEvent::Tick, 5_000 + STALE_MS);
            assert!(holds(&twins) && !twins.is_in_doubt(20_000), "{story}: then it pages");
        }
    }

    #[test]
    fn one_that_starts_beside_a_holder_stands_back_and_takes_over_when_that_is_gone() {
        let mut copy = Twins::new(own("b", 0), 0);
        copy.step(LeaseEvent::Granted, 10);
        copy.step(LeaseEvent::Kept(held("a", 0, 1)), 20);
        copy.step(LeaseEvent::Heard(held("a", 0, 1)), 1_500);
        copy.step(LeaseEvent::Tick, 3_020);
        assert_eq!(copy.standing(), LeaseStanding::StandsBack { since: 3_020 });
        copy.step(LeaseEvent::Heard(held("a", 0, 1)), 3_500);
        copy.step(LeaseEvent::Tick, 13_499);
        assert!(!holds(&copy));
        copy.step(LeaseEvent::Tick, 13_500);
        assert!(holds(&copy) && copy.own().term == 2);
        let mut back = Twins::new(own("a", 0), 20_000);
        back.step(LeaseEvent::Heard(copy.own()), 21_000);
        back.step(LeaseEvent::Tick, 23_000);
        assert!(!holds(&back), "who came back does not take it again");
    }

    #[test]
    fn one_whose_engine_stands_lets_another_page_and_stands_back_for_it() {
        let mut holder = holder(0);
        let mut copy = Twins::new(own("b", 0), 400);
        copy.step(LeaseEvent::Heard(holder.own()), 1_000);
        copy.step(LeaseEvent::Tick, 3_400);
        assert!(!holds(&copy));
        holder.step(LeaseEvent::Engine(EngineWord::Stands), 20_000);
        assert!(
            holds(&holder) && !holder.own().holds(),
            "it says so, and goes on if nobody is there"
        );
        copy.step(LeaseEvent::Heard(holder.own()), 20_001);
        assert!(holds(&copy) && copy.own().term == 2, "at once");
        holder.step(LeaseEvent::Engine(EngineWord::Turns), 20_100);
        holder.step(LeaseEvent::Heard(copy.own()), 20_200);
        assert!(!holds(&holder), "whoever took over goes on");
    }

    #[test]
    fn a_term_or_an_epoch_that_no_gateway_can_have_is_not_believed() {
        for (story, forged, believed) in [
            ("a gateway's own", held("z", 1_796_000_000_000, 9), true),
            ("the highest term there is", held("z", 0, u64::MAX), false),
            ("one that nobody could follow", held("z", 0, super::TERM_MOST + 1), false),
            ("the latest epoch there is", held("z", i64::MAX, 1), false),
        ] {
            assert_eq!(Lease::read(forged.write().as_bytes()).is_some(), believed, "{story}");
        }
        // The highest that is believed: who holds after it still is in order, and can be heard.
        let mut twins = holder(0);
        twins.step(LeaseEvent::Heard(held("z", 0, super::TERM_MOST)), 1_000);
        twins.step(LeaseEvent::Tick, 1_000 + STALE_MS);
        assert!(holds(&twins) && Lease::read(twins.own().write().as_bytes()).is_some());
    }

    #[test]
    fn one_that_stands_back_is_no_reason_to_stand_back() {
        let mut twins = Twins::new(own("b", 0), 0);
        twins.step(LeaseEvent::Heard(held("a", 9, 0)), 1_000);
        twins.step(LeaseEvent::Tick, 3_000);
        assert!(holds(&twins), "else nobody would page");
    }

    /// What a world of gateways on one broker does: each beat reaches all who can hear.
    struct Sea {
        all: Vec<(Twins, bool)>,
        now: Ms,
    }

    impl Sea {
        fn beat(&mut self) {
            self.now += EVERY_MS;
            let said: Vec<_> =
                self.all.iter().filter(|(_, hears)| *hears).map(|(twins, _)| twins.own()).collect();
            for (twins, hears) in &mut self.all {
                for lease in said.iter().filter(|_| *hears) {
                    twins.step(LeaseEvent::Heard(lease.clone()), self.now);
                }
                twins.step(LeaseEvent::Tick, self.now);
            }
        }
    }

    proptest! {
        #![proptest_config(cases(200))]

        /// However links came and went: when all hear each other for a while, one holds, and when none
        /// does, all do.
        #[test]
        fn in_the_end_exactly_one_holds(
            epochs in prop::collection::vec(0_i64..3, 1..5),
            links in prop::collection::vec((0_usize..5, any::<bool>()), 0..40),
        ) {
            let start = |(n, epoch): (usize, &i64)| (Twins::new(own(&n.to_string(), *epoch), 0), true);
            let mut sea = Sea { all: epochs.iter().enumerate().map(start).collect(), now: 0 };
            for (which, hears) in links {
                let which = which % sea.all.len();
                sea.all[which].1 = hears;
                sea.beat();
            }
            sea.all.iter_mut().for_each(|(_, hears)| *hears = true);
            (0..20).for_each(|_| sea.beat());
            let holders = sea.all.iter().filter(|(twins, _)| holds(twins)).count();
            prop_assert_eq!(holders, 1, "{:?}", sea.all);
            sea.all.iter_mut().for_each(|(_, hears)| *hears = false);
            (0..8).for_each(|_| sea.beat());
            prop_assert!(sea.all.iter().all(|(twins, _)| holds(twins)), "cut off, each pages");
        }
    }
}
