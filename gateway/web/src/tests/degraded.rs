//! What is not as it should be while fires are paged: on every page, in both languages, and where
//! programs ask.

use serde_json::json;
use standpipe_engine::health::{DegradedPart, Trouble};
use standpipe_rules::incidents::Text;
use standpipe_store::accounts::Role;

use super::console::{Browser, pages, town};
use super::{Served, all_fine};

const EN: &str = "devices.csv:3: an empty row: take it out, <then> restart";
const ZH: &str = "台账有 1 处错误";

fn trouble() -> Trouble {
    let why = Text { en: EN.to_owned(), zh: ZH.to_owned() };
    Trouble { part: DegradedPart::Registry, since: 1_000, why, detail: EN.to_owned() }
}

#[tokio::test]
async fn every_page_says_what_is_wrong_until_somebody_has_dealt_with_it() {
    let api = town().await;
    let admin = Browser::of(&api, "root", Role::Admin, None).await;
    let viewer = Browser::of(&api, "wang", Role::Viewer, Some("S2")).await;
    let pages = [pages(), vec!["/degraded".to_owned()]].concat();
    for page in &pages {
        assert!(!admin.text(page).await.contains("data-part=\"registry\""), "{page}: all is well");
    }
    api.parts.health.degraded.set(trouble());
    let escaped = EN.replace('<', "&lt;").replace('>', "&gt;");
    for page in &pages {
        let text = admin.text(page).await;
        assert!(text.contains("Registry not read in") && text.contains(&escaped), "{page}: {text}");
        let text = admin.get_in("zh", page).await.text().await.unwrap();
        assert!(text.contains("台账未导入") && text.contains(ZH), "{page}: {text}");
    }
    assert!(viewer.text("/").await.contains(&escaped), "whoever looks at it");
    api.parts.health.degraded.clear(DegradedPart::Registry);
    assert!(!admin.text("/").await.contains("data-part=\"registry\""));
}

#[tokio::test]
async fn it_is_ready_and_names_the_part() {
    let api = Served::start(None).await;
    let health = &api.parts.health;
    all_fine(health);
    health.degraded.set(trouble());
    let answer = api.ask("GET", "/readyz").send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 200, "fires are paged");
    let warning = json!({"part": "registry", "since": 1_000, "why": EN});
    let expected =
        json!({"ready": true, "reasons": [], "warnings": [warning], "degraded": ["registry"]});
    let text = answer.text().await.unwrap();
    assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), expected);
}
