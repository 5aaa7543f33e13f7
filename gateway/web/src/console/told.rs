//! Who was told of an incident and has not answered, and whom to call: shown without a click wherever
//! somebody decides.

use maud::{Markup, html};
use standpipe_store::views::evidence::IncidentEvidence;
use standpipe_store::views::loud::ToldRow;

use super::text::{Say, say};
use super::view::View;

const TOLD: Say = say("Told", "已通知");
const NOBODY: Say = say("Nobody was told.", "尚未通知任何人。");
const RECEIVED: Say = say("received", "已收到");
const NO_ANSWER: Say = say("has not answered", "未确认");
const GAVE_UP: Say = say("could not be reached", "未能送达");
const STEP: Say = say("step {}", "第 {} 级");
const CALL: Say = say("Call the station", "致电站点");

/// A receiver's place in the list: what is missing stands out.
fn answer(row: &ToldRow) -> (&'static str, Say) {
    match (row.delivered_at, row.gave_up) {
        (Some(_), _) => ("received", RECEIVED),
        (None, true) => ("missing", GAVE_UP),
        (None, false) => ("missing", NO_ANSWER),
    }
}

/// Who was told, each with whether and when it confirmed that.
pub fn told(view: &View, found: &IncidentEvidence) -> Markup {
    html! {
        section.told aria-label=(view.say(TOLD)) {
            h3 { (view.say(TOLD)) }
            @if found.told.is_empty() { p { (view.say(NOBODY)) } }
            ul.plainlist {
                @for row in &found.told {
                    @let (class, words) = answer(row);
                    @let name = found.names.get(&row.receiver).unwrap_or(&row.receiver);
                    li class=(class) {
                        strong { (name) } " · " (view.say(STEP).replace("{}", &row.step.to_string()))
                        " · " span.answer { (view.say(words)) } " "
                        (view.clock(row.delivered_at.unwrap_or(row.at)))
                    }
                }
            }
        }
    }
}

/// The station's telephone, as a link that dials.
pub fn phone(view: &View, found: &IncidentEvidence) -> Markup {
    html! {
        @if let Some(phone) = &found.phone {
            p.phone { (view.say(CALL)) " " a href={ "tel:" (dialled(phone)) } { (phone) } }
        }
    }
}

/// What a telephone dials of a number as people write it.
fn dialled(phone: &str) -> String {
    let (plus, rest) = phone.trim().strip_prefix('+').map_or(("", phone), |rest| ("+", rest));
    let digits = rest.chars().filter(|sign| sign.is_ascii_digit() || matches!(sign, '*' | '#'));
    format!("{plus}{}", digits.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::super::text::Lang;
    use super::{answer, dialled};
    use standpipe_config::Language;
    use standpipe_store::views::loud::ToldRow;

    const EN: Lang = Lang::usual(Language::English);

    #[test]
    fn a_number_is_dialled_however_it_is_written() {
        for (written, digits) in
            [("023-6621 0119", "02366210119"), ("+86 23 6621", "+86236621"), ("119", "119")]
        {
            assert_eq!(dialled(written), digits);
        }
    }

    #[test]
    fn who_has_not_confirmed_stands_out() {
        let row = |delivered_at, gave_up| ToldRow {
            kind: "station".into(),
            receiver: "T1".into(),
            step: 1,
            at: 1,
            delivered_at,
            gave_up,
        };
        for (delivered_at, gave_up, class, words) in [
            (Some(2), false, "received", "received"),
            (Some(2), true, "received", "received"),
            (None, false, "missing", "has not answered"),
            (None, true, "missing", "could not be reached"),
        ] {
            let (found, said) = answer(&row(delivered_at, gave_up));
            assert_eq!((found, EN.of_say(said)), (class, words));
        }
    }
}
