//! The gateway's clock was set: steps, repetitions, patience and absences keep what is left of
//! them.
//!
//! An open incident moves as a whole, also in what is shown of it: what was opened while the clock was
//! ahead does not lie in the future when that is set right. Its trail moves in the store. Times that
//! people set themselves, those of announcements, are of the wall and stay.

use standpipe_shared::Class;

use super::{Book, Meta};
use crate::changes::{Page, Presence};
use crate::fact::Subject;
use crate::incidents::damp::{Flaps, Held, Sounded};
use crate::incidents::incident::Decided;
use crate::incidents::mute::Window;
use crate::incidents::{Incident, Member};
use crate::shift::{maybe, moment};
use crate::{Changes, Ms};

impl Book {
    /// The gateway's clock was set by so much.
    pub fn shift(&mut self, by: Ms, out: &mut Changes) {
        let Self {
            plan: _,
            secret: _,
            meta,
            incidents,
            order: _,
            cause: _,
            first_came: _,
            past: _,
            newest: _,
            home: _,
            at_home: _,
            fires_of: _,
            fires_in: _,
            fires: _,
            thirsty: _,
            hydrants: _,
            topics: _,
            closed: _,
            timers,
            owed,
            unconfirmed: _,
            owed_to: _,
            bundle_of: _,
            bundles: _,
            presence,
        } = self;
        let Meta { numbers: _, reminded, looked_at, windows, sounded, kept: _ } = meta;
        sounded.iter_mut().for_each(|sound| sound.shift(by));
        reminded.iter_mut().for_each(|(_, at)| moment(at, by));
        moment(looked_at, by);
        out.book_meta = true;
        for incident in incidents.values_mut() {
            incident.shift(by, windows);
        }
        timers.clear(); // each incident brings its own again
        for page in owed.values_mut() {
            let Page {
                at,
                page_id: _,
                number: _,
                incident: _,
                episode: _,
                step: _,
                repeat: _,
                receiver: _,
                urgency: _,
                company: _,
            } = page;
            moment(at, by);
        }
        for station in presence.values_mut() {
            let Presence { station: _, online: _, at } = station;
            moment(at, by);
        }
        out.presence.extend(presence.values().cloned());
        for id in self.open().map(|incident| incident.id).collect::<Vec<_>>() {
            if let Some(mut incident) = self.take(id) {
                incident.rev += 1; // stations see its times anew
                self.keep(incident, out);
            }
        }
    }
}

impl Incident {
    fn shift(&mut self, by: Ms, windows: &[Window]) {
        let Self {
            id: _,
            number: _,
            rev: _,
            class,
            subject: _,
            station: _,
            state: _,
            severity: _,
            episode: _,
            opened_at,
            since,
            updated_at,
            closed_at: _, // it is open
            late_s: _,
            outcome: _,
            parent: _,
            children: _,
            step: _,
            next_step_at: _, // follows from the others
            value: _,
            hydrants: _,
            detail: _,
            said: _,
            flaps,
            sounded,
            held,
            settles_at,
            decided,
            confirm_by,
            members,
            boards: _,
            homes: _,
            building: _,
            repeat: _,
            episode_at,
            step_at,
            work_until,
            active_at,
            paged_at: _, // a record
            dispatched: _,
            unverified: _,
            verdict: _,
            told: _,
            shown: _,
            timer: _, // follows from the others
        } = self;
        for at in [opened_at, since, updated_at, episode_at, step_at, work_until, active_at] {
            moment(at, by);
        }
        for Flaps { subject: _, condition: _, times: _, first, last, told: _ } in flaps {
            moment(first, by);
            moment(last, by);
        }
        sounded.iter_mut().for_each(|sound| sound.shift(by));
        for Held { subject: _, condition: _, until } in held {
            moment(until, by);
        }
        maybe(settles_at, by);
        if let Some(decided) = decided {
            let Decided { until, before: _, verdict: _, active: _, settles_at, proven: _ } =
                decided;
            moment(until, by);
            maybe(settles_at, by);
        }
        maybe(confirm_by, by);
        for member in members {
            member.shift(*class, by, windows);
        }
    }
}

impl Sounded {
    const fn shift(&mut self, by: Ms) {
        let Self { subject: _, condition: _, at } = self;
        moment(at, by);
    }
}

impl Member {
    /// Since when it is true moves as it does in the device's own memory. What mutes a condition is
    /// an announcement, and ends with it; what mutes a fire ends sooner: that is a patience of ours.
    fn shift(&mut self, class: Class, by: Ms, windows: &[Window]) {
        let Self {
            subject,
            condition: _,
            since,
            cleared_at: _, // a record
            quiet: _,
            quiet_until,
            reason: _,
            weight: _,
            left_at,
        } = self;
        moment(since, by);
        maybe(left_at, by);
        if class != Class::Fire {
            return;
        }
        maybe(quiet_until, by);
        let Subject::Device(ix) = subject else { return };
        let lists = windows.iter().filter(|window| window.devices.contains(ix));
        if let (Some(at), Some(end)) = (quiet_until, lists.map(|window| window.until).max()) {
            *at = end.min(*at);
        }
    }
}
