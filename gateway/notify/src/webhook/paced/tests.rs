//! One receiver over a real store and a real engine, both driven by hand: what is sent when, in which
//! message, and what it waits for.

mod apart;

use std::path::Path;

use serde_json::Value;
use standpipe_config::Config;
use standpipe_engine::{Delivery, Engine, Inbox, Queues, SourceIx, Sources, bells, queues};
use standpipe_machine::clock::Clock;
use standpipe_receivers::{Answer, Blames, WaitWish};
use standpipe_rules::incidents::{IdSecret, Plan, ReceiverRole, Route};
use standpipe_rules::registry::{Device, Level, Station};
use standpipe_rules::wire::parse;
use standpipe_shared::{Kind, ROOT};
use standpipe_store::Store;
use standpipe_transport::lease::TwinDoubt;
use standpipe_words::language::Language;
use standpipe_words::message::Desk;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::super::next::{PageWords, Sent};
use super::super::{Failing, LESSER_MOST, LandedPage, callers, tried};
use super::*;
use crate::SenderSetup;
use crate::queue::tests::page;

const T0: Ms = 1_764_000_000_000;

/// A store, its engine and one sender; what the sender reports waits until somebody takes it.
struct Night {
    folder: TempDir,
    section: &'static str,
    url: String,
    engine: Engine,
    queues: Queues,
    task: Task,
    now: Ms,
}

fn station(id: &str, level: Level, parent: Option<&str>) -> Station {
    Station {
        id: id.into(),
        name: id.into(),
        level,
        parent: parent.map(Into::into),
        lat: 29.4,
        lon: 106.5,
        phone: None,
    }
}

/// The `n`th detector of a station: `T1-0`.
fn detector(station: u32, n: u32) -> Device {
    let known = Device::unclaimed(&format!("T{station}-{n}"), "a", Kind::Smoke);
    Device {
        name: "".into(),
        station: format!("T{station}").into(),
        profile: "smoke_home".into(),
        lat: Some(29.4),
        lon: Some(106.5),
        claimed: true,
        ..known
    }
}

fn start(path: &Path, (section, url): (&str, &str), now: Ms) -> (Engine, Queues, Task) {
    let mut store = Store::open(path).unwrap();
    let steps = vec![1, 2, 3];
    let (name, role) = (Box::from("w"), ReceiverRole::Officer);
    let webhook = Route { name, station: None, role, severities: Vec::new(), steps };
    let plan = Plan { webhooks: vec![webhook], ..Plan::default() };
    let loaded = store.load(plan, [], IdSecret::new([7; 32])).unwrap();
    let sources = Sources::urgent_and_bulk();
    let mut engine = Engine::new(store, loaded, &sources, now);
    for source in [0, 1].map(SourceIx::nth) {
        engine.take(Input::Source { source, up: true }.at(now), now);
    }
    engine.commit(now).unwrap();

    let ((handle, queues), (_, rings)) = (queues(&sources), bells());
    let text =
        format!("[mqtt]\nurl = 'mqtt://a'\n[[webhook]]\nname = 'w'\nurl = '{url}'\n{section}");
    let config = Config::parse(&text, "standpipe.toml".as_ref(), None).unwrap();
    let (store, stop) = (path.to_owned().into(), CancellationToken::new());
    let setup = SenderSetup {
        store,
        noted_beside: Some(path.into()),
        engine: handle,
        rings,
        clock: Clock::new(),
        doubt: TwinDoubt::default(),
        stop,
    };
    let caller = callers(&config.webhooks).unwrap().remove(0);
    let tried = tried::open(Some(path), 1).remove(0);
    let (url, language) = ("http://gateway".into(), Language::English);
    let desk = Desk { zone: jiff::tz::TimeZone::UTC, url, language };
    let task = Task::new(setup, (caller, tried), (&config.webhooks[0], &desk));
    (engine, queues, task)
}

fn not_found() -> Answer {
    Answer::Never { why: "404".into(), blames: Blames::Receiver }
}

fn is_of(report: &Inbox, what: impl Fn(&Input) -> bool) -> bool {
    match report {
        Inbox::Input(asked) => what(&asked.input),
        Inbox::Delivery(_) | Inbox::Alive(_) => false,
    }
}

impl Night {
    /// Three stations of eighty detectors, and a receiver with this section.
    fn begin(section: &'static str) -> Self {
        Self::begin_at(section, "http://127.0.0.1:1/hook")
    }

