//! Every option with its type and its range.

use super::{ModelOptions, OptionError};
use crate::protocol::{MAX_STOP_BYTES, MAX_STOPS};
use stoa_model::json::Json;

/// The longest context, and so the most tokens of anything.
const MAX_TOKENS: f64 = 1_073_741_824.0;

/// The largest whole number that every number of JSON holds exactly.
const MAX_SEED: f64 = 9_007_199_254_740_992.0;

/// Sets the option `name`; false when there is none of that name.
pub(super) fn set(options: &mut ModelOptions, name: &str, value: &Json) -> Result<bool, OptionError> {
    let (sampling, load) = (&mut options.sampling, &mut options.load);
    match name {
        "num_keep" => integer("num_keep", value, -1.0, MAX_TOKENS, &mut sampling.num_keep)?,
        "seed" => integer("seed", value, -1.0, MAX_SEED, &mut sampling.seed)?,
        "num_predict" => integer("num_predict", value, -2.0, MAX_TOKENS, &mut sampling.num_predict)?,
        "top_k" => integer("top_k", value, 0.0, 1_048_576.0, &mut sampling.top_k)?,
        "top_p" => number("top_p", value, 0.0, 1.0, &mut sampling.top_p)?,
        "min_p" => number("min_p", value, 0.0, 1.0, &mut sampling.min_p)?,
        "typical_p" => number("typical_p", value, 0.0, 1.0, &mut sampling.typical_p)?,
        "repeat_last_n" => integer("repeat_last_n", value, -1.0, MAX_TOKENS, &mut sampling.repeat_last_n)?,
        "temperature" => number("temperature", value, 0.0, 2.0, &mut sampling.temperature)?,
        // The sampler divides by it.
        "repeat_penalty" => number("repeat_penalty", value, 0.01, 10.0, &mut sampling.repeat_penalty)?,
        "presence_penalty" => number("presence_penalty", value, -2.0, 2.0, &mut sampling.presence_penalty)?,
        "frequency_penalty" => number("frequency_penalty", value, -2.0, 2.0, &mut sampling.frequency_penalty)?,
        "stop" => stop(value, &mut sampling.stop)?,
        "num_ctx" => integer("num_ctx", value, 4.0, MAX_TOKENS, &mut load.num_ctx)?,
        "num_batch" => integer("num_batch", value, 1.0, 65_536.0, &mut load.num_batch)?,
        "num_gpu" => integer("num_gpu", value, -1.0, 65_536.0, &mut load.num_gpu)?,
        "main_gpu" => integer("main_gpu", value, 0.0, 1_024.0, &mut load.main_gpu)?,
        "use_mmap" => truth("use_mmap", value, &mut load.use_mmap)?,
        "num_thread" => integer("num_thread", value, 0.0, 4_096.0, &mut load.num_thread)?,
        "draft_num_predict" => integer("draft_num_predict", value, 0.0, 1_024.0, &mut load.draft_num_predict)?,
        _ => return Ok(false),
    }
    Ok(true)
}

fn wrong_type(name: &'static str, expected: &'static str, found: &Json) -> OptionError {
    OptionError::WrongType { name, expected, found: found.kind() }
}

fn in_range(name: &'static str, value: f64, minimum: f64, maximum: f64) -> Result<f64, OptionError> {
    if (minimum..=maximum).contains(&value) {
        Ok(value)
    } else {
        Err(OptionError::OutOfRange { name, minimum, maximum, value })
    }
}

#[expect(clippy::cast_possible_truncation, reason = "values of a few units lose nothing that a sampler notices")]
fn number(
    name: &'static str,
    value: &Json,
    minimum: f64,
    maximum: f64,
    into: &mut Option<f32>,
) -> Result<(), OptionError> {
    let number = match value {
        Json::Null => return Ok(()),
        Json::Number(number) => number.as_f64(),
        other => return Err(wrong_type(name, "a number", other)),
    };
    *into = Some(in_range(name, number.unwrap_or(f64::NAN), minimum, maximum)? as f32);
    Ok(())
}

/// A whole number, which may be written as `4096.0`.
#[expect(clippy::cast_possible_truncation, reason = "the range is far inside of what 64 bits hold")]
fn integer<T: TryFrom<i64>>(
    name: &'static str,
    value: &Json,
    minimum: f64,
    maximum: f64,
    into: &mut Option<T>,
) -> Result<(), OptionError> {
    let number = match value {
        Json::Null => return Ok(()),
        Json::Number(number) => number.as_f64().unwrap_or(f64::NAN),
        other => return Err(wrong_type(name, "a whole number", other)),
    };
    if number.fract() != 0.0 {
        return Err(OptionError::WrongType { name, expected: "a whole number", found: "a fraction" });
    }
    let whole = in_range(name, number, minimum, maximum)? as i64;
    let whole = T::try_from(whole).map_err(|_| OptionError::OutOfRange { name, minimum, maximum, value: number })?;
    *into = Some(whole);
    Ok(())
}

fn truth(name: &'static str, value: &Json, into: &mut Option<bool>) -> Result<(), OptionError> {
    match value {
        Json::Null => {}
        Json::Bool(value) => *into = Some(*value),
        other => return Err(wrong_type(name, "true or false", other)),
    }
    Ok(())
}

fn stop(value: &Json, into: &mut Option<Vec<String>>) -> Result<(), OptionError> {
    const EXPECTED: &str = "an array of texts";
    let items = match value {
        Json::Null => return Ok(()),
        Json::Array(items) => items,
        other => return Err(wrong_type("stop", EXPECTED, other)),
    };
    if items.len() > MAX_STOPS {
        return Err(OptionError::TooManyStops { count: items.len() });
    }
    let mut stops = Vec::new();
    for item in items {
        let text = item.as_text().ok_or_else(|| wrong_type("stop", EXPECTED, item))?;
        if text.len() > MAX_STOP_BYTES {
            return Err(OptionError::StopTooLong);
        }
        stops.push(text.to_owned());
    }
    *into = Some(stops);
    Ok(())
}
