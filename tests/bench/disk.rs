//! How long the disk takes to keep something: every page waits for it once.

use std::fs::File;
use std::io::{Seek, Write};
use std::time::Duration;

use standpipe_tests::instant;

/// Writes of 16 KiB, each kept before the next.
const WRITES: usize = 300;

/// Prints the median and the worst of them, where temporary files are.
///
/// # Panics
/// When they cannot be written.
pub fn say() {
    let mut file: File = tempfile::tempfile().expect("a file");
    file.write_all(&[0; 1 << 20]).and_then(|()| file.sync_all()).expect("room on the disk");
    let mut took: Vec<Duration> = (0..WRITES)
        .map(|n| {
            if n % 64 == 0 {
                file.rewind().expect("a file");
            }
            file.write_all(&[1; 16_384]).expect("room on the disk");
            let start = instant();
            file.sync_all().expect("a disk");
            let took = start.elapsed();
            std::thread::sleep(Duration::from_millis(5));
            took
        })
        .collect();
    took.sort_unstable();
    let ms = |n: usize| took[n].as_secs_f64() * 1e3;
    println!(
        "the disk keeps 16 KiB in {:.2} ms (p50), {:.2} (p99), {:.2} (max)",
        ms(WRITES / 2),
        ms(WRITES * 99 / 100),
        ms(WRITES - 1)
    );
}
