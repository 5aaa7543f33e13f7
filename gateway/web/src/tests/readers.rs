//! Programs and pages read the store through readers of their own: whatever the one ask for, the others
//! are answered.

use std::time::Duration;

use standpipe_store::readers::Readers;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::Served;
use crate::serve::serve;

/// More queries than there are readers, each without end.
const ENDLESS: usize = 8;
const SOON: Duration = Duration::from_secs(5);

/// Keeps all of these readers busy until it is dropped.
fn jammed(readers: &Readers) -> JoinSet<()> {
    let mut stuck = JoinSet::new();
    for _ in 0..ENDLESS {
        let readers = readers.clone();
        stuck.spawn(async move {
            let endless = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) \
                           SELECT count(*) FROM c";
            let read = readers.read(move |db| Ok(db.query_row(endless, [], |_| Ok(()))?));
            panic!("{:?}: it has no end", read.await);
        });
    }
    stuck
}

#[tokio::test]
async fn what_programs_ask_the_store_for_keeps_no_page_waiting() {
    let api = Served::start(None).await;
    api.town();
    let state = api.another();
    let (programs, pages) = (state.store.clone(), state.for_pages().store);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = format!("http://{}", listener.local_addr().unwrap());
    let mut serving = JoinSet::new();
    serving.spawn(serve(listener, state, api.stop.clone()));
    let page = reqwest::get(format!("{at}/devices")).await.unwrap();
    assert_eq!(page.status().as_u16(), 200);

    let stuck = jammed(&programs);
    sleep(Duration::from_millis(200)).await;
    let program = reqwest::get(format!("{at}/api/v1/devices"));
    let late = timeout(Duration::from_millis(500), program).await;
    assert!(late.is_err(), "every reader of the programs is busy: {late:?}");
    for path in ["/devices", "/map"] {
        let page = timeout(SOON, reqwest::get(format!("{at}{path}"))).await;
        let page = page.unwrap_or_else(|_| panic!("{path} waits for what programs asked for"));
        assert_eq!(page.unwrap().status().as_u16(), 200, "{path}");
    }
    drop(stuck);

    // And the other way round, of those that pages are given.
    let _stuck = jammed(&pages);
    sleep(Duration::from_millis(200)).await;
    let one = programs.read(|db| Ok(db.query_row("SELECT 1", [], |row| row.get::<_, i64>(0))?));
    let one = timeout(SOON, one).await.expect("a program, though pages read without end");
    assert_eq!(one.unwrap(), 1);
}

#[tokio::test]
async fn reports_keep_neither_pages_nor_programs_waiting() {
    let api = Served::start(None).await;
    api.town();
    let state = api.another();
    let reports = [state.reports.clone(), state.for_pages().reports];
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = format!("http://{}", listener.local_addr().unwrap());
    let mut serving = JoinSet::new();
    serving.spawn(serve(listener, state, api.stop.clone()));
    let get = |path: &str| reqwest::get(format!("{at}{path}"));
    for path in ["/reports", "/api/v1/reports/monthly?month=2026-11"] {
        assert_eq!(get(path).await.unwrap().status().as_u16(), 200, "{path}");
    }
    let _stuck = jammed(&reports[0]);
    sleep(Duration::from_millis(200)).await;
    let report =
        timeout(Duration::from_millis(500), get("/api/v1/reports/monthly?month=2026-11")).await;
    assert!(report.is_err(), "a program's reports come one by one: {report:?}");
    for path in ["/devices", "/api/v1/devices", "/reports"] {
        let answer = timeout(SOON, get(path)).await;
        let answer = answer.unwrap_or_else(|_| panic!("{path} waits for a report"));
        assert_eq!(answer.unwrap().status().as_u16(), 200, "{path}");
    }
    let _more = jammed(&reports[1]);
    assert_eq!(timeout(SOON, get("/devices")).await.unwrap().unwrap().status().as_u16(), 200);
}
