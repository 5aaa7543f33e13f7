//! For how long readings wait for more of them, so that one commit keeps many: each commit costs a disk
//! the same few pages, whatever is in it.
//!
//! A broker sends only so many messages before it waits for acknowledgements. One that sends fewer than
//! would come while readings are gathered would stand still for most of that time, and the town's
//! readings with it. That is noticed by what happens: nothing more comes, and as soon as the batch is
//! acknowledged the next messages are there at once, as many as before. From then on a batch of so many
//! is not waited with.
//!
//! Here is what is decided, without a clock; who waits is `shell/linger.rs`.

use std::time::Duration;

/// A batch of so many is not waited with: half of what the broker sends at most, as we configure it.
const ENOUGH: usize = 500;
/// The number of readings is looked at this often while they are gathered …
const STEP: Duration = Duration::from_millis(10);
/// … and with a broker that sends few at a time, this often.
const SHORT_STEP: Duration = Duration::from_millis(2);
/// What comes within this time of an acknowledgement was waiting for it.
const AT_ONCE: Duration = Duration::from_millis(15);
/// So many batches in succession must look alike before the broker is believed to wait.
const ALIKE: u8 = 3;
/// After so many batches the broker may send more than it did: it is tried again.
const TRY_AGAIN: u32 = 2_000;

/// Decides when a batch of readings is complete.
#[derive(Debug)]
pub(super) struct Gather {
    most: Duration,
    /// How many the broker sends before it waits, where that was noticed.
    window: Option<usize>,
    /// How many the last batch had when nothing more came, and how many batches before it had as many
    /// and were followed at once.
    stalled: Option<usize>,
    alike: u8,
    batches: u32,
}

/// A batch that is being gathered.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Gathered {
    /// Readings that wait.
    pub waiting: usize,
    /// Since the first of them.
    pub waited: Duration,
    /// Since the last of them.
    pub quiet: Duration,
}

impl Gather {
    pub(super) const fn new(most: Duration) -> Self {
        Self { most, window: None, stalled: None, alike: 0, batches: 0 }
    }

    /// How long to wait before the next look; `None`: the batch is complete.
    pub(super) fn wait(&self, batch: Gathered) -> Option<Duration> {
        let (enough, step) = match self.window {
            Some(window) => (window, SHORT_STEP),
            None => (ENOUGH, STEP),
        };
        let left = self.most.saturating_sub(batch.waited);
        (batch.waiting < enough && !left.is_zero()).then(|| left.min(step))
    }

    /// A step after a batch began: so many have come. `followed`: how long after the last batch was
    /// acknowledged the first of them did.
    pub(super) fn begins(&mut self, came: usize, followed: Duration) {
        let Some(before) = self.stalled.take() else { return };
        let were_held = followed <= AT_ONCE && came * 2 >= before;
        self.alike = if were_held { self.alike.saturating_add(1) } else { 0 };
        if self.alike >= ALIKE {
            self.window = Some(before);
        }
    }

    /// A batch was gathered and is committed now.
    pub(super) fn ends(&mut self, batch: Gathered) {
        self.batches += 1;
        let is_over = self.window.is_some_and(|window| batch.waiting > window);
        if is_over || self.batches >= TRY_AGAIN {
            (self.window, self.alike, self.batches) = (None, 0, 0);
        }
        let stood_still = batch.quiet >= self.most / 4 && batch.waited >= self.most;
        self.stalled = stood_still.then_some(batch.waiting);
        if !stood_still {
            self.alike = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use standpipe_machine::limits::GATHER as USUAL;

    use super::{ENOUGH, Gather, Gathered, TRY_AGAIN};

    /// A town whose readings come evenly, by a broker that sends `window` before it waits: gathers for so
    /// many batches; readings per batch and milliseconds of all.
    fn gathers(
        gather: &mut Gather,
        every_us: u64,
        window: usize,
        batches: usize,
    ) -> (Vec<usize>, u64) {
        let (mut now, mut sent) = (0_u64, 0_u64);
        let mut sizes = Vec::new();
        let mut released = 0;
        for _ in 0..batches {
            let there = |now: u64, sent: u64| ((now / every_us - sent) as usize).min(window);
            while there(now, sent) == 0 {
                now += 100;
            }
            let (first, mut last, mut waiting) = (now, now, there(now, sent));
            let mut looks = 0;
            loop {
                let since = |from: u64| Duration::from_micros(now - from);
                let batch = Gathered { waiting, waited: since(first), quiet: since(last) };
                if looks == 1 {
                    gather.begins(waiting, Duration::from_micros(first - released));
                }
                looks += 1;
                let Some(wait) = gather.wait(batch) else {
                    gather.ends(batch);
                    break;
                };
                let until = now + wait.as_micros() as u64;
                while now < until {
                    now += 100;
                    if there(now, sent) > waiting {
                        (waiting, last) = (there(now, sent), now);
                    }
                }
            }
            sent += waiting as u64;
            now += 1_000; // the commit
            released = now;
            sizes.push(waiting);
        }
        (sizes, now / 1_000)
    }

    #[test]
    fn readings_are_gathered_for_the_whole_time_and_many_are_not_waited_with() {
        let (sizes, ms) = gathers(&mut Gather::new(USUAL), 10_000, 1_000, 100); // 100/s
        assert!(sizes.iter().all(|size| (9..=12).contains(size)), "{sizes:?}");
        assert!(ms >= 100 * 100, "{ms}");
        let (sizes, _) = gathers(&mut Gather::new(USUAL), 500, 1_000, 100); // 2,000/s
        assert!(sizes.iter().skip(1).all(|size| (190..=210).contains(size)), "{sizes:?}");
        let (sizes, _) = gathers(&mut Gather::new(USUAL), 25, 1_000, 100); // 40,000/s
        assert!(sizes.iter().all(|size| (ENOUGH / 2..=2 * ENOUGH).contains(size)), "{sizes:?}");
    }

    #[test]
    fn a_broker_that_sends_few_at_a_time_is_not_kept_waiting() {
        for window in [1, 10, 20] {
            let mut gather = Gather::new(USUAL);
            gathers(&mut gather, 500, window, 10);
            let (sizes, ms) = gathers(&mut gather, 500, window, 500);
            assert!(sizes.iter().all(|size| *size == window), "{window}: {sizes:?}");
            assert!(ms < 500 * 20, "{window}: {ms} ms, and not a tenth of a second for each batch");
        }
    }

    #[test]
    fn a_broker_that_sends_more_again_is_noticed() {
        let mut gather = Gather::new(USUAL);
        gathers(&mut gather, 500, 20, 10);
        assert_eq!(gather.window, Some(20));
        gathers(&mut gather, 500, 1_000, TRY_AGAIN as usize);
        let (sizes, _) = gathers(&mut gather, 500, 1_000, 10);
        assert!(sizes.iter().all(|size| *size > 100), "{sizes:?}");
    }

    #[test]
    fn a_quiet_town_is_not_taken_for_a_broker_that_waits() {
        let mut gather = Gather::new(USUAL);
        for every_us in [40_000, 70_000, 150_000, 1_000_000] {
            gathers(&mut gather, every_us, 1_000, 200);
            assert_eq!(gather.window, None, "{every_us}");
        }
    }

    #[test]
    fn it_can_be_switched_off() {
        let gather = Gather::new(Duration::ZERO);
        assert_eq!(gather.wait(Gathered { waiting: 1, ..Gathered::default() }), None);
    }
}
