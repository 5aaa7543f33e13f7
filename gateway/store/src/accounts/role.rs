//! Roles and what each may do. Where it may be done is in [`super::area`].

use serde::{Deserialize, Serialize};
use standpipe_rules::incidents::{AccountRole, ActionKind};

/// What an account or a token is: each role has its row in [`Role::may`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Looks, and does nothing.
    Viewer,
    /// Goes there: takes an incident, arrives, writes, checks a hydrant.
    Crew,
    /// Answers for incidents: also sends people, and says how it ended.
    Officer,
    /// Registers and changes devices.
    DeviceManager,
    /// May do everything, accounts too.
    Admin,
}

/// What a role may be allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right {
    Act(ActionKind),
    /// Ask a device to speak now, and write down a flow test.
    CheckHydrant,
    Devices,
    /// Announce work, a walk test, an exercise.
    Announce,
    /// Accounts, tokens and the audit log.
    Accounts,
    /// Look at what was not understood, where it may be of anybody.
    Quarantine,
}

impl Role {
    /// Every role, the least powerful first.
    pub const ALL: [Self; 5] =
        [Self::Viewer, Self::Crew, Self::Officer, Self::DeviceManager, Self::Admin];

    /// The name in files and on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Crew => "crew",
            Self::Officer => "officer",
            Self::DeviceManager => "device_manager",
            Self::Admin => "admin",
        }
    }

    /// Reads a name of [`Self::as_str`].
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == name)
    }

    /// The same, as the rules know it: what it may do to an incident is decided there.
    #[must_use]
    pub const fn account(self) -> AccountRole {
        match self {
            Self::Viewer => AccountRole::Viewer,
            Self::Crew => AccountRole::Crew,
            Self::Officer => AccountRole::Officer,
            Self::DeviceManager => AccountRole::DeviceManager,
            Self::Admin => AccountRole::Admin,
        }
    }

    /// The table of rights.
    #[must_use]
    #[rustfmt::skip] // a table should look like one
    pub const fn may(self, right: Right) -> bool {
        match (self, right) {
            (Self::Admin, _)                                                      => true,
            (role, Right::Act(action)) => role.account().may(action),
            (Self::Viewer, _)                                                     => false,
            (Self::Crew, Right::CheckHydrant)                                     => true,
            (Self::Crew, Right::Devices | Right::Announce | Right::Accounts)      => false,
            (Self::Crew, Right::Quarantine)                                       => false,
            (Self::Officer, Right::CheckHydrant | Right::Announce)                => true,
            (Self::Officer, Right::Quarantine)                                    => true,
            (Self::Officer, Right::Devices | Right::Accounts)                     => false,
            (Self::DeviceManager, Right::Accounts)                                => false,
            (Self::DeviceManager, Right::CheckHydrant | Right::Devices | Right::Announce) => true,
            (Self::DeviceManager, Right::Quarantine)                              => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Right, Role};
    use standpipe_rules::incidents::ActionKind;

    #[test]
    #[rustfmt::skip] // a table
    fn a_role_may_do_its_work_and_no_more() {
        let rights = [
            Right::Act(ActionKind::Shown), Right::Act(ActionKind::Comment),
            Right::Act(ActionKind::Acknowledge), Right::Act(ActionKind::Resolve),
            Right::CheckHydrant, Right::Devices, Right::Accounts, Right::Announce,
            Right::Quarantine,
        ];
        for (role, may) in [
            (Role::Viewer,        [true, false, false, false, false, false, false, false, false]),
            (Role::Crew,          [true, true,  true,  false, true,  false, false, false, false]),
            (Role::Officer,       [true, true,  true,  true,  true,  false, false, true, true]),
            (Role::DeviceManager, [true, true,  false, false, true,  true,  false, true, true]),
            (Role::Admin,         [true, true,  true,  true,  true,  true,  true, true, true]),
        ] {
            assert_eq!(rights.map(|right| role.may(right)), may, "{}", role.as_str());
            assert_eq!(Role::named(role.as_str()), Some(role));
        }
        assert_eq!(Role::named("root"), None);
    }
}
