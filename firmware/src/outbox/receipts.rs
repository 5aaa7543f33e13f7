//! What the outbox does about receipts: which alarms stay although the broker has them, and until when.
//! When each is repeated is in [`super::awaiting`].

use embedded_storage_async::nor_flash::MultiwriteNorFlash;

use super::lane::AfterVisit;
use super::{Dated, KeptKey, Outbox, OutboxLane, Receipts};
use crate::{Class, Record, RecordId, Uptime};

impl<F: MultiwriteNorFlash> Outbox<F> {
    /// The gateway promises receipts, or does so no longer. Written only when it is news.
    pub async fn promise(&mut self, receipts: Receipts) {
        if self.receipts == receipts {
            return;
        }
        self.receipts = receipts;
        self.keep(KeptKey::Receipts, &[u8::from(receipts == Receipts::Promised)]).await;
        while receipts == Receipts::None && !self.awaiting.is_empty() {
            self.let_go_oldest().await;
        }
    }

    /// The broker has that alarm for the first time. With receipts promised it is kept until its own
    /// comes, if it stands in the alarms' own lane: in that of readings it would keep readings out,
    /// and the places in memory are too few.
    pub async fn acknowledged(&mut self, id: RecordId, dated: Dated, now: Uptime) {
        if self.receipts == Receipts::Promised {
            if self.awaiting.is_full() {
                self.let_go_oldest().await;
            }
            // Behind those that await theirs stands the one that was sent.
            if self.place(id).await == Some(self.awaiting.len()) {
                return self.awaiting.add(dated, now);
            }
        }
        self.sent(Class::Alarm, id).await;
    }

    /// The broker has that alarm again.
    pub async fn repeated(&mut self, id: RecordId, now: Uptime) {
        if let Some(place) = self.place(id).await {
            self.awaiting.repeated(place, now);
        }
    }

    /// The gateway has that alarm on its disk, sent in this boot or before.
    pub async fn receipt(&mut self, id: RecordId) {
        let place = self.place(id).await;
        self.sent(Class::Alarm, id).await;
        if let Some(place) = place {
            self.awaiting.forget(place);
        }
    }

    /// Lets go of alarms whose receipt did not come for a day, and says when the next one is to be
    /// repeated.
    pub async fn repeat_at(&mut self, now: Uptime) -> Option<Uptime> {
        while self.awaiting.oldest_is_given_up(now) {
            self.let_go_oldest().await;
        }
        self.awaiting.due()
    }

    /// The alarm to repeat at `now`, and how it was sent.
    pub async fn to_repeat(&mut self, now: Uptime) -> Option<(Record, Dated)> {
        let (place, dated) = self.awaiting.to_repeat(now)?;
        let (mut before, mut found) = (place, None);
        self.records(OutboxLane::Alarms, &mut |record| {
            if before > 0 {
                before -= 1;
                return AfterVisit::Next;
            }
            found = Some((*record, dated));
            AfterVisit::Stop
        })
        .await;
        if found.is_none() {
            // The chip does not answer. If it does again, the alarm is one that was never sent.
            self.awaiting.forget(place);
        }
        found
    }

    /// How many alarms stand before that one in their lane; `None`: it is not there.
    async fn place(&mut self, id: RecordId) -> Option<usize> {
        let (mut before, mut found) = (0, false);
        self.records(OutboxLane::Alarms, &mut |record| {
            found = record.id() == id;
            before += usize::from(!found);
            if found { AfterVisit::Stop } else { AfterVisit::Next }
        })
        .await;
        found.then_some(before)
    }

    /// The alarm that has awaited its receipt for longest need not be kept any longer: it is the first.
    pub(super) async fn let_go_oldest(&mut self) {
        self.awaiting.forget(0);
        self.alarms_waiting = self.alarms_waiting.saturating_sub(1);
        // The state of the chip is noted.
        let _ = self.visit(OutboxLane::Alarms, &mut |_| AfterVisit::RemoveAndStop).await;
    }
}
