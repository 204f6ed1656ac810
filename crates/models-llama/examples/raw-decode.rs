//! Measures the bare llama.cpp loop: `raw-decode MODEL.gguf [baseline]`.

use std::io::Write;
use std::path::Path;

use stoa_models::protocol::Processor;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let model = arguments.next().ok_or("the first argument is the model's file")?;
    let processor = if arguments.next().is_some() { Processor::Baseline } else { Processor::Best };
    let measured = stoa_models_llama::raw_decode(Path::new(&model), 128, 200, processor)?;
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