    /// The same, and where the receiver listens.
    fn begin_at(section: &'static str, url: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        let stations = [
            station("D", Level::District, None),
            station("T1", Level::Township, Some("D")),
            station("T2", Level::Township, Some("D")),
            station("T3", Level::Township, Some("D")),
        ];
        let detectors = (1..=3).flat_map(|of| (0..80).map(move |n| detector(of, n)));
        let mut store = Store::open(&path).unwrap();
        store.import(&stations, &detectors.collect::<Vec<_>>()).unwrap();
        drop(store);
        let (engine, queues, task) = start(&path, (section, url), T0);
        let url = url.to_owned();
        Self { folder, section, url, engine, queues, task, now: T0 }
    }

    /// What a machine that loses power now leaves on the disk, started again.
    fn crashed(self) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["store.db", "store.db-wal", "store.tried"] {
            let from = self.folder.path().join(name);
            if from.exists() {
                std::fs::copy(from, folder.path().join(name)).unwrap();
            }
        }
        let path = folder.path().join("store.db");
        let (engine, queues, task) = start(&path, (self.section, &self.url), self.now);
        Self { folder, engine, queues, task, ..self }
    }

    /// These detectors of a station see smoke.
    fn fires(&mut self, station: u32, numbers: std::ops::Range<u32>) {
        for n in numbers {
            let topic = format!("{ROOT}/a/T{station}-{n}/alarm");
            let smoke = br#"{"condition":"smoke","active":true}"#;
            let parsed = parse(ROOT, topic.as_bytes(), smoke);
            let (source, arrived) = (SourceIx::nth(0), self.now.into());
            let topic = topic.into();
            let delivery = Delivery { source, receipt: None, arrived, topic, parsed };
            self.engine.take(delivery, self.now);
        }
        self.later(0);
    }

    /// So much time passes for the engine.
    fn later(&mut self, ms: Ms) {
        self.now += ms;
        loop {
            self.engine.tick(self.now);
            self.engine.commit(self.now).unwrap();
            if self.engine.world().next_wake().is_none_or(|at| at > self.now) {
                break;
            }
        }
        self.task.paced.rung();
    }

    /// The engine takes what the sender has reported.
    fn engine_hears(&mut self) {
        while let Ok(report) = self.queues.reports.try_recv() {
            self.engine.take(report, self.now);
        }
        self.later(0);
    }

    /// What the sender has reported and nobody took: how many bundles it asked for, and pages given up.
    fn reported(&self) -> (usize, usize) {
        let reports: Vec<Inbox> = self.queues.reports.try_iter().collect();
        let asked = reports
            .iter()
            .filter(|report| is_of(report, |input| matches!(input, Input::Bundle { .. })))
            .count();
        let gave_up = reports
            .iter()
            .filter(|report| is_of(report, |input| matches!(input, Input::GaveUp { .. })));
        (asked, gave_up.count())
    }

    fn reads(&mut self) {
        let now = self.task.setup.clock.stamp();
        self.task.read(now).unwrap();
    }

    /// Plans as the sender does it, by its own clock.
    async fn plans_now(&mut self) {
        let now = self.task.setup.clock.stamp();
        self.task.plan(now).await.unwrap();
    }

    /// Plans at that time of the sender's; bundles are written down at once. Gives back what each
    /// carries.
    fn plans(&mut self, at: Ms) -> Vec<Vec<String>> {
        self.reads();
        let bundles = self.task.paced.plan(at);
        let carried = bundles.iter().map(|pages| pages.iter().map(|id| self.device(*id)).collect());
        let carried = carried.collect();
        for pages in bundles {
            let receiver = Box::from("w");
            self.engine.take(Input::Bundle { receiver, pages }.at(self.now), self.now);
        }
        self.later(0);
        self.reads();
        carried
    }

    /// The device that a page is about, which is in no bundle yet.
    fn device(&self, page_id: Ulid) -> String {
        let sql = "SELECT i.wire FROM page p JOIN incident i ON i.id = p.incident
                   WHERE p.page_id = ?1";
        let db = rusqlite::Connection::open(self.folder.path().join("store.db")).unwrap();
        let wire: String = db.query_row(sql, [page_id.to_string()], |row| row.get(0)).unwrap();
        let wire: Value = serde_json::from_str(&wire).unwrap();
        wire["device"]["id"].as_str().unwrap().to_owned()
    }

    /// Everything that is ready now, in its order.
    fn ready(&mut self) -> Vec<OwedPage> {
        let paced = &mut self.task.paced;
        let next = || Urgency::ALL.into_iter().find_map(|urgency| paced.take(urgency, true));
        std::iter::from_fn(next).map(|(page, _)| page).collect()
    }

    fn devices(&self, pages: &[OwedPage]) -> Vec<String> {
        pages.iter().map(|page| self.device(page.page_id)).collect()
    }

    /// The one page, or bundle, that is ready.
    fn one(&mut self) -> OwedPage {
        let ready = self.ready();
        let [page] = &ready[..] else { panic!("{ready:?}") };
        page.clone()
    }

    /// What a page says, and to which earlier ones it refers; `None`: it waits for that to be known.
    fn says(&mut self, page: &OwedPage) -> Option<(Value, Vec<String>)> {
        match self.task.words(page).unwrap() {
            PageWords::Known { wire, earlier } => {
                let earlier = earlier.into_iter().map(|earlier| earlier.id).collect();
                Some((serde_json::from_str(&wire).unwrap(), earlier))
            }
            PageWords::NotWritten => None,
            PageWords::New | PageWords::OwedNoMore => panic!("{page:?}"),
        }
    }

    /// An attempt at a page comes to its end.
    async fn lands(&mut self, page: &OwedPage, answer: Answer) {
        let (page, begun) = (page.clone(), self.task.setup.clock.stamp().steady());
        let landed = LandedPage { page, answer, room: FlightRoom::NewFire, begun };
        self.task.landed(landed).await.unwrap();
    }

    /// Considers whatever is next, if anything is.
    async fn considers(&mut self) -> Option<Sent> {
        let (page, room) = self.task.next_page()?;
        Some(self.task.consider(page, room).await.unwrap())
    }

    fn puts(&mut self, number: u32, urgency: Urgency) {
        let ready = &mut self.task.paced.ready[usize::from(urgency.place())];
        ready.push_back(page(number, urgency));
    }

    fn next_number(&mut self) -> Option<i64> {
        self.task.next_page().map(|(page, _)| page.number)
    }
}

