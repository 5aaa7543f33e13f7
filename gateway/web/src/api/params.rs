//! Query parameters: read once, refused with their name, their value and what is accepted.

use axum::extract::Query;
use axum::http::Uri;
use standpipe_rules::Ms;
use standpipe_store::views::ListPage;

use super::problem::Problem;

/// Items on a page, when nobody says.
const PER_PAGE: u32 = 100;
/// Items on a page at most.
const PER_PAGE_AT_MOST: u32 = 1_000;
/// The longest free text.
const TEXT_AT_MOST: usize = 200;
/// The last moment of the year 9999: later times are typing errors.
const LAST_MS: Ms = 253_402_300_799_999;
/// How a moment is written.
pub const TIME: &str =
    "Unix milliseconds or a time such as 2026-11-23T08:00:00Z or 2026-11-23 (UTC)";

/// The parameters of one request.
pub struct Params(Vec<(String, String)>);

/// From `from` until before `to`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// First moment.
    pub from: Ms,
    /// First moment after.
    pub to: Ms,
}

impl Params {
    /// Takes the parameters apart.
    ///
    /// # Errors
    /// 400 for a parameter that is not among `accepted`, or is given twice.
    pub fn read(uri: &Uri, accepted: &[&str]) -> Result<Self, Problem> {
        let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(uri)
            .map_err(|bad| Problem::bad_request(format!("the query can't be read ({bad})")))?;
        let mut seen: Vec<&str> = Vec::new();
        for (name, value) in &pairs {
            if !accepted.contains(&name.as_str()) {
                let there = if accepted.is_empty() {
                    "none: this path takes no parameters".to_owned()
                } else {
                    format!("only {}", accepted.join(", "))
                };
                return Err(Problem::bad_parameter(name, value, &there));
            }
            if seen.contains(&name.as_str()) {
                return Err(Problem::bad_parameter(name, value, "each parameter once"));
            }
            seen.push(name);
        }
        Ok(Self(pairs))
    }

    /// The raw value, `None` where missing or empty.
    pub fn raw(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }

    /// Free text.
    ///
    /// # Errors
    /// 400 when longer than 200 characters.
    pub fn text(&self, name: &str) -> Result<Option<String>, Problem> {
        match self.raw(name) {
            Some(text) if text.chars().count() > TEXT_AT_MOST => {
                let accepted = format!("at most {TEXT_AT_MOST} characters");
                Err(Problem::bad_parameter(name, text, &accepted))
            }
            text => Ok(text.map(str::to_owned)),
        }
    }

    /// One of some names.
    ///
    /// # Errors
    /// 400 for any other.
    pub fn one_of<T: Copy>(&self, name: &str, names: &[(&str, T)]) -> Result<Option<T>, Problem> {
        let Some(value) = self.raw(name) else { return Ok(None) };
        pick(name, value, names).map(Some)
    }

    /// Some of some names, separated by commas; empty: not asked.
    ///
    /// # Errors
    /// 400 for any other.
    pub fn some_of<T: Copy>(&self, name: &str, names: &[(&str, T)]) -> Result<Vec<T>, Problem> {
        let Some(value) = self.raw(name) else { return Ok(Vec::new()) };
        value.split(',').map(|part| pick(name, part.trim(), names)).collect()
    }

    /// A whole number from `least` to `most`.
    ///
    /// # Errors
    /// 400 for anything else.
    pub fn number(&self, name: &str, least: i64, most: i64) -> Result<Option<i64>, Problem> {
        let Some(value) = self.raw(name) else { return Ok(None) };
        let bad = || {
            let accepted = format!("a whole number from {least} to {most}");
            Problem::bad_parameter(name, value, &accepted)
        };
        let number: i64 = value.parse().map_err(|_| bad())?;
        if (least..=most).contains(&number) { Ok(Some(number)) } else { Err(bad()) }
    }

    /// `page` and `per_page`.
    ///
    /// # Errors
    /// 400 when they are not whole numbers in their range.
    pub fn page(&self) -> Result<ListPage, Problem> {
        let number = |name, default, most| -> Result<u32, Problem> {
            let number = self.number(name, 1, i64::from(most))?;
            Ok(number.and_then(|number| u32::try_from(number).ok()).unwrap_or(default))
        };
        Ok(ListPage {
            page: number("page", 1, u32::MAX)?,
            per_page: number("per_page", PER_PAGE, PER_PAGE_AT_MOST)?,
        })
    }

    /// A moment.
    ///
    /// # Errors
    /// 400 for anything but Unix milliseconds, a date, or a date and time of RFC 3339.
    pub fn time(&self, name: &str) -> Result<Option<Ms>, Problem> {
        let Some(value) = self.raw(name) else { return Ok(None) };
        match moment(value) {
            Some(ms) if (0..=LAST_MS).contains(&ms) => Ok(Some(ms)),
            Some(_) | None => Err(Problem::bad_parameter(name, value, TIME)),
        }
    }

    /// `from` and `to`; the last `default_ms` until `now` where missing.
    ///
    /// # Errors
    /// 400 for a bad moment, or `from` not before `to`.
    pub fn span(&self, now: Ms, default_ms: Ms) -> Result<Span, Problem> {
        let to = self.time("to")?.unwrap_or_else(|| now.saturating_add(1));
        let from = self.time("from")?.unwrap_or_else(|| to.saturating_sub(default_ms).max(0));
        if from < to {
            return Ok(Span { from, to });
        }
        let accepted = format!("a time before `to`, which is {to}");
        Err(Problem::bad_parameter("from", &from.to_string(), &accepted))
    }
}

