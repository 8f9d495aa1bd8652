//! What the model itself expects, against what its evidence promises: the lock of a kill that believes the
//! model.

use tripline_detector::Score;
use tripline_engine::{Config, Model};

use crate::answers;

fn learned() -> Model {
    answers::learned(&Config::parse("version = 1\n").unwrap())
}

/// Evidence passes `1/α` in a share of at most `α` of the episodes that the model draws (Ville), or draws and
/// evidence are of two models. What counts for a kill is never more.
#[test]
fn what_the_model_draws_keeps_the_bound_of_its_own_evidence() {
    let forecast = learned().forecast().unwrap();
    for tenths in 10..50 {
        let log = f64::from(tenths) / 10.0;
        let chance = forecast.chance(Score::of(log));
        // One in fifty thousand is what is added for what was not drawn.
        assert!(chance <= 10.0_f64.powf(-log), "10^{log}: {chance}");
    }
    // It says something: the bound is not reached by far, and not by never drawing anything.
    assert!(forecast.chance(Score::of(1.0)) > 1e-4);
    let (line, ville) = (forecast.line(4.8e-5), Score::of(4.32));
    assert!(Score::of(2.0) < line && line < ville, "{line}");
}

#[test]
fn the_same_model_expects_the_same() {
    assert_eq!(learned().forecast(), learned().forecast());
    let nobody = Model::new(tripline_detector::Invariants::default(), Vec::new()).unwrap();
    assert_eq!(nobody.forecast(), None, "nobody is known");
}
