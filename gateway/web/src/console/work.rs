//! DoneWhat people did at a device: its work history on its page and as CSV, and the flow test that
//! a crew measures beside a hydrant and keeps there.

use axum::http::header;
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use standpipe_rules::Ms;
use standpipe_rules::flow::{
    FlowClass, FlowTest, GB_FLOW_LPS, GB_RESIDUAL_KPA, NFPA_RESIDUAL_KPA, NoFlow,
};
use standpipe_rules::incidents::{Announced, Scope};
use standpipe_rules::registry::Device;
use standpipe_shared::Kind;
use standpipe_store::accounts::{Job, Right, Work, WorkPlaces};
use standpipe_store::views::incidents::{PersonsAct, acts_at};

use super::maintenance::name;
use super::text::{Say, machine, say, words};
use super::view::{Form, Oops, View, device_path};
use crate::api::body::{Id, attachment, text};
use crate::api::problem::{Problem, Thing};

const HISTORY: Say = say("Work history", "工作记录");
const WITHDRAWN: Say = say("ended early", "提前结束");
const FLOW: Say = say("Flow test", "流量测试");
const FLOW_SAYS: Say = say(
    "DoneWhat you enter is kept with your name, in the work history.",
    "结果连同您的姓名保存在工作记录中。",
);
const STATIC: Say = say("Static, kPa", "静压 kPa");
const RESIDUAL: Say = say("Residual while flowing, kPa", "出流时剩余压力 kPa");
const FLOWED: Say = say("Flow, L/s", "流量 L/s");
const NOTE: Say = say("Note", "备注");
const KEEP: Say = say("Compute and keep", "计算并保存");
const NEWEST: Say = say("Newest test", "最近一次测试");
const AT_100: Say = say(
    "Available at 100 kPa (GB 50974 asks for 15 L/s)",
    "100 kPa 时可用流量（GB 50974 要求 15 L/s）",
);
const AT_20PSI: Say = say("Available at 20 psi (NFPA 291)", "20 psi 时可用流量（NFPA 291）");
const ENOUGH: Say = say("enough", "达标");
const TOO_LITTLE: Say = say("too little", "不足");
const NUMBERS: Say = say("Enter three numbers.", "请填写三个数值。");
const OUT_OF_RANGE: Say = say(
    "Pressures are 0 to 2500 kPa and the flow over 0 to 500 L/s: read the gauges again.",
    "压力范围 0 至 2500 kPa，流量大于 0 且不超过 500 L/s，请重新读表。",
);
const NO_FALL: Say = say(
    "The pressure did not fall while water flowed: open the hydrant further.",
    "出流时压力没有下降，请将消火栓开大。",
);

/// Lines shown; the CSV has [`CSV_LINES`].
const LINES: u32 = 30;
const CSV_LINES: u32 = 10_000;

/// One thing that somebody did, as a list shows it.
struct WorkEntry {
    at: Ms,
    who: String,
    what: DoneWhat,
}

enum DoneWhat {
    /// About one of the device's incidents: its id, the hop, what was written.
    Acted(String, String, String),
    /// About the device itself, or what it belongs to.
    Job(Job),
}

/// DoneWhat was done at a device, newest first.
pub struct WorkHistory(Vec<WorkEntry>);

impl WorkHistory {
    /// The newest of it.
    ///
    /// # Errors
    /// DoneWhat the store or the accounts say.
    pub async fn read(view: &View, device: &Device) -> Result<Self, Oops> {
        read(view, device, LINES).await
    }

    fn newest_test(&self) -> Option<(&WorkEntry, &FlowTest)> {
        self.0.iter().find_map(|done| match &done.what {
            DoneWhat::Job(Job::FlowTest { test, .. }) => Some((done, test)),
            DoneWhat::Job(Job::Announced { .. } | Job::Withdrawn { .. }) | DoneWhat::Acted(..) => {
                None
            }
        })
    }
}

async fn read(view: &View, device: &Device, most: u32) -> Result<WorkHistory, Oops> {
    let (id, zone, station) = (device.id.clone(), device.zone.clone(), device.station.clone());
    let works = view.api.accounts.with(move |book| {
        book.work_of(WorkPlaces { device: &id, zone: &zone, station: &station }, most)
    });
    let mut all: Vec<WorkEntry> = works.await?.into_iter().map(job).collect();
    let id = device.id.clone();
    let acts = view.api.store.read(move |db| acts_at(db, &id, most));
    all.extend(acts.await?.into_iter().map(act));
    all.sort_by_key(|done| std::cmp::Reverse(done.at));
    all.truncate(most as usize);
    Ok(WorkHistory(all))
}

