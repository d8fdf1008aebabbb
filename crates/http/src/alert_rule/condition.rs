//! When a rule fires, read from what it is made with.

use crate::problem::{FieldError, Problem};
use domain::alert_rule::{Condition, NewAlertRule};

/// When a rule of a device fires, or which member of the body, below `path`, is to blame.
pub(super) fn condition(new: &NewAlertRule, path: &str) -> Result<Condition, Problem> {
    if new.selector.is_some() {
        return Err(wrong_selector(
            path,
            "unknown_field",
            "is for rules of a fleet: POST /alert-rules",
        ));
    }
    new.condition().map_err(|error| {
        let pointer = format!("{path}/clear_threshold");
        Problem::invalid(FieldError::at_pointer(
            pointer,
            "invalid_combination",
            error.to_string(),
        ))
    })
}

pub(super) fn wrong_selector(path: &str, code: &'static str, detail: &str) -> Problem {
    let pointer = format!("{path}/selector");
    Problem::invalid(FieldError::at_pointer(pointer, code, detail.to_owned()))
}
