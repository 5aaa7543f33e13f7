//! An InfluxDB 2 made ready: organisation, buckets, the hourly tasks, tokens that may do no more than
//! they must. Through its HTTP API, because the client knows neither updates nor answers of tasks.
//!
//! Every step asks first and makes only what is missing, so that it can be run again at any time.
//! Nothing that holds data is ever changed: not a bucket's retention, not a bucket.

#![expect(clippy::indexing_slicing, reason = "a JSON value answers null for what it has not")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use reqwest::{Client, Method, StatusCode, Url};
use serde_json::{Value, json};
use standpipe_config::trust::{Authorities, believing};
use standpipe_machine::entropy::Entropy;
use standpipe_machine::private_file::{ReadableBy, write};
use standpipe_machine::small_file;

use super::address;
use super::hourly::{HourlyTask, tasks};

/// How long one answer may take.
const ANSWER: Duration = Duration::from_secs(30);
/// Bytes of randomness in a password or token.
const SECRET_BYTES: usize = 32;
const DAY_S: u64 = 86_400;
/// What the gateway says of itself is kept this long, days.
const HEALTH_DAYS: u64 = 30;
/// The scraper's name in InfluxDB's list.
const SCRAPER: &str = "standpipe gateway";

/// What a set-up is to find or make.
#[derive(Clone, Debug)]
pub struct SetupPlan {
    pub url: String,
    pub org: String,
    /// The bucket of raw readings; hourly ones are in that name with `_1h`.
    pub bucket: String,
    /// How long raw readings are kept, days.
    pub raw_days: u64,
    /// How long hourly ones are kept, days.
    pub hourly_days: u64,
    /// `/metrics` of the gateway, which InfluxDB then reads every 10 s; `None`: left as it is.
    pub metrics: Option<String>,
    /// Where the tokens are written.
    pub folder: PathBuf,
    /// Who signed its certificate; `None`: whoever the system believes.
    pub trust: Option<Authorities>,
}

impl SetupPlan {
    /// Where the token of a program is kept.
    #[must_use]
    pub fn token_file(&self, of: &str) -> PathBuf {
        self.folder.join(format!("influx-{of}.token"))
    }
}

/// Why it is not ready.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    #[error("`{0}` is no address of InfluxDB: use http://host:8086 or https://host")]
    Url(String),
    #[error("InfluxDB not reached at {url} ({bad}): start it first")]
    Away { url: Url, bad: reqwest::Error },
    /// It is set up, and we may not change anything.
    #[error("InfluxDB is set up already: write an operator's token into {0}")]
    NoToken(PathBuf),
    #[error("InfluxDB refuses {what} ({status}: {text}): see its log")]
    Refused {
        /// Method and path.
        what: String,
        status: StatusCode,
        /// The body of its answer.
        text: String,
    },
    #[error("{0}: check the folder and its owner")]
    File(#[from] std::io::Error),
    #[error("the system gives no random bytes: try again later")]
    NoRandomness,
}

/// Makes what is missing; a line for each thing that was made or is not as wanted.
///
/// # Errors
/// [`SetupError`]; what was made until then stays, and is found by the next run.
pub async fn set_up(wanted: &SetupPlan) -> Result<Vec<String>, SetupError> {
    let url = address(&wanted.url).ok_or_else(|| SetupError::Url(wanted.url.clone()))?;
    let http = believing(&url, wanted.trust.as_ref())(Client::builder()).timeout(ANSWER).build();
    let http = http.map_err(|bad| SetupError::Away { url: url.clone(), bad })?;
    let mut setup = InfluxSetup { http, url, token: String::new(), report: Vec::new() };
    setup.enter(wanted).await?;
    let org = setup.organisation(&wanted.org).await?;
    let hourly = format!("{}_1h", wanted.bucket);
    let raw = setup.bucket(&org, &wanted.bucket, wanted.raw_days).await?;
    let hourly = setup.bucket(&org, &hourly, wanted.hourly_days).await?;
    for task in tasks(&wanted.bucket, raw.days.unwrap_or(wanted.raw_days)) {
        setup.task(&org, &task).await?;
    }
    let health = setup.bucket(&org, &format!("{}_health", wanted.bucket), HEALTH_DAYS).await?;
    if let Some(metrics) = &wanted.metrics {
        setup.scraper(&org, &health.id, metrics).await?;
    }
    let may = |action: &str, bucket: &Bucket| {
        let resource = json!({"type": "buckets", "id": bucket.id, "orgID": org});
        json!({"action": action, "resource": resource})
    };
    let gateway = [may("read", &raw), may("write", &raw), may("read", &hourly)];
    setup.token_of("gateway", &org, &gateway, wanted).await?;
    let grafana = [&raw, &hourly, &health].map(|bucket| may("read", bucket));
    setup.token_of("grafana", &org, &grafana, wanted).await?;
    Ok(setup.report)
}

