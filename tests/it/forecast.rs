//! What the model itself expects, against what its evidence promises: the lock of a kill that believes the
//! model.

use tripline_detector::{Budgets, Calibration, Forecast, Invariants, Score};
use tripline_engine::{Config, Model};
use tripline_text::Untrusted;

use crate::answers;

fn learned() -> Model {
    answers::learned(&Config::parse("version = 1\n").unwrap())
}

/// Of a model in which this agent was at work.
fn forecast(model: &Model, agent: &'static str) -> Option<Forecast> {
    let mut calibration = Calibration::default();
    calibration.add(&Untrusted::borrowed(agent), 3_000, 30_000, [(Score::default(), 3_000)]);
    model.forecast(&calibration, &Budgets::default())
}

/// Evidence passes `1/α` in a share of at most `α` of the episodes that the model draws (Ville), or draws and
/// evidence are of two models. What counts for a kill is never more.
#[test]
fn what_the_model_draws_keeps_the_bound_of_its_own_evidence() {
    let forecast = forecast(&learned(), "oncall").unwrap();
    for tenths in 10..50 {
        let log = f64::from(tenths) / 10.0;
        let chance = forecast.chance(Score::of(log));
        assert!(chance <= 10.0_f64.powf(-log), "10^{log}: {chance}");
    }
    // It says something: the bound is not reached by far, and not by never drawing anything.
    assert!(forecast.chance(Score::of(1.0)) > 1e-4);
    let (line, ville) = (forecast.line(4.8e-5), Score::of(4.32));
    assert!(Score::of(2.0) < line && line < ville, "{line}");
}

#[test]
fn the_same_model_expects_the_same() {
    assert_eq!(forecast(&learned(), "oncall"), forecast(&learned(), "oncall"));
    assert_eq!(forecast(&learned(), "gone"), None, "nobody else was at work");
    let mut short = Calibration::default();
    short.add(&Untrusted::borrowed("oncall"), 30, 300, [(Score::default(), 30)]);
    let of_a_month = learned().forecast(&short, &Budgets::default());
    assert_eq!(of_a_month, None, "nothing is armed by it");
    let nobody = Model::new(Invariants::default(), Vec::new()).unwrap();
    assert_eq!(forecast(&nobody, "oncall"), None, "nobody is known");
}
