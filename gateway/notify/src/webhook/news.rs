//! What the engine, and the log, are told of how a receiver does.

use standpipe_engine::{Input, Unavailable};
use standpipe_machine::clock::Stamp;
use standpipe_rules::Ms;
use standpipe_rules::incidents::ReceiverNews;
use tracing::warn;

use super::{REFUSED_MOST, Task};

/// A failing receiver is reported this often, ms.
const REPORT_EVERY: Ms = 60_000;
/// The engine hears of a receiver that refuses pages this often at most, ms.
const TELL_EVERY: Ms = 1_000;

/// A receiver that does not take what it is sent.
pub(super) struct Failing {
    pub(super) since: Ms,
    pub(super) said_at: Ms,
    pub(super) why: String,
}

/// What the engine was told of a receiver.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum LastNews {
    Takes,
    Refuses(Ms),
}

impl Task {
    /// Tells the engine how the receiver does, now and then.
    pub(super) async fn tell(&mut self, news: ReceiverNews, now: Stamp) -> Result<(), Unavailable> {
        let steady = now.steady();
        let told = match (&news, self.told) {
            (ReceiverNews::Takes, _) => LastNews::Takes,
            (ReceiverNews::Refuses { .. }, Some(LastNews::Refuses(at)))
                if steady - at < TELL_EVERY =>
            {
                return Ok(());
            }
            (ReceiverNews::Refuses { .. } | ReceiverNews::RefusesForGood { .. }, _) => {
                LastNews::Refuses(steady)
            }
        };
        self.told = Some(told);
        let name = self.webhook.name.clone();
        self.setup.engine.report(Input::Receiver { name, news }.at(now)).await
    }

    /// It has taken nothing since: said between attempts, too, which get rare.
    pub(super) async fn tell_that_it_still_refuses(&mut self) -> Result<(), Unavailable> {
        let now = self.setup.clock.stamp();
        let Some(failing) = &self.failing else { return Ok(()) };
        let (for_ms, answer) = (now.steady() - failing.since, failing.why.as_str().into());
        self.tell(ReceiverNews::Refuses { for_ms, answer }, now).await
    }

    /// It took a page. One that refuses another all the time is not well.
    pub(super) async fn tell_that_it_takes(&mut self, now: Stamp) -> Result<(), Unavailable> {
        let told = self.told == Some(LastNews::Takes);
        if told || self.waiting.any_for(REFUSED_MOST, now.steady()) {
            return Ok(());
        }
        self.tell(ReceiverNews::Takes, now).await
    }

    /// It did not take a page: logged now and then.
    pub(super) fn fails(&mut self, why: String, begun: Ms, now: Ms) {
        let failing = self.failing.get_or_insert(Failing {
            since: begun,
            said_at: now - REPORT_EVERY,
            why: String::new(),
        });
        if now - failing.said_at >= REPORT_EVERY {
            failing.said_at = now;
            let seconds = (now - failing.since) / 1_000;
            warn!(
                "webhook {}: takes no pages for {seconds} s ({why}); trying again",
                self.webhook.name
            );
        }
        failing.why = why;
    }
}
