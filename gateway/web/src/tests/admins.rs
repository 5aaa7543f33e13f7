//! What an admin may not see or do.

use standpipe_store::accounts::Role;

use super::console::{Browser, town};

#[tokio::test]
async fn what_was_not_understood_is_shown_to_districts_and_nobody_below() {
    let api = town().await;
    let district = Browser::of(&api, "district", Role::Admin, Some("S1")).await;
    let village = Browser::of(&api, "village", Role::Admin, Some("S2")).await;
    assert_eq!(district.status("/api/v1/quarantine").await, 200);
    let refused = village.get("/api/v1/quarantine").await;
    assert_eq!(refused.status().as_u16(), 403);
    assert!(refused.text().await.unwrap().contains("ask an admin of a district"));
}

#[tokio::test]
async fn nobody_is_of_a_station_that_is_not_there() {
    let api = town().await;
    let admin = Browser::of(&api, "root", Role::Admin, None).await;
    let add = "do=add&name=n&password=correct+horse&role=crew&station=S9";
    let token = "do=make_token&name=t&role=crew&days=1&station=S9";
    for form in [add, token, "do=change&name=root&role=admin&station=S9"] {
        assert_eq!(admin.sends("/accounts", form).await, 400, "{form}");
    }
    let refused = admin.post("/accounts", &format!("{add}&csrf={}", admin.csrf)).await;
    assert!(refused.text().await.unwrap().contains("no station `S9`"));
    assert_eq!(admin.sends("/accounts", &add.replace("S9", "S2")).await, 303);
}
