//! Every fire drill of `fire.rs` once more, under a gateway whose disk is full: the name of this program has
//! `standpipe_tests::gateway` put each store on a small disk of its own, and fill that when the gateway is ready.

#[path = "../fire.rs"]
mod fire;
