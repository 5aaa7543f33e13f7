//! A bundle that its receiver refuses for what it says is taken apart: one page that a robot does not
//! want would keep all others from being told.
//!
//! Each half of it is a message of its own, and so on, until the page that is refused stands alone
//! (`standpipe_rules::incidents`). For one such page that costs two messages for each time that its bundle
//! can be halved.
//!
//! Whether it is what the bundle says is seen by what else is taken meanwhile
//! ([`Suspicion::TakesOthers`]). A receiver that is set up anew may refuse everything with the same answer:
//! while it takes nothing, a bundle is taken apart now and then only ([`Probes`]), so that it has not to be
//! told of everything one by one afterwards.

use std::time::Duration;

use standpipe_engine::{Input, Unavailable};
use standpipe_machine::backoff::Backoff;
use standpipe_machine::clock::Stamp;
use standpipe_receivers::Blames;
use standpipe_store::reader::{Carries, OwedPage};
use tokio::time::Instant;
use tracing::info;

use super::Task;
use crate::retry::Suspicion;

/// Between two bundles that are taken apart while nothing is taken: so long at first, then twice that,
const FIRST_PROBE: Duration = Duration::from_secs(10);
/// and so on, up to this.
const PROBES_APART_MOST: Duration = Duration::from_secs(3_600);

/// Bundles that are taken apart while nothing else is taken, which shows whether something would be.
#[derive(Debug)]
pub(super) struct Probes {
    backoff: Backoff,
    next: Option<Instant>,
}

impl Probes {
    pub(super) fn new(name: &str) -> Self {
        Self { backoff: Backoff::named(FIRST_PROBE, PROBES_APART_MOST, name), next: None }
    }

    /// Something is taken.
    pub(super) const fn reset(&mut self) {
        self.backoff.reset();
        self.next = None;
    }

    fn may(&mut self, now: Instant) -> bool {
        if self.next.is_some_and(|next| next > now) {
            return false;
        }
        self.next = Some(now + self.backoff.failed());
        true
    }
}

/// Whether a refusal may be about a part of a message alone.
pub(super) fn may_be(page: &OwedPage, blames: Blames) -> bool {
    match (page.carries, blames) {
        (Carries::Bundle, Blames::Message) => true,
        (Carries::Page, _) | (_, Blames::Receiver) => false,
    }
}

impl Task {
    /// Has a bundle that was refused taken apart, if it is refused for what it says.
    pub(super) async fn take_apart(
        &mut self,
        bundle: &OwedPage,
        now: Stamp,
    ) -> Result<(), Unavailable> {
        match bundle.carries {
            Carries::Page => return Ok(()),
            Carries::Bundle => {}
        }
        let id = bundle.page_id;
        let is_time = match self.waiting.suspicion(id) {
            Suspicion::None => false,
            Suspicion::Answers => self.probes.may(Instant::now()),
            Suspicion::TakesOthers => true,
        };
        if !is_time {
            return Ok(());
        }
        info!(
            "webhook {}: bundle {id} is refused, and goes on in two parts: a page that is refused alone \
             keeps no other back",
            self.webhook.name
        );
        self.waiting.forget(id);
        self.setup.engine.report(Input::TakeApart { bundle: id }.at(now)).await
    }
}
