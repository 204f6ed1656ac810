//! Any answer in any family's form, cut in two ways: the same text and the same calls, and nothing lost.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rand::SeedableRng;
use rand::rngs::SmallRng;
use stoa_model::json::Json;
use stoa_model::tools::ToolCall;
use stoa_models::text::tools::{ToolCallSplitter, ToolFormat, ToolPiece};

const FORMATS: [ToolFormat; 8] = [
    ToolFormat::Hermes,
    ToolFormat::Llama,
    ToolFormat::Mistral,
    ToolFormat::CommandR,
    ToolFormat::Granite,
    ToolFormat::DeepSeek,
    ToolFormat::Function,
    ToolFormat::Json,
];

fn split(format: ToolFormat, answer: &str, piece: usize) -> (String, Vec<ToolCall>) {
    let tool = Json::parse(r#"{"name":"weather"}"#).unwrap_or_default();
    let mut splitter = ToolCallSplitter::new(format, &[tool], SmallRng::seed_from_u64(1));
    let characters: Vec<char> = answer.chars().collect();
    let mut pieces = Vec::new();
    for chunk in characters.chunks(piece) {
        pieces.extend(splitter.push(&chunk.iter().collect::<String>()));
    }
    pieces.extend(splitter.finish());
    let (mut text, mut calls) = (String::new(), Vec::new());
    for piece in pieces {
        match piece {
            ToolPiece::Text(more) => text.push_str(&more),
            ToolPiece::Call(call) => calls.push(call),
        }
    }
    (text, calls)
}

fuzz_target!(|input: (u8, u8, &str)| {
    let (format, piece, answer) = input;
    let format = FORMATS[usize::from(format) % FORMATS.len()];
    let whole = split(format, answer, answer.len().max(1));
    assert_eq!(split(format, answer, usize::from(piece).max(1)), whole);
    if whole.1.is_empty() {
        assert_eq!(whole.0, answer);
    }
});
