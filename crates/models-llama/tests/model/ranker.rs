//! A ranking model made by hand: BERT with one layer, eight words, and weights that count which words a query and a
//! document share. A little noise on all of them makes every part of the computation count.

mod reference;

use std::path::PathBuf;

use stoa_model_store::gguf::fixture::File;
use tempfile::TempDir;

pub(crate) const RANKER: &str = "ranker:tiny";

/// Tokens that fit its context.
pub(crate) const WINDOW: usize = 64;

/// Numbers of a token's vector, and of the layer in between.
const WIDTH: usize = 16;
const INNER: usize = 8;
const HEADS: usize = 2;

const MARKS: [&str; 5] = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];
const UNKNOWN: usize = 1;
const BEGINNING: usize = 2;
const SEPARATOR: usize = 3;
const WORDS: [&str; INNER] = ["sea", "moon", "wind", "ship", "star", "bird", "tree", "fish"];

/// Which number of a vector stands for what; the first are the words.
const IS_BEGINNING: usize = 8;
const IS_SEPARATOR: usize = 9;
const IS_UNKNOWN: usize = 10;
/// How large a part of the tokens is the beginning, of which there is one.
const ONE_TOKEN: usize = 11;
/// Always about zero.
const NOTHING: usize = 14;
const SHARED: usize = 15;

/// What one vocabulary word differs by from the others once its vector is normal.
const OTHERS: f32 = 0.258;

/// Numbers in rows, as they lie in the file.
struct Matrix {
    columns: usize,
    numbers: Vec<f32>,
}

impl Matrix {
    /// Noise from `-amplitude` to `amplitude`, the same for the same seed, and what is put on it.
    fn noise(seed: u32, rows: usize, columns: usize, amplitude: f32) -> Self {
        let mut state = seed;
        let numbers = (0..rows * columns).map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            // 16 bits are exact in 32-bit numbers.
            (f32::from((state >> 16) as u16) / 32_768.0 - 1.0) * amplitude
        });
        Self { columns, numbers: numbers.collect() }
    }

    fn with(mut self, places: impl IntoIterator<Item = (usize, usize, f32)>) -> Self {
        for (row, column, number) in places {
            self.numbers[row * self.columns + column] += number;
        }
        self
    }

    fn row(&self, row: usize) -> &[f32] {
        &self.numbers[row * self.columns..(row + 1) * self.columns]
    }
}

/// How a query and a document are put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// As BERT's vocabulary asks for it: nothing behind the document.
    Plain,
    /// With a mark of the end behind both.
    Ends,
    /// By a template of the file.
    Template(&'static str),
}

pub(crate) struct Ranker {
    form: Form,
    tokens: Matrix,
    places: Matrix,
    kind: Matrix,
    queries: Matrix,
    keys: Matrix,
    values: Matrix,
    value_bias: Matrix,
    attended: Matrix,
    up: Matrix,
    up_bias: Matrix,
    down: Matrix,
    head: Matrix,
    head_bias: Matrix,
}

impl Ranker {
    pub(crate) fn new(form: Form) -> Self {
        let words = 0..INNER;
        let marks = [(BEGINNING, IS_BEGINNING), (SEPARATOR, IS_SEPARATOR), (UNKNOWN, IS_UNKNOWN)];
        let marks = marks.map(|(token, number)| (token, number, 1.0));
        let kept = words.clone().map(|word| (word, word, 1.0));
        let not_others = words.clone().chain([ONE_TOKEN]).map(|number| (0, number, OTHERS));
        // Positive for a word that is there more than one and a half times.
        let counted = |word| [(word, word, 12.0), (word, ONE_TOKEN, -18.0), (word, NOTHING, 6.0)];
        let sum = words.clone().map(|word| (SHARED, word, 1.0));
        Self {
            form,
            tokens: Matrix::noise(1, MARKS.len() + INNER, WIDTH, 0.02)
                .with(words.clone().map(|word| (MARKS.len() + word, word, 1.0)))
                .with(marks),
            places: Matrix::noise(2, WINDOW, WIDTH, 0.02),
            kind: Matrix::noise(3, 1, WIDTH, 0.05),
            queries: Matrix::noise(4, WIDTH, WIDTH, 0.03),
            keys: Matrix::noise(5, WIDTH, WIDTH, 0.03),
            values: Matrix::noise(6, WIDTH, WIDTH, 0.01).with(kept).with([(ONE_TOKEN, IS_BEGINNING, 1.0)]),
            value_bias: Matrix::noise(7, 1, WIDTH, 0.0).with(not_others),
            attended: Matrix::noise(8, WIDTH, WIDTH, 0.01).with((0..WIDTH).map(|number| (number, number, 1.0))),
            up: Matrix::noise(9, INNER, WIDTH, 0.01).with(words.clone().flat_map(counted)),
            up_bias: Matrix::noise(10, 1, INNER, 0.1).with(words.clone().map(|word| (0, word, -2.0))),
            down: Matrix::noise(11, WIDTH, INNER, 0.01).with(sum),
            head: Matrix::noise(12, 1, WIDTH, 0.05).with([(0, SHARED, 1.5)]),
            head_bias: Matrix::noise(13, 1, 1, 0.0).with([(0, 0, -2.0)]),
        }
    }

