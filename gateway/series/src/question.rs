//! What may be asked of history, what is wrong with a question, and which source answers it.
//!
//! Both series ask [`HistoryQuery::plan`], so that a question means the same to both.

use serde::Serialize;
use standpipe_rules::{DAY_MS, HOUR_MS, Ms};
use standpipe_shared::Field;

use super::RAW_DAYS;

/// The most points of one answer.
pub const MOST_POINTS: usize = 20_000;
/// The longest step, ms: a year.
pub const LONGEST_STEP_MS: Ms = 366 * DAY_MS;
/// Nothing was measured after this: 2200-01-01.
const LAST_MS: Ms = 7_258_118_400_000;

/// A question: one field of one device, from (included) to (excluded).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryQuery {
    pub device: Box<str>,
    /// Which measurement; a flag is 0 or 1.
    pub field: Field,
    /// First moment, included.
    pub from: Ms,
    /// Last moment, excluded.
    pub to: Ms,
    /// Length of a step; steps begin at multiples of it since 1970. 0: every raw point.
    pub step_ms: Ms,
}

/// One step of an answer: `[ts, min, mean, max, count]`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(into = "(Ms, f64, f64, f64, u64)")]
pub struct HistoryPoint {
    /// Start of the step; of a raw point, its time.
    pub ts: Ms,
    pub min: f64,
    /// Of the points, not of the steps: an hour weighs as much as it has points.
    pub mean: f64,
    pub max: f64,
    /// Points within the step.
    pub count: u64,
}

impl From<HistoryPoint> for (Ms, f64, f64, f64, u64) {
    fn from(point: HistoryPoint) -> Self {
        (point.ts, point.min, point.mean, point.max, point.count)
    }
}

/// Why a question was not answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HistoryError {
    #[error("`from` {from} is after `to` {to}: exchange them")]
    Backwards { from: Ms, to: Ms },
    /// A step that is negative or absurd.
    #[error("`step` of {0} ms: use 0 for raw points, or 1 to {LONGEST_STEP_MS} ms")]
    BadStep(Ms),
    #[error(
        "more than {MOST_POINTS} points between {from} and {to}: use a step of {least_step_ms} ms \
         or more, or ask for less time"
    )]
    TooMany {
        from: Ms,
        to: Ms,
        /// A step that gives few enough points.
        least_step_ms: Ms,
    },
    /// The series is away, or its answer made no sense.
    #[error("history has no answer now: {0}")]
    Unavailable(Box<str>),
}

/// A span of time, from (included) to (excluded).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeSpan {
    /// First moment, included.
    pub from: Ms,
    /// Last moment, excluded.
    pub to: Ms,
}

/// Where an answer comes from: first the hourly points, then the raw ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AnswerPlan {
    /// Asked of the hourly points; whole hours.
    pub hourly: Option<TimeSpan>,
    /// From the end of the hourly part.
    pub raw: Option<TimeSpan>,
    /// Step of both; 0 asks for raw points, and hourly ones come by the hour.
    pub step_ms: Ms,
}

impl AnswerPlan {
    /// The step of the hourly part: whole hours, at least one.
    #[must_use]
    pub fn hourly_step_ms(&self) -> Ms {
        self.step_ms.max(HOUR_MS)
    }
}

impl HistoryQuery {
    /// Where the answer comes from. A question that reaches back beyond the raw points gets
    /// hourly ones for that part: its step is then rounded up to whole hours, and the two parts
    /// meet at a multiple of it, so that no step is answered twice.
    ///
    /// # Errors
    /// [`HistoryError::Backwards`] and [`HistoryError::BadStep`].
    pub fn plan(&self, now: Ms) -> Result<AnswerPlan, HistoryError> {
        let &Self { from, to, step_ms, .. } = self;
        if from > to {
            return Err(HistoryError::Backwards { from, to });
        }
        if !(0..=LONGEST_STEP_MS).contains(&step_ms) {
            return Err(HistoryError::BadStep(step_ms));
        }
        let (from, to) = (from.clamp(0, LAST_MS), to.clamp(0, LAST_MS));
        let span = |from, to| (from < to).then_some(TimeSpan { from, to });
        let oldest_raw = raw_since(now);
        if from >= oldest_raw {
            return Ok(AnswerPlan { hourly: None, raw: span(from, to), step_ms });
        }
        let step_ms = if step_ms == 0 { 0 } else { up(step_ms, HOUR_MS) };
        let whole = step_ms.max(HOUR_MS);
        let meet = up(oldest_raw, whole);
        let hours = span(from - from % HOUR_MS, up(to.min(meet), HOUR_MS));
        Ok(AnswerPlan { hourly: hours, raw: span(from.max(meet), to), step_ms })
    }