/// A bucket as InfluxDB has it.
struct Bucket {
    id: String,
    /// How long it keeps what is in it; `None`: for ever.
    days: Option<u64>,
}

struct InfluxSetup {
    http: Client,
    url: Url,
    token: String,
    report: Vec<String>,
}

impl InfluxSetup {
    /// The token of an operator: of the file, or of the first set-up, which is then done.
    async fn enter(&mut self, wanted: &SetupPlan) -> Result<(), SetupError> {
        let file = wanted.token_file("admin");
        let first = self.ask(Method::GET, "/api/v2/setup", None).await?;
        if first["allowed"] != json!(true) {
            self.token = secret(&file).ok_or(SetupError::NoToken(file))?;
            return Ok(());
        }
        // Written before they are used, so that they can't be lost in between.
        let (password, token) = (random()?, secret(&file).map_or_else(random, Ok)?);
        write(&file, token.as_bytes(), ReadableBy::Owner)?;
        let password_file = wanted.folder.join("influx-admin.password");
        write(&password_file, password.as_bytes(), ReadableBy::Owner)?;
        let body = json!({
            "username": "admin", "password": password, "token": token, "org": wanted.org,
            "bucket": wanted.bucket, "retentionPeriodSeconds": wanted.raw_days * DAY_S,
        });
        self.ask(Method::POST, "/api/v2/setup", Some(body)).await?;
        self.report.push(format!("set up: user admin, {}", password_file.display()));
        self.token = token;
        Ok(())
    }

    async fn organisation(&mut self, name: &str) -> Result<String, SetupError> {
        let all = self.ask(Method::GET, "/api/v2/orgs?limit=100", None).await?;
        let found = by_name(&all["orgs"], name);
        let org = match found {
            Some(org) => org.clone(),
            None => {
                self.report.push(format!("organisation {name}: made"));
                self.ask(Method::POST, "/api/v2/orgs", Some(json!({"name": name}))).await?
            }
        };
        Ok(id(&org))
    }

    async fn bucket(&mut self, org: &str, name: &str, days: u64) -> Result<Bucket, SetupError> {
        let list = format!("/api/v2/buckets?orgID={org}&limit=100");
        let all = self.ask(Method::GET, &list, None).await?;
        if let Some(bucket) = by_name(&all["buckets"], name) {
            let seconds = bucket["retentionRules"][0]["everySeconds"].as_u64();
            let kept = seconds.filter(|seconds| *seconds > 0).map(|seconds| seconds / DAY_S);
            if kept != Some(days) {
                let kept = kept.map_or_else(|| "ever".to_owned(), |days| format!("{days} days"));
                self.report.push(format!("bucket {name}: keeps for {kept}, left so"));
            }
            return Ok(Bucket { id: id(bucket), days: kept });
        }
        let rules = json!([{"type": "expire", "everySeconds": days * DAY_S}]);
        let body = json!({"orgID": org, "name": name, "retentionRules": rules});
        let made = self.ask(Method::POST, "/api/v2/buckets", Some(body)).await?;
        self.report.push(format!("bucket {name}: made, keeps for {days} days"));
        Ok(Bucket { id: id(&made), days: Some(days) })
    }

    async fn task(
        &mut self,
        org: &str,
        HourlyTask { name, flux }: &HourlyTask,
    ) -> Result<(), SetupError> {
        let list = format!("/api/v2/tasks?orgID={org}&limit=500");
        let all = self.ask(Method::GET, &list, None).await?;
        let Some(task) = by_name(&all["tasks"], name) else {
            let body = json!({"orgID": org, "flux": flux, "status": "active"});
            self.ask(Method::POST, "/api/v2/tasks", Some(body)).await?;
            self.report.push(format!("task {name}: made"));
            return Ok(());
        };
        if task["flux"] != json!(flux) || task["status"] != json!("active") {
            let path = format!("/api/v2/tasks/{}", id(task));
            self.ask(Method::PATCH, &path, Some(json!({"flux": flux, "status": "active"}))).await?;
            self.report.push(format!("task {name}: brought to this version"));
        }
        Ok(())
    }

