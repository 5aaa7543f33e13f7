//! The broker's `acl`: a block of our own, made anew with every run, and around it whatever somebody
//! wrote by hand, which stays as it is.
//!
//! Not here: what a device or a station may say and hear (`deploy/mosquitto/acl`).

use std::fmt::Write as _;

use standpipe_shared::ROOT;

use super::account::MAY;
use super::bridges::Bridge;

/// What everybody may read and write, for the usual root.
pub(super) const USUAL: &str = include_str!("../../../deploy/mosquitto/acl");
/// The same as 0.1.0 wrote it, which had no marks around it: known line by line, so that these are not
/// taken for somebody's own.
const OF_0_1_0: &str = include_str!("acl-0.1.0");
/// Around what is ours.
const BEGIN: &str =
    "# BEGIN standpipe provision: made anew with every run, write your own rules below its END";
const END: &str = "# END standpipe provision";
/// A rule that names the root, before and after it.
const CLOCK_RULE: (&str, &str) = ("topic write ", "/gateway/clock");

/// The file with our block for this root, these bridges and devices that sign in under `others`
/// (their rules), and what `before` had beside it.
pub(super) fn file(before: &str, root: &str, bridges: &[Bridge], others: &str) -> String {
    let mut block = format!("{BEGIN}\n{}", rooted(USUAL, root));
    for bridge in bridges.iter().filter(|bridge| !bridge.devices.is_empty()) {
        // Writing to a String does not fail.
        let _ = writeln!(block, "\n# Speaks for these devices alone.\nuser {}", bridge.account);
        for device in &bridge.devices {
            for (may, channel) in MAY {
                let _ = writeln!(block, "topic {may} {root}/{device}/{channel}");
            }
        }
    }
    block.push_str(others);
    let (above, below) = by_hand(before, root);
    format!("{above}{block}{END}\n{below}")
}

/// The root that a file was written for.
pub(super) fn root(file: &str) -> Option<String> {
    let rule =
        |line: &str| Some(line.strip_prefix(CLOCK_RULE.0)?.strip_suffix(CLOCK_RULE.1)?.to_owned());
    // Somebody's own rule may look like ours.
    let ours = file.split_once(BEGIN).map_or(file, |(_, rest)| rest);
    ours.lines().find_map(rule)
}

fn rooted(rules: &str, root: &str) -> String {
    rules.replace(&format!(" {ROOT}/"), &format!(" {root}/"))
}

/// What is not ours, above and below our block.
fn by_hand(before: &str, root: &str) -> (String, String) {
    let marked = before.split_once(BEGIN).and_then(|(above, rest)| {
        let (_, below) = rest.split_once(END)?;
        Some((above.to_owned(), below.trim_start_matches('\n').to_owned()))
    });
    marked.unwrap_or_else(|| (String::new(), unmarked(before, root)))
}

/// What is not ours of a file without marks. A rule of somebody's own for one of our users keeps the
/// line above it that names them.
fn unmarked(before: &str, root: &str) -> String {
    let written = self::root(before).unwrap_or_else(|| root.to_owned());
    let ours = [rooted(OF_0_1_0, &written), rooted(USUAL, &written)];
    let is_ours = |line: &str| ours.iter().any(|rules| rules.lines().any(|known| known == line));
    let (mut kept, mut user) = (String::new(), None);
    for line in before.lines().filter(|line| !line.trim().is_empty()) {
        let of_user = line.starts_with("user ");
        if of_user {
            user = Some(line);
        }
        if is_ours(line) {
            continue;
        }
        if let Some(user) = user.take().filter(|_| !of_user) {
            let _ = writeln!(kept, "{user}");
        }
        if of_user {
            user = None;
        }
        let _ = writeln!(kept, "{line}");
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::{BEGIN, Bridge, END, MAY, OF_0_1_0, file, root, rooted};

    fn bridge() -> Bridge {
        Bridge { account: "bridge-lora".into(), devices: vec!["t1/H1".into()], gone: vec![] }
    }

    #[test]
    fn what_is_written_by_hand_stays_where_it_is() {
        let first = file("", "standpipe/v1", &[], "");
        assert!(first.starts_with(BEGIN) && first.ends_with(&format!("{END}\n")), "{first}");
        let by_hand = format!("# mine\nuser a\ntopic read #\n{first}\nuser b\n\ntopic write x/#\n");
        let again = file(&by_hand, "standpipe/v1", &[bridge()], "");
        assert!(again.starts_with("# mine\nuser a\ntopic read #\n# BEGIN"), "{again}");
        assert!(
            again.ends_with("# END standpipe provision\nuser b\n\ntopic write x/#\n"),
            "{again}"
        );
        assert_eq!(file(&again, "standpipe/v1", &[bridge()], ""), again, "and again");
        let without = file(&again, "town/fire", &[], "");
        assert!(
            !without.contains("bridge-lora") && without.contains("topic write x/#"),
            "{without}"
        );
        assert_eq!(root(&without).as_deref(), Some("town/fire"));
    }

    #[test]
    #[rustfmt::skip] // a table
    fn a_file_of_0_1_0_keeps_what_was_added_to_it() {
        for (added, kept) in [
            ("",                                              ""),
            ("user bridge\ntopic write standpipe/v1/+/+/telemetry\n", "user bridge\ntopic write standpipe/v1/+/+/telemetry\n"),
            ("# mine\ntopic read elsewhere/#\n",              "user selftest\n# mine\ntopic read elsewhere/#\n"),
            ("\nuser gateway\ntopic read town/#\n",           "user gateway\ntopic read town/#\n"),
        ] {
            for root in ["standpipe/v1", "town/fire"] {
                let old = rooted(OF_0_1_0, root) + added;
                let new = file(&old, root, &[], "");
                assert_eq!(new.split_once(END).unwrap().1, format!("\n{kept}"), "{added}");
                assert!(new.starts_with(BEGIN), "{new}");
            }
        }
    }

    #[test]
    fn a_bridge_has_the_topics_of_its_devices_and_no_others() {
        let all = file("", "town/fire", &[bridge()], "");
        let rules = all.split_once("user bridge-lora\n").unwrap().1;
        let (rules, _) = rules.split_once(END).unwrap();
        let wanted = MAY.map(|(may, channel)| format!("topic {may} town/fire/t1/H1/{channel}"));
        assert_eq!(rules.lines().collect::<Vec<_>>(), wanted, "as if the device itself spoke");
        for channel in ["telemetry", "Telemetry", "alarm", "ALARM/", "alarms//", "+/alarm"] {
            assert!(
                rules.contains(&format!("topic write town/fire/t1/H1/{channel}\n")),
                "{channel}"
            );
        }
        // A user without rules of its own has those of everybody, and a heading would invite more.
        let none = Bridge { devices: vec![], ..bridge() };
        assert!(!file("", "town/fire", &[none], "").contains("bridge-lora"));
    }
}