    /// The error for an answer of more than [`MOST_POINTS`].
    #[must_use]
    pub fn too_many(&self) -> HistoryError {
        let &Self { from, to, .. } = self;
        let span = to.clamp(0, LAST_MS) - from.clamp(0, LAST_MS);
        let least_step_ms = (span / (MOST_POINTS as Ms - 1)).max(1);
        HistoryError::TooMany { from, to, least_step_ms }
    }
}

/// The next multiple of a step, or the moment itself when it is one. Neither is negative.
fn up(at: Ms, step_ms: Ms) -> Ms {
    at + (step_ms - at % step_ms) % step_ms
}

/// The oldest moment of which raw points are kept: a whole hour.
#[must_use]
pub fn raw_since(now: Ms) -> Ms {
    let oldest = (now - RAW_DAYS * DAY_MS).max(0);
    oldest - oldest % HOUR_MS
}

#[cfg(test)]
mod tests {
    use super::{AnswerPlan, HistoryError, HistoryQuery, TimeSpan, raw_since};
    use standpipe_rules::{DAY_MS, HOUR_MS};
    use standpipe_shared::Field;

    /// A whole hour; raw points begin 90 days before.
    const NOW: i64 = 1_764_000_000_000;

    fn ask(from: i64, to: i64, step_ms: i64) -> Result<AnswerPlan, HistoryError> {
        HistoryQuery { device: "H-1".into(), field: Field::PressureKpa, from, to, step_ms }
            .plan(NOW)
    }

    fn span(from: i64, to: i64) -> Option<TimeSpan> {
        Some(TimeSpan { from, to })
    }

    #[test]
    #[rustfmt::skip] // a table
    fn raw_points_for_ninety_days_and_hourly_ones_before() {
        let raw = raw_since(NOW);
        for (story, asked, hourly, from_raw, step) in [
            ("yesterday",        (NOW - DAY_MS, NOW, 60_000),       None, span(NOW - DAY_MS, NOW), 60_000),
            ("raw points",       (NOW - 5, NOW, 0),                 None, span(NOW - 5, NOW), 0),
            ("an empty span",    (NOW, NOW, 0),                     None, None, 0),
            ("before 1970",      (-9, 0, 0),                        None, None, 0),
            ("long ago",         (raw - DAY_MS + 7, raw - 1, 1),    span(raw - DAY_MS, raw), None, HOUR_MS),
            ("across the limit", (raw - HOUR_MS, NOW, HOUR_MS),     span(raw - HOUR_MS, raw), span(raw, NOW), HOUR_MS),
            ("raw, long ago",    (raw - HOUR_MS, raw + 9, 0),       span(raw - HOUR_MS, raw), span(raw, raw + 9), 0),
        ] {
            let expected = AnswerPlan { hourly, raw: from_raw, step_ms: step };
            assert_eq!(ask(asked.0, asked.1, asked.2), Ok(expected), "{story}");
        }
    }

    #[test]
    fn the_two_parts_meet_at_a_multiple_of_the_step() {
        let plan = ask(NOW - 100 * DAY_MS, NOW, 7 * DAY_MS).unwrap();
        let (hourly, raw) = (plan.hourly.unwrap(), plan.raw.unwrap());
        assert_eq!(hourly.to, raw.from);
        assert_eq!(raw.from % (7 * DAY_MS), 0);
        assert!(raw.from >= raw_since(NOW));
    }

    #[test]
    fn a_wrong_question_says_what_to_do() {
        for (asked, says) in [
            (ask(9, 3, 0), "`from` 9 is after `to` 3: exchange them"),
            (ask(1, 3, -1), "`step` of -1 ms: use 0 for raw points, or 1 to 31622400000 ms"),
        ] {
            assert_eq!(asked.unwrap_err().to_string(), says);
        }
        let long = HistoryQuery {
            device: "H-1".into(),
            field: Field::TempC,
            from: 0,
            to: 2_000_000,
            step_ms: 1,
        };
        assert_eq!(
            long.too_many().to_string(),
            "more than 20000 points between 0 and 2000000: use a step of 100 ms or more, \
             or ask for less time"
        );
    }
}
