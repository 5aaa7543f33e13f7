//! `zone_low_pressure` and `blind_area`.

use standpipe_shared::Kind;

use super::{Drill, device};
use crate::fact::Fact;
use crate::registry::Device;

/// Ten hydrants A to J of zone `main`, one report a minute.
fn zone() -> Drill {
    zone_of(10, 60)
}

fn zone_of(count: u8, interval_s: u32) -> Drill {
    let devices = (0..count).map(|n| {
        let id = char::from(b'A' + n).to_string();
        Device { zone: "main".into(), ..device(&id, Kind::Hydrant, "municipal", interval_s) }
    });
    Drill::new(devices)
}

/// All of `who` report `kpa` at `clock`.
fn all(clock: &str, who: &str, kpa: u32) -> String {
    who.chars().map(|id| format!("{clock} {id}: pressure_kpa={kpa}\n")).collect()
}

/// The found lines about a zone or an area.
fn about(found: &[String]) -> Vec<&str> {
    found
        .iter()
        .map(String::as_str)
        .filter(|line| line.contains("zone ") || line.contains("area "))
        .collect()
}

const ALL: &str = "ABCDEFGHIJ";

#[test]
fn three_of_ten_low_together_are_a_zone() {
    let mut drill = zone();
    let script = all("00:00:00", ALL, 300) + &all("00:01:00", "ABC", 100);
    assert!(about(&drill.run(&script)).is_empty());
    let found = drill.run("00:01:30 A: pressure_kpa=100\n00:01:31 B: pressure_kpa=100");
    assert!(about(&found).is_empty(), "two");
    assert!(!drill.out.watch_meta, "nothing of the zone to keep yet");
    let found = drill.run("00:01:32 C: pressure_kpa=100");
    assert_eq!(about(&found), ["00:01:32 zone main zone_low_pressure since 00:01:00 of A B C"]);
    assert!(drill.out.watch_meta);
    let found = drill.run(&(all("00:02:00", "DE", 0) + &all("00:02:30", "DE", 0)));
    assert!(about(&found).is_empty(), "once");
}

#[test]
fn what_is_held_back_makes_no_zone() {
    let mut drill = zone();
    drill.run(&all("00:00:00", ALL, 300));
    let late = |sent: &str, at: &str, who: &str| {
        who.chars().map(|id| format!("{sent} {id}: @{at} pressure_kpa=100\n")).collect::<String>()
    };
    let backlog = late("00:04:00", "00:01:00", "AB") + &late("00:04:01", "00:01:40", "AB");
    let one = all("00:04:02", "C", 100) + &all("00:04:35", "C", 100);
    assert!(about(&drill.run(&(backlog + &one))).is_empty(), "two in a backlog, and one");
    let found = drill.run(&all("00:04:40", "AB", 100));
    assert_eq!(about(&found), ["00:04:40 zone main zone_low_pressure since 00:01:00 of A B C"]);
}

#[test]
fn thirty_per_cent_of_the_live_ones() {
    let low = all("00:01:00", "ABC", 100) + &all("00:01:30", "ABC", 100);
    let mut drill = zone_of(11, 60);
    let found = drill.run(&(all("00:00:00", "ABCDEFGHIJK", 300) + &low));
    assert!(about(&found).is_empty(), "three of eleven are 27 %");
    let mut drill = zone_of(11, 60);
    let found = drill.run(&(all("00:00:00", ALL, 300) + &low));
    assert_eq!(about(&found).len(), 1, "one was never heard");
    let mut drill = zone_of(11, 60);
    let found = drill.run(&(all("00:00:00", "ABCDEFGHIJK", 300) + "00:00:30 K: gone\n" + &low));
    assert_eq!(about(&found).len(), 1, "one is gone");
    let mut drill = zone_of(11, 60);
    let script = "00:00:00 K: pressure_kpa=300\n".to_owned()
        + &all("00:02:00", ALL, 300)
        + &all("00:03:00", "ABC", 100)
        + &all("00:03:30", "ABC", 100);
    assert_eq!(about(&drill.run(&script)).len(), 1, "one was last heard over three intervals ago");
    let mut drill = zone_of(11, 60);
    let script = "00:00:30 K: pressure_kpa=300\n".to_owned()
        + &all("00:02:00", ALL, 300)
        + &all("00:03:00", "ABC", 100)
        + &all("00:03:30", "ABC", 100);
    assert!(about(&drill.run(&script)).is_empty(), "exactly three intervals ago is live");
    let mut drill = zone_of(3, 60);
    let script =
        all("00:00:00", "ABC", 300) + &all("00:01:00", "AB", 0) + &all("00:01:30", "AB", 0);
    assert!(about(&drill.run(&script)).is_empty(), "two of three are not three");
}

