//! Measures the bare llama.cpp loop: `raw-decode MODEL.gguf [SEQUENCES] [baseline]`.

use std::io::Write;
use std::path::Path;

use stoa_models::protocol::Processor;
use stoa_models_llama::RawLoad;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let model = arguments.next().ok_or("the first argument is the model's file")?;
    let sequences = arguments.next().map_or(Ok(1), |sequences| sequences.to_string_lossy().parse())?;
    let processor = if arguments.next().is_some() { Processor::Baseline } else { Processor::Best };
    let load = RawLoad { sequences, prompt_tokens: 128, decoded_tokens: 200 };
    let measured = stoa_models_llama::raw_decode(Path::new(&model), load, processor)?;
    writeln!(
        std::io::stdout(),
        "{} on {} threads: prefill {:.1} tokens/s, decode {:.1} tokens/s",
        measured.processor,
        measured.threads,
        measured.prefill_tokens_per_second(),
        measured.decode_tokens_per_second(),
    )?;
    Ok(())
}