fn pick<T: Copy>(name: &str, value: &str, names: &[(&str, T)]) -> Result<T, Problem> {
    if let Some((_, found)) = names.iter().find(|(known, _)| *known == value) {
        return Ok(*found);
    }
    let all: Vec<&str> = names.iter().map(|(known, _)| *known).collect();
    Err(Problem::bad_parameter(name, value, &format!("one of {}", all.join(", "))))
}

/// A `+` in a query means a space; in a time it was meant as a `+`.
pub fn moment(text: &str) -> Option<Ms> {
    if let Ok(ms) = text.parse() {
        return Some(ms);
    }
    let text = text.trim().replace(' ', "+");
    if let Ok(at) = text.parse::<jiff::Timestamp>() {
        return Some(at.as_millisecond());
    }
    let date: jiff::civil::Date = text.parse().ok()?;
    let midnight = date.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    (text.len() == "2026-11-23".len()).then(|| midnight.timestamp().as_millisecond())
}

#[cfg(test)]
mod tests {
    use standpipe_store::views::ListPage;

    use super::{Params, Span, moment};

    fn params(query: &str) -> Params {
        let uri = format!("/x?{query}").parse().expect("a path");
        let accepted = ["page", "per_page", "from", "to", "state", "q"];
        Params::read(&uri, &accepted).expect("accepted parameters")
    }

    #[test]
    #[rustfmt::skip] // a table
    fn a_moment_is_milliseconds_or_a_time_with_a_zone_or_a_date() {
        for (text, ms) in [
            ("1764000000000",             Some(1_764_000_000_000)),
            ("2025-11-24T16:00:00Z",      Some(1_764_000_000_000)),
            ("2025-11-25T00:00:00+08:00", Some(1_764_000_000_000)),
            ("2025-11-25T00:00:00 08:00", Some(1_764_000_000_000)),
            ("2025-11-24",                Some(1_763_942_400_000)),
            ("2025-11-24T16:00:00",       None),
            ("2025-13-01",                None),
            ("yesterday",                 None),
            ("1.5",                       None),
            ("99999999999999999999",      None),
        ] {
            assert_eq!(moment(text), ms, "{text}");
        }
    }

    #[test]
    fn pages_and_spans_have_their_defaults() {
        assert_eq!(params("").page().ok(), Some(ListPage { page: 1, per_page: 100 }));
        let page = params("page=3&per_page=1000").page().ok();
        assert_eq!(page, Some(ListPage { page: 3, per_page: 1_000 }));
        assert_eq!(params("").span(5_000, 1_000).ok(), Some(Span { from: 4_001, to: 5_001 }));
        assert_eq!(params("from=7&to=9").span(0, 1).ok(), Some(Span { from: 7, to: 9 }));
        assert_eq!(params("to=9").span(0, 100).ok(), Some(Span { from: 0, to: 9 }));
    }

    #[test]
    #[rustfmt::skip] // a table
    fn every_refusal_names_parameter_value_and_what_is_accepted() {
        let names = [("open", 1), ("closed", 2)];
        let page = |q: &str| params(q).page().err();
        let span = |q: &str| params(q).span(1_000, 10).err();
        let some = |q: &str| params(q).some_of("state", &names).err();
        let one = |q: &str| params(q).one_of("state", &names).err();
        let read = |q: &str| {
            Params::read(&format!("/x?{q}").parse().expect("a path"), &["page", "q"]).err()
        };
        for (problem, words) in [
            (page("page=0"),          ["`page`", "`0`", "a whole number from 1 to 4294967295"]),
            (page("page=-1"),         ["`page`", "`-1`", "a whole number from 1"]),
            (page("page=two"),        ["`page`", "`two`", "a whole number"]),
            (page("per_page=1001"),   ["`per_page`", "`1001`", "from 1 to 1000"]),
            (span("from=soon"),       ["`from`", "`soon`", "Unix milliseconds or a time"]),
            (span("to=-5"),           ["`to`", "`-5`", "Unix milliseconds"]),
            (span("from=5&to=5"),     ["`from`", "`5`", "a time before `to`"]),
            (some("state=open,shut"), ["`state`", "`shut`", "one of open, closed"]),
            (one("state=open,closed"), ["`state`", "`open,closed`", "one of open, closed"]),
            (read("colour=red"),      ["`colour`", "`red`", "only page, q"]),
            (read("q=1&q=2"),         ["`q`", "`2`", "once"]),
        ] {
            let said = format!("{:?}", problem.expect("refused"));
            for word in words {
                assert!(said.contains(word), "{word} in {said}");
            }
        }
    }

    #[test]
    fn names_are_picked_and_empty_is_missing() {
        let names = [("open", 1), ("closed", 2)];
        assert_eq!(params("state=open,%20closed").some_of("state", &names).ok(), Some(vec![1, 2]));
        assert_eq!(params("state=").some_of("state", &names).ok(), Some(vec![]));
        assert_eq!(params("state=closed").one_of("state", &names).ok(), Some(Some(2)));
        assert_eq!(params("").one_of("state", &names).ok(), Some(None));
        let long = format!("q={}", "x".repeat(201));
        assert!(params(&long).text("q").is_err());
        assert_eq!(params("q=a%20b").text("q").ok(), Some(Some("a b".to_owned())));
    }
}
