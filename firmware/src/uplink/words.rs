//! A status and an answer as JSON, in a fraction of the flash that a general serializer takes. The
//! members are those of `standpipe-shared`, which the test below holds.

use standpipe_shared::{Reply, Status};

use crate::json::{TooSmall, Writer};

/// The length of what was written.
pub(super) fn status(status: &Status<'_>, into: &mut [u8]) -> Result<usize, TooSmall> {
    let mut to = Writer::new(into)?;
    to.flag("online", status.online)?;
    let number = |number: Option<u32>| number.map(i64::from);
    for (name, number) in [
        ("boot", number(status.boot)),
        ("interval_s", number(status.interval_s)),
        ("rev", number(status.rev)),
        ("lost", number(status.lost)),
        ("refused", number(status.refused)),
        ("attach_s", number(status.attach_s)),
        ("rsrp_dbm", status.rsrp_dbm.map(i64::from)),
        ("snr_db", status.snr_db.map(i64::from)),
        ("calls", number(status.calls)),
        ("modem_mah", number(status.modem_mah)),
    ] {
        if let Some(number) = number {
            to.whole(name, number)?;
        }
    }
    for (name, text) in [
        ("firmware", status.firmware),
        ("build", status.build),
        ("model", status.model),
        ("reset", status.reset),
        ("storage", status.storage),
        ("imei", status.imei),
        ("iccid", status.iccid),
        ("modem", status.modem),
        ("dial_fault", status.dial_fault),
    ] {
        if let Some(text) = text {
            to.text(name, text)?;
        }
    }
    if let Some(uncalibrated) = status.uncalibrated {
        to.flag("uncalibrated", uncalibrated)?;
    }
    to.end()
}

/// The length of what was written.
pub(super) fn reply(reply: &Reply<'_>, into: &mut [u8]) -> Result<usize, TooSmall> {
    let mut to = Writer::new(into)?;
    to.text("id", reply.id)?;
    to.flag("ok", reply.ok)?;
    to.text("detail", reply.detail)?;
    to.end()
}

#[cfg(test)]
mod tests {
    extern crate std;
    use standpipe_shared::{Reply, Status};

    /// Every member, so that one that is added and forgotten here fails to compile or to compare.
    const FULL: Status<'static> = Status {
        online: true,
        boot: Some(u32::MAX),
        firmware: Some("0.1.0"),
        model: Some("SP-H1"),
        interval_s: Some(900),
        reset: Some("power_on"),
        rev: Some(4),
        lost: Some(2),
        storage: Some("corrupt"),
        build: Some("0123abcd-dirty"),
        uncalibrated: Some(true),
        refused: Some(3),
        imei: Some("864475040000001"),
        iccid: Some("89860449101891234567"),
        modem: Some("BG95M3LAR02A03_01.013.01"),
        attach_s: Some(65_535),
        rsrp_dbm: Some(-140),
        snr_db: Some(-20),
        dial_fault: Some("no_network"),
        calls: Some(u32::MAX),
        modem_mah: Some(u32::MAX),
    };

    #[test]
    fn every_member_is_written_as_the_contract_says_and_fits() {
        let empty = Status { online: false, ..Status::default() };
        for status in [FULL, empty, Status { online: true, ..Status::default() }] {
            let mut bytes = [0; super::super::run::PAYLOAD];
            let length = super::status(&status, &mut bytes).unwrap_or(0);
            assert_eq!(serde_json::from_slice::<Status<'_>>(&bytes[..length]).unwrap(), status);
        }
        let reply = Reply { id: "settings-4294967295", ok: false, detail: "no \"water\" \\ 水" };
        let mut bytes = [0; 128];
        let length = super::reply(&reply, &mut bytes).unwrap_or(0);
        assert_eq!(&bytes[..length], serde_json::to_vec(&reply).unwrap());
    }
}