#[test]
fn a_share_grows_when_a_hydrant_is_no_longer_live() {
    let eleven = || {
        let mut drill = zone_of(11, 60);
        let script = "00:00:30 K: pressure_kpa=300\n".to_owned()
            + &all("00:02:00", ALL, 300)
            + &all("00:02:10", "ABC", 100)
            + &all("00:02:50", "ABC", 100);
        assert!(about(&drill.run(&script)).is_empty(), "three of eleven");
        drill
    };
    let found = eleven().run("00:03:30\n00:04:00");
    assert_eq!(about(&found), ["00:03:30.001 zone main zone_low_pressure since 00:02:10 of A B C"]);
    let found = eleven().run("00:03:20 K: pressure_kpa=300\n00:05:00");
    assert!(about(&found).is_empty(), "it spoke in time");
    let mut drill = zone_of(3, 60);
    drill.run(
        &(all("00:00:00", "ABC", 300) + &all("00:01:00", "AB", 0) + &all("00:01:30", "AB", 0)),
    );
    assert_eq!(drill.watch.next_wake(), Some(super::at("00:05:00")), "two are never a zone");
}

#[test]
fn onsets_lie_within_ten_minutes_or_longer_for_slow_devices() {
    let found = |interval: u32, last: &str, confirm: &str| {
        let mut drill = zone_of(5, interval);
        let mut script = all("00:00:00", "ABCDE", 300)
            + &all("00:10:00", "AB", 100)
            + &all("00:10:30", "AB", 100);
        script += &all(last, "C", 100);
        script += &all(confirm, "C", 100);
        // Everybody else goes on talking.
        let mut lines: Vec<String> = script.lines().map(str::to_owned).collect();
        for minute in 11..60 {
            lines.push(format!("00:{minute:02}:00 A: pressure_kpa=100"));
            lines.push(format!("00:{minute:02}:00 B: pressure_kpa=100"));
        }
        lines.sort_by(|a, b| a.split(' ').next().cmp(&b.split(' ').next()));
        let found = drill.run(&lines.join("\n"));
        found.iter().any(|line| line.contains("zone main"))
    };
    assert!(found(60, "00:20:00", "00:20:30"), "ten minutes");
    assert!(!found(60, "00:20:00.001", "00:20:30.001"), "a moment more");
    assert!(found(900, "00:28:00", "00:28:30"), "1.2 × a quarter of an hour");
    assert!(!found(900, "00:28:00.001", "00:28:30.001"));
}

#[test]
fn a_zone_ends_when_fewer_are_low_for_five_minutes() {
    let mut drill = zone();
    drill.run(
        &(all("00:00:00", ALL, 300) + &all("00:01:00", "ABC", 100) + &all("00:01:30", "ABC", 100)),
    );
    let keep: String = (2..20)
        .map(|minute| {
            let clock = format!("00:{minute:02}:00");
            let rising = if minute < 4 { 100 } else { 200 };
            all(&clock, "AB", 100) + &all(&clock, "C", rising) + &all(&clock, "DEFGHIJ", 300)
        })
        .collect();
    let found = drill.run(&keep);
    assert_eq!(about(&found), ["00:10:00 zone main zone_low_pressure ended 00:04:00"]);
}

#[test]
fn one_that_is_never_heard_does_not_change_when_a_zone_ended() {
    let mut drill = zone_of(11, 60);
    let low = all("00:01:00", "ABC", 100) + &all("00:01:30", "ABC", 100);
    drill.run(&(all("00:00:00", ALL, 300) + &low));
    for (clock, c) in [("00:02:00", 100), ("00:03:00", 100), ("00:03:59", 200)] {
        drill.run(&(all(clock, "AB", 100) + &all(clock, "C", c) + &all(clock, "DEFGHIJ", 300)));
    }
    drill.wait(super::at("00:04:59"));
    drill.say("C: pressure_kpa=200");
    let found = drill.run("00:05:00");
    let (c, k) =
        ("00:05:00 C low_pressure ended 00:03:59", "00:05:00 K offline since 00:05:00 (never)");
    assert_eq!(found, [c, k], "both before anybody looks at the zone");
    let mut script = String::new();
    for minute in 5..12 {
        script += &all(&format!("00:{minute:02}:00"), "AB", 100);
        script += &all(&format!("00:{minute:02}:00"), "CDEFGHIJ", 300 + minute);
    }
    let found = drill.run(&script);
    assert_eq!(about(&found), ["00:10:00 zone main zone_low_pressure ended 00:03:59"]);
}