fn job(work: Work) -> WorkEntry {
    WorkEntry { at: work.at, who: work.who.into(), what: DoneWhat::Job(work.job) }
}

/// DoneWhat somebody did about one of its incidents.
fn act(act: PersonsAct) -> WorkEntry {
    let PersonsAct { at, by, incident, hop, detail } = act;
    WorkEntry { at, who: by, what: DoneWhat::Acted(incident, hop, detail) }
}

/// The work history as a list.
pub fn history(view: &View, device: &Device, WorkHistory(all): &WorkHistory) -> Markup {
    html! {
        section {
            h2 #work { (view.say(HISTORY)) }
            @if all.is_empty() { p { (view.say(words::NONE)) } }
            ul.plainlist.events { @for done in all {
                li { (view.moment(done.at)) " " strong { (done.who) } " " (what(view, &done.what)) }
            } }
            @if !all.is_empty() {
                p { a href={ (device_path(&device.id)) "/work.csv" } { "CSV" } }
            }
        }
    }
}

fn what(view: &View, what: &DoneWhat) -> Markup {
    html! {
        @match what {
            DoneWhat::Acted(incident, hop, detail) => {
                a href={ "/incidents/" (incident) } { (view.say(words::hop(hop))) } " " (detail)
            }
            DoneWhat::Job(Job::FlowTest { test, note }) => {
                (view.say(FLOW)) ": " (test.static_kpa) " / " (test.residual_kpa) " kPa, "
                (test.flow_lps) " L/s → " strong { (format!("{:.1}", test.at(GB_RESIDUAL_KPA).unwrap_or(0.0))) " L/s" }
                " @ 100 kPa " (note)
            }
            DoneWhat::Job(Job::Announced { announced, from, until, note }) => {
                (view.say(name(*announced))) " " (view.moment(*from)) " – " (view.moment(*until)) " " (note)
            }
            DoneWhat::Job(Job::Withdrawn { announced }) => {
                (view.say(name(*announced))) ": " (view.say(WITHDRAWN))
            }
        }
    }
}

/// The same as a file for a spreadsheet.
pub async fn csv(view: View, Id(id): Id) -> Result<Response, Oops> {
    let device = super::device::registered(&view, &id).await?;
    let WorkHistory(all) = read(&view, &device, CSV_LINES).await?;
    let mut file = csv::Writer::from_writer(Vec::new());
    let bad = |bad: csv::Error| Problem::part_down(format!("no CSV ({bad}): try again"));
    file.write_record(HEADER).map_err(bad)?;
    for done in &all {
        file.write_record(record(done)).map_err(bad)?;
    }
    let file = file.into_inner().map_err(|bad| Problem::part_down(bad.to_string()))?;
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()),
        (header::CONTENT_DISPOSITION, attachment(&format!("{}-work.csv", device.id))),
    ];
    Ok((headers, file).into_response())
}

const HEADER: [&str; 10] = [
    "at",
    "who",
    "what",
    "incident",
    "note",
    "static_kpa",
    "residual_kpa",
    "flow_lps",
    "available_100kpa_lps",
    "available_20psi_lps",
];

fn record(done: &WorkEntry) -> [String; 10] {
    let mut cells: [String; 10] = Default::default();
    let [at, who, what, incident, note, numbers @ ..] = &mut cells;
    (*at, *who) = (machine(done.at), harmless(&done.who));
    match &done.what {
        DoneWhat::Acted(id, hop, detail) => {
            (*what, *incident, *note) = (hop.clone(), id.clone(), harmless(detail));
        }
        DoneWhat::Job(Job::FlowTest { test, note: said }) => {
            (*what, *note) = ("flow_test".to_owned(), harmless(said));
            let at = |kpa| test.at(kpa).map_or_else(|_| String::new(), |flow| format!("{flow:.1}"));
            let gauges = [test.static_kpa, test.residual_kpa, test.flow_lps]
                .map(|number| number.to_string());
            let [a, b, c] = gauges;
            *numbers = [a, b, c, at(GB_RESIDUAL_KPA), at(NFPA_RESIDUAL_KPA)];
        }
        DoneWhat::Job(Job::Announced { announced, from, until, note: said }) => {
            *what = spelt(*announced);
            *note = harmless(&format!("{} – {} {said}", machine(*from), machine(*until)));
        }
        DoneWhat::Job(Job::Withdrawn { announced }) => {
            *what = format!("{}_ended", spelt(*announced));
        }
    }
    cells
}

