//! What there is, what it did, and what it wrote.

use std::fmt::Write as _;

use http::Method;
use serde_json::Value;

use super::server::Server;

pub(super) async fn list(server: &Server) -> anyhow::Result<String> {
    let list = server.json(Method::GET, "/api/v1/functions", &Value::Null).await?;
    let mut text = String::new();
    for function in list["items"].as_array().into_iter().flatten() {
        let version = function["latest_version"].as_u64().map_or_else(|| "-".to_owned(), |number| number.to_string());
        let name = function["name"].as_str().unwrap_or_default();
        let title = function["title"].as_str().unwrap_or_default();
        writeln!(text, "{name:<32} version {version:<6} {title}")?;
    }
    if text.is_empty() {
        text.push_str("There are no functions yet. Bring one in with `stoa function deploy FOLDER`.\n");
    }
    Ok(text)
}

/// How the calls of the last hours went, and to which versions.
pub(super) async fn metrics(server: &Server, name: &str, hours: u32) -> anyhow::Result<String> {
    let path = format!("{}/metrics?hours={hours}", server.function(name).await?);
    let metrics = server.json(Method::GET, &path, &Value::Null).await?;
    let ms = |value: &Value| value.as_u64().map_or_else(|| "-".to_owned(), |ms| format!("{ms} ms"));
    let totals = &metrics["totals"];
    let mut text = String::new();
    writeln!(
        text,
        "{} calls, {} errors, {} cold starts, median {}, 95th percentile {}",
        totals["calls"],
        totals["errors"],
        totals["cold_starts"],
        ms(&totals["p50_ms"]),
        ms(&totals["p95_ms"]),
    )?;
    let models = &totals["models"];
    if models["calls"] != 0 {
        let tokens = |name: &str| models[name].as_u64().unwrap_or_default();
        let (prompt, answer) = (tokens("prompt_tokens"), tokens("completion_tokens"));
        writeln!(
            text,
            "{} calls of models, {prompt} tokens in, {answer} out, {}",
            models["calls"],
            dollars(&models["cost"])
        )?;
    }
    for share in metrics["by_version"].as_array().into_iter().flatten() {
        let alias = share["alias"].as_str().filter(|alias| !alias.is_empty()).unwrap_or("-");
        let version = share["version"].as_str().unwrap_or_default();
        let percent = share["share"].as_f64().unwrap_or_default() * 100.0;
        let (calls, errors) = (&share["calls"], &share["errors"]);
        writeln!(text, "{alias:<16} version {version:<6} {calls:>8} calls {percent:>5.1} % {errors:>6} errors")?;
    }
    Ok(text)
}

/// What all functions took in the last hours, what cost most first, and all of it together.
pub(super) async fn account(server: &Server, hours: u32) -> anyhow::Result<String> {
    let account = server.json(Method::GET, &format!("/api/v1/functions/account?hours={hours}"), &Value::Null).await?;
    let functions = account["functions"].as_array().map(Vec::as_slice).unwrap_or_default();
    if functions.is_empty() {
        return Ok("Nothing was called in this time.\n".to_owned());
    }
    let mut text = String::new();
    writeln!(
        text,
        "{:<32} {:>9} {:>8} {:>11} {:>11} {:>12} {:>12}",
        "function", "calls", "errors", "CPU s", "GB s", "cost", "models"
    )?;
    let lines = functions.iter().map(|line| (line["name"].as_str().unwrap_or_default(), line));
    for (name, sum) in lines.chain([("in all", &account["totals"])]) {
        let seconds = |value: &Value| value.as_f64().unwrap_or_default();
        writeln!(
            text,
            "{name:<32} {:>9} {:>8} {:>11.2} {:>11.2} {:>12} {:>12}",
            sum["calls"].as_u64().unwrap_or_default(),
            sum["errors"].as_u64().unwrap_or_default(),
            seconds(&sum["cpu_seconds"]),
            seconds(&sum["gb_seconds"]),
            dollars(&sum["cost"]),
            dollars(&sum["models"]["cost"]),
        )?;
    }
    Ok(text)
}

/// Billionths of a dollar, as dollars.
fn dollars(billionths: &Value) -> String {
    billionths.as_f64().map_or_else(|| "-".to_owned(), |billionths| format!("${:.6}", billionths / 1e9))
}

/// The latest lines of its log.
pub(super) async fn logs(server: &Server, name: &str, search: Option<&str>, limit: u32) -> anyhow::Result<String> {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("limit", &limit.to_string());
    if let Some(search) = search {
        query.append_pair("search", search);
    }
    let path = format!("{}/logs?{}", server.function(name).await?, query.finish());
    let log = server.json(Method::GET, &path, &Value::Null).await?;
    let mut text = String::new();
    for line in log["lines"].as_array().into_iter().flatten() {
        let word = |name: &str| line[name].as_str().unwrap_or_default();
        writeln!(text, "{} {} {}", word("at"), word("version"), plain(word("text")))?;
    }
    Ok(text)
}

/// What a function writes does nothing to the terminal.
fn plain(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control() || *letter == '\t').collect()
}