#[test]
fn a_zone_that_falls_again_within_five_minutes_did_not_end() {
    let mut drill = zone();
    drill.run(
        &(all("00:00:00", ALL, 300) + &all("00:01:00", "ABC", 100) + &all("00:01:30", "ABC", 100)),
    );
    let mut script = String::new();
    for minute in 2..16 {
        let clock = format!("00:{minute:02}:00");
        let c = if (3..6).contains(&minute) { 200 } else { 100 };
        script += &(all(&clock, "AB", 100) + &all(&clock, "C", c) + &all(&clock, "DEFGHIJ", 300));
    }
    let found = drill.run(&script);
    assert!(about(&found).is_empty(), "{found:?}");
    assert!(found.iter().any(|line| line.contains("C low_pressure ended")), "{found:?}");
}

#[test]
fn silence_is_neither_good_nor_bad_news_for_a_zone() {
    let mut drill = zone();
    drill.run(
        &(all("00:00:00", ALL, 300) + &all("00:01:00", "ABC", 100) + &all("00:01:30", "ABC", 100)),
    );
    let mut script = "00:02:00 A: gone\n00:02:00 B: gone\n".to_owned();
    for minute in 2..20 {
        let clock = format!("00:{minute:02}:00");
        script += &(all(&clock, "C", 100) + &all(&clock, "DEFGHIJ", 300));
    }
    assert!(about(&drill.run(&script)).is_empty(), "those that fell silent were low");
    let mut drill = zone();
    let script = all("00:00:00", ALL, 300)
        + &all("00:01:00", "AB", 100)
        + &all("00:01:30", "AB", 100)
        + "00:02:00 A: gone\n"
        + &all("00:02:00", "CD", 100)
        + &all("00:02:30", "C", 100);
    assert!(about(&drill.run(&script)).is_empty(), "a silent one raises nothing");
    let found = drill.run("00:02:31 D: pressure_kpa=100");
    assert_eq!(about(&found), ["00:02:31 zone main zone_low_pressure since 00:01:00 of B C D"]);
}

#[test]
fn the_silent_ones_count_among_all() {
    let mut drill = zone_of(11, 60);
    let low = all("00:01:00", "ABC", 100) + &all("00:01:30", "ABC", 100);
    drill.run(&(all("00:00:00", ALL, 300) + &low));
    let mut script = "00:02:00 A: gone\n00:02:00 B: gone\n00:02:00 C: gone\n".to_owned();
    for minute in 2..12 {
        script += &all(&format!("00:{minute:02}:00"), "DEFGHIJ", 300);
    }
    assert!(about(&drill.run(&script)).is_empty(), "three of ten");
    let mut script = String::new();
    for minute in 12..20 {
        script += &all(&format!("00:{minute:02}:00"), "DEFGHIJK", 300);
    }
    // Somebody has to say something of the pressure for the zone to be looked at.
    script += "00:20:00 D: pressure_kpa=100\n00:20:30 D: pressure_kpa=100\n00:20:31 D: pressure_kpa=300\n";
    for minute in 21..30 {
        script += &all(&format!("00:{minute:02}:31"), "DEFGHIJK", 300);
    }
    let found = drill.run(&script);
    assert_eq!(about(&found).len(), 1, "three of eleven are 27 %: {found:?}");
}

#[test]
fn a_broken_sensor_raises_no_zone_and_ends_none() {
    let mut drill = zone();
    let script = all("00:00:00", ALL, 300)
        + &all("00:01:00", "AB", 100)
        + &all("00:01:30", "AB", 100)
        + "00:01:40 A: pressure_kpa=9999\n"
        + &all("00:02:00", "C", 100)
        + &all("00:02:30", "C", 100);
    assert!(about(&drill.run(&script)).is_empty());
    let found = drill.run(&(all("00:02:00", "D", 100) + &all("00:02:40", "D", 100)));
    assert_eq!(about(&found).len(), 1);
    let mut script = String::new();
    for minute in 3..12 {
        let clock = format!("00:{minute:02}:00");
        script +=
            &(all(&clock, "B", 9999) + &all(&clock, "CD", 100) + &all(&clock, "AEFGHIJ", 300));
    }
    let found = drill.run(&script);
    assert!(about(&found).is_empty(), "{found:?}");
}

