//! Others that want what is this gateway's: gateways on copies of its store, of which one pages at a
//! time, and clients that take its sessions. What people must know of them is told here.
//!
//! Not here: who stands back (`standpipe_rules::lease`), and how that is heard
//! (`standpipe_transport::lease`).

use std::io;
use std::path::Path;
use std::time::Duration;

use standpipe_engine::health::{DegradedPart, Health, Trouble};
use standpipe_machine::clock::Clock;
use standpipe_machine::{Machine, identity};
use standpipe_rules::Ms;
use standpipe_rules::incidents::Text;
use standpipe_rules::lease::{EngineWord, Lease, LeaseStanding};
use standpipe_rules::wire;
use standpipe_transport::lease::{LeaseKeeper, TwinDoubt, TwinView};
use standpipe_transport::mqtt::Broker;

/// An engine that has not turned for so many looks, one a second, stands. It turns once a second with nothing
/// to do, waits for a disk for a few seconds at most, and is told of as blind after 30 s.
const STANDS_AFTER: u32 = 10;
/// How often a start looks whether it may go on.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Whether a start looks for others on copies of its store.
#[derive(Debug)]
pub enum Among {
    /// It does not: a demonstration has a broker of its own.
    Nobody,
    /// It does; with the lease that an earlier start of this life began.
    Twins(Option<LeaseKeeper>),
}

impl Among {
    /// The lease, once it is known whether this gateway holds it.
    ///
    /// # Errors
    /// No thread for it.
    pub(crate) fn lease(
        self,
        (broker, root): (&Broker, &str),
        (gateway, epoch, store): (&str, i64, &Path),
        machine: &Machine,
    ) -> io::Result<Option<LeaseKeeper>> {
        let lease = match self {
            Self::Nobody => return Ok(None),
            Self::Twins(Some(lease)) => lease,
            Self::Twins(None) => {
                // Where nothing is random, the time tells it from most others.
                let now = machine.clock.now().unsigned_abs();
                let life = machine.entropy.bytes().map_or(now, u64::from_le_bytes);
                let holder = format!("{life:016x}");
                let (gateway, holder) = (gateway.into(), holder.into());
                let host = identity::host().into();
                let file = identity::file(store).map(|id| mark(&id)).unwrap_or_default().into();
                let own = Lease { gateway, epoch, term: 0, holder, host, file };
                LeaseKeeper::start(broker.clone(), root, own, machine.clock.clone())?
            }
        };
        while matches!(lease.view().standing, LeaseStanding::Listens { .. }) {
            machine.clock.sleep(LOOK_EVERY);
        }
        Ok(Some(lease))
    }
}

/// What tells this machine from a copy of it; `None`: it does not say. Nobody learns the machine's own
/// word for it.
pub(crate) fn machine() -> Option<String> {
    identity::machine().map(|id| mark(&id))
}

fn mark(id: &str) -> String {
    format!("{:032x}", wire::print(b"standpipe", id.as_bytes()))
}

/// What a running gateway knows of others.
#[derive(Debug)]
pub(crate) struct Others {
    broker: Broker,
    clock: Clock,
    lease: Option<LeaseKeeper>,
}

/// What was told of others last.
#[derive(Debug, Default)]
pub struct Told {
    /// The machines of twins, and whether they page.
    twins: Vec<(Box<str>, bool)>,
    /// The client ids that rivals use.
    rivals: Vec<Box<str>>,
    /// How far the engine was, and how often in a row it was found there.
    engine: (u64, u32),
}

impl Others {
    /// Those of a gateway that pages.
    ///
    /// # Errors
    /// The lease: another gateway pages.
    pub(crate) fn new(
        (broker, clock): (&Broker, &Clock),
        lease: Option<LeaseKeeper>,
    ) -> Result<Self, LeaseKeeper> {
        match lease {
            Some(lease) if !lease.view().holds() => Err(lease),
            lease => Ok(Self { broker: broker.clone(), clock: clock.clone(), lease }),
        }
    }

