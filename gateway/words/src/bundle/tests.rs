//! What a bundle says in words, and that it fits.

use insta::assert_snapshot;
use jiff::tz::TimeZone;
use serde_json::json;
use standpipe_rules::incidents::{BundledPage, Text, WireBundle, WireIncident};
use standpipe_shared::Severity;
use ulid::Ulid;

use super::words;
use crate::digest::Room;
use crate::language::Language;
use crate::message::Desk;

fn desk(language: Language) -> Desk {
    let zone = TimeZone::get("Asia/Shanghai").unwrap();
    Desk { zone, url: "https://town.example".into(), language }
}

fn page(n: u64, (station, name): (&str, &str), severity: Severity) -> BundledPage {
    BundledPage {
        incident: Ulid::from_parts(n, 0),
        page_id: Ulid::from_parts(n, 1),
        device: Some(format!("SD-{n}").into()),
        station: (station.into(), name.into()),
        severity,
        title: Text {
            en: format!("Smoke · School {n}"), zh: format!("烟雾报警 · 学校{n}号楼")
        },
    }
}

fn worst(severity: &str) -> WireIncident {
    let worst = json!({"id": "01KAV000000000000000000001", "class": "fire", "severity": severity,
        "title": {"en": "Smoke · School 1", "zh": "烟雾报警 · 学校1号楼"},
        "page_id": "01KAV000000000000000000009"});
    WireIncident::read(&worst.to_string()).unwrap()
}

/// 12 of one station, one of another, one of nobody's.
fn night() -> WireBundle {
    let mut pages: Vec<_> = (1..=12).map(|n| page(n, ("T1", "白云路站"), Severity::Fire)).collect();
    pages.push(page(13, ("T2", ""), Severity::Fire));
    pages.push(page(14, ("", ""), Severity::Critical));
    WireBundle::of(&pages)
}

/// 20,000 of 23 stations.
fn earthquake() -> WireBundle {
    let of = |n: u64| {
        let (station, name) =
            (format!("T{:02}", n % 23 + 1), format!("第{}消防救援站", n % 23 + 1));
        page(n, (&*station, &*name), Severity::Fire)
    };
    WireBundle::of(&(0..20_000).map(of).collect::<Vec<_>>())
}

#[test]
fn it_counts_by_station_names_the_ten_worst_and_links_to_the_rest_in_chinese() {
    let said = words(&worst("fire"), &night(), &desk(Language::Chinese), Room::Bytes(12_000));
    assert!(said.everybody);
    assert_eq!(said.headline, said.lines[0]);
    assert_snapshot!(said.lines.join("\n"), @r"
    【火警】合并通知：涉及3个站，警情14起，其中火警13起
    FIRE: 14 incidents at 3 stations, 13 of them fires
    各站 by station: 白云路站 12 · T2 1 · 无归属站 1
    - 烟雾报警 · 学校1号楼
    - 烟雾报警 · 学校2号楼
    - 烟雾报警 · 学校3号楼
    - 烟雾报警 · 学校4号楼
    - 烟雾报警 · 学校5号楼
    - 烟雾报警 · 学校6号楼
    - 烟雾报警 · 学校7号楼
    - 烟雾报警 · 学校8号楼
    - 烟雾报警 · 学校9号楼
    - 烟雾报警 · 学校10号楼
    全部14起见：
    https://town.example/bundles/01KAV000000000000000000009
    ");
}

#[test]
fn and_in_english() {
    let said = words(&worst("fire"), &night(), &desk(Language::English), Room::Bytes(12_000));
    assert_snapshot!(said.lines.join("\n"), @r"
    【火警】合并通知：涉及3个站，警情14起，其中火警13起
    FIRE: 14 incidents at 3 stations, 13 of them fires
    各站 by station: 白云路站 12 · T2 1 · no station 1
    - Smoke · School 1
    - Smoke · School 2
    - Smoke · School 3
    - Smoke · School 4
    - Smoke · School 5
    - Smoke · School 6
    - Smoke · School 7
    - Smoke · School 8
    - Smoke · School 9
    - Smoke · School 10
    all 14 of them:
    https://town.example/bundles/01KAV000000000000000000009
    ");
}

#[test]
fn of_one_station_the_first_line_names_it() {
    let pages = [1, 2].map(|n| page(n, ("T1", "白云路站"), Severity::Warning));
    let bundle = WireBundle::of(&pages);
    let said = words(&worst("warning"), &bundle, &desk(Language::Chinese), Room::Line);
    assert!(!said.everybody);
    assert_snapshot!(said.lines.join("\n"), @r"
    【警告】合并通知：白云路站辖区，警情2起
    - 烟雾报警 · 学校1号楼
    - 烟雾报警 · 学校2号楼
    https://town.example/bundles/01KAV000000000000000000009
    ");
}

#[test]
fn an_exercise_is_called_one_and_calls_nobody() {
    let exercise = WireIncident { exercise: true, ..worst("fire") };
    let said = words(&exercise, &night(), &desk(Language::Chinese), Room::Bytes(12_000));
    assert!(!said.everybody);
    assert_snapshot!(said.lines[..2].join("\n"), @r"
    【火警】合并通知：演练，涉及3个站，警情14起，其中火警13起
    FIRE: exercise, 14 incidents at 3 stations, 13 of them fires
    ");
}

#[test]
fn an_earthquake_fits_into_whatever_room_there_is() {
    let bundle = earthquake();
    for language in [Language::Chinese, Language::English] {
        for most in [2_048, 12_000, 64_000] {
            let said = words(&worst("fire"), &bundle, &desk(language), Room::Bytes(most));
            let text = said.lines.join("\n");
            assert!(text.len() <= most, "{} of {most} bytes: {text}", text.len());
            assert!(text.contains("第23消防救援站 869"), "all stations, {most} bytes: {text}");
            assert!(text.ends_with("https://town.example/bundles/01KAV000000000000000000009"));
            let names = said.lines.iter().filter(|line| line.starts_with("- ")).count();
            assert!(names == 10, "{names} names in {most} bytes");
        }
        let said = words(&worst("fire"), &bundle, &desk(language), Room::Line);
        let text = said.lines.join("\n");
        assert!(text.chars().count() <= 450, "{} characters: {text}", text.chars().count());
        assert!(text.contains("第12消防救援站 870") && text.contains(" · "), "{text}");
    }
}

#[test]
fn a_room_too_small_for_names_has_the_counts_and_the_link() {
    let said = words(&worst("fire"), &night(), &desk(Language::Chinese), Room::Bytes(300));
    assert_snapshot!(said.lines.join("\n"), @r"
    【火警】合并通知：涉及3个站，警情14起，其中火警13起
    FIRE: 14 incidents at 3 stations, 13 of them fires
    各站 by station: 白云路站 12 · T2 1 · 无归属站 1
    全部14起见：
    https://town.example/bundles/01KAV000000000000000000009
    ");
}
