//! The settings of a function as they come in: checked, and written out in full.

use serde_json::Value;
use stoa_functions::spec::Draft;
use stoa_functions::{Spec, SpecError};
use stoa_model::function::variable;
use stoa_storage::StorageError;

use crate::problem::{Problem, Result};

pub(super) fn checked(settings: Value) -> Result<Value> {
    let draft: Draft =
        serde_json::from_value(settings).map_err(|error| Problem::field("settings", format!("{error}.")))?;
    for name in draft.environment.keys() {
        variable("settings.environment", name)?;
    }
    let spec = Spec::try_from(draft).map_err(|error| Problem::field(&field(&error), format!("{error}.")))?;
    serde_json::to_value(Draft::from(spec)).map_err(|error| Problem::internal(error.to_string()))
}

/// What the database has against settings, where in the form that belongs.
pub(super) fn kept(error: StorageError) -> Problem {
    match error {
        StorageError::Refused("there is no such volume") => {
            Problem::field("settings.volumes", "There is no volume of that name.")
        }
        error => error.into(),
    }
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
        SpecError::Volumes
        | SpecError::VolumeName { .. }
        | SpecError::VolumePath { .. }
        | SpecError::VolumeTwice { .. }
        | SpecError::VolumeAgain { .. }
        | SpecError::VolumeUser
        | SpecError::VolumePrepared => "volumes",
        SpecError::Idle => "idle",
        SpecError::AllowedCount | SpecError::Allowed { .. } => "network",
        _ => "bindings",
    };
    format!("settings.{field}")
}
