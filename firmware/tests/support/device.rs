//! A device without sensors: what waits is put into its outbox by the test.

use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use standpipe_firmware::clock::Clock;
use standpipe_firmware::outbox::{Layout, Outbox};
use standpipe_firmware::pulse::Pulse;
use standpipe_firmware::uplink::{Account, Habits, Modem, Post, Uplink};
use standpipe_firmware::{Radio, Record, Uptime};
use standpipe_shared::{Name, ROOT, Status};

use super::chip::Chip;

pub const AREA: &str = "banan";

/// A device that was started on a chip.
pub struct Device {
    pub post: Post<NoopRawMutex, Chip>,
    pub pulse: Pulse,
    pub boot: u32,
    name: &'static str,
}

/// Patient as short as a test wants to wait.
pub const QUICK: Habits =
    Habits { patience_ms: 200, retry_ms: 2, linger_ms: 200, ..Habits::ALWAYS };

impl Device {
    pub async fn start(chip: &Chip, name: &'static str) -> Self {
        let (outbox, boot) = Outbox::open(chip.clone(), Layout::KIB_32, 77).await;
        let mut clock = Clock::new(boot, &[]);
        clock.hear(1_764_000_000_000, Uptime(0));
        let post = Post::new(outbox, clock);
        post.set_status(Status {
            online: true,
            boot: Some(boot),
            firmware: Some("0.1.0"),
            model: Some("SP-H1"),
            interval_s: Some(900),
            reset: Some("power_on"),
            rev: Some(0),
            ..Status::default()
        });
        post.set_radio(Radio::Report);
        Self { post, pulse: Pulse::new(60), boot, name }
    }

    pub async fn put(&self, record: &Record) {
        self.post.outbox.lock().await.put(record).await;
        self.post.wake();
    }

    /// What waits: alarms, readings.
    pub async fn waiting(&self) -> (u32, u32) {
        let waiting = self.post.outbox.lock().await.waiting();
        (waiting.alarms, waiting.readings)
    }

    pub async fn uplink(&self, modem: &mut impl Modem, habits: Habits) -> ! {
        let account = Account {
            root: ROOT,
            area: Name::new(AREA).expect("a name"),
            device: Name::new(self.name).expect("a name"),
            user: None,
            password: None,
        };
        let (post, pulse) = (&self.post, &self.pulse);
        Uplink { post, pulse, account, habits, seed: 7 }.run(modem).await
    }
}