    /// Whether another may page as well, for senders.
    pub(crate) fn doubt(&self) -> TwinDoubt {
        let doubt = TwinDoubt::of(self.broker.rivals.clone());
        self.lease.as_ref().map_or(doubt.clone(), |lease| doubt.among(lease))
    }

    /// Returns once another gateway is to page in place of this one.
    pub(crate) async fn take_over(&self) {
        match &self.lease {
            Some(lease) => lease.wait_until(|view| !view.holds()).await,
            None => std::future::pending().await,
        }
    }

    pub(crate) fn take_lease(&mut self) -> Option<LeaseKeeper> {
        self.lease.take()
    }

    /// Tells what is news. What a person has closed is told again only when it has changed.
    pub(crate) fn tell(&self, before: &mut Told, health: &Health) {
        let degraded = &health.degraded;
        let engine = self.tell_whether_it_works(before.engine, health.turns());
        let now = self.clock.stamp();
        let twins = self.lease.as_ref().map(|lease| lease.view().others).unwrap_or_default();
        let rivals = self.broker.rivals.at(now.steady());
        let told = |part, trouble: Option<Trouble>| match trouble {
            Some(trouble) => degraded.set(trouble),
            None => degraded.clear(part),
        };
        if twins != before.twins {
            told(DegradedPart::Twin, twin(&twins, now.told()));
        }
        if rivals != before.rivals {
            told(DegradedPart::Rival, rival(&rivals, now.told()));
        }
        *before = Told { twins, rivals, engine };
    }

    /// A gateway whose engine stands still pages nobody: another may.
    fn tell_whether_it_works(&self, (turns, found): (u64, u32), now: u64) -> (u64, u32) {
        let found = if now == turns { found.saturating_add(1) } else { 0 };
        let engine = if found >= STANDS_AFTER { EngineWord::Stands } else { EngineWord::Turns };
        if let Some(lease) = &self.lease {
            lease.engine(engine);
        }
        (now, found)
    }
}

fn trouble(part: DegradedPart, since: Ms, detail: String, [en, zh]: [String; 2]) -> Trouble {
    Trouble { part, since, why: Text { en, zh }, detail }
}

/// Other gateways on copies of this store: the names of their machines, and whether they page.
fn twin(others: &[(Box<str>, bool)], since: Ms) -> Option<Trouble> {
    if others.is_empty() {
        return None;
    }
    let names = hosts(others);
    let page = others.iter().any(|(_, pages)| *pages);
    let (en, zh) = if page {
        ("it may page as well, and pages say so", "该网关可能也在发送通知，通知中会注明")
    } else {
        (
            "it stands back, and takes over when this one is gone",
            "该网关处于待命状态，本网关停止后由其接管",
        )
    };
    Some(trouble(
        DegradedPart::Twin,
        since,
        format!(
            "a second gateway on a copy of this store runs on {names}, {en}: `systemctl disable --now \
             standpipe` on one of them"
        ),
        [
            format!(
                "A second gateway on a copy of this store runs on {names}; {en}. Stop one of them for good: \
                 `systemctl disable --now standpipe`."
            ),
            format!(
                "{names} 上有另一台网关使用本数据库的副本；{zh}。请永久停用其中一台：`systemctl disable --now \
                 standpipe`。"
            ),
        ],
    ))
}

/// The machines of these gateways.
pub fn hosts(others: &[(Box<str>, bool)]) -> String {
    let name = |(host, _): &(Box<str>, bool)| match &**host {
        "" => "a machine without a name".to_owned(),
        host => format!("`{host}`"),
    };
    others.iter().map(name).collect::<Vec<_>>().join(", ")
}

