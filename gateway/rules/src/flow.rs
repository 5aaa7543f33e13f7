//! What a hydrant can give, from one flow test beside it.
//!
//! Source: NFPA 291, the Hazen–Williams form `Q_R = Q × ((S − P_R) / (S − R))^0.54`.

use serde::{Deserialize, Serialize};

/// A flow test: what the gauge said at rest and while water ran.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct FlowTest {
    /// At rest, kPa.
    pub static_kpa: f64,
    /// While it flowed, kPa.
    pub residual_kpa: f64,
    /// How much flowed, L/s.
    pub flow_lps: f64,
}

/// Why a test tells nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoFlow {
    /// A number that no gauge shows.
    #[error("pressures are 0 to 2500 kPa and the flow over 0 to 500 L/s: read the gauges again")]
    OutOfRange,
    /// The pressure did not fall.
    #[error("the pressure did not fall while water flowed: open the hydrant further")]
    NoFall,
}

/// NFPA 291 §5.1: by the flow at 20 psi residual.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlowClass {
    /// 1500 gpm or more: light blue.
    Aa,
    /// 1000 to 1499 gpm: green.
    A,
    /// 500 to 999 gpm: orange.
    B,
    /// Less than 500 gpm: red.
    C,
}

/// 20 psi, which NFPA 291 rates by, kPa.
pub const NFPA_RESIDUAL_KPA: f64 = 137.9;
/// What a municipal hydrant keeps while it flows in a fire, kPa. GB 50974-2014 §7.2.8.
pub const GB_RESIDUAL_KPA: f64 = 100.0;
/// What it must give then, L/s. GB 50974-2014 §7.2.8.
pub const GB_FLOW_LPS: f64 = 15.0;
/// One US gallon a minute, L/s.
const GPM_LPS: f64 = 0.063_090_2;

impl FlowTest {
    /// The flow available at a residual pressure, L/s; 0 where the main has not even that at rest.
    ///
    /// # Errors
    /// [`NoFlow`].
    pub fn at(&self, residual_kpa: f64) -> Result<f64, NoFlow> {
        let Self { static_kpa, residual_kpa: tested, flow_lps } = *self;
        let pressures = [static_kpa, tested, residual_kpa];
        let good = pressures.iter().all(|kpa| (0.0..=2_500.0).contains(kpa));
        if !(good && flow_lps > 0.0 && flow_lps <= 500.0) {
            return Err(NoFlow::OutOfRange);
        }
        if tested >= static_kpa {
            return Err(NoFlow::NoFall);
        }
        if residual_kpa >= static_kpa {
            return Ok(0.0);
        }
        let share = (static_kpa - residual_kpa) / (static_kpa - tested);
        Ok(flow_lps * libm::pow(share, 0.54))
    }

    /// Its class by NFPA 291.
    ///
    /// # Errors
    /// [`NoFlow`].
    pub fn class(&self) -> Result<FlowClass, NoFlow> {
        let gpm = self.at(NFPA_RESIDUAL_KPA)? / GPM_LPS;
        Ok(match gpm {
            flow if flow >= 1_500.0 => FlowClass::Aa,
            flow if flow >= 1_000.0 => FlowClass::A,
            flow if flow >= 500.0 => FlowClass::B,
            _ => FlowClass::C,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{FlowClass, FlowTest, NoFlow};

    const TEST: FlowTest = FlowTest { static_kpa: 414.0, residual_kpa: 276.0, flow_lps: 63.1 };

    #[test]
    #[rustfmt::skip] // a table
    fn the_flow_falls_as_the_pressure_asked_for_rises() {
        for (residual, flow) in [
            (276.0, 63.1),              // what was tested
            (138.0, 63.1 * 1.453_973),  // (414 − 138) / (414 − 276) = 2; 2^0.54
            (414.0, 0.0),
            (500.0, 0.0),               // more than the main has
        ] {
            let got = TEST.at(residual).unwrap();
            assert!((got - flow).abs() < 0.01, "{residual}: {got}");
        }
    }

    /// To the last bit, so that a hydrant at the edge of a class is of one class everywhere.
    #[test]
    fn every_machine_decides_alike() {
        let flows = (0..4_000_u32).map(|n| TEST.at(f64::from(n) / 10.0).unwrap().to_bits());
        let bits = flows.fold(0, |bits: u64, flow| bits.rotate_left(1) ^ flow);
        assert_eq!(bits, 18_361_682_286_177_369_349);
    }

    #[test]
    fn a_class_is_by_the_flow_at_20_psi() {
        for (flow_lps, class) in [
            (66.0, FlowClass::Aa),
            (63.0, FlowClass::A),
            (30.0, FlowClass::B),
            (20.0, FlowClass::C),
        ] {
            assert_eq!(FlowTest { flow_lps, ..TEST }.class(), Ok(class), "{flow_lps}");
        }
    }

    #[test]
    #[rustfmt::skip] // a table
    fn a_test_that_tells_nothing_is_refused() {
        for (test, why) in [
            (FlowTest { residual_kpa: 414.0, ..TEST }, NoFlow::NoFall),
            (FlowTest { residual_kpa: 500.0, ..TEST }, NoFlow::NoFall),
            (FlowTest { flow_lps: 0.0, ..TEST },       NoFlow::OutOfRange),
            (FlowTest { flow_lps: f64::NAN, ..TEST },  NoFlow::OutOfRange),
            (FlowTest { static_kpa: -5.0, ..TEST },    NoFlow::OutOfRange),
            (FlowTest { static_kpa: f64::INFINITY, ..TEST }, NoFlow::OutOfRange),
        ] {
            assert_eq!(test.at(100.0), Err(why), "{test:?}");
        }
    }
}