    /// The file as llama.cpp reads it.
    pub(crate) fn file(&self) -> File {
        let width = WIDTH as u64;
        let spelled = WORDS.map(|word| format!("\u{2581}{word}"));
        let tokens: Vec<&str> = MARKS.into_iter().chain(spelled.iter().map(String::as_str)).collect();
        // Marks are control tokens, all others normal ones.
        let kinds: Vec<i32> = (0..tokens.len()).map(|token| if token < MARKS.len() { 3 } else { 1 }).collect();
        let file = File::empty()
            .with_text("general.architecture", "bert")
            .with_text("general.name", "Tiny Ranker")
            .with_u32("general.file_type", 0)
            .with_u32("bert.context_length", u32::try_from(WINDOW).unwrap())
            .with_u32("bert.block_count", 1)
            .with_u32("bert.embedding_length", u32::try_from(WIDTH).unwrap())
            .with_u32("bert.feed_forward_length", u32::try_from(INNER).unwrap())
            .with_u32("bert.attention.head_count", u32::try_from(HEADS).unwrap())
            .with_f32("bert.attention.layer_norm_epsilon", 1e-12)
            .with_bool("bert.attention.causal", false)
            .with_u32("bert.pooling_type", 4)
            .with_text("tokenizer.ggml.model", "bert")
            .with_texts("tokenizer.ggml.tokens", &tokens)
            .with_i32s("tokenizer.ggml.token_type", &kinds)
            .with_u32("tokenizer.ggml.token_type_count", 1)
            .with_u32("tokenizer.ggml.padding_token_id", 0)
            .with_u32("tokenizer.ggml.unknown_token_id", u32::try_from(UNKNOWN).unwrap())
            .with_u32("tokenizer.ggml.bos_token_id", u32::try_from(BEGINNING).unwrap())
            .with_u32("tokenizer.ggml.seperator_token_id", u32::try_from(SEPARATOR).unwrap())
            .with_u32("tokenizer.ggml.mask_token_id", 4);
        let file = match self.form {
            Form::Plain => file,
            Form::Ends => file.with_bool("tokenizer.ggml.add_eos_token", true),
            Form::Template(template) => file.with_text("tokenizer.chat_template.rerank", template),
        };
        let matrix = |file: File, name: &str, matrix: &Matrix| {
            let rows = matrix.numbers.len() / matrix.columns;
            file.with_numbers(name, &[matrix.columns as u64, rows as u64], &matrix.numbers)
        };
        let row = |file: File, name: &str, numbers: &[f32]| file.with_numbers(name, &[numbers.len() as u64], numbers);
        let norm = |file: File, name: &str| {
            let file = file.with_numbers(&format!("{name}.weight"), &[width], &[1.0; WIDTH]);
            file.with_numbers(&format!("{name}.bias"), &[width], &[0.0; WIDTH])
        };
        let file = matrix(file, "token_embd.weight", &self.tokens);
        let file = matrix(file, "token_types.weight", &self.kind);
        let file = matrix(file, "position_embd.weight", &self.places);
        let file = norm(file, "token_embd_norm");
        let file = matrix(file, "blk.0.attn_q.weight", &self.queries);
        let file = matrix(file, "blk.0.attn_k.weight", &self.keys);
        let file = matrix(file, "blk.0.attn_v.weight", &self.values);
        let file = row(file, "blk.0.attn_q.bias", &[0.0; WIDTH]);
        let file = row(file, "blk.0.attn_k.bias", &[0.0; WIDTH]);
        let file = row(file, "blk.0.attn_v.bias", &self.value_bias.numbers);
        let file = matrix(file, "blk.0.attn_output.weight", &self.attended);
        let file = row(file, "blk.0.attn_output.bias", &[0.0; WIDTH]);
        let file = norm(file, "blk.0.attn_output_norm");
        let file = matrix(file, "blk.0.ffn_up.weight", &self.up);
        let file = row(file, "blk.0.ffn_up.bias", &self.up_bias.numbers);
        let file = matrix(file, "blk.0.ffn_down.weight", &self.down);
        let file = row(file, "blk.0.ffn_down.bias", &[0.0; WIDTH]);
        let file = norm(file, "blk.0.layer_output_norm");
        let file = matrix(file, "cls.output.weight", &self.head);
        row(file, "cls.output.bias", &self.head_bias.numbers)
    }

    /// Writes the file into a folder of its own.
    pub(crate) fn save(&self) -> (TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ranker.gguf");
        std::fs::write(&path, self.file().bytes()).unwrap();
        (folder, path)
    }
}

/// The token of a word, or of a mark by its name.
fn token(word: &str) -> usize {
    let mark = MARKS.iter().position(|mark| *mark == word);
    let word = || WORDS.iter().position(|known| *known == word).map(|place| place + MARKS.len());
    mark.or_else(word).unwrap_or(UNKNOWN)
}
