//! Tests of `options`: every type, every range, and what is laid over what.

use proptest::prelude::*;

use super::*;

fn parse(text: &str) -> Result<(ModelOptions, Vec<OptionWarning>), OptionError> {
    ModelOptions::parse(&Json::parse(text).unwrap())
}

fn refusal(text: &str) -> String {
    parse(text).unwrap_err().to_string()
}

#[test]
fn options_are_typed() {
    let (options, warnings) = parse(
        r#"{"num_keep":4,"seed":-1,"num_predict":-1,"top_k":40,"top_p":0.9,"min_p":0,"typical_p":1.0,"repeat_last_n":64,
            "temperature":0.8,"repeat_penalty":1.1,"presence_penalty":0.5,"frequency_penalty":-0.5,"stop":["a","b"],
            "num_ctx":4096.0,"num_batch":512,"num_gpu":-1,"main_gpu":0,"use_mmap":true,"num_thread":0,
            "draft_num_predict":4}"#,
    )
    .unwrap();
    assert_eq!(warnings, []);
    assert_eq!(options.sampling.stop, Some(vec!["a".to_owned(), "b".to_owned()]));
    assert_eq!((options.sampling.top_p, options.sampling.seed), (Some(0.9), Some(-1)));
    assert_eq!(
        (options.load.num_ctx, options.load.use_mmap, options.load.num_gpu),
        (Some(4_096), Some(true), Some(-1))
    );
}

#[test]
fn a_wrong_type_is_an_error_that_names_the_option() {
    for (text, expected) in [
        (r#"{"temperature":"hot"}"#, "the option `temperature` must be a number, not a text"),
        (r#"{"num_ctx":"4096"}"#, "the option `num_ctx` must be a whole number, not a text"),
        (r#"{"num_ctx":1.5}"#, "the option `num_ctx` must be a whole number, not a fraction"),
        (r#"{"use_mmap":1}"#, "the option `use_mmap` must be true or false, not a number"),
        (r#"{"stop":"x"}"#, "the option `stop` must be an array of texts, not a text"),
        (r#"{"stop":["x",1]}"#, "the option `stop` must be an array of texts, not a number"),
        ("[]", "the options must be an object, not an array"),
    ] {
        assert_eq!(refusal(text), expected, "{text}");
    }
}

#[test]
fn a_value_out_of_range_is_an_error() {
    for text in [
        r#"{"temperature":-0.1}"#,
        r#"{"temperature":2.1}"#,
        r#"{"top_p":1.01}"#,
        r#"{"min_p":-1}"#,
        r#"{"repeat_penalty":0}"#,
        r#"{"presence_penalty":3}"#,
        r#"{"num_ctx":3}"#,
        r#"{"num_ctx":18446744073709551615}"#,
        r#"{"num_predict":-3}"#,
        r#"{"num_keep":-2}"#,
        r#"{"seed":9007199254740994}"#,
        r#"{"top_k":-1}"#,
        r#"{"num_gpu":-2}"#,
        r#"{"num_thread":-1}"#,
        r#"{"num_batch":0}"#,
    ] {
        assert!(matches!(parse(text), Err(OptionError::OutOfRange { .. })), "{text}");
    }
    assert_eq!(refusal(r#"{"num_ctx":3}"#), "the option `num_ctx` must be between 4 and 1073741824, but is 3");
}

#[test]
fn strings_that_end_an_answer_have_limits() {
    let many = serde_json::json!({ "stop": vec!["x"; MAX_STOPS + 1] }).to_string();
    assert!(matches!(parse(&many), Err(OptionError::TooManyStops { .. })));
    let long = serde_json::json!({ "stop": ["x".repeat(MAX_STOP_BYTES + 1)] }).to_string();
    assert_eq!(parse(&long), Err(OptionError::StopTooLong));
}

#[test]
fn what_is_not_known_is_passed_over_with_a_warning() {
    let (options, warnings) = parse(r#"{"mirostat":1,"top_k":null,"numa":true}"#).unwrap();
    assert_eq!(options, ModelOptions::default());
    let warnings: Vec<String> = warnings.iter().map(ToString::to_string).collect();
    assert_eq!(warnings[0], "the option `mirostat` is not known and has no effect");
    assert_eq!(warnings.len(), 2);
    assert_eq!(parse("null").unwrap(), (ModelOptions::default(), Vec::new()));
}

proptest! {
    #[test]
    fn any_value_of_any_option_is_survived(
        name in prop::sample::select(vec!["num_keep", "seed", "top_k", "top_p", "num_ctx", "num_gpu", "use_mmap", "stop"]),
        value in prop_oneof![
            any::<f64>().prop_map(|value| serde_json::json!(value)),
            any::<i64>().prop_map(|value| serde_json::json!(value)),
            any::<u64>().prop_map(|value| serde_json::json!(value)),
            any::<String>().prop_map(|value| serde_json::json!(value)),
        ],
    ) {
        let _ = parse(&serde_json::json!({ name: value }).to_string());
    }
}
