//! Tokens a second of the local model through the chat, beside a bare llama.cpp loop with the same file.

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::api::Api;
use crate::local::{model_file, raw_decode};
use crate::processes::{Stoa, import_model};
use crate::report::{Better, Line, Report, float, median};

const RUNS: usize = 5;
const TOKENS: u32 = 256;
const MODEL: &str = "bench:latest";
const QUESTION: &str = "Write a long story about a sailor who crosses the sea alone. Tell every day of the voyage.";

pub(crate) async fn run(report: &mut Report) -> anyhow::Result<()> {
    let file = model_file()?;
    let directory = tempfile::tempdir()?;
    import_model(directory.path(), &file, MODEL).await?;
    let server = Stoa::start(directory.path(), &[]).await?;
    let api = Api::sign_in(server.address).await?;
    // The first loads the model, and tells how long the prompt is.
    let warm_up = answer(&api).await?;
    let (mut chat, mut raw) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        raw.push(raw_decode(&file, 1, warm_up.prompt_tokens, warm_up.tokens).await?.decode_per_second);
        chat.push(answer(&api).await?.per_second);
    }
    Report::say(&format!(
        "decode: {} tokens after a prompt of {}; chat {chat:.1?}, bare loop {raw:.1?}",
        warm_up.tokens, warm_up.prompt_tokens
    ));
    let line =
        Line::new("local-decode", (median(&chat), "tokens/s"), ("raw llama.cpp", median(&raw)), Better::Higher, RUNS);
    report.add(&line)?;
    Ok(())
}

struct Decoded {
    prompt_tokens: u64,
    tokens: u64,
    per_second: f64,
}

/// One answer through the chat: tokens a second from the first token to the last.
async fn answer(api: &Api) -> anyhow::Result<Decoded> {
    let conversation = api.new_conversation().await?;
    let message = json!({
        "parts": [{ "type": "text", "text": QUESTION }], "model": format!("local/{MODEL}"),
        "parameters": { "temperature": 0, "max_tokens": TOKENS },
    });
    let turn = api.say(&conversation, &message).await?;
    let mut events = api.follow(&turn).await?;
    let mut first: Option<(Instant, u64)> = None;
    let mut last = Instant::now();
    let mut usage = Value::Null;
    loop {
        let event = timeout(Duration::from_mins(1), events.next()).await.context("the model does not answer")??;
        let text = std::str::from_utf8(&event)?;
        let data = text.lines().find_map(|line| line.strip_prefix("data: ")).unwrap_or("null");
        let data: Value = serde_json::from_str(data)?;
        match text.lines().next() {
            Some("event: delta") => {
                last = Instant::now();
                let seq = data["seq"].as_u64().context("a delta has no sequence number")?;
                first.get_or_insert((last, seq));
            }
            Some("event: usage") => usage = data,
            Some("event: finish") => break,
            Some("event: error") => bail!("the model failed: {data}"),
            _ => {}
        }
    }
    let (begun, already) = first.context("the model said nothing")?;
    let tokens = usage["completion_tokens"].as_u64().context("the answer has no usage")?;
    let prompt_tokens = usage["prompt_tokens"].as_u64().context("the answer has no usage")?;
    let per_second = float(tokens.saturating_sub(already)) / (last - begun).as_secs_f64();
    Ok(Decoded { prompt_tokens, tokens, per_second })
}