#[test]
fn the_first_fire_of_each_station_goes_alone_and_the_rest_in_a_bundle_that_leaves_them_room() {
    let mut night = Night::begin("pace = '8/min'");
    for station in [1, 2, 3] {
        night.fires(station, 0..5);
    }
    let bundles = night.plans(0);
    let rest = [1, 2, 3].iter().flat_map(|station| (1..5).map(move |n| format!("T{station}-{n}")));
    assert_eq!(bundles, [rest.collect::<Vec<_>>()], "what is in no single page");
    // A new fire takes any room among the flights; a bundle leaves some to them, though it has fires.
    let mut first = Vec::new();
    while let Some((page, room)) = night.task.paced.take(Urgency::NewFire, false) {
        assert!(room == FlightRoom::NewFire && page.carries == Carries::Page, "{page:?}");
        first.push(page);
    }
    assert_eq!(night.devices(&first), ["T1-0", "T2-0", "T3-0"]);
    let (bundle, room) = night.task.paced.take(Urgency::NewFire, true).expect("the bundle");
    assert!(room == FlightRoom::Lesser && bundle.carries == Carries::Bundle, "{bundle:?}");
    let (said, earlier) = night.says(&bundle).expect("its words");
    assert_eq!((&said["count"], &said["fires"]), (&12.into(), &12.into()));
    assert_eq!(said["page_id"], bundle.page_id.to_string());
    assert_eq!(said["device"]["id"], "T1-1", "its worst, which is its oldest");
    assert_eq!(said["worst"].as_array().map(Vec::len), Some(10));
    assert!(earlier.is_empty(), "it refers to nothing");
    assert_eq!((night.plans(0), night.ready()), (Vec::new(), Vec::new()));
    assert!(night.task.paced.is_empty());
}

#[test]
fn whatever_is_sent_or_tried_again_keeps_to_the_pace_and_each_fire_is_told_once() {
    let mut night = Night::begin("pace = '6/min'");
    let (mut sent, mut told, mut fires) = (Vec::new(), Vec::new(), 0);
    for at in (0..240_000).step_by(1_000) {
        if at < 120_000 && at % 3_000 == 0 {
            night.fires(1 + fires % 3, fires / 3..fires / 3 + 1);
            fires += 1;
        }
        let bundles = night.plans(at);
        for page in night.ready() {
            match page.carries {
                Carries::Page => told.push(night.device(page.page_id)),
                Carries::Bundle => assert!(night.task.paced.was_asked(at), "it has its place"),
            }
            sent.push(at);
        }
        told.extend(bundles.into_iter().flatten());
        if at % 7_000 == 0 && night.task.paced.may_send_more(at) {
            sent.push(at); // a page that was refused
        }
    }
    for (n, first) in sent.iter().enumerate() {
        let within = sent[n..].iter().filter(|at| **at < first + 60_000).count();
        assert!(within <= 6, "{within} messages in the minute from {first}: {sent:?}");
    }
    assert_eq!(told.len(), 40, "{told:?}");
    told.sort();
    told.dedup();
    assert_eq!(told.len(), 40, "each once");
}

