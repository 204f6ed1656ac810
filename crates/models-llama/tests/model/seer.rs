//! A model that sees, made by hand: an eye that knows how red, green and blue a patch is, and a model of one layer that
//! says the colour that it was shown most of. A little noise on all weights makes every part of the computation count.

use std::path::PathBuf;

use stoa_model_store::gguf::fixture::File;
use tempfile::TempDir;

/// Tokens that fit its context.
pub(crate) const WINDOW: u32 = 1_024;

/// Numbers of a token's vector, and of the layer in between.
const WIDTH: usize = 16;
const INNER: usize = 8;
/// Of those, in one head of attention.
const HEAD: u32 = 8;

/// Which number of a vector stands for what; the first three are the colours.
const COLOURS: usize = 3;
const SAID: usize = 4;
/// Of every text.
const TEXT: usize = 5;

const MARKS: [&str; 3] = ["<unk>", "<s>", "</s>"];
const END: usize = 2;
/// What it can say, in the order of its colours.
pub(crate) const WORDS: [&str; COLOURS] = ["red", "green", "blue"];
const BYTES: usize = 256;

/// Numbers from -1 to 1, the same for the same seed.
pub(crate) fn noise(seed: u32, count: usize, amplitude: f32) -> Vec<f32> {
    let mut state = seed;
    let number = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        // 16 bits are exact in 32-bit numbers.
        (f32::from((state >> 16) as u16) / 32_768.0 - 1.0) * amplitude
    };
    (0..count).map(number).collect()
}

/// `rows` of `columns` numbers of noise, with what is put on it.
fn matrix(seed: u32, rows: usize, columns: usize, amplitude: f32, on: &[(usize, usize, f32)]) -> Vec<f32> {
    let mut numbers = noise(seed, rows * columns, amplitude);
    for (row, column, number) in on {
        numbers[row * columns + column] += number;
    }
    numbers
}

fn diagonal(from: usize, to: usize, number: f32) -> Vec<(usize, usize, f32)> {
    (from..to).map(|place| (place, place, number)).collect()
}

/// The model, without its eye.
pub(crate) fn model() -> File {
    model_of("llama", 1)
}

/// The same of another architecture, and with so many layers.
pub(crate) fn model_of(architecture: &str, layers: u32) -> File {
    model_as_wide_as(WIDTH, architecture, layers)
}