#[test]
fn a_zone_is_judged_at_its_own_hydrants_only() {
    let mut devices: Vec<Device> = (0..3)
        .map(|n| device(&char::from(b'A' + n).to_string(), Kind::Hydrant, "municipal", 60))
        .collect();
    for (device, zone) in devices.iter_mut().zip(["main", "main", ""]) {
        device.zone = zone.into();
    }
    let mut drill = Drill::new(devices);
    let found = drill.run(&(all("00:01:00", "ABC", 0) + &all("00:01:30", "ABC", 0)));
    assert!(about(&found).is_empty());
    assert_eq!(found.len(), 6);
}

/// `count` devices of one station.
fn area(count: u8) -> Drill {
    Drill::new(
        (0..count)
            .map(|n| device(&char::from(b'A' + n).to_string(), Kind::Smoke, "smoke_home", 60)),
    )
}

#[test]
fn half_of_a_station_silent_together_is_a_blind_area() {
    let mut drill = area(10);
    let mut script = all("00:00:00", ALL, 0);
    for id in "ABCD".chars() {
        script += &format!("00:01:00 {id}: gone\n");
    }
    assert!(about(&drill.run(&script)).is_empty(), "four");
    assert!(!drill.out.watch_meta, "nothing of the area to keep yet");
    let found = drill.run("00:01:10 E: gone\n00:01:39.999");
    assert!(about(&found).is_empty(), "five, the fifth for less than half a minute: {found:?}");
    let found = drill.run("00:01:45");
    assert_eq!(about(&found), ["00:01:40 area T-1 blind_area since 00:01:00 of A B C D E"]);
    assert!(drill.out.watch_meta);
    let found = drill.run("00:01:51 A: temp_c=20\n00:01:52 B: temp_c=20");
    assert!(about(&found).is_empty(), "three of ten are 30 %");
    let found = drill.run("00:01:53 C: temp_c=20");
    assert_eq!(about(&found), ["00:01:53 area T-1 blind_area ended 00:01:53"]);
}

#[test]
fn fewer_than_five_or_than_half_are_not() {
    let mut drill = area(4);
    let mut script = all("00:00:00", "ABCD", 0);
    for id in "ABCD".chars() {
        script += &format!("00:01:00 {id}: gone\n");
    }
    script += "00:02:00\n";
    assert!(about(&drill.run(&script)).is_empty(), "four of four");
    let mut drill = area(11);
    let mut script = all("00:00:00", "ABCDEFGHIJK", 0);
    for id in "ABCDE".chars() {
        script += &format!("00:01:00 {id}: gone\n");
    }
    script += "00:02:00\n";
    assert!(about(&drill.run(&script)).is_empty(), "five of eleven");
    let mut drill = area(11);
    let mut script = all("00:00:00", ALL, 0);
    for id in "ABCDE".chars() {
        script += &format!("00:01:00 {id}: gone\n");
    }
    script += "00:02:00\n";
    assert_eq!(about(&drill.run(&script)).len(), 1, "one was never heard");
    let mut drill = area(10);
    let mut script = all("00:00:00", ALL, 0);
    for (n, id) in "ABCDE".chars().enumerate() {
        script += &format!("00:{:02}:00 {id}: gone\n", 1 + n * 3);
    }
    let quiet = script.lines().flat_map(|line| [line.to_owned()]).chain(
        (0..15)
            .flat_map(|m| "FGHIJ".chars().map(move |id| format!("00:{m:02}:30 {id}: temp_c=20"))),
    );
    let mut lines: Vec<String> = quiet.collect();
    lines.extend((0..13).flat_map(|m| {
        "ABCDE"
            .chars()
            .enumerate()
            .filter(move |(n, _)| m < 1 + n * 3)
            .map(move |(_, id)| format!("00:{m:02}:40 {id}: temp_c=20"))
    }));
    lines.sort();
    assert!(about(&drill.run(&lines.join("\n"))).is_empty(), "five in twelve minutes");
}

#[test]
fn exactly_a_quarter_is_still_blind() {
    let mut drill = area(8);
    let mut script = all("00:00:00", "ABCDEFGH", 0);
    for id in "ABCDE".chars() {
        script += &format!("00:01:00 {id}: gone\n");
    }
    script += "00:01:30\n";
    assert_eq!(about(&drill.run(&script)).len(), 1);
    let found = drill.run("00:01:40 A: temp_c=20\n00:01:40 B: temp_c=20\n00:01:40 C: temp_c=20");
    assert!(about(&found).is_empty());
    let found = drill.run("00:01:41 D: temp_c=20");
    assert_eq!(about(&found).len(), 1);
}

