//! A bundle is on disk with its bytes before anybody sends it, and stays the same whatever happens.

use serde_json::Value;
use standpipe_store::bundles::OwedBundle;

use super::*;

impl Bench {
    fn bundles(&self) -> Vec<OwedBundle> {
        self.reader().owed_bundles(("w", 0), 100).unwrap()
    }

    fn says_of(&self, bundle: &OwedBundle) -> Option<Value> {
        let wire = self.reader().bundle_message(bundle.id).unwrap()?;
        Some(serde_json::from_str(&wire).unwrap())
    }

    fn bundle(&mut self, pages: &[OwedPage], at: Ms) {
        let (receiver, pages) = ("w".into(), pages.iter().map(|page| page.page_id).collect());
        self.engine.take(Input::Bundle { receiver, pages }.at(at), at);
        self.commit(at);
    }

    fn delivered(&mut self, page_id: Ulid, at: Ms) {
        self.engine.take(Input::Delivered { page_id }.at(at), at);
        self.commit(at);
    }

    fn takes_apart(&mut self, bundle: Ulid, at: Ms) {
        self.engine.take(Input::TakeApart { bundle }.at(at), at);
        self.commit(at);
    }

    /// The devices of the messages that are owed: of each single page, and of each bundle.
    fn messages(&self) -> Vec<String> {
        let single = |page: OwedPage| {
            let said = self.reader().message(page.page_id).unwrap().unwrap();
            let PageMessage::Final(wire) = said else { panic!("{said:?}") };
            let wire: Value = serde_json::from_str(&wire).unwrap();
            let apart = if page.apart { " apart" } else { "" };
            format!("{}{apart}", wire["device"]["id"].as_str().unwrap())
        };
        let bundle = |bundle: OwedBundle| {
            let said = self.says_of(&bundle).unwrap();
            let members = said["members"].as_array().unwrap().iter();
            let devices: Vec<_> = members.map(|of| of["device"].as_str().unwrap()).collect();
            format!("[{}]{}", devices.join(" "), if bundle.is_part { " part" } else { "" })
        };
        self.owed().into_iter().map(single).chain(self.bundles().into_iter().map(bundle)).collect()
    }

    fn hops(&self, hop: &str) -> i64 {
        self.count(&format!("SELECT count(*) FROM trail WHERE hop = '{hop}' AND by = 'webhook w'"))
    }
}

#[test]
fn a_bundle_survives_a_crash_as_it_is_and_its_pages_are_owed_by_it_alone() {
    let mut bench = town();
    bench.fires(0..5, T0 + 1_000);
    let owed = bench.owed();
    bench.bundle(&owed[..4], T0 + 2_000);
    assert_eq!(bench.owed(), owed[4..], "the others are in no queue");
    let bundles = bench.bundles();
    let [bundle] = &bundles[..] else { panic!("{bundles:?}") };
    assert_eq!((bundle.at, bundle.urgency), (T0 + 2_000, Urgency::NewFire));
    let said = bench.says_of(bundle).unwrap();
    assert_eq!(
        (&said["bundle"], &said["count"], &said["fires"]),
        (&true.into(), &4.into(), &4.into())
    );
    assert_eq!(said["page_id"], bundle.id.to_string());
    assert_eq!(said["id"], owed[0].incident.to_string(), "the worst, which is the oldest");
    assert_eq!(said["severity"], "fire");
    let members: Vec<_> = said["members"].as_array().unwrap().iter().collect();
    for (page, member) in owed.iter().zip(&members) {
        assert_eq!(member["page_id"], page.page_id.to_string());
        assert_eq!(member["incident"], page.incident.to_string());
    }
    assert_eq!(members[3]["device"], "SD-3");
    assert_eq!(said["worst"][1]["title"]["en"], "Smoke · SD-1");
    assert_eq!(bench.count("SELECT count(*) FROM message"), 1, "that of the page in no bundle");

    let mut bench = bench.crashed(T0 + 3_000);
    assert_eq!((bench.bundles(), bench.says_of(bundle)), (bundles.clone(), Some(said)));
    // Asked for once more, by a sender that was not there to hear of it.
    bench.bundle(&owed, T0 + 4_000);
    let later = bench.bundles();
    assert_eq!(later.len(), 2);
    assert_eq!(bench.says_of(&later[1]).unwrap()["count"], 1, "what was in none");

    bench.delivered(bundle.id, T0 + 5_000);
    assert_eq!((bench.hops("bundled"), bench.hops("delivered")), (4, 0));
    assert_eq!(bench.bundles(), later[1..]);
    assert_eq!(bench.says_of(bundle), None, "its words are not kept");
    let bench = bench.crashed(T0 + 6_000);
    assert_eq!(bench.bundles(), later[1..], "delivered once");
    assert_eq!(
        bench.count("SELECT count(*) FROM page WHERE delivered_at IS NOT NULL AND receiver = 'w'"),
        4
    );
    let reader = bench.reader();
    let taken = reader.taken_by_webhook("w", owed[0].incident).unwrap();
    assert!(taken.is_empty(), "no alert refers to a bundle");
}

