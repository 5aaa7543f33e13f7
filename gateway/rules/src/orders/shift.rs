//! The gateway's clock was set: commands are waited for as long as they were going to be.

use super::{DeviceCommand, Orders};
use crate::shift::moment;
use crate::{Changes, Ms};

impl Orders {
    /// The gateway's clock was set by so much. When something was wished, sent or answered was
    /// shown to people and stays.
    pub(crate) fn shift(&mut self, by: Ms, out: &mut Changes) {
        let Self {
            wishes: _,
            settings: _,
            due: _,
            told_at,
            commands,
            timers,
            unanswered: _,
            resends,
        } = self;
        moment(told_at, by);
        for command in commands.values_mut() {
            let DeviceCommand {
                id: _,
                device: _,
                command: _,
                seconds: _,
                by: _,
                state: _,
                detail: _,
                created_at: _,
                expires_at,
                sent_at: _,
                answered_at: _,
                number: _,
                resends: _,
                resend_owed: _,
                resend_at,
            } = command;
            moment(expires_at, by);
            resend_at.iter_mut().for_each(|at| moment(at, by));
        }
        *timers = commands
            .values()
            .map(|command| (Self::over_at(command), command.number, command.id))
            .collect();
        *resends = commands
            .values()
            .filter_map(|command| Some((command.resend_at?, command.number, command.id)))
            .collect();
        out.commands.extend(commands.values().cloned());
    }
}
