//! A running gateway, as the commands that speak to one reach it: by its HTTP API.

use std::fmt::Write;
use std::path::PathBuf;
use std::time::Duration;

use reqwest::{Client, Method, RequestBuilder, StatusCode, Url};
use serde_json::Value;
use standpipe_config::trust::{Authorities, believing};
use standpipe_machine::small_file;
use tokio::runtime::Runtime;

use super::Failure;
use super::config::token;

/// The environment variable with the gateway's address.
pub const URL_VARIABLE: &str = "STANDPIPE_URL";
/// Where a gateway is when nobody says.
const USUAL_URL: &str = "http://127.0.0.1:8080";
/// A little longer than the gateway itself takes at most.
const PATIENCE: Duration = Duration::from_secs(15);
/// Items of a list asked for at one time.
const PER_PAGE: &str = "1000";

/// Which gateway a command talks to.
#[derive(Debug, clap::Args)]
pub struct GatewayArgs {
    /// The gateway's address; without it, STANDPIPE_URL, or http://127.0.0.1:8080. The token is
    /// in STANDPIPE_ADMIN_TOKEN, or in the file that STANDPIPE_ADMIN_TOKEN_FILE names.
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    #[command(flatten)]
    authority: CaArgs,
}

/// Who is believed over HTTPS.
#[derive(Debug, clap::Args)]
pub struct CaArgs {
    /// Who signed the certificate of an https:// address, PEM; nobody else is believed then. Without
    /// it: a public authority, or one that this system trusts (SSL_CERT_FILE).
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
}

impl CaArgs {
    /// The authorities in the file; `None` where no file is named.
    ///
    /// # Errors
    /// [`Failure::Configuration`]: the file cannot be read, or holds no certificate.
    pub fn trust(&self) -> Result<Option<Authorities>, Failure> {
        let Some(file) = &self.ca_file else { return Ok(None) };
        let bad =
            |why: &str| Failure::Configuration(format!("--ca-file = {}: {why}", file.display()));
        let pem = small_file::read(file, small_file::USUAL)
            .map_err(|why| bad(&format!("cannot be read ({why}): put it there")))?;
        Authorities::only(&pem).map(Some).map_err(|why| bad(&why))
    }
}

/// A gateway that can be asked.
pub struct GatewayClient {
    runtime: Runtime,
    client: Client,
    url: Url,
    token: Option<String>,
}

impl GatewayArgs {
    /// Whether nobody says which gateway is meant.
    pub fn is_unnamed(&self) -> bool {
        self.url.is_none() && std::env::var(URL_VARIABLE).is_ok_and(|url| url.is_empty())
            || self.url.is_none() && std::env::var(URL_VARIABLE).is_err()
    }

    /// The gateway; nothing is asked yet.
    ///
    /// # Errors
    /// [`Failure::Configuration`]: the address is not one.
    pub fn gateway(&self) -> Result<GatewayClient, Failure> {
        let said = |name| std::env::var(name).ok().filter(|value: &String| !value.is_empty());
        let url = self.url.clone().or_else(|| said(URL_VARIABLE));
        let url = url.unwrap_or_else(|| USUAL_URL.to_owned());
        let bad = |why: &str| {
            Failure::Configuration(format!("`{url}` is no address ({why}): write {USUAL_URL}"))
        };
        let parsed = Url::parse(&url).map_err(|why| bad(&why.to_string()))?;
        if !matches!(parsed.scheme(), "http" | "https") {
            return Err(bad("neither http nor https"));
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|bad| Failure::Failed(format!("no runtime ({bad})")))?;
        let trust = self.authority.trust()?;
        let client =
            believing(&parsed, trust.as_ref())(Client::builder()).timeout(PATIENCE).build();
        let client = client.map_err(|bad| Failure::Failed(format!("no HTTP ({bad})")))?;
        let token = token().map_err(Failure::Configuration)?;
        Ok(GatewayClient { runtime, client, url: parsed, token })
    }
}

impl GatewayClient {
    /// Asks; `path` is below `/api/v1`, in segments.
    ///
    /// # Errors
    /// [`Failure::Failed`]: nobody answers, or the answer is no.
    pub fn ask(
        &self,
        method: Method,
        path: &[&str],
        body: Option<&Value>,
    ) -> Result<Value, Failure> {
        self.answer(method, self.at(path), body)
    }

