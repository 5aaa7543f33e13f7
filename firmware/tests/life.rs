//! The node's task: what it does first, whatever is wrong with the rest of the device.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test may panic: that is how it fails"
)]

mod support;

use std::cell::RefCell;
use std::future::pending;
use std::rc::Rc;
use std::time::Duration;

use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use standpipe_firmware::clock::Clock;
use standpipe_firmware::life::{Board, Life};
use standpipe_firmware::outbox::{Layout, Outbox};
use standpipe_firmware::pulse::Pulse;
use standpipe_firmware::smoke::Chamber;
use standpipe_firmware::uplink::Post;
use standpipe_firmware::{Contacts, Fault, Hand, Node, Seen, Smoke, Sounder, Start, Wanted};
use standpipe_shared::{Kind, Settings};
use support::chip::Chip;

/// Clean air for so many samples, and then a fire.
struct Fire {
    clean: u32,
    sounds: Rc<RefCell<Vec<Sounder>>>,
    batteries: Rc<RefCell<u32>>,
}

impl Board for Fire {
    async fn sense(&mut self, wanted: Wanted) -> Seen {
        let mut seen = Seen::default();
        if wanted.has(Wanted::SMOKE) {
            let blue = if self.clean > 0 { 1_500 } else { 6_000 };
            self.clean = self.clean.saturating_sub(1);
            seen.smoke = Some(Ok(Smoke { blue, infrared: None }));
        }
        *self.batteries.borrow_mut() += u32::from(wanted == Wanted::BATTERY);
        seen
    }

    fn contacts(&mut self) -> Contacts {
        Contacts::default()
    }

    async fn touched(&mut self) -> Option<Hand> {
        pending().await
    }

    fn sound(&mut self, sounder: Sounder) {
        self.sounds.borrow_mut().push(sounder);
    }

    async fn self_test(&mut self) -> Result<(), Fault> {
        Ok(())
    }

    fn restart(&mut self) -> ! {
        unreachable!("nobody asks for it")
    }
}

#[test]
fn the_sounder_waits_for_neither_the_storage_nor_the_other_task() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let (outbox, boot) = Outbox::open(Chip::<1_024>::new(), Layout::KIB_32, 7).await;
        let post: Post<NoopRawMutex, _> = Post::new(outbox, Clock::new(boot, &[]));
        let pulse = Pulse::new(60);
        let settings = Settings { sample_s: 1, ..standpipe_firmware::settings::defaults() };
        let chamber = Chamber::measured(1_500.0, 8_000.0);
        // Its first reading is an hour away: the alarm is the first thing it stores.
        let first_report_ms = 3_600_000;
        let start = Start { boot, settings, chamber, first_report_ms, ..Start::default() };
        let node = Node::start(Kind::Smoke, None, start);
        let (sounds, batteries) = (Rc::default(), Rc::default());
        let board = Fire { clean: 2, sounds: Rc::clone(&sounds), batteries: Rc::clone(&batteries) };
        let mut life = Life { node, board, post: &post, pulse: &pulse };
        // The modem works, and the other task holds the storage from here on.
        post.under_load.signal(());
        let held = post.outbox.lock().await;
        let sounded = async {
            while sounds.borrow().last() != Some(&Sounder::Fire) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let sounded = tokio::time::timeout(Duration::from_secs(15), sounded);
        tokio::select! {
            sounded = sounded => sounded.expect("it burns, and nobody hears it"),
            never = life.run() => never,
        }
        assert_eq!(*batteries.borrow(), 1, "the battery is asked while the modem works");
        drop(held);
    });
}