/// The same with so many numbers in a vector, most of which stand for nothing.
pub(crate) fn model_as_wide_as(width: usize, architecture: &str, layers: u32) -> File {
    let key = |name: &str| format!("{architecture}.{name}");
    // Where positions have several dimensions, they count for more.
    let attention = if architecture == "llama" { 0.2 } else { 1.0 };
    let vocabulary = MARKS.len() + BYTES + WORDS.len() + 1;
    let bytes = (0..BYTES).map(|byte| format!("<0x{byte:02X}>"));
    // A space is a token of its own, so that a text has as many tokens as bytes.
    let words = WORDS.iter().copied().chain([""]).map(|word| format!("\u{2581}{word}"));
    let tokens: Vec<String> = MARKS.into_iter().map(str::to_owned).chain(bytes).chain(words).collect();
    let tokens: Vec<&str> = tokens.iter().map(String::as_str).collect();
    // Unknown, control, byte, normal.
    let kind = |token: usize| match token {
        0 => 2,
        1..=END => 3,
        token if token < MARKS.len() + BYTES => 6,
        _ => 1,
    };
    let kinds: Vec<i32> = (0..vocabulary).map(kind).collect();
    let wide = width as u64;
    let heads = u32::try_from(width).unwrap() / HEAD;
    let first_word = MARKS.len() + BYTES;
    let mut embedded: Vec<(usize, usize, f32)> = (0..vocabulary).map(|token| (token, TEXT, 1.0)).collect();
    embedded.extend((0..WORDS.len()).map(|word| (first_word + word, SAID, 8.0)));
    let mut output: Vec<(usize, usize, f32)> = (0..WORDS.len()).map(|word| (first_word + word, word, 4.0)).collect();
    output.extend([(END, SAID, 20.0)]);
    let mut file = File::empty()
        .with_text("general.architecture", architecture)
        .with_text("general.name", "Tiny Seer")
        .with_u32("general.file_type", 0)
        .with_u32(&key("context_length"), WINDOW)
        .with_u32(&key("block_count"), layers)
        .with_u32(&key("embedding_length"), u32::try_from(width).unwrap())
        .with_u32(&key("feed_forward_length"), u32::try_from(INNER).unwrap())
        .with_u32(&key("attention.head_count"), heads)
        .with_u32(&key("attention.head_count_kv"), heads)
        .with_u32(&key("rope.dimension_count"), HEAD)
        .with_f32(&key("attention.layer_norm_rms_epsilon"), 1e-5)
        .with_text("tokenizer.ggml.model", "llama")
        .with_texts("tokenizer.ggml.tokens", &tokens)
        .with_f32s("tokenizer.ggml.scores", &vec![0.0; vocabulary])
        .with_i32s("tokenizer.ggml.token_type", &kinds)
        .with_u32("tokenizer.ggml.unknown_token_id", 0)
        .with_u32("tokenizer.ggml.bos_token_id", 1)
        .with_u32("tokenizer.ggml.eos_token_id", 2)
        .with_bool("tokenizer.ggml.add_bos_token", true)
        .with_bool("tokenizer.ggml.add_space_prefix", false)
        .with_text(
            "tokenizer.chat_template",
            "{% for message in messages %}[{{ message.role }}]{{ message.content }}{% endfor %}[assistant]",
        )
        .with_numbers("token_embd.weight", &[wide, vocabulary as u64], &matrix(1, vocabulary, width, 0.02, &embedded))
        .with_numbers("output_norm.weight", &[wide], &vec![1.0; width])
        .with_numbers("output.weight", &[wide, vocabulary as u64], &matrix(2, vocabulary, width, 0.05, &output));
    for layer in 0..layers {
        let seed = 3 + 100 * layer;
        let name = |part: &str| format!("blk.{layer}.{part}.weight");
        let square = |seed, amplitude, on: &[_]| matrix(seed, width, width, amplitude, on);
        file = file
            .with_numbers(&name("attn_norm"), &[wide], &vec![1.0; width])
            .with_numbers(&name("attn_q"), &[wide, wide], &square(seed, attention, &[]))
            .with_numbers(&name("attn_k"), &[wide, wide], &square(seed + 1, attention, &[]))
            .with_numbers(&name("attn_v"), &[wide, wide], &square(seed + 2, 0.01, &diagonal(0, COLOURS, 8.0)))
            .with_numbers(&name("attn_output"), &[wide, wide], &square(seed + 3, 0.01, &diagonal(0, width, 1.0)))
            .with_numbers(&name("ffn_norm"), &[wide], &vec![1.0; width])
            .with_numbers(&name("ffn_gate"), &[wide, INNER as u64], &matrix(seed + 4, INNER, width, 0.1, &[]))
            .with_numbers(&name("ffn_up"), &[wide, INNER as u64], &matrix(seed + 5, INNER, width, 0.1, &[]))
            .with_numbers(&name("ffn_down"), &[INNER as u64, wide], &matrix(seed + 6, width, INNER, 0.1, &[]));
    }
    file
}

/// The model as one that gives images two dimensions (M-RoPE).
pub(crate) fn model_with_dimensions() -> File {
    model_of("qwen2vl", 2).with_i32s("qwen2vl.rope.dimension_sections", &[2, 1, 1, 0])
}

/// How large an eye is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EyeSize {
    /// Pixels along a side of an image, and of a patch.
    pub(crate) image: usize,
    pub(crate) patch: usize,
    pub(crate) width: usize,
    pub(crate) layers: usize,
    /// Numbers of a vector of the model that it belongs to.
    pub(crate) model_width: usize,
}

impl EyeSize {
    /// The one of the tiny model: 16 patches.
    pub(crate) const TINY: Self = Self { image: 16, patch: 4, width: 8, layers: 2, model_width: WIDTH };
}

