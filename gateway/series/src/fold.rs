//! Many points into one a step. Both series fold with this, so that a mean is the same mean.

use standpipe_rules::Ms;

use super::question::MOST_POINTS;
use super::{HistoryError, HistoryPoint, HistoryQuery};

/// Folds points, given in the order of time, into steps.
#[derive(Debug)]
pub struct Fold {
    step_ms: Ms,
    done: Vec<HistoryPoint>,
    open: Option<OpenStep>,
    /// How many points an answer may have, all parts together.
    most: usize,
}

/// A step that may get more points.
#[derive(Clone, Copy, Debug)]
struct OpenStep {
    point: HistoryPoint,
    /// Mean times count, summed; the mean is taken at the end.
    sum: f64,
}

/// There are more points than an answer may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

impl Full {
    /// The error for whoever asked.
    #[must_use]
    pub fn of(self, query: &HistoryQuery) -> HistoryError {
        query.too_many()
    }
}

impl Fold {
    /// Begins. `step_ms` 0 keeps every moment apart.
    #[must_use]
    pub fn new(step_ms: Ms) -> Self {
        Self { step_ms, done: Vec::new(), open: None, most: MOST_POINTS }
    }

    /// Goes on with another step length: the next part of an answer begins.
    pub fn set_step(&mut self, step_ms: Ms) {
        self.step_ms = step_ms;
    }

    /// Adds one point, no older than the one before.
    ///
    /// # Errors
    /// [`Full`].
    pub fn add(&mut self, point: HistoryPoint) -> Result<(), Full> {
        let start = if self.step_ms > 0 { point.ts - point.ts % self.step_ms } else { point.ts };
        #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
        let sum = point.mean * point.count as f64;
        match &mut self.open {
            Some(open) if open.point.ts == start => {
                open.sum += sum;
                open.point.min = open.point.min.min(point.min);
                open.point.max = open.point.max.max(point.max);
                open.point.count += point.count;
                Ok(())
            }
            _ => {
                self.close();
                self.open = Some(OpenStep { point: HistoryPoint { ts: start, ..point }, sum });
                if self.done.len() < self.most { Ok(()) } else { Err(Full) }
            }
        }
    }

    /// Adds one value measured at one moment.
    ///
    /// # Errors
    /// [`Full`].
    pub fn value(&mut self, ts: Ms, value: f64) -> Result<(), Full> {
        self.add(HistoryPoint { ts, min: value, mean: value, max: value, count: 1 })
    }

    /// All steps, oldest first.
    #[must_use]
    pub fn finish(mut self) -> Vec<HistoryPoint> {
        self.close();
        self.done
    }

    fn close(&mut self) {
        if let Some(OpenStep { mut point, sum }) = self.open.take() {
            if point.count > 1 {
                #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
                let count = point.count as f64;
                // Rounding must not carry a mean past the points it is the mean of.
                point.mean = (sum / count).clamp(point.min, point.max);
            }
            self.done.push(point);
        }
    }
}

/// A measured `f32` as the number the device wrote: 312.4, and not 312.399 993 896 484 4.
#[must_use]
#[expect(clippy::cast_possible_truncation, reason = "it was an f32")]
pub fn as_written(value: f64) -> f64 {
    let mut text = String::with_capacity(24);
    match super::number::float(&mut text, value as f32) {
        Ok(()) => text.parse().unwrap_or(value),
        Err(_) => value,
    }
}

#[cfg(test)]
mod tests {
    use super::{Fold, Full, as_written};
    use crate::HistoryPoint;

    fn fold(step_ms: i64, values: &[(i64, f64)]) -> Vec<(i64, f64, f64, f64, u64)> {
        let mut fold = Fold::new(step_ms);
        for (ts, value) in values {
            fold.value(*ts, *value).unwrap();
        }
        fold.finish().into_iter().map(Into::into).collect()
    }

    #[test]
    fn a_step_has_the_extremes_the_mean_and_the_count() {
        let values = [(1_000, 2.0), (1_500, 4.0), (1_999, 9.0), (4_000, 1.0)];
        assert_eq!(fold(1_000, &values), [(1_000, 2.0, 5.0, 9.0, 3), (4_000, 1.0, 1.0, 1.0, 1)]);
        assert_eq!(fold(0, &values).len(), 4, "raw points stay apart");
        assert_eq!(fold(1_000, &[]), []);
    }

    #[test]
    fn hours_fold_into_days_by_their_weight() {
        let mut days = Fold::new(24);
        days.add(HistoryPoint { ts: 0, min: 1.0, mean: 2.0, max: 3.0, count: 3 }).unwrap();
        days.add(HistoryPoint { ts: 23, min: 0.0, mean: 6.0, max: 9.0, count: 1 }).unwrap();
        let day = HistoryPoint { ts: 0, min: 0.0, mean: 3.0, max: 9.0, count: 4 };
        assert_eq!(days.finish(), [day]);
    }

    #[test]
    fn an_answer_has_a_limit() {
        let mut fold = Fold { most: 2, ..Fold::new(1) };
        assert_eq!(fold.value(1, 0.0), Ok(()));
        assert_eq!(fold.value(2, 0.0), Ok(()));
        assert_eq!(fold.value(2, 0.0), Ok(()));
        assert_eq!(fold.value(3, 0.0), Err(Full));
    }

    #[test]
    fn numbers_come_back_as_the_device_wrote_them() {
        for value in [312.4_f32, 14.25, -0.05, 1.0e-9] {
            assert_eq!(as_written(f64::from(value)).to_string(), value.to_string());
        }
    }
}
