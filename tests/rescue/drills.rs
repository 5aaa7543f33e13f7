//! Every drill with a fire once more, under a gateway whose disk is full: the name of this program has
//! `standpipe_tests::gateway` put each store on a small disk of its own, and fill that when the gateway is ready.
//!
//! Not here: a file of drills whose gateway is restarted within a drill, since what is in memory alone is lost then,
//! as it should be (`main.rs` has what must not be); `alerts.rs`, whose receivers count every message, and are told
//! of the full disk as well.

#[path = "../field/alarms.rs"]
mod alarms;
#[path = "../fire.rs"]
mod fire;
#[path = "../field/site.rs"]
#[allow(dead_code, reason = "what other drills of the field need")]
mod site;
