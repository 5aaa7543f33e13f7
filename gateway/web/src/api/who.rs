//! Who asks: an account, a token, or somebody at this machine.

use std::sync::Arc;

use standpipe_rules::incidents::Actor;
use standpipe_store::accounts::{Area, Right, Role};

/// Somebody who was let in.
#[derive(Clone, Debug)]
pub struct Who {
    /// Their account's or token's name.
    pub name: Box<str>,
    /// What they are.
    pub role: Role,
    /// Their station; `None`: all are theirs.
    pub station: Option<Box<str>>,
    /// What they may see.
    pub area: Area,
    /// How they came in.
    pub by: By,
}

/// How somebody came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum By {
    /// A browser's cookie, and the proof its forms must carry.
    Session {
        /// The proof.
        csrf: Arc<str>,
    },
    /// From this machine, where that is enough (`standpipe demo`), and the proof its forms carry.
    ThisMachine {
        /// The proof.
        csrf: Arc<str>,
    },
    /// `Authorization: Bearer`, which no foreign page can send.
    Token,
}

impl Who {
    /// Whether they may do that, where they may do anything.
    #[must_use]
    pub const fn may(&self, right: Right) -> bool {
        self.role.may(right)
    }

    /// Who acts, as the rules know them.
    #[must_use]
    pub fn actor(&self) -> Actor {
        let (name, station) = (self.name.clone(), self.station.clone());
        Actor::Account { name, role: self.role.account(), station }
    }

    /// The proof that a form comes from our own page; empty where none is needed.
    #[must_use]
    pub fn csrf(&self) -> &str {
        match &self.by {
            By::Session { csrf } | By::ThisMachine { csrf } => csrf,
            By::Token => "",
        }
    }
}