fn spelt(announced: Announced) -> String {
    let name = serde_json::to_value(announced).unwrap_or_default();
    name.as_str().unwrap_or_default().to_owned()
}

/// A text that no spreadsheet takes for a formula.
fn harmless(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        format!("'{text}")
    } else {
        text.to_owned()
    }
}

/// The form of a flow test, and the newest one's result.
pub fn flow(
    view: &View,
    device: &Device,
    history: &WorkHistory,
    refused: Option<(&Form, Say)>,
) -> Markup {
    let field = |name: &str, label: Say| {
        html! {
            label for=(name) { (view.say(label)) }
            input #(name) name=(name) type="number" step="any" min="0" required inputmode="decimal"
                value=[refused.map(|(sent, _)| sent.get(name))];
        }
    };
    html! {
        section.noprint {
            h2 #flow-test { (view.say(FLOW)) }
            @if let Some((done, test)) = history.newest_test() {
                p.note { (view.say(NEWEST)) " · " (view.moment(done.at)) " · " (done.who) }
                @if let Ok(result) = summed(view, test) { (result) }
            }
            @if view.who.may(Right::CheckHydrant) {
                @if let Some((_, why)) = refused { p.wrong role="alert" { (view.say(why)) } }
                form.stack method="post" action={ (device_path(&device.id)) "/flow" } {
                    (view.proof())
                    (field("static", STATIC)) (field("residual", RESIDUAL)) (field("flow", FLOWED))
                    label for="flow-note" { (view.say(NOTE)) }
                    input #flow-note name="note" maxlength="500"
                        value=[refused.map(|(sent, _)| sent.get("note"))];
                    button type="submit" { (view.say(KEEP)) }
                }
                p.note { (view.say(FLOW_SAYS)) }
            }
        }
    }
}

fn summed(view: &View, test: &FlowTest) -> Result<Markup, NoFlow> {
    let (gb, nfpa) = (test.at(GB_RESIDUAL_KPA)?, test.at(NFPA_RESIDUAL_KPA)?);
    let class = match test.class()? {
        FlowClass::Aa => "AA",
        FlowClass::A => "A",
        FlowClass::B => "B",
        FlowClass::C => "C",
    };
    let verdict = if gb >= GB_FLOW_LPS { ENOUGH } else { TOO_LITTLE };
    Ok(html! {
        dl.facts #flow-result role="status" {
            dt { (view.say(AT_100)) } dd { strong { (format!("{gb:.1}")) " L/s" } " · " (view.say(verdict)) }
            dt { (view.say(AT_20PSI)) } dd { strong { (format!("{nfpa:.1}")) " L/s" } " · " (class) }
        }
    })
}

/// Takes a flow test: it is kept, or the page says why not.
pub async fn tested(view: View, Id(id): Id, sent: Form) -> Result<Response, Oops> {
    view.who.needs(Right::CheckHydrant)?;
    let device = super::device::registered(&view, &id).await?;
    if device.kind != Kind::Hydrant {
        return Err(Problem::unknown(Thing::Hydrant, &id).into());
    }
    let note = text("note", sent.get("note"))?;
    let number = |name| sent.get(name).trim().parse::<f64>().ok();
    let test = match (number("static"), number("residual"), number("flow")) {
        (Some(static_kpa), Some(residual_kpa), Some(flow_lps)) => {
            FlowTest { static_kpa, residual_kpa, flow_lps }
        }
        _ => return super::device::refused(&view, &id, &sent, NUMBERS).await,
    };
    match test.at(GB_RESIDUAL_KPA) {
        Err(NoFlow::OutOfRange) => super::device::refused(&view, &id, &sent, OUT_OF_RANGE).await,
        Err(NoFlow::NoFall) => super::device::refused(&view, &id, &sent, NO_FALL).await,
        Ok(_) => {
            let job = Job::FlowTest { test, note };
            let scope = Scope::Device(device.id.clone());
            let work = Work::new(&scope, view.now, &view.who.name, job);
            view.api.accounts.with(move |book| book.worked(&work)).await?;
            view.api.did(&view.who, "flow_test", &id).await;
            Ok(Redirect::to(&format!("{}#flow-test", device_path(&device.id))).into_response())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::harmless;

    #[test]
    fn no_cell_is_a_formula() {
        for (text, cell) in [
            ("valve oiled", "valve oiled"),
            ("=HYPERLINK(\"http://evil\")", "'=HYPERLINK(\"http://evil\")"),
            ("@SUM(1)", "'@SUM(1)"),
            ("-1", "'-1"),
            ("", ""),
        ] {
            assert_eq!(harmless(text), cell);
        }
    }
}