/// Clients that took sessions of this gateway within the last minute.
fn rival(client_ids: &[Box<str>], since: Ms) -> Option<Trouble> {
    if client_ids.is_empty() {
        return None;
    }
    let ids = client_ids.join("`, `");
    Some(trouble(
        DegradedPart::Rival,
        since,
        format!(
            "another client takes sessions of this gateway (`{ids}`): find it in the broker's log, and \
             take its right to that client id"
        ),
        [
            format!(
                "Another client takes sessions of this gateway at the broker (`{ids}`). They are taken back, \
                 and alarms meanwhile come by another way, up to a second later. Find it in the broker's log; \
                 with the broker's configuration as it is delivered nobody else can use these client ids."
            ),
            format!(
                "另一客户端占用了本网关在消息服务器上的会话（`{ids}`）。会话会被夺回，其间的报警经其他途径\
                 到达，最多延迟一秒。请在消息服务器日志中查找该客户端；按随附配置，其他客户端无法使用这些标识。"
            ),
        ],
    ))
}

/// The store was on another machine when the gateway last ran.
pub(crate) fn moved(since: Ms) -> Trouble {
    trouble(
        DegradedPart::Machine,
        since,
        "the store was on another machine before: make sure that no gateway runs there any more, then \
         close this incident"
            .to_owned(),
        [
            "The store was on another machine when the gateway last ran. Make sure that no gateway runs \
             there any more, then close the incident."
                .to_owned(),
            "上次运行时数据库位于另一台机器。请确认那台机器上已无网关运行，然后关闭该事件。".to_owned(),
        ],
    )
}

/// What a gateway that stands back says of itself.
#[must_use]
pub fn stands_back(view: &TwinView) -> String {
    let pages: Vec<_> = view.others.iter().filter(|(_, pages)| *pages).cloned().collect();
    format!(
        "a gateway on a copy of this store pages already, on {}: this one stands back, takes no message \
         and sends no page, and takes over when that has not been heard for 10 s. Stop one of them for \
         good, or, if this one is to page, put a backup back here: `standpipe restore`",
        hosts(&pages)
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use standpipe_engine::health::{DegradedPart, Health};
    use standpipe_engine::source::Sources;
    use standpipe_machine::clock::Clock;
    use standpipe_transport::mqtt::Broker;
    use standpipe_transport::mqtt::rivals::OVER_AFTER_MS;

    use super::{Others, Told, twin};

    #[test]
    fn a_rival_is_told_once_and_until_it_has_taken_nothing_for_a_minute() {
        let (broker, clock) = (Broker::new("b", 1883), Clock::new());
        let others = Others::new((&broker, &clock), None).unwrap();
        let (health, mut told) =
            (Health::of(&std::iter::empty().collect::<Sources>()), Told::default());
        let degraded = &health.degraded;
        let mut rival = || {
            others.tell(&mut told, &health);
            degraded.of(DegradedPart::Rival).map(|trouble| trouble.detail)
        };
        assert_eq!(rival(), None);
        broker.rivals.took("standpipe-alarm-1", clock.stamp().steady() - OVER_AFTER_MS + 300);
        assert!(rival().is_some_and(|detail| detail.contains("`standpipe-alarm-1`")));
        degraded.clear(DegradedPart::Rival);
        assert_eq!(rival(), None, "a person has dealt with it, and nothing is new");
        std::thread::sleep(Duration::from_millis(350));
        assert_eq!(rival(), None, "it is over");
        broker.rivals.took("standpipe-alarm-1", clock.stamp().steady());
        assert!(rival().is_some(), "it is back");
    }

    #[test]
    fn a_second_gateway_is_told_by_its_machine_and_what_it_does() {
        assert_eq!(twin(&[], 0), None);
        for (pages, says) in [(true, "it may page as well"), (false, "it stands back")] {
            let detail = twin(&[("fire-2".into(), pages)], 0).unwrap().detail;
            assert!(detail.contains("`fire-2`") && detail.contains(says), "{detail}");
        }
    }
}