#[test]
fn a_bundle_is_the_same_message_after_a_crash_and_its_pages_are_in_no_other() {
    let mut night = Night::begin("pace = '1/s'");
    night.fires(1, 0..8);
    assert_eq!(night.plans(0), [(0..8).map(|n| format!("T1-{n}")).collect::<Vec<_>>()]);
    let before = night.one();
    let said = night.says(&before);
    assert!(night.task.paced.was_asked(0), "it has its place in the pace");
    night.fires(1, 8..9);

    let mut night = night.crashed();
    assert_eq!(night.plans(0), Vec::<Vec<String>>::new(), "one more fire is no bundle");
    let ready = night.ready();
    let (bundles, pages): (Vec<_>, Vec<_>) =
        ready.into_iter().partition(|page| page.carries == Carries::Bundle);
    assert_eq!(night.devices(&pages), ["T1-8"]);
    assert_eq!(bundles, [before], "under the same id");
    assert_eq!(night.says(&bundles[0]), said, "in the same words");
    assert!(night.task.was_owed_before(&bundles[0]), "it takes a place when it is sent");
}

#[tokio::test]
async fn what_was_owed_before_a_start_and_what_is_tried_again_wait_for_the_pace() {
    let mut night = Night::begin("pace = '1/min'");
    night.fires(1, 0..8);
    assert_eq!(night.plans(0).len(), 1);
    night.fires(1, 8..16);
    assert_eq!(night.plans(60_000).len(), 1, "another bundle a minute later");
    let mut night = night.crashed();
    night.reads();
    assert!(night.considers().await == Some(Sent::Settled), "the first is sent");
    for _ in 0..2 {
        assert!(night.considers().await == Some(Sent::NotNow), "the second waits, and is not lost");
    }
    assert_eq!(night.task.flights.len(), 1);
    assert!(night.task.paced.again_at().is_some(), "and is looked at again");

    let mut night = Night::begin("pace = '1/min'");
    night.fires(1, 0..1);
    night.reads();
    night.plans_now().await;
    let page = night.one();
    let later = Answer::later(Blames::Receiver, "status 500".to_owned());
    night.lands(&page, later).await;
    night.task.waiting.put_back(&page); // its time has come
    assert!(night.considers().await.is_none(), "it was sent within the minute");
    assert_eq!(night.task.flights.len(), 0);
    assert!(night.task.paced.again_at().is_some(), "and is looked at again");
}

#[tokio::test]
async fn an_alert_waits_until_it_can_refer_to_the_one_before_it() {
    for (section, waits) in [("format = 'cap'", true), ("format = 'json'", false)] {
        let mut night = Night::begin(section);
        night.fires(1, 0..1);
        night.plans(0);
        let first = night.one();
        assert_eq!(night.says(&first).expect("its words").1, Vec::<String>::new());
        night.lands(&first, Answer::Taken).await;
        // The receipt is not on disk yet, and the third step is due.
        night.later(181_000);
        night.plans(181_000);
        let second = night.one();
        assert_eq!(second.incident, first.incident);
        assert_eq!(night.says(&second).is_none(), waits, "{section}");
        night.engine_hears();
        let (said, earlier) = night.says(&second).expect("its words");
        assert_eq!(said["device"]["id"], "T1-0");
        let referred = if waits { vec![first.page_id.to_string()] } else { Vec::new() };
        assert_eq!(earlier, referred, "{section}");
    }
}

#[tokio::test]
async fn what_refers_to_earlier_pages_keeps_none_of_them_in_memory_once_the_store_knows_it() {
    let mut night = Night::begin("format = 'cap'");
    night.fires(1, 0..20);
    night.plans(0);
    let pages = night.ready();
    assert_eq!(pages.len(), 20);
    for page in &pages {
        night.lands(page, Answer::Taken).await;
    }
    night.task.forget_what_the_store_knows();
    assert_eq!(night.task.taken.len(), 20, "the store has none of it yet");
    night.engine_hears();
    night.task.forget_what_the_store_knows();
    assert_eq!((night.task.taken.len(), night.task.taken.capacity()), (0, 0));
    // The next page about one of them refers to it all the same.
    night.later(181_000);
    night.plans(181_000);
    let second = night.ready().into_iter().find(|page| page.incident == pages[0].incident);
    let (_, earlier) = night.says(&second.expect("its third step")).expect("its words");
    assert_eq!(earlier, [pages[0].page_id.to_string()]);
}

