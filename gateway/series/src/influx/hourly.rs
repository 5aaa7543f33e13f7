//! The tasks that fill `standpipe_1h` from `standpipe`: for every field `…_min`, `…_mean`, `…_max`
//! and `…_count` (all floats), at the start of the hour. Rolling an hour up a second time writes
//! the same points.
//!
//! An hour can change as long as readings of it may come, and a device that was cut off sends what
//! its backlog when it is back, days later. Redoing a whole day every hour would be too much work
//! at 100,000 devices; so each hour does the newest three, and each night (03:00 to 05:00 in China)
//! does the day before, the day that is then a week old, and a last time the day whose raw readings
//! are about to be dropped. What costs is the number of series, not of hours: a night's day costs
//! as much as one hour's three. What came late is missing from hourly points until the next of
//! these; raw points have it at once, and charts take them as long as there are any
//! (`question.rs`).

/// One of them, for the newest hours and for the buckets by their usual names.
const SCRIPT: &str = include_str!("hourly.flux");

/// A task of InfluxDB.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HourlyTask {
    /// What InfluxDB lists it as; a task of that name is replaced.
    pub name: String,
    pub flux: String,
}

/// The tasks for a bucket that keeps raw readings for so many days.
#[must_use]
pub fn tasks(bucket: &str, raw_days: u64) -> Vec<HourlyTask> {
    let last = format!("{}d", raw_days.saturating_sub(3));
    [
        ("", "1h, offset: 10m", "0h", "3h"),
        ("_1d", "1d, offset: 19h", "0h", "24h"),
        ("_7d", "1d, offset: 20h", "6d", "24h"),
        ("_last", "1d, offset: 21h", &*last, "24h"),
    ]
    .into_iter()
    .map(|(suffix, every, age, length)| {
        let name = format!("{bucket}_1h{suffix}");
        let flux = SCRIPT
            .replace("name: \"standpipe_1h\"", &format!("name: \"{name}\""))
            .replace("every: 1h, offset: 10m", &format!("every: {every}"))
            .replace("age = 0h", &format!("age = {age}"))
            .replace("length = 3h", &format!("length = {length}"))
            .replace("bucket: \"standpipe", &format!("bucket: \"{bucket}"));
        HourlyTask { name, flux }
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::{SCRIPT, tasks};

    #[test]
    fn each_age_has_a_task_of_its_own() {
        let usual = tasks("standpipe", 90);
        assert_eq!(usual[0].flux, SCRIPT);
        let names: Vec<&str> = usual.iter().map(|task| &*task.name).collect();
        assert_eq!(
            names,
            ["standpipe_1h", "standpipe_1h_1d", "standpipe_1h_7d", "standpipe_1h_last"]
        );
        let last = &tasks("town", 30)[3].flux;
        for line in [
            "option task = {name: \"town_1h_last\", every: 1d, offset: 21h}",
            "age = 27d",
            "length = 24h",
        ] {
            assert!(last.lines().any(|text| text == line), "{line} in {last}");
        }
        let buckets: Vec<&str> = last.split("bucket: \"").skip(1).collect();
        assert!(
            buckets.len() == 3 && buckets.iter().all(|bucket| bucket.starts_with("town")),
            "{buckets:?}"
        );
    }
}
