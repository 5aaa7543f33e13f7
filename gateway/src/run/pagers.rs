//! The senders that read the store: of pages, and of what devices are owed. Where the store's disk does not
//! answer, one of them may be reading the file at that moment, and nothing wakes it. So others take their
//! place then, which read what is in memory; those that wait are told to end, and do once the disk answers.

use std::io;
use std::path::Path;
use std::thread::JoinHandle;

use standpipe_config::Webhook;
use standpipe_notify::{SenderSetup, device, station, webhook};
use standpipe_transport::mqtt::Broker;
use standpipe_words::day::Hour;
use standpipe_words::message::Desk;
use tokio_util::sync::CancellationToken;

use super::RunStage;

/// What they are made with.
pub(super) struct PagerSetup {
    pub senders: SenderSetup,
    pub webhooks: Vec<Webhook>,
    pub desk: Desk,
    pub hour: Option<Hour>,
    pub broker: Broker,
    pub root: Box<str>,
    pub gateway: Box<str>,
}

/// Those that run.
#[derive(Default)]
pub(super) struct Pagers {
    /// `None`: they are not started again.
    setup: Option<PagerSetup>,
    stage: RunStage,
    /// How often the disk had not answered when they were started.
    hangs: u64,
    /// Those that may wait for it.
    left: Vec<JoinHandle<()>>,
}

impl std::fmt::Debug for Pagers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pagers").field("stage", &self.stage).finish_non_exhaustive()
    }
}

impl Pagers {
    /// Starts them.
    pub fn start(setup: PagerSetup) -> io::Result<Self> {
        let beside = setup.senders.noted_beside.clone();
        let stage = setup.start(beside)?;
        Ok(Self { setup: Some(setup), stage, hangs: 0, left: Vec::new() })
    }

    /// Others take their place, if the disk has not answered since.
    pub fn follow(&mut self, hangs: u64) {
        let Some(setup) = self.setup.as_ref().filter(|_| hangs != self.hangs) else { return };
        self.stage.stop.cancel();
        match setup.start(None) {
            Ok(stage) => {
                tracing::warn!(
                    "the senders are started anew, since the disk keeps whoever reads it"
                );
                let RunStage { threads, brief, .. } = std::mem::replace(&mut self.stage, stage);
                self.left.retain(|thread| !thread.is_finished());
                self.left.extend(threads.into_iter().chain(brief));
                self.hangs = hangs;
            }
            Err(bad) => tracing::error!("the senders can't be started anew ({bad})"),
        }
    }

    /// One that ended by itself, which none should.
    pub fn ended_early(&self) -> Option<String> {
        self.stage.ended_early()
    }

    /// Tells them to end, and never starts others.
    pub fn stop(&mut self) {
        self.setup = None;
        self.stage.stop.cancel();
    }

    /// Whether one runs that does not wait for the disk.
    pub fn running(&self) -> bool {
        self.stage.running()
    }

    /// All threads there are.
    pub fn drain(&mut self) -> impl Iterator<Item = JoinHandle<()>> {
        let RunStage { threads, brief, .. } = &mut self.stage;
        threads.drain(..).chain(brief.drain(..)).chain(self.left.drain(..))
    }
}

impl PagerSetup {
    fn start(&self, noted_beside: Option<Box<Path>>) -> io::Result<RunStage> {
        let mut stage = RunStage::default();
        let stop: CancellationToken = stage.stop.clone();
        let Self { senders, webhooks, desk, hour, broker, root, gateway } = self;
        let setup = || SenderSetup {
            stop: stop.clone(),
            noted_beside: noted_beside.clone(),
            ..senders.clone()
        };
        let pages = webhook::start(setup(), webhooks, (desk, hour.clone()))?;
        // Without webhooks it only empties the queues of earlier ones.
        if webhooks.is_empty() { &mut stage.brief } else { &mut stage.threads }.push(pages);
        stage.threads.push(device::start(setup(), broker.clone(), root, gateway)?);
        stage.threads.push(station::start(setup(), broker.clone(), root, gateway)?);
        Ok(stage)
    }
}
