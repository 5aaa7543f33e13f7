//! Whose something is, and who may look at it: what is nobody's, what concerns several, what
//! somebody is sent to.

use serde_json::{Value, json};
use standpipe_store::accounts::Role;

use super::console::Browser;
use super::{CHILD, FIRE, NOON, Served, ZONE, incident_wire, open_incident_wire};

const NOBODYS: &str = "01KAV0000000000000000000N1";

fn ids(list: &str) -> Vec<String> {
    let list: Value = serde_json::from_str(list).unwrap();
    let id = |item: &Value| item["id"].as_str().unwrap().to_owned();
    list["items"].as_array().unwrap().iter().map(id).collect()
}

/// The town, a stranger in it, and its zone's incident that concerns both stations.
async fn town() -> Served {
    let api = super::console::town().await;
    api.device(3, "X-1", "smoke", "", "");
    api.incident(NOBODYS, NOON - 1, "upkeep", "warning", "open");
    let mut wire = incident_wire();
    (wire["id"], wire["state"]) = (json!(NOBODYS), json!("open"));
    let sql = "UPDATE incident SET wire = ?1 WHERE id = ?2";
    api.db.execute(sql, (wire.to_string(), NOBODYS)).unwrap();
    for (sql, id) in [
        (
            "UPDATE device SET station = '', json = json_set(json, '$.station', '') WHERE id = ?1",
            "X-1",
        ),
        (
            "UPDATE incident SET inner = json_set(inner, '$.homes', json('[\"S1\",\"S2\"]')) WHERE id = ?1",
            ZONE,
        ),
        ("UPDATE incident SET station = '', inner = '{\"homes\":[\"S1\"]}' WHERE id = ?1", NOBODYS),
    ] {
        assert_eq!(api.db.execute(sql, [id]).unwrap(), 1);
    }
    api
}

#[tokio::test]
#[rustfmt::skip] // a table
async fn what_is_nobodys_is_the_districts_and_a_zones_incident_is_of_all_its_stations() {
    let api = town().await;
    let admin = Browser::of(&api, "root", Role::Admin, None).await;
    let of_s1 = Browser::of(&api, "li", Role::Officer, Some("S1")).await;
    let of_s2 = Browser::of(&api, "wang", Role::Officer, Some("S2")).await;
    for (who, path, found) in [
        (&admin, "devices?station=S1",   &["H-1", "H-2", "SM-1", "X-1"][..]),
        (&of_s1, "devices?station=S1",   &["H-1", "H-2", "SM-1", "X-1"]),
        (&of_s2, "devices?station=S1",   &[]),
        (&admin, "devices?station=S2",   &[]),
        (&admin, "devices?station=S9",   &[]),
        (&admin, "incidents?station=S1", &[FIRE, ZONE, CHILD, NOBODYS]),
        (&of_s1, "incidents?station=S1", &[FIRE, ZONE, CHILD, NOBODYS]),
        (&of_s2, "incidents?station=S1", &[]),
        (&admin, "incidents?station=S2", &[ZONE]),
        (&admin, "incidents?station=S2&severity=fire", &[]),
    ] {
        assert_eq!(ids(&who.text(&format!("/api/v1/{path}")).await), found, "{path}");
    }
}

#[tokio::test]
async fn whoever_is_paged_about_a_fire_may_look_at_its_water_while_it_is_open() {
    let api = town().await;
    let wire = open_incident_wire();
    let sql = "UPDATE incident SET wire = ?1 WHERE id = ?2";
    api.db.execute(sql, (wire.to_string(), FIRE)).unwrap();
    let of_s2 = Browser::of(&api, "wang", Role::Officer, Some("S2")).await;
    let seen =
        ["/api/v1/devices/H-1", "/api/v1/devices/H-1/history", "/devices/H-1", "/devices/SM-1"];
    for path in seen {
        assert_eq!(of_s2.status(path).await, 404, "{path}: not paged yet");
    }
    let page = "INSERT INTO page VALUES ('P', ?1, 1, 2, 0, ?2, 'S2', 1, NULL, NULL, 1, 1, NULL, NULL, 'S1', 0)";
    api.db.execute(page, (FIRE, "webhook")).unwrap();
    assert_eq!(of_s2.status("/devices/H-1").await, 404, "a webhook of that name is no station");
    api.db.execute("UPDATE page SET kind = 'station'", ()).unwrap();
    for path in seen {
        assert_eq!(of_s2.status(path).await, 200, "{path}");
    }
    for path in ["/devices/H-2", "/api/v1/devices/H-2", "/api/v1/devices/H-1/commands"] {
        assert_eq!(of_s2.status(path).await, 404, "{path}");
    }
    let text = of_s2.text("/devices/H-1").await;
    for mine in ["id=\"live\"", "/maintenance?device=", "action=\"/devices/H-1/flow\""] {
        assert!(!text.contains(mine), "nothing is done at it: {mine}");
    }
    let form = "static=420&residual=300&flow=22";
    assert_eq!(of_s2.sends("/devices/H-1/flow", form).await, 404);
    assert!(ids(&of_s2.text("/api/v1/devices").await).is_empty(), "nor is it listed");
    api.db.execute("UPDATE incident SET open = 0", ()).unwrap();
    for path in seen {
        assert_eq!(of_s2.status(path).await, 404, "{path}: it is over");
    }
}
