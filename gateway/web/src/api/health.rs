//! Whether the gateway lives, whether it can do its work, and what it counted.
//!
//! Ready: the store takes what is written, and no lane that devices need has been away for over 30 s. History
//! that is behind is a warning: it is caught up from the store, and pages never wait for it. So is
//! everything that a person has to mend while the work goes on ([`standpipe_engine::health::Degraded`]).

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use standpipe_engine::health::{Health, Part, PartStatus};
use standpipe_engine::source::SourceNeed;
use standpipe_rules::Ms;
use standpipe_rules::chain::stands_still;
use utoipa::ToSchema;

use super::ApiState;

/// A lane may be away this long before it counts: `gateway_blind` is raised then too.
const LANE_AWAY_MS: Ms = 30_000;

/// Whether the gateway can do its work.
#[derive(Debug, Serialize, PartialEq, Eq, ToSchema)]
pub struct Readiness {
    /// Nothing is in `reasons`.
    ready: bool,
    /// Why not.
    reasons: Vec<FailedPartJson>,
    /// What does not work and is not needed for alarms.
    warnings: Vec<FailedPartJson>,
    /// The parts among `warnings` that stay so until a person has dealt with them: `registry`, `config`,
    /// `receivers`, `store_lost`, `store_rows`, `history`, `accounts`, `ids`, `machine`, `http`. Over by
    /// themselves are `rescue` (nothing can be stored: the gateway works in memory), `disk` (nearly full),
    /// `twin`, `rival` and `actions`.
    degraded: Vec<&'static str>,
}

/// One part that does not work.
#[derive(Debug, Serialize, PartialEq, Eq, ToSchema)]
#[schema(as = Reason)]
pub struct FailedPartJson {
    /// `store`, `alarm_lane`, `status_lane`, `action_lane`, `telemetry_lane`, `series`, `clock` (nobody synchronises the
    /// machine's clock), `chain` (its heartbeat does not come through) or `registry_files` (the files of
    /// `[registry]` say something else than the registry); one of `degraded`.
    part: Box<str>,
    /// Since when; null: it has not worked yet.
    since: Option<Ms>,
    /// What is wrong, and what to do.
    why: Box<str>,
}

/// What to do about a heartbeat that does not come through.
const CHAIN_ADVICE: &str = "the gateway's own heartbeat does not come through, and alarms may not either: \
    see that the broker runs, and that its access rules let the gateway write and read \
    `gateway/chain` below the root (`standpipe provision` writes them)";

/// The process lives.
#[utoipa::path(get, path = "/healthz", tag = "health",
    operation_id = "get_health", security(()),
    responses((status = 200, description = "alive", body = String)))]
pub async fn alive() -> &'static str {
    "ok\n"
}

/// The gateway can do its work, or why it can't.
#[utoipa::path(get, path = "/readyz", tag = "health",
    operation_id = "get_readiness", security(()), responses(
    (status = 200, description = "ready", body = Readiness),
    (status = 503, description = "not ready, and why", body = Readiness)))]
pub async fn ready(State(api): State<Arc<ApiState>>) -> (StatusCode, Json<Readiness>) {
    let readiness = judge(&api.health, api.clock.now());
    let status = if readiness.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(readiness))
}

/// What was counted, for Prometheus.
#[utoipa::path(get, path = "/metrics", tag = "health",
    operation_id = "get_metrics", security(()), responses(
    (status = 200, description = "Prometheus text format", body = String)))]
pub async fn metrics(State(api): State<Arc<ApiState>>) -> Response {
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    api.health.chain.measure(api.clock.now());
    ([(header::CONTENT_TYPE, kind)], api.metrics.render()).into_response()
}

fn judge(health: &Health, now: Ms) -> Readiness {
    let away =
        |reason: &FailedPartJson| reason.since.is_none_or(|since| now - since > LANE_AWAY_MS);
    let mut reasons: Vec<FailedPartJson> = reason("store", &health.store).into_iter().collect();
    let mut warnings: Vec<FailedPartJson> = reason("series", &health.series).into_iter().collect();
    for source in health.sources.all() {
        let list = match source.sight {
            SourceNeed::Needed => &mut reasons,
            SourceNeed::Extra => &mut warnings,
        };
        list.extend(reason(&source.part, &source.health).filter(away));
    }
    if matches!(health.clock.status(), PartStatus::Failing { .. }) {
        warnings.extend(reason("clock", &health.clock));
    }
    if let Some(age) = health.chain.age(now).filter(|age| stands_still(now - age, now)) {
        let (part, since, why) = ("chain".into(), Some(now - age), CHAIN_ADVICE.into());
        warnings.push(FailedPartJson { part, since, why });
    }
    if let Some((since, difference)) = health.registry_files.get() {
        let (part, since) = ("registry_files".into(), Some(since));
        warnings.push(FailedPartJson { part, since, why: difference.en.into() });
    }
    let troubles = health.degraded.list();
    let degraded = troubles.iter().map(|trouble| trouble.part.as_str()).collect();
    warnings.extend(troubles.into_iter().map(|trouble| {
        let (part, since) = (trouble.part.as_str().into(), Some(trouble.since));
        FailedPartJson { part, since, why: trouble.why.en.into() }
    }));
    Readiness { ready: reasons.is_empty(), reasons, warnings, degraded }
}