/// An eye in the manner of LLaVA. The patches of an image become its tokens, one by one.
pub(crate) fn eye(size: EyeSize) -> File {
    let EyeSize { image, patch, width, layers, model_width } = size;
    let (patches, area) = ((image / patch) * (image / patch), patch * patch);
    let number = |number: usize| u32::try_from(number).unwrap();
    let wide = width as u64;
    // Each colour is the mean over the patch.
    let mut colours = noise(20, area * 3 * width, 0.002);
    for colour in 0..COLOURS {
        let start = (colour * 3 + colour) * area;
        #[expect(clippy::cast_precision_loss, reason = "a small number")]
        colours[start..start + area].iter_mut().for_each(|weight| *weight += 1.0 / area as f32);
    }
    let mut file = File::empty()
        .with_text("general.architecture", "clip")
        .with_text("general.type", "mmproj")
        .with_text("general.name", "Tiny Eye")
        .with_u32("general.file_type", 0)
        .with_bool("clip.has_vision_encoder", true)
        .with_bool("clip.use_gelu", true)
        .with_text("clip.projector_type", "mlp")
        .with_u32("clip.vision.image_size", number(image))
        .with_u32("clip.vision.patch_size", number(patch))
        .with_u32("clip.vision.embedding_length", number(width))
        .with_u32("clip.vision.feed_forward_length", number(width * 2))
        .with_u32("clip.vision.block_count", number(layers))
        .with_u32("clip.vision.attention.head_count", number((width / 64).max(2)))
        .with_u32("clip.vision.projection_dim", number(model_width))
        .with_f32("clip.vision.attention.layer_norm_epsilon", 1e-5)
        .with_f32s("clip.vision.image_mean", &[0.5; 3])
        .with_f32s("clip.vision.image_std", &[0.5; 3])
        .with_numbers("v.patch_embd.weight", &[patch as u64, patch as u64, 3, wide], &colours)
        .with_numbers("v.position_embd.weight", &[wide, patches as u64], &noise(21, width * patches, 0.05));
    for layer in 0..layers {
        let seed = 30 + 10 * number(layer);
        let name = |part: &str| format!("v.blk.{layer}.{part}");
        for norm in ["ln1", "ln2"] {
            file = file.with_numbers(&name(&format!("{norm}.weight")), &[wide], &vec![1.0; width]).with_numbers(
                &name(&format!("{norm}.bias")),
                &[wide],
                &vec![0.0; width],
            );
        }
        for (place, part) in (0..).zip(["attn_q", "attn_k", "attn_v", "attn_out"]) {
            file = file.with_numbers(
                &name(&format!("{part}.weight")),
                &[wide, wide],
                &noise(seed + place, width * width, 0.05),
            );
        }
        file = file
            .with_numbers(&name("ffn_up.weight"), &[wide, wide * 2], &noise(seed + 5, width * width * 2, 0.05))
            .with_numbers(&name("ffn_down.weight"), &[wide * 2, wide], &noise(seed + 6, width * width * 2, 0.05));
    }
    let put = diagonal(0, COLOURS, 4.0);
    let on = diagonal(0, COLOURS, 1.0);
    file.with_numbers("mm.0.weight", &[wide, wide], &matrix(22, width, width, 0.01, &put))
        .with_numbers("mm.0.bias", &[wide], &vec![0.0; width])
        .with_numbers("mm.2.weight", &[wide, model_width as u64], &matrix(23, model_width, width, 0.01, &on))
        .with_numbers("mm.2.bias", &[model_width as u64], &vec![0.0; model_width])
}

/// An eye in the manner of Gemma 3: of each four patches the mean is a token, and the tokens of an image see each other.
pub(crate) fn eye_both_ways() -> File {
    let size = EyeSize { image: 32, ..EyeSize::TINY };
    let file = eye(size);
    let (width, model_width) = (size.width as u64, size.model_width as u64);
    let mut file = file.with_text("clip.projector_type", "gemma3").with_u32("clip.vision.projector.scale_factor", 2);
    file.tensors.retain(|(name, ..)| !name.starts_with("mm."));
    // What is left ends where the first of those began.
    let patches = noise(24, size.width * size.model_width, 0.01);
    let mut numbers = patches;
    for place in 0..COLOURS {
        numbers[place * size.model_width + place] += 1.0;
    }
    file.weights.truncate(end_of(&file));
    file.with_numbers("v.post_ln.weight", &[width], &vec![1.0; size.width])
        .with_numbers("v.post_ln.bias", &[width], &vec![0.0; size.width])
        .with_numbers("mm.soft_emb_norm.weight", &[width], &vec![1.0; size.width])
        .with_numbers("mm.input_projection.weight", &[model_width, width], &numbers)
}

/// Bytes of the tensors that a file has.
fn end_of(file: &File) -> usize {
    let bytes = |(_, shape, _, offset): &(String, Vec<u64>, u32, u64)| offset + shape.iter().product::<u64>() * 4;
    usize::try_from(file.tensors.iter().map(bytes).max().unwrap_or(0)).unwrap()
}

/// Writes the model and its eye into a folder of their own.
pub(crate) fn save(eye: &File) -> (TempDir, PathBuf, PathBuf) {
    save_both(&model(), eye)
}

pub(crate) fn save_both(model: &File, eye: &File) -> (TempDir, PathBuf, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let [weights, projector] = ["seer.gguf", "eye.gguf"].map(|name| folder.path().join(name));
    std::fs::write(&weights, model.bytes()).unwrap();
    std::fs::write(&projector, eye.bytes()).unwrap();
    (folder, weights, projector)
}