    /// Has InfluxDB read the gateway's metrics every 10 s.
    async fn scraper(&mut self, org: &str, bucket: &str, url: &str) -> Result<(), SetupError> {
        let list = format!("/api/v2/scrapers?orgID={org}");
        let all = self.ask(Method::GET, &list, None).await?;
        let body = json!({"name": SCRAPER, "type": "prometheus", "url": url, "orgID": org,
                          "bucketID": bucket});
        let (method, path) = match by_name(&all["configurations"], SCRAPER) {
            Some(scraper) if scraper["url"] == json!(url) => return Ok(()),
            Some(scraper) => (Method::PATCH, format!("/api/v2/scrapers/{}", id(scraper))),
            None => (Method::POST, "/api/v2/scrapers".to_owned()),
        };
        self.ask(method, &path, Some(body)).await?;
        self.report.push(format!("metrics: read from {url}"));
        Ok(())
    }

    /// A token that may do so much, in its file. One that was lost, or may do other things, is
    /// replaced, and works no more.
    async fn token_of(
        &mut self,
        whose: &str,
        org: &str,
        permissions: &[Value],
        wanted: &SetupPlan,
    ) -> Result<(), SetupError> {
        let description = format!("standpipe {whose}");
        let list = format!("/api/v2/authorizations?orgID={org}");
        let all = self.ask(Method::GET, &list, None).await?;
        let all = all["authorizations"].as_array().cloned().unwrap_or_default();
        let old: Vec<&Value> = all
            .iter()
            .filter(|authorization| authorization["description"] == json!(description))
            .collect();
        let file = wanted.token_file(whose);
        if old.iter().any(|authorization| {
            rights(&authorization["permissions"]) == rights(&json!(permissions))
        }) && let Some(token) = secret(&file)
            && self.works(&token).await?
        {
            return Ok(());
        }
        let body = json!({"orgID": org, "description": description, "permissions": permissions});
        let made = self.ask(Method::POST, "/api/v2/authorizations", Some(body)).await?;
        let token = made["token"].as_str().unwrap_or_default();
        write(&file, token.as_bytes(), ReadableBy::Owner)?;
        for authorization in old {
            let path = format!("/api/v2/authorizations/{}", id(authorization));
            self.ask(Method::DELETE, &path, None).await?;
        }
        self.report.push(format!("token of {whose}: {}", file.display()));
        Ok(())
    }

    /// Whether a token is one of its.
    async fn works(&self, token: &str) -> Result<bool, SetupError> {
        let path = "/api/v2/buckets?limit=1";
        match self.send(Method::GET, path, token, None).await? {
            (StatusCode::UNAUTHORIZED, _) => Ok(false),
            (status, _) if status.is_success() => Ok(true),
            (status, text) => {
                Err(SetupError::Refused { what: format!("GET {path}"), status, text })
            }
        }
    }

    /// A question to the API, as JSON.
    async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<Value, SetupError> {
        let what = format!("{method} {path}");
        let (status, text) = self.send(method, path, &self.token, body).await?;
        if !status.is_success() {
            return Err(SetupError::Refused { what, status, text });
        }
        Ok(serde_json::from_str(&text).unwrap_or(Value::Null))
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        token: &str,
        body: Option<Value>,
    ) -> Result<(StatusCode, String), SetupError> {
        let away = |bad| SetupError::Away { url: self.url.clone(), bad };
        let url = self.url.join(path).map_err(|_| SetupError::Url(path.to_owned()))?;
        let mut request = self.http.request(method, url);
        if !token.is_empty() {
            request = request.header(AUTHORIZATION, format!("Token {token}"));
        }
        if let Some(body) = body {
            request = request.header(CONTENT_TYPE, "application/json").body(body.to_string());
        }
        let answer = request.send().await.map_err(away)?;
        let status = answer.status();
        Ok((status, answer.text().await.map_err(away)?))
    }
}

fn by_name<'a>(list: &'a Value, name: &str) -> Option<&'a Value> {
    list.as_array()?.iter().find(|entry| entry["name"] == json!(name))
}

fn id(of: &Value) -> String {
    of["id"].as_str().unwrap_or_default().to_owned()
}

/// What a token may do: an action and a bucket each.
fn rights(permissions: &Value) -> BTreeSet<(String, String)> {
    let text = |of: &Value| of.as_str().unwrap_or_default().to_owned();
    let all = permissions.as_array().into_iter().flatten();
    all.map(|permission| (text(&permission["action"]), text(&permission["resource"]["id"])))
        .collect()
}

/// What is in a file, if anything.
fn secret(file: &Path) -> Option<String> {
    let text = small_file::read_text(file).ok()?;
    Some(text.trim().to_owned()).filter(|secret| !secret.is_empty())
}

fn random() -> Result<String, SetupError> {
    let bytes = Entropy::new().bytes::<SECRET_BYTES>().map_err(|_| SetupError::NoRandomness)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}
