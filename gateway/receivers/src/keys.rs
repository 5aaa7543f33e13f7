//! Keys of a `[[webhook]]` that belong to formats. The configuration reads them, because it knows where
//! they are in the file; what they mean is the format's.

/// One key that a format has for itself. Two formats may share one of the same name and shape.
#[derive(Clone, Copy, Debug)]
pub struct OwnKey {
    /// As it is written in the file.
    pub name: &'static str,
    /// How its value is written.
    pub shape: KeyShape,
    /// What holds without it, as it would be written; `None`: it is left out.
    pub default: Option<&'static str>,
    /// What it is to this format: for `deploy/SETTINGS.md`.
    pub says: &'static str,
}

/// How the value of a key is written.
#[derive(Clone, Copy, Debug)]
pub enum KeyShape {
    /// Any text, in quotes.
    Text,
    /// A list of texts.
    List {
        /// An example, for whoever wrote something else.
        wanted: &'static str,
        /// Whether one of them is understood.
        is_good: fn(&str) -> bool,
    },
}

/// What the file says under the keys of all formats, and what the chosen format finds wrong with it.
#[derive(Debug)]
pub struct OwnKeys<'a> {
    address: &'a str,
    texts: Vec<(&'static str, &'a str)>,
    lists: Vec<(&'static str, Vec<Box<str>>)>,
    faults: Vec<KeyFault>,
}

/// Something is wrong with the value of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyFault {
    /// As it is called in the configuration.
    pub key: &'static str,
    /// What is wrong, and what to do.
    pub text: &'static str,
}

impl<'a> OwnKeys<'a> {
    /// Nothing is said yet. `address`: `url`, with its token put in.
    #[must_use]
    pub const fn of(address: &'a str) -> Self {
        Self { address, texts: Vec::new(), lists: Vec::new(), faults: Vec::new() }
    }

    /// The file says this text.
    pub fn put_text(&mut self, key: &OwnKey, text: &'a str) {
        self.texts.push((key.name, text));
    }

    /// The file says this list.
    pub fn put_list(&mut self, key: &OwnKey, list: Vec<Box<str>>) {
        self.lists.push((key.name, list));
    }

    /// The address, in which braces may stand for something.
    #[must_use]
    pub const fn address(&self) -> &'a str {
        self.address
    }

    /// The text under a key.
    #[must_use]
    pub fn text(&self, key: &OwnKey) -> Option<&'a str> {
        self.texts.iter().find(|(name, _)| *name == key.name).map(|(_, text)| *text)
    }

    /// The list under a key.
    #[must_use]
    pub fn list(&self, key: &OwnKey) -> &[Box<str>] {
        let found = self.lists.iter().find(|(name, _)| *name == key.name);
        found.map(|(_, list)| &**list).unwrap_or_default()
    }

    /// Something is wrong with the value of this key.
    pub fn fault(&mut self, key: &OwnKey, text: &'static str) {
        self.faults.push(KeyFault { key: key.name, text });
    }

    /// All that is wrong, in the order it was found.
    #[must_use]
    pub fn into_faults(self) -> Vec<KeyFault> {
        self.faults
    }
}
