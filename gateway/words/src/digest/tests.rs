//! The texts of a digest, in both languages, and how they fit.

use insta::assert_snapshot;
use jiff::tz::TimeZone;
use serde_json::json;
use standpipe_rules::HOUR_MS;
use standpipe_rules::digest::{Digest, LINES, ReasonCount, Unread};

use super::{Room, words};
use crate::language::Language;
use crate::message::Desk;

/// 2026-11-28, eight in the morning there.
const EIGHT: i64 = 1_795_824_000_000;

fn desk(language: Language) -> Desk {
    let zone = TimeZone::get("Asia/Shanghai").unwrap();
    Desk { zone, url: "https://town.example".into(), language }
}

fn line(n: usize, en: &str, zh: &str, closed_at: Option<i64>) -> serde_json::Value {
    json!({"id": format!("01KAV0000000000000000{n:05}"), "condition": "offline",
        "title": {"en": format!("{en} · School Rd"), "zh": format!("{zh} · 学校路")},
        "station": "t1", "device": format!("HY-{n:04}"), "address": "学校路", "since": EIGHT - 30 * HOUR_MS,
        "opened_at": EIGHT - 29 * HOUR_MS, "closed_at": closed_at})
}

fn digest() -> Digest {
    let lines = [
        line(1, "Offline", "离线", None),
        line(2, "Battery low", "电量不足", None),
        line(3, "Detector dirty", "探测器积尘", Some(EIGHT - 2 * HOUR_MS)),
    ];
    let value = json!({"day": "2026-11-28", "station": "t1", "from": EIGHT - 24 * HOUR_MS, "to": EIGHT,
        "open": 2, "new": 1, "closed": 2, "more": 0, "items": lines, "counts": [
            {"condition": "offline", "open": 1, "new": 0, "closed": 1},
            {"condition": "battery_low", "open": 1, "new": 1, "closed": 0},
            {"condition": "contamination", "open": 0, "new": 0, "closed": 1}]});
    serde_json::from_value(value).unwrap()
}

#[test]
fn it_is_read_in_ten_seconds_in_chinese() {
    let said = words(&digest(), &desk(Language::Chinese), Room::Bytes(64_000));
    assert!(!said.everybody);
    assert_snapshot!(said.lines.join("\n"), @r"
    【每日提示】2026-11-28 t1：未关闭 2，新增 1，已关闭 2
    离线 1 ✓1 · 电量不足 1 · 积尘 ✓1
    - 离线 · 学校路 · HY-0001 · 自 11-27 02:00 · 未关闭
    - 电量不足 · 学校路 · HY-0002 · 自 11-27 02:00 · 未关闭
    - 探测器积尘 · 学校路 · HY-0003 · 自 11-27 02:00 · 已关闭 11-28 06:00
    https://town.example/digest?day=2026-11-28&station=t1
    ");
}

#[test]
fn and_in_english() {
    let mut digest = digest();
    (digest.station, digest.more) = (None, 7);
    let said = words(&digest, &desk(Language::English), Room::Bytes(64_000));
    assert_snapshot!(said.lines.join("\n"), @r"
    NOTICES 2026-11-28: 2 open, 1 new, 2 closed
    offline 1 ✓1 · battery low 1 · dirty ✓1
    - Offline · School Rd · HY-0001 · 学校路 · since 11-27 02:00 · open
    - Battery low · School Rd · HY-0002 · 学校路 · since 11-27 02:00 · open
    - Detector dirty · School Rd · HY-0003 · 学校路 · since 11-27 02:00 · closed 11-28 06:00
    and 7 more
    https://town.example/digest?day=2026-11-28
    ");
}

#[test]
fn what_was_not_understood_is_a_line_of_its_own_and_told_without_any_notice() {
    let mut digest = digest();
    digest.station = None;
    let reasons =
        [("not_json", 8), ("wrong_type", 3), ("topic", 1), ("too_long", 1), ("new_one", 1)];
    let reasons = reasons.map(|(reason, messages)| ReasonCount { reason: reason.into(), messages });
    digest.unread = Some(Unread { messages: 14, devices: 1, reasons: reasons.into() });
    let lines =
        |digest: &Digest, language| words(digest, &desk(language), Room::Bytes(64_000)).lines;
    let zh = lines(&digest, Language::Chinese);
    assert_eq!(zh[0], "【每日提示】2026-11-28：未关闭 2，新增 1，已关闭 2，无法识别的消息 14 条");
    let said = "无法识别的消息 14 条，来自 1 台已登记设备：不是 JSON 8 · 类型或范围不对 3 · 主题不符合约定 1";
    assert_eq!(zh[2], said);
    (digest.open, digest.new, digest.closed) = (0, 0, 0);
    (digest.items, digest.counts) = (vec![], vec![]);
    assert!(!digest.is_empty(), "somebody is told");
    let en = lines(&digest, Language::English);
    assert_eq!(
        en,
        [
            "NOTICES 2026-11-28: 0 open, 0 new, 0 closed, 14 messages not understood",
            "14 messages of 1 registered device were not understood: not JSON 8 · wrong type or range 3 \
         · topic of nobody 1",
            "https://town.example/digest?day=2026-11-28",
        ]
    );
    for most in [300, 2_048] {
        digest.items = (0..LINES)
            .map(|n| serde_json::from_value(line(n, "Offline", "离线", None)).unwrap())
            .collect();
        let text = words(&digest, &desk(Language::English), Room::Bytes(most)).lines.join("\n");
        assert!(text.len() <= most, "{} of {most}: {text}", text.len());
    }
}

#[test]
fn a_text_message_is_one_line() {
    let said = words(&digest(), &desk(Language::Chinese), Room::Line);
    assert_eq!(said.lines, [said.headline]);
}

#[test]
fn it_is_never_longer_than_its_receiver_takes_and_says_how_much_is_left_out() {
    let mut digest = digest();
    let lines = (0..LINES).map(|n| line(n, "Offline", "离线", None));
    digest.items = lines.map(|line| serde_json::from_value(line).unwrap()).collect();
    digest.more = 12;
    for language in [Language::Chinese, Language::English] {
        for (most, whole) in [(300, false), (2_048, false), (12_000, true)] {
            let text = words(&digest, &desk(language), Room::Bytes(most)).lines.join("\n");
            assert!(text.len() <= most, "{} of {most}: {text}", text.len());
            assert!(text.ends_with("/digest?day=2026-11-28&station=t1"), "{text}");
            let named = text.matches("HY-").count();
            assert_eq!(named == LINES, whole, "{most}");
            assert!(whole || text.len() + 200 > most, "all that fits: {} of {most}", text.len());
            assert!(text.contains(&format!("{} ", LINES - named + 12)), "{text}");
        }
    }
}

#[test]
fn what_the_place_says_is_not_said_again_whatever_the_title_says() {
    for (kind, name, address, expected) in [
        ("device", "学校路", "学校路", "- ⟦别的话⟧ · HY-0001 · 自"),
        ("device", "HY-0001", "", "- ⟦别的话⟧ · 自"),
        ("device", "校门口", "学校路", "- ⟦别的话⟧ · HY-0001 · 学校路 · 自"),
    ] {
        let mut digest = digest();
        let item = &mut digest.items[0];
        item.title.zh = "⟦别的话⟧".into();
        item.address = address.into();
        item.place = serde_json::from_value(json!({"kind": kind, "name": name})).unwrap();
        let said = words(&digest, &desk(Language::Chinese), Room::Bytes(64_000));
        assert!(said.lines[2].starts_with(expected), "{}", said.lines[2]);
    }
}
