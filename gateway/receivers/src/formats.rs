//! The list of formats, and a format a file. Adding one: its file, and its two lines here.

use crate::answer::Answer;
use crate::attempt::Attempt;
use crate::facts::{Carrier, FormatFacts, ReceiverFormat};
use crate::keys::{OwnKey, OwnKeys};

mod cap;
mod dingtalk;
mod feishu;
mod json;
mod mail;
mod robot;
mod sms;
mod wecom;

/// Makes an enum of all formats, and the list that the configuration's reader goes by, out of one list:
/// the two can't come apart, and the enum needs no method but what every format has.
macro_rules! list {
    ($($module:ident::$format:ident),+ $(,)?) => {
        $(pub use $module::$format;)+

        /// What a webhook is sent: its format, with what that format's own keys say.
        #[derive(Clone, Debug, PartialEq, Eq)]
        #[allow(missing_docs, reason = "each is documented in its file")]
        pub enum WebhookFormat { $($format($format)),+ }

        impl WebhookFormat {
            /// What holds for every receiver of this format.
            #[must_use]
            pub const fn facts(&self) -> &'static FormatFacts {
                match self { $(Self::$format(_) => &<$format as ReceiverFormat>::FACTS),+ }
            }

            /// Renders a message, sends it once, and judges the answer.
            pub async fn send(&self, attempt: &Attempt<'_>) -> Answer {
                let answer = match self { $(Self::$format(own) => own.send(attempt).await),+ };
                answer.unwrap_or_else(|early| early)
            }
        }

        static LIST: &[ListedFormat] = &[$(ListedFormat {
            facts: &<$format as ReceiverFormat>::FACTS,
            parse: |own| <$format as ReceiverFormat>::parse(own).map(WebhookFormat::$format),
        }),+];
    };
}

list! {
    json::Json,
    cap::Cap,
    dingtalk::DingTalk,
    wecom::WeCom,
    feishu::Feishu,
    mail::MailFormat,
    sms::Sms,
}

/// The format of a webhook that names none.
pub const DEFAULT: &str = <Json as ReceiverFormat>::FACTS.name;

/// The format of this name; `None`: there is none.
#[must_use]
pub fn named(name: &str) -> Option<&'static ListedFormat> {
    LIST.iter().find(|format| format.facts.name == name)
}

/// All of them, as they are listed.
pub fn all() -> impl Iterator<Item = &'static FormatFacts> {
    LIST.iter().map(|format| format.facts)
}

/// Their names for a message, those that are sent by HTTP first: `"json", "cap" or "mail"`.
#[must_use]
pub fn names() -> String {
    let carried = |by| all().filter(move |facts| facts.carrier == by);
    let names = carried(Carrier::Http).chain(carried(Carrier::Smtp));
    let names: Vec<String> = names.map(|facts| format!("\"{}\"", facts.name)).collect();
    match names.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        Some(_) | None => names.concat(),
    }
}

/// The keys of all formats; one that several share is there once, as the first of them has it.
#[must_use]
pub fn own_keys() -> Vec<&'static OwnKey> {
    let mut keys: Vec<&OwnKey> = Vec::new();
    for key in all().flat_map(|facts| facts.keys) {
        if !keys.iter().any(|known| known.name == key.name) {
            keys.push(key);
        }
    }
    keys
}

/// A format of the list, as the configuration's reader knows it.
#[derive(Debug)]
pub struct ListedFormat {
    /// What holds for every receiver of this format.
    pub facts: &'static FormatFacts,
    /// [`ReceiverFormat::parse`]
    pub parse: fn(&mut OwnKeys<'_>) -> Option<WebhookFormat>,
}

#[cfg(test)]
mod tests {
    use super::{LIST, all, named, names, own_keys};
    use crate::facts::{Carrier, DigestSupport, EarlierMessages};
    use crate::keys::KeyShape;

    #[test]
    fn names_tell_formats_apart_and_shared_keys_are_written_alike() {
        for (at, format) in LIST.iter().enumerate() {
            let twice = LIST.iter().skip(at + 1).any(|other| other.facts.name == format.facts.name);
            assert!(!twice, "two formats are called {}", format.facts.name);
        }
        let written = |shape| match shape {
            KeyShape::Text => "a text",
            KeyShape::List { wanted, .. } => wanted,
        };
        for key in all().flat_map(|facts| facts.keys) {
            let known = own_keys().into_iter().find(|known| known.name == key.name).unwrap();
            assert_eq!(written(known.shape), written(key.shape), "{}", key.name);
            assert_eq!(known.default, key.default, "{}", key.name);
        }
    }

    #[test]
    fn a_message_names_all_of_them() {
        let listed = r#""json", "cap", "dingtalk", "wecom", "feishu", "sms" or "mail""#;
        assert_eq!(names(), listed);
    }

    #[test]
    #[rustfmt::skip] // a table
    fn what_holds_for_every_receiver_of_a_format() {
        for (name, listed_as, carrier, own_keys, facts) in [
            ("json",     "webhook",  Carrier::Http, 0, "digests, 200 in 1 s"),
            ("cap",      "cap",      Carrier::Http, 0, "refers, 200 in 1 s"),
            ("dingtalk", "dingtalk", Carrier::Http, 0, "digests, 20 in 60 s"),
            ("wecom",    "wecom",    Carrier::Http, 0, "digests, 20 in 60 s"),
            ("feishu",   "feishu",   Carrier::Http, 0, "digests, 20 in 60 s"),
            ("mail",     "mail",     Carrier::Smtp, 3, "digests, 20 in 60 s"),
            ("sms",      "sms",      Carrier::Http, 5, "digests, 1 in 1 s"),
        ] {
            let format = named(name).unwrap().facts;
            let found = (format.listed_as, format.carrier, format.keys.len());
            assert_eq!(found, (listed_as, carrier, own_keys), "{name}");
            let digests = (format.digests == DigestSupport::Taken).then(|| "digests".to_owned());
            let refers = (format.earlier == EarlierMessages::ReferredTo).then(|| "refers".to_owned());
            let pace = format!("{} in {} s", format.pace.messages, format.pace.within_ms / 1_000);
            let said: Vec<String> = [digests, refers, Some(pace)].into_iter().flatten().collect();
            assert_eq!(said.join(", "), facts, "{name}");
        }
        assert!(named("fax").is_none());
        assert_eq!(super::DEFAULT, "json");
    }
}