/// Twenty devices of one station, each of which says its id's number of dB/m … and is fine.
fn cell() -> (Drill, String) {
    let who: String = (b'A'..b'A' + 20).map(char::from).collect();
    let mut drill = area(20);
    drill.run(&who.chars().map(|id| format!("00:00:00 {id}: smoke_db_m=0\n")).collect::<String>());
    (drill, who)
}

fn each(clock: &str, who: &str, what: &str) -> String {
    who.chars().map(|id| format!("{clock} {id}: {what}\n")).collect()
}

#[test]
fn a_radio_cell_that_blinks_is_no_blind_area() {
    let (mut drill, who) = cell();
    let blip = each("00:01:00", &who, "gone") + &each("00:01:03", &who, "born 60");
    let found = drill.run(&(blip + "00:03:00"));
    assert!(about(&found).is_empty(), "three seconds: {found:?}");
    assert_eq!(found.len(), 40, "each was offline, and is not");

    let (mut drill, who) = cell();
    let half = each("00:01:00", &who, "gone") + &each("00:01:29.999", &who[..11], "born 60");
    assert!(about(&drill.run(&(half + "00:03:00"))).is_empty(), "nine of twenty stay away");

    let (mut drill, who) = cell();
    let found = drill.run(&(each("00:01:00", &who, "gone") + "00:03:00"));
    let [told] = &about(&found)[..] else { panic!("{found:?}") };
    assert!(told.starts_with("00:01:30 area T-1 blind_area since 00:01:00 of A B C"), "{told}");
}

#[test]
fn the_fifth_that_is_silent_for_half_a_minute_makes_the_area_blind() {
    let (mut drill, who) = cell();
    let mut script = String::new();
    for (n, id) in who.chars().enumerate() {
        script += &format!("00:01:{:02} {id}: gone\n", n * 2);
    }
    let found = drill.run(&(script + "00:03:00"));
    let told: Vec<&str> = about(&found).iter().map(|line| &line[..47]).collect();
    assert_eq!(told, ["00:01:48 area T-1 blind_area since 00:01:00 of "], "the tenth of twenty");
}

#[test]
fn a_blind_area_has_the_times_of_those_who_were_silent_for_long_enough() {
    let mut drill = area(10);
    let gone = each("00:01:00", "ABCD", "gone") + &each("00:01:10", "E", "gone");
    let found = drill.run(&(all("00:00:00", ALL, 0) + &gone + "00:01:30 F: gone\n00:01:40"));
    assert_eq!(about(&found), ["00:01:40 area T-1 blind_area since 00:01:00 of A B C D E F"]);
    let Some(Fact::Raised(blind)) = drill.waited.last() else { panic!("{:?}", drill.waited) };
    let fifth = super::at("00:01:10");
    assert_eq!((blind.measured_at, blind.received_at), (fifth, fifth));
}

#[test]
fn an_area_goes_on_growing_blind_over_a_restart() {
    let (mut before, who) = cell();
    before.run(&each("00:01:00", &who, "gone"));
    let mut after = area(20);
    for ix in 0..20 {
        let ix = crate::registry::DeviceIx(ix);
        after.watch.restore(ix, before.watch.memory(ix).unwrap().clone());
    }
    after.watch.restore_wholes(before.watch.wholes().clone());
    let found = after.run("00:01:10\n00:02:00");
    assert_eq!(about(&found).len(), 1, "{found:?}");
    assert!(found[0].starts_with("00:01:30 area T-1"), "{found:?}");
}

#[test]
fn zones_and_areas_come_back_after_a_restart() {
    let mut drill = zone();
    drill.run(
        &(all("00:00:00", ALL, 300) + &all("00:01:00", "ABC", 100) + &all("00:01:30", "ABC", 100)),
    );
    let mut after = zone();
    for ix in 0..10 {
        let ix = crate::registry::DeviceIx(ix);
        let memory = drill.watch.memory(ix).unwrap().clone();
        after.watch.restore(ix, memory);
    }
    after.watch.restore_wholes(drill.watch.wholes().clone());
    let found = after.run(&(all("00:02:00", "DEF", 100) + &all("00:02:30", "DEF", 100)));
    assert!(about(&found).is_empty(), "known already: {found:?}");
    let mut script = String::new();
    for minute in 3..14 {
        script += &all(&format!("00:{minute:02}:00"), ALL, 300 + minute);
    }
    let found = after.run(&script);
    assert_eq!(about(&found), ["00:09:00 zone main zone_low_pressure ended 00:03:00"]);
}