#[test]
fn a_page_that_is_superseded_leaves_its_bundle_and_the_last_one_ends_it() {
    let mut bench = town();
    bench.fires(0..2, T0 + 1_000);
    let owed = bench.owed();
    bench.bundle(&owed, T0 + 2_000);
    let bundle = bench.bundles().remove(0);
    assert!(bench.reader().bundle_is_open(bundle.id).unwrap());
    bench.acknowledge(owed[0].incident, T0 + 3_000);
    assert!(bench.reader().bundle_is_open(bundle.id).unwrap(), "the other");
    bench.acknowledge(owed[1].incident, T0 + 3_000);
    assert!(!bench.reader().bundle_is_open(bundle.id).unwrap());
    // Both are forgotten and told of anew.
    bench.until_done(T0 + 86_400_000);
    assert_eq!(bench.hops("superseded"), 2);
    assert_eq!((bench.bundles(), bench.says_of(&bundle)), (Vec::new(), None));
    let owed = bench.owed();
    assert_eq!(owed.len(), 2, "single pages again, until somebody bundles them");
    bench.delivered(bundle.id, T0 + 86_400_001);
    assert_eq!(bench.hops("bundled"), 0, "that came too late");
    let bench = bench.crashed(T0 + 86_400_002);
    assert_eq!(bench.owed(), owed);
}

#[test]
fn a_bundle_that_is_given_up_gives_up_all_of_it() {
    let mut bench = town();
    bench.fires(0..3, T0 + 1_000);
    bench.bundle(&bench.owed(), T0 + 2_000);
    let page_id = bench.bundles()[0].id;
    let (at, why) = (T0 + 3_000, "status 404".into());
    bench.engine.take(Input::GaveUp { page_id, why }.at(at), T0 + 3_000);
    bench.commit(T0 + 3_000);
    assert_eq!(bench.hops("given_up"), 3);
    assert_eq!((bench.owed(), bench.bundles()), (Vec::new(), Vec::new()));
    assert_eq!(bench.count("SELECT count(*) FROM page WHERE gave_up_at IS NOT NULL"), 3);
}

#[test]
fn two_thousand_pages_are_one_bundle_that_has_an_end() {
    let mut bench = town();
    bench.fires(0..2_000, T0 + 1_000);
    let owed: Vec<_> = Urgency::ALL
        .into_iter()
        .flat_map(|urgency| bench.reader().owed_to_webhook("w", (urgency, 0), 10_000).unwrap())
        .collect();
    assert_eq!(owed.len(), 2_000);
    bench.bundle(&owed, T0 + 2_000);
    let said = bench.says_of(&bench.bundles()[0]).unwrap();
    assert_eq!((&said["count"], &said["members_left_out"]), (&2_000.into(), &1_500.into()));
    assert!(said.to_string().len() < 100_000);
}

#[test]
fn a_bundle_that_arrives_delivers_what_it_still_owes_and_no_page_that_was_superseded() {
    let mut bench = town();
    bench.fires(0..2, T0 + 1_000);
    let owed = bench.owed();
    bench.bundle(&owed, T0 + 2_000);
    let bundle = bench.bundles().remove(0);
    // Somebody takes the first; the second is told of again.
    bench.acknowledge(owed[0].incident, T0 + 3_000);
    bench.until_done(T0 + 200_000);
    assert_eq!(bench.hops("superseded"), 1);
    assert_eq!(bench.bundles(), std::slice::from_ref(&bundle), "it owes the other still");
    bench.delivered(bundle.id, T0 + 201_000);
    assert_eq!(bench.hops("bundled"), 1);
    let delivered = "SELECT count(*) FROM page WHERE delivered_at IS NOT NULL AND receiver = 'w'";
    assert_eq!(bench.count(delivered), 1);
    let newer = bench.owed();
    assert_eq!(newer.iter().map(|page| page.incident).collect::<Vec<_>>(), [owed[1].incident]);
}

