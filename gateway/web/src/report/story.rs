//! How fast people were paged about an incident, and how fast they answered: when a page was due,
//! when the first was delivered, and when somebody took it.
//!
//! A page is due from the moment the alarm was received. Until it is reopened (work is over, its
//! zone's incident ended, it got worse) an incident that nobody was paged about was muted: that
//! time counts for nobody's slowness.

use standpipe_rules::Ms;

/// The times of one incident, collected hop by hop.
#[derive(Clone, Copy, Debug, Default)]
pub struct PagingTimes {
    received: Option<Ms>,
    raised: Option<Ms>,
    paged: bool,
    due: Option<Ms>,
    delivered: Option<Ms>,
    taken: Option<Ms>,
}

impl PagingTimes {
    /// The next hop, in the order of the trail.
    pub fn hop(&mut self, hop: &str, at: Ms) {
        match hop {
            "received" => {
                self.received = Some(at);
                self.due.get_or_insert(at);
            }
            "raised" => self.raised = Some(at),
            // Something worse was found this moment; or what is known already is acted on now.
            "reopened" if !self.paged => {
                self.due = self.received.filter(|_| self.raised == Some(at)).or(Some(at));
            }
            "paged" => self.paged = true,
            "delivered" | "bundled" => _ = self.delivered.get_or_insert(at),
            "acknowledged" | "dispatched" => _ = self.taken.get_or_insert(at),
            _ => {}
        }
    }

    /// How long until the first page was delivered; `since`: what counts when nothing was received.
    pub fn paged_ms(&self, since: Ms) -> Option<Ms> {
        self.delivered.map(|at| (at - self.due.unwrap_or(since)).max(0))
    }

    /// From the moment a page was due until the first person took it; `since` as for
    /// [`Self::paged_ms`].
    pub fn taken_ms(&self, since: Ms) -> Option<Ms> {
        self.taken.map(|at| (at - self.due.unwrap_or(since)).max(0))
    }
}

#[cfg(test)]
mod tests {
    use super::PagingTimes;

    #[test]
    #[rustfmt::skip] // a table
    fn time_counts_from_when_a_page_was_owed() {
        for (story, hops, paged, taken) in [
            ("a fire", "received 5, raised 6, paged 6, delivered 9, delivered 99, acknowledged 25, dispatched 30",
                Some(4), Some(20)),
            ("sent at once", "received 5, raised 6, paged 6, dispatched 7, acknowledged 8", None, Some(2)),
            ("muted by work for hours", "received 5, raised 5, reopened 9000, paged 9000, delivered 9004, acknowledged 9060",
                Some(4), Some(60)),
            ("muted, then worse", "received 5, raised 6, received 800, raised 801, reopened 801, paged 801, delivered 804",
                Some(4), None),
            ("reopened after it was paged", "received 5, raised 5, paged 5, reopened 900, paged 900, delivered 905",
                Some(900), None),
            ("taken while muted", "received 5, acknowledged 50, reopened 900, paged 900, delivered 901", Some(1), Some(0)),
            ("nothing received", "delivered 9", Some(7), None),
        ] {
            let mut told = PagingTimes::default();
            for hop in hops.split(", ") {
                let (name, at) = hop.split_once(' ').unwrap();
                told.hop(name, at.parse().unwrap());
            }
            assert_eq!((told.paged_ms(2), told.taken_ms(2)), (paged, taken), "{story}");
        }
    }
}