fn reason(part: &str, says: &Part) -> Option<FailedPartJson> {
    let part = part.into();
    match says.status() {
        PartStatus::Fine => None,
        PartStatus::Starting => {
            Some(FailedPartJson { part, since: None, why: "not working yet: wait".into() })
        }
        PartStatus::Failing { since, why } => Some(FailedPartJson { part, since, why }),
    }
}

#[cfg(test)]
mod tests {
    use super::{Part, judge};
    use standpipe_engine::Sources;
    use standpipe_engine::health::{DegradedPart, Health, Trouble};
    use standpipe_engine::source::{Facts, QueueKind, SourceNeed};
    use standpipe_rules::incidents::Text;

    #[test]
    fn a_heartbeat_that_is_too_old_is_a_warning() {
        let health = all_fine();
        health.chain.begin(1_000);
        assert_eq!(judge(&health, 16_000).warnings, []);
        let readiness = judge(&health, 16_001);
        assert_eq!((parts(&readiness.warnings), readiness.ready), (vec!["chain"], true));
        assert_eq!(readiness.warnings[0].since, Some(1_000));
    }

    /// Of a gateway with both lanes, and a source that it can do without.
    fn health() -> Health {
        let extra = Facts::new("meters", "meters", QueueKind::Bulk, SourceNeed::Extra);
        let lanes = Sources::urgent_and_bulk();
        Health::of(&lanes.all().iter().cloned().chain([extra]).collect())
    }

    fn all_fine() -> Health {
        let health = health();
        let sources = health.sources.all().iter().map(|source| &*source.health);
        [&health.store, &health.series].into_iter().chain(sources).for_each(Part::fine);
        health
    }

    fn registry() -> Trouble {
        let why = Text { en: "bad: correct it".to_owned(), zh: "错误".to_owned() };
        Trouble { part: DegradedPart::Registry, since: 0, why, detail: String::new() }
    }

    fn parts(reasons: &[super::FailedPartJson]) -> Vec<&str> {
        reasons.iter().map(|reason| &*reason.part).collect()
    }

    #[test]
    #[rustfmt::skip] // a table
    fn ready_is_a_working_store_and_lanes_that_are_not_away_for_long() {
        type Break = fn(&Health);
        type Case = (&'static str, Break, i64, &'static [&'static str], &'static [&'static str]);
        let cases: [Case; 10] = [
            ("all fine",            |_| {},                                  0,      &[],                 &[]),
            ("disc full",           |health| health.store.failing(0, "full"),        0,      &["store"],          &[]),
            ("a lane for 30 s",     |health| health.sources.all()[0].health.failing(0, "away"),   30_000, &[],                 &[]),
            ("and a bit",           |health| health.sources.all()[0].health.failing(0, "away"),   30_001, &["alarm_lane"],     &[]),
            ("the other lane",      |health| health.sources.all()[1].health.failing(0, "x"),  30_001, &["telemetry_lane"], &[]),
            ("one it can do without", |health| health.sources.all()[2].health.failing(0, "x"), 30_001, &[],       &["meters"]),
            ("history for hours",   |health| health.series.failing(0, "away"),   9_000_000,  &[],                 &["series"]),
            ("a clock on its own",  |health| health.clock.failing(0, "unsynchronised"), 0,   &[],                 &["clock"]),
            ("a bad registry file", |health| health.degraded.set(registry()),        0,      &[],                 &["registry"]),
            ("store, back again",   |health| { health.store.failing(0, "x"); health.store.fine(); }, 1, &[],          &[]),
        ];
        for (story, broken, now, reasons, warnings) in cases {
            let health = all_fine();
            broken(&health);
            let readiness = judge(&health, now);
            assert_eq!(parts(&readiness.reasons), reasons, "{story}");
            assert_eq!(parts(&readiness.warnings), warnings, "{story}");
            assert_eq!(readiness.ready, reasons.is_empty(), "{story}");
            let degraded: Vec<&str> = warnings.iter().copied().filter(|part| !["series", "meters", "clock"].contains(part)).collect();
            assert_eq!(readiness.degraded, degraded, "{story}");
        }
    }

    #[test]
    fn nothing_is_ready_before_it_has_worked_once() {
        let readiness = judge(&health(), 0);
        assert_eq!(parts(&readiness.reasons), ["store", "alarm_lane", "telemetry_lane"]);
        assert_eq!(parts(&readiness.warnings), ["series", "meters"]);
    }
}
