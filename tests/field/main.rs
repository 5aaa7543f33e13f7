//! What devices in the field get wrong, as people who run such systems have reported it, played
//! to the real gateway over a real mosquitto.
//!
//! Each file is one kind of fault. A row of a table begins with the number of its public case:
//!
//! | cases | what | where |
//! |---|---|---|
//! | 1–7, 9, 11 | bodies, words and frames of other makers on an alarm topic | [`alarms`] |
//! | 1–5, 8–11 | the same as readings: heard of, and not understood | [`readings`] |
//! | 6, 39 | other makers' wills; a retained message that is cleared | [`status`] |
//! | 7, 10, 37 | a reading with one bad member | [`readings`] |
//! | 24 | a bad row in the registry, and a restart | [`registry`] |
//! | 25 | a device's clock that falls back | [`clocks`] |
//! | 26 | a sensor that died in a node that lives | [`freshness`] |
//! | 28 | impossible temperatures | [`readings`] |
//! | 29–31 | retained alarms, wills and readings after the broker lost the session | [`retained`] |
//! | 32, 40 | a short cut in the network; devices that never spoke | [`supervision`] |
//! | 32, 52 | flapping | [`flapping`] |
//! | 38 | names of real devices, and topics that are nearly right | [`names`] |
//! | 41, 43 | the gateway's own clock | [`clocks`] |
//! | 49 | a webhook that is answered by a portal's page | [`people`] |
//! | – | a station that was never told acts on a fire | [`people`] |

mod alarms;
mod clocks;
mod flapping;
mod freshness;
mod names;
mod people;
mod readings;
mod registry;
mod retained;
mod site;
mod status;
mod supervision;
mod topics;