#[tokio::test]
async fn pages_about_one_incident_are_sent_one_after_the_other() {
    let mut night = Night::begin("");
    night.fires(1, 0..1);
    night.reads();
    night.plans_now().await;
    let (first, room) = night.task.next_page().expect("a page");
    assert!(night.task.consider(first.clone(), room).await.unwrap() == Sent::Settled);
    night.later(181_000);
    night.fires(2, 0..1);
    night.reads();
    night.plans_now().await;
    while night.considers().await.is_some() {}
    assert_eq!(night.task.flights.len(), 2, "the other fire's, and the first of this one");
    night.lands(&first, Answer::Taken).await;
    let (second, _) = night.task.next_page().expect("what waited for it");
    assert_eq!(second.incident, first.incident);
    assert_ne!(second.page_id, first.page_id);
}

#[test]
fn a_receivers_wish_and_what_hangs_in_it_keep_no_new_fire_back() {
    let mut night = Night::begin("");
    night.puts(1, Urgency::Warning);
    night.task.hold = Some(Instant::now() + Duration::from_secs(40));
    assert_eq!(night.next_number(), None, "it wishes to be left alone");
    night.puts(2, Urgency::Fire);
    night.puts(3, Urgency::NewFire);
    assert_eq!((night.next_number(), night.next_number()), (Some(3), Some(2)));
    night.task.hold = None;
    assert_eq!(night.next_number(), Some(1));

    night.task.lesser = LESSER_MOST;
    night.puts(4, Urgency::Fire);
    night.puts(5, Urgency::NewFire);
    assert_eq!((night.next_number(), night.next_number()), (Some(5), None));
    night.task.lesser = LESSER_MOST - 1;
    assert_eq!(night.next_number(), Some(4));
}

#[tokio::test]
async fn a_fire_is_tried_again_whatever_the_answer_and_within_five_seconds() {
    let mut night = Night::begin("");
    let asked = Some(WaitWish::Unwell(Duration::from_secs(40)));
    let started = Instant::now();
    let unwell = Answer::Later { wait: asked, why: "503".into(), blames: Blames::Receiver };
    night.lands(&page(1, Urgency::NewFire), unwell).await;
    let due = night.task.waiting.next().expect("it is tried again") - started;
    assert!(due <= Duration::from_millis(5_500), "{due:?}");
    let hold = night.task.hold.expect("what is no fire waits as long as it wishes") - started;
    assert!(hold >= Duration::from_secs(40), "{hold:?}");

    night.lands(&page(2, Urgency::Fire), not_found()).await;
    assert!(night.task.waiting.knows(page(2, Urgency::Fire).page_id));
    assert_eq!(night.reported(), (0, 0), "no fire is given up");
    night.lands(&page(3, Urgency::Warning), not_found()).await;
    assert_eq!(night.reported(), (0, 1));
}

#[tokio::test]
async fn a_receiver_that_takes_nothing_is_planned_for_every_five_seconds_only() {
    for (failing, asked) in [(false, 1), (true, 0)] {
        let mut night = Night::begin("");
        let since = night.task.setup.clock.stamp().steady() - REFUSED_MOST;
        let failing = failing.then(|| Failing { since, said_at: since, why: "500".to_owned() });
        night.task.failing = failing;
        night.fires(1, 0..70);
        night.reads();
        night.plans_now().await;
        assert_eq!(night.reported().0, 1, "all but the first");
        night.fires(2, 0..70);
        tokio::time::sleep(Duration::from_millis(300)).await;
        night.reads();
        night.plans_now().await;
        assert_eq!(night.reported().0, asked);
        let again = night.task.paced.again_at();
        let soon = again.is_some_and(|at| at - Instant::now() < Duration::from_secs(3));
        assert!(asked == 1 || again.is_some() && !soon, "{again:?}");
    }
}

#[test]
fn much_that_is_owed_is_looked_over_every_fifty_milliseconds_and_little_at_once() {
    let mut paced = Paced::new(Pace { messages: 4, within_ms: 60_000, singly: 2, members: 9 });
    paced.backlog = vec![page(1, Urgency::Warning)];
    assert!(paced.is_time(0, 50) && paced.is_time(1, 50), "one is sent as soon as there is room");
    paced.backlog = (1..9).map(|n| page(n, Urgency::Warning)).collect();
    assert!(!paced.is_time(50, 50) && paced.again_at().is_some());
    assert!(paced.is_time(51, 50));
}
