//! The one place that says how what is counted becomes Prometheus text: times are histograms
//! with buckets from a tenth of a millisecond to half a minute, sizes by powers of four.

use metrics_exporter_prometheus::{
    BuildError, Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder,
};

/// Upper bounds of times, seconds; 6 ms is what a page may take, 1 s what a backlog may cost it.
#[rustfmt::skip]
const SECONDS: [f64; 18] = [
    0.000_1, 0.000_25, 0.000_5, 0.001, 0.002, 0.004, 0.006, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0,
    2.5, 5.0, 10.0, 30.0,
];
/// Upper bounds of everything else that has a size.
const SIZES: [f64; 8] = [1.0, 4.0, 16.0, 64.0, 256.0, 1_024.0, 4_096.0, 16_384.0];

/// A recorder with the buckets of this gateway.
///
/// # Errors
/// [`BuildError`]: a list of buckets is empty, which none is.
pub fn recorder() -> Result<PrometheusRecorder, BuildError> {
    let builder = PrometheusBuilder::new().set_buckets(&SIZES)?;
    let times = Matcher::Suffix("_seconds".to_owned());
    Ok(builder.set_buckets_for_metric(times, &SECONDS)?.build_recorder())
}

/// Makes it the recorder of the whole process, and hands out what renders it. A process that has
/// one already (a test, a second gateway) keeps that one, and this renders nothing.
///
/// # Errors
/// As [`recorder`].
pub fn install() -> Result<PrometheusHandle, BuildError> {
    let recorder = recorder()?;
    let handle = recorder.handle();
    if metrics::set_global_recorder(recorder).is_err() {
        tracing::debug!("metrics are recorded elsewhere in this process");
    }
    Ok(handle)
}

#[cfg(test)]
mod tests {
    use super::recorder;

    #[test]
    fn times_and_sizes_are_histograms() {
        let recorder = recorder().unwrap();
        metrics::with_local_recorder(&recorder, || {
            metrics::histogram!("standpipe_commit_seconds").record(0.003);
            metrics::histogram!("standpipe_batch_messages").record(20.0);
            metrics::counter!("standpipe_readings_total").increment(2);
        });
        let text = recorder.handle().render();
        for line in [
            "standpipe_commit_seconds_bucket{le=\"0.002\"} 0",
            "standpipe_commit_seconds_bucket{le=\"0.004\"} 1",
            "standpipe_commit_seconds_bucket{le=\"+Inf\"} 1",
            "standpipe_batch_messages_bucket{le=\"64\"} 1",
            "standpipe_readings_total 2",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
        }
    }
}
