//! The settings of a function as they come in: checked, and written out in full.

use serde_json::Value;
use stoa_functions::spec::Draft;
use stoa_functions::{Spec, SpecError};
use stoa_model::function::variable;

use crate::problem::{Problem, Result};

pub(super) fn checked(settings: Value) -> Result<Value> {
    let draft: Draft =
        serde_json::from_value(settings).map_err(|error| Problem::field("settings", format!("{error}.")))?;
    if !draft.volumes.is_empty() {
        return Err(Problem::field("settings.volumes", "This server has no shared folders for functions."));
    }
    for name in draft.environment.keys() {
        variable("settings.environment", name)?;
    }
    let spec = Spec::try_from(draft).map_err(|error| Problem::field(&field(&error), format!("{error}.")))?;
    serde_json::to_value(Draft::from(spec)).map_err(|error| Problem::internal(error.to_string()))
}

/// Where in the form the error belongs.
fn field(error: &SpecError) -> String {
    let field = match error {
        SpecError::Range { field, .. } | SpecError::Command { field } => field,
        SpecError::Instances => "instances",
        SpecError::Prepared => "prepared",
        SpecError::VariableName { .. }
        | SpecError::VariableReserved { .. }
        | SpecError::VariableValue { .. }
        | SpecError::EnvironmentSize => "environment",
        SpecError::HealthPath => "health",
        SpecError::Volumes | SpecError::VolumePath { .. } | SpecError::VolumeTwice { .. } => "volumes",
        SpecError::Idle => "idle",
        SpecError::AllowedCount | SpecError::Allowed { .. } => "network",
        _ => "bindings",
    };
    format!("settings.{field}")
}
