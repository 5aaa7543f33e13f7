//! Work, walk tests, exercises and flow tests as forms without a script, over an engine that runs.

use standpipe_machine::clock::Clock;
use standpipe_store::accounts::Role;

use super::Served;
use super::console::Browser;
use crate::api::town::Town;

const EVIL: &str = "%3Cscript%3Ealert(1)%3C%2Fscript%3E";

/// In two hours, as a form has it.
fn later(town: &Town) -> String {
    let at = jiff::Timestamp::from_millisecond(Clock::new().now() + 7_200_000).unwrap();
    at.to_zoned(town.zone.clone()).strftime("%Y-%m-%dT%H%%3A%M").to_string()
}

/// The id of the first announcement of a page.
fn id(page: &str) -> &str {
    let from = page.find("name=\"id\" value=\"").expect("an announcement") + 17;
    &page[from..from + 26]
}

#[tokio::test]
async fn work_is_announced_shown_where_it_matters_and_ended() {
    let api = Served::alive_for(Some("s3cret")).await;
    let li = Browser::of(&api, "li", Role::Officer, Some("S1")).await;
    let wang = Browser::of(&api, "wang", Role::Officer, Some("S2")).await;
    let viewer = Browser::of(&api, "viewer", Role::Viewer, None).await;
    let until = later(&api.another().town);
    let form = format!("do=work&scope=device&name=H-1&no_water=1&from=&until={until}&note={EVIL}");
    assert_eq!(li.post("/maintenance", &form).await.status().as_u16(), 403, "no proof");
    assert_eq!(viewer.sends("/maintenance", &form).await, 403);
    assert!(!viewer.text("/maintenance").await.contains("<form class=\"stack"), "nor offered");
    let refused = [
        (form.replace("no_water=1&", ""), "Tick what the work will cause."),
        (form.replace(&until, "2020-01-01T00%3A00"), "set a later end"),
        (form.replace(&until, "soon"), "The time can't be read"),
        (form.replace("H-1", "H-9"), "Not known, or without a device: H-9"),
    ];
    for (bad, words) in refused {
        let answer = li.post("/maintenance", &format!("{bad}&csrf={}", li.csrf)).await;
        assert_eq!(answer.status().as_u16(), 400, "{bad}");
        let page = answer.text().await.unwrap();
        assert!(page.contains(words) || page.contains("时间") || page.contains("请"), "{bad}");
        assert!(page.contains("&lt;script&gt;"), "what was typed is kept");
    }
    let foreign = wang.post("/maintenance", &format!("{form}&csrf={}", wang.csrf)).await;
    assert_eq!(foreign.status().as_u16(), 400, "another township's is as unknown as nobody's");

    assert_eq!(li.sends("/maintenance", &form).await, 303);
    for (path, words) in [
        ("/maintenance", "Hydrants out of service"),
        ("/", "/maintenance\">H-1"),
        ("/devices/H-1", "out of service"),
        ("/devices/H-1", "href=\"/maintenance\""),
    ] {
        let page = li.text(path).await;
        assert!(page.contains(words), "{words} on {path}");
        assert!(page.contains("&lt;script&gt;") && !page.contains("<script>alert"), "{path}");
    }
    assert!(!wang.text("/maintenance").await.contains("H-1"));
    assert!(!wang.text("/").await.contains("H-1"));
    let page = li.text("/maintenance").await;
    let end = format!("do=withdraw&id={}", id(&page));
    assert_eq!(wang.sends("/maintenance", &end).await, 404);
    assert_eq!(viewer.sends("/maintenance", &end).await, 403);
    assert_eq!(li.sends("/maintenance", &end).await, 303);
    assert!(li.text("/maintenance").await.contains("Nothing is announced."));
    let history = li.text("/devices/H-1").await;
    assert!(history.contains("ended early"), "who ended it is in the work history");
}

#[tokio::test]
async fn a_walk_test_and_an_exercise_are_told_of_on_every_page() {
    let api = Served::alive_for(Some("s3cret")).await;
    let li = Browser::of(&api, "li", Role::Officer, Some("S1")).await;
    let walk = "do=walk_test&scope=station&name=S1&hours=2&note=round";
    assert_eq!(li.sends("/maintenance", walk).await, 303);
    assert_eq!(li.sends("/maintenance", &walk.replace("hours=2", "hours=9")).await, 400);
    assert!(li.text("/").await.contains("Walk test"));
    let exercise = "do=exercise&name=SM-1&minutes=10&note=night";
    assert_eq!(li.sends("/maintenance", &exercise.replace("SM-1", "H-1")).await, 400);
    assert_eq!(li.sends("/maintenance", exercise).await, 303);
    assert_eq!(li.sends("/maintenance", exercise).await, 400, "it burns already");
    let band = li.text("/takeover").await;
    assert!(band.contains("EXERCISE") && band.contains("there is no fire"), "{band}");
    assert!(!band.contains("data-sound"), "nobody is woken");
    let from = band.find("/incidents/").unwrap();
    let incident = li.text(&band[from..from + 37]).await;
    assert!(incident.contains("<span class=\"tag exercise\">EXERCISE</span>"), "{incident}");
    assert!(li.text("/devices/SM-1").await.contains("Walk test"));
}

#[tokio::test]
async fn a_flow_test_is_kept_with_who_and_when_and_no_cell_of_it_is_a_formula() {
    let api = Served::alive_for(Some("s3cret")).await;
    let crew = Browser::of(&api, "zhang", Role::Crew, Some("S1")).await;
    let path = "/devices/H-1/flow";
    let form = "static=420&residual=300&flow=22&note=%3DHYPERLINK(1)%2C%22x%22";
    assert_eq!(crew.post(path, form).await.status().as_u16(), 403, "no proof");
    for (who, status) in [
        (Browser::of(&api, "viewer", Role::Viewer, None).await, 403),
        (Browser::of(&api, "other", Role::Crew, Some("S2")).await, 404),
    ] {
        assert_eq!(who.sends(path, form).await, status);
    }
    assert_eq!(crew.sends("/devices/SM-1/flow", form).await, 404, "no hydrant");
    for bad in ["static=420&residual=430&flow=22", "static=x&residual=1&flow=1", "flow=22"] {
        assert_eq!(crew.sends(path, bad).await, 400, "{bad}");
    }
    assert!(!crew.text("/devices/H-1").await.contains("flow-result"), "nothing was kept");
    assert_eq!(crew.sends(path, form).await, 303);
    let page = crew.text("/devices/H-1").await;
    for words in ["37.4 L/s", "34.9 L/s", "zhang", "=HYPERLINK(1),&quot;x&quot;"] {
        assert!(page.contains(words), "{words} in {page}");
    }
    let csv = crew.text("/devices/H-1/work.csv").await;
    assert!(csv.starts_with("at,who,what,incident,note,static_kpa,"), "{csv}");
    let line = csv.lines().nth(1).unwrap();
    assert!(
        line.ends_with(",zhang,flow_test,,\"'=HYPERLINK(1),\"\"x\"\"\",420,300,22,37.4,34.9"),
        "{line}"
    );
}
