//! Vectors, in the protocols that make some: of two numbers, the letters of the text and 0.5, so that each tells its text.

use serde_json::{Value, json};

/// The answer to a request for vectors at that path, or what is wrong with it; `None` for any other path.
pub(crate) fn answer(path: &str, body: &[u8]) -> Option<Result<Value, &'static str>> {
    let write: fn(&[Value]) -> Value = if path.ends_with("/embeddings") {
        |vectors| {
            let data = vectors.iter().enumerate();
            // Not in their order, which is allowed.
            let data: Vec<_> = data.rev().map(|(index, vector)| json!({"index": index, "embedding": vector})).collect();
            json!({"object": "list", "data": data, "usage": {"prompt_tokens": 3 * vectors.len()}})
        }
    } else if path.ends_with("/api/embed") {
        |vectors| json!({"embeddings": vectors, "prompt_eval_count": 3 * vectors.len()})
    } else if path.ends_with(":batchEmbedContents") {
        |vectors| json!({"embeddings": vectors.iter().map(|vector| json!({"values": vector})).collect::<Vec<_>>()})
    } else {
        return None;
    };
    let Ok(asked) = serde_json::from_slice::<Value>(body) else { return Some(Err("this is no JSON")) };
    let texts: Vec<&Value> = match (&asked["input"], &asked["requests"]) {
        (Value::Array(texts), _) => texts.iter().collect(),
        (_, Value::Array(requests)) => requests.iter().map(|one| &one["content"]["parts"][0]["text"]).collect(),
        (one, _) => vec![one],
    };
    let vector = |text: &Value| text.as_str().map(|text| json!([text.chars().count(), 0.5]));
    let vectors: Option<Vec<Value>> = texts.into_iter().map(vector).collect();
    Some(vectors.map(|vectors| write(&vectors)).ok_or("these are no texts"))
}