#[test]
fn what_a_webhook_was_sent_last_is_known_after_a_restart_a_bundle_as_one() {
    let mut bench = town();
    bench.fires(0..6, T0 + 1_000);
    let owed = bench.owed();
    bench.bundle(&owed[..4], T0 + 2_000);
    let bundle = bench.bundles().remove(0).id;
    bench.delivered(bundle, T0 + 3_000);
    bench.delivered(owed[4].page_id, T0 + 4_000);
    bench.delivered(owed[5].page_id, T0 + 5_000);
    let bench = bench.crashed(T0 + 6_000);
    let sent = |since, limit| bench.reader().sent_to_webhook(("w", since), limit).unwrap();
    assert_eq!(sent(T0, 20), [T0 + 5_000, T0 + 4_000, T0 + 3_000]);
    assert_eq!(sent(T0 + 3_000, 20), [T0 + 5_000, T0 + 4_000]);
    assert_eq!(sent(T0 + 4_000, 20), [T0 + 5_000], "neither a page nor a bundle from before");
    assert_eq!(sent(T0, 1), [T0 + 5_000, T0 + 3_000], "the newest of each, and no more");
    assert_eq!(bench.reader().sent_to_webhook(("other", T0), 20).unwrap(), Vec::<Ms>::new());
}

#[test]
fn a_refused_bundle_goes_on_in_parts_down_to_single_pages_whatever_crashes() {
    let mut bench = town();
    bench.fires(0..5, T0 + 1_000);
    let owed = bench.owed();
    bench.bundle(&owed[..4], T0 + 2_000);
    let whole = bench.bundles().remove(0).id;
    bench.takes_apart(whole, T0 + 3_000);
    let halves = ["SD-4", "[SD-0 SD-1] part", "[SD-2 SD-3] part"];
    assert_eq!(bench.messages(), halves);
    let mut bench = bench.crashed(T0 + 4_000);
    assert_eq!(bench.messages(), halves);
    bench.takes_apart(whole, T0 + 4_000);
    assert_eq!(bench.messages(), halves, "that is no bundle any more");

    let [first, second] = &bench.bundles()[..] else { panic!() };
    let (first, second) = (first.id, second.id);
    bench.delivered(second, T0 + 5_000);
    bench.takes_apart(first, T0 + 5_000);
    let alone = ["SD-4", "SD-0 apart", "SD-1 apart"];
    assert_eq!(bench.messages(), alone, "behind what was read before, each by itself");
    let now = bench.owed();
    assert_eq!([now[1].page_id, now[2].page_id], [owed[0].page_id, owed[1].page_id]);
    let behind = bench.reader().owed_to_webhook("w", (Urgency::NewFire, owed[4].number), 9);
    assert_eq!(behind.unwrap(), now[1..], "its sender finds them where it reads on");
    let mut bench = bench.crashed(T0 + 6_000);
    assert_eq!(bench.messages(), alone);
    bench.bundle(&bench.owed(), T0 + 6_000);
    assert_eq!(bench.messages(), ["SD-0 apart", "SD-1 apart", "[SD-4]"], "no bundle has them");
    bench.delivered(owed[0].page_id, T0 + 7_000);
    bench.delivered(owed[1].page_id, T0 + 7_000);
    assert_eq!((bench.hops("bundled"), bench.hops("delivered")), (2, 2));
    let bench = bench.crashed(T0 + 8_000);
    assert_eq!(bench.messages(), ["[SD-4]"]);
    assert_eq!(bench.count("SELECT count(*) FROM message"), 0);
    assert_eq!(bench.count("SELECT count(*) FROM page WHERE receiver = 'w'"), 5, "each once");
}

#[test]
fn what_is_bundled_taken_apart_and_superseded_in_one_batch_is_what_it_would_be_in_many() {
    let mut bench = town();
    bench.fires(0..4, T0 + 1_000);
    let owed = bench.owed();
    let (receiver, pages) = ("w".into(), owed.iter().map(|page| page.page_id).collect());
    bench.engine.take(Input::Bundle { receiver, pages }.at(T0 + 2_000), T0 + 2_000);
    let newest = |bench: &Bench| bench.engine.state.changes.bundles.last().unwrap().id;
    for _ in 0..2 {
        let bundle = newest(&bench);
        bench.engine.take(Input::TakeApart { bundle }.at(T0 + 2_000), T0 + 2_000);
    }
    // Everything is told of again in the same batch.
    bench.until_done(T0 + 2_000);
    assert_eq!(bench.messages(), ["SD-2 apart", "SD-3 apart", "[SD-0 SD-1] part"]);
    bench.until_done(T0 + 86_400_000);
    assert_eq!(bench.count("SELECT count(*) FROM message"), 4);
    let bench = bench.crashed(T0 + 86_400_001);
    assert_eq!(bench.bundles(), Vec::new(), "nothing of it is owed");
    assert_eq!(bench.owed().len(), 4);
    assert_eq!(bench.count("SELECT count(*) FROM message"), 4, "and no words are left over");
}