    /// Every item of a paged list.
    ///
    /// # Errors
    /// [`Failure::Failed`]: nobody answers, or the answer is no.
    pub fn list(&self, path: &[&str]) -> Result<Vec<Value>, Failure> {
        let mut items = Vec::new();
        for page in 1_u64.. {
            let mut url = self.at(path);
            url.query_pairs_mut()
                .append_pair("page", &page.to_string())
                .append_pair("per_page", PER_PAGE);
            let answer = self.answer(Method::GET, url, None)?;
            items
                .extend(answer.get("items").and_then(Value::as_array).cloned().unwrap_or_default());
            if answer.get("pages").and_then(Value::as_u64).unwrap_or(1) <= page {
                break;
            }
        }
        Ok(items)
    }

    fn at(&self, path: &[&str]) -> Url {
        let mut url = self.url.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(["api", "v1"]).extend(path);
        }
        url
    }

    fn answer(&self, method: Method, url: Url, body: Option<&Value>) -> Result<Value, Failure> {
        let mut request = self.client.request(method, url);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.header("Content-Type", "application/json").body(body.to_string());
        }
        let (status, text) = self.send(request)?;
        read(status, &text)
    }

    /// What it says of itself at `/readyz`, ready or not.
    ///
    /// # Errors
    /// [`Failure::Failed`]: nobody answers, or something else does.
    pub fn ready(&self) -> Result<Value, Failure> {
        let mut url = self.url.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().push("readyz");
        }
        let (status, text) = self.send(self.client.get(url))?;
        let answer: Option<Value> = serde_json::from_str(&text).ok();
        answer.filter(|ready| ready.get("ready").is_some()).ok_or_else(|| stranger(status))
    }

    fn send(&self, request: RequestBuilder) -> Result<(StatusCode, String), Failure> {
        let answer = self.runtime.block_on(async {
            let answer = request.send().await?;
            Ok((answer.status(), answer.text().await?))
        });
        answer.map_err(|bad: reqwest::Error| {
            let url = &self.url;
            Failure::Failed(format!(
                "no gateway answers at {url} ({bad}): start it, or name it by --url or \
                 {URL_VARIABLE}"
            ))
        })
    }
}

/// What the gateway answered.
fn read(status: StatusCode, text: &str) -> Result<Value, Failure> {
    let answer: Option<Value> = serde_json::from_str(text).ok();
    match answer {
        Some(answer) if status.is_success() => Ok(answer),
        Some(problem) if !word(&problem, "detail").is_empty() => {
            Err(Failure::Failed(word(&problem, "detail").to_owned()))
        }
        Some(_) | None => Err(stranger(status)),
    }
}

fn stranger(status: StatusCode) -> Failure {
    Failure::Failed(format!(
        "the answer ({status}) is not a gateway's: check --url and {URL_VARIABLE}"
    ))
}

/// A member that is a text; empty where there is none.
#[must_use]
pub fn word<'a>(answer: &'a Value, name: &str) -> &'a str {
    answer.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// An answer in lines, a member each; what is empty is left out.
#[must_use]
pub fn lines(answer: &Value) -> String {
    let mut text = String::new();
    for (name, value) in answer.as_object().into_iter().flatten() {
        let value = plain(value);
        if !value.is_empty() {
            let _ = writeln!(text, "{name}: {value}");
        }
    }
    text
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Object(members) => {
            let members = members.iter().map(|(name, value)| format!("{name} {}", plain(value)));
            members.collect::<Vec<_>>().join(", ")
        }
        Value::Bool(_) | Value::Number(_) | Value::Array(_) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use reqwest::StatusCode;
    use serde_json::json;

    use super::{CaArgs, Failure, GatewayArgs, lines, read};

    #[test]
    fn an_answer_is_told_a_member_a_line() {
        let answer = json!({"device":"H-1","wanted":{"interval_s":300,"low_kpa":140.0},"rev":4,
            "detail":"","by":null});
        assert_eq!(lines(&answer), "device: H-1\nrev: 4\nwanted: interval_s 300, low_kpa 140.0\n");
    }

    #[test]
    fn a_refusal_is_told_in_the_gateways_words() {
        let no = read(StatusCode::NOT_FOUND, r#"{"status":404,"detail":"no device `H-9`: see"}"#);
        assert_eq!(no, Err(Failure::Failed("no device `H-9`: see".to_owned())));
        let Err(Failure::Failed(text)) = read(StatusCode::OK, "<html>") else { panic!("taken") };
        assert_eq!(text, "the answer (200 OK) is not a gateway's: check --url and STANDPIPE_URL");
    }

    #[test]
    fn an_address_is_checked_before_anything_is_asked() {
        for url in ["gateway", "ftp://gateway"] {
            let asked =
                GatewayArgs { url: Some(url.to_owned()), authority: CaArgs { ca_file: None } }
                    .gateway()
                    .map(|_| ());
            let Err(Failure::Configuration(text)) = asked else { panic!("taken") };
            assert!(text.starts_with(&format!("`{url}` is no address")), "{text}");
        }
    }
}
