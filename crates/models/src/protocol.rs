//! What the server and a worker say to each other: length-prefixed JSON frames over a Unix socket.
//!
//! A frame is a 32-bit little-endian length and that many bytes of JSON. The images of a prompt come as they are, each in a
//! frame of its own, right before the submission that they belong to. Both sides say `hello` with their version
//! first, and hang up on any other than their own: a worker is started by the very program that talks to it.

mod arguments;
mod confinement;
mod devices;
mod frame;
mod quantize;
mod sampling;

use serde::{Deserialize, Serialize};
use stoa_model::completion::{FinishReason, PromptMessage, TokenLogProb, Usage};
use stoa_model::image::Image;
use stoa_model::json::Json;
use stoa_model::think::Think;

use crate::text::ToolFormat;

pub use arguments::{ArgumentError, Processor, WorkerArguments};
pub use confinement::{Confinement, Landlock, LockProfile};
pub use devices::{
    Device, DeviceKind, DeviceLayers, DeviceList, DeviceUse, LIST_DEVICES, MAX_DEVICE_NAME_BYTES, MAX_DEVICES,
};
pub use frame::{Decoder, Frame, FrameError, MAX_FRAME_BYTES, encode, image_prefix};
pub use quantize::{QUANTIZE, Quantization, QuantizeArguments, UnknownQuantization};
pub use sampling::{Sampling, SamplingOutOfRange};

/// The version of this protocol; raised with every change of a message.
pub const VERSION: u32 = 8;

/// The longest prompt in bytes that may reach the tokenizer.
pub const MAX_PROMPT_BYTES: usize = 4 * 1024 * 1024;

/// Bytes of all images of one prompt.
pub const MAX_IMAGES_BYTES: usize = 32 * 1024 * 1024;

/// The longest stop string in bytes.
pub const MAX_STOP_BYTES: usize = 256;

/// How many strings may end an answer.
pub const MAX_STOPS: usize = 8;

/// The most sequences that one worker runs at once.
pub const MAX_SLOTS: u32 = 64;

/// The most likely tokens that may be asked for beside each of the answer.
pub const MAX_LOGPROBS: u8 = 20;

/// Texts of one `embed`. The server sends more of them as several.
pub const MAX_EMBED_INPUTS: usize = 32;

/// Documents of one `rerank`. The server sends more of them as several.
pub const MAX_RERANK_DOCUMENTS: usize = 32;

/// What the server asks of the worker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Command {
    Hello {
        version: u32,
    },
    /// Run one sequence beside the others.
    Submit(Box<Submission>),
    /// Turn texts into vectors of length 1. Numbered like a sequence.
    Embed {
        sequence: u64,
        inputs: Vec<String>,
        /// Cut what is too long, instead of refusing all of it.
        truncate: bool,
        /// Keep so many of the first numbers of each vector.
        dimensions: Option<u32>,
    },
    /// Tell how well each document answers a query. Numbered like a sequence.
    Rerank {
        sequence: u64,
        query: String,
        documents: Vec<String>,
        /// Cut a document that is too long, instead of refusing all of them. The query is never cut.
        truncate: bool,
    },
    Cancel {
        sequence: u64,
    },
    Ping {
        nonce: u64,
    },
    Shutdown,
}

/// What the worker tells the server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Report {
    Hello {
        version: u32,
        /// Threads that compute.
        threads: u32,
        /// The set of instructions chosen for this processor.
        processor: String,
    },
    /// 0 to 1.
    Loading {
        progress: f32,
    },
    Ready {
        /// Tokens of each sequence.
        context_window: u32,
        /// Sequences that may run at once.
        slots: u32,
        confinement: Confinement,
        /// What it has on devices.
        devices: Vec<DeviceUse>,
    },
    /// What it has on devices has become more or less.
    Devices {
        devices: Vec<DeviceUse>,
    },
    /// The model cannot be loaded; the worker ends.
    LoadFailed {
        failure: LoadFailure,
    },
    /// The prompt has been taken apart into tokens.
    Started {
        sequence: u64,
        prompt_tokens: u64,
        cached_tokens: u64,
        /// The template has already opened the model's reasoning.
        in_reasoning: bool,
        /// How the model writes calls of tools, when it has a template.
        tool_format: Option<ToolFormat>,
    },
    Piece {
        sequence: u64,
        text: String,
        /// Tokens behind `text`; zero when it was held back from an earlier token.
        tokens: u32,
        /// Of those tokens, when they were asked for.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        logprobs: Vec<TokenLogProb>,
    },
    /// The tokens of a sequence that ends now, when they were asked for.
    Context {
        sequence: u64,
        tokens: Vec<u32>,
    },
    /// One text of an `embed`, in the order of its inputs.
    Vector {
        sequence: u64,
        values: Vec<f32>,
        truncated: bool,
    },
    /// One document of a `rerank`, in the order they came.
    Score {
        sequence: u64,
        /// 0 to 1.
        relevance: f32,
        truncated: bool,
    },
    Finished {
        sequence: u64,
        outcome: Outcome,
        usage: Usage,
        /// From the submission to the end of the prompt's computation.
        prompt_us: u64,
        /// From there to the end.
        answer_us: u64,
    },
    Refused {
        sequence: u64,
        refusal: Refusal,
    },
    Pong {
        nonce: u64,
        /// Rises with every step of the computation.
        steps: u64,
        busy: bool,
        /// Tokens whose keys and values the context holds, those kept for a next turn among them.
        context_tokens: u64,
    },
}

/// How a sequence ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Stop,
    Length,
    Cancelled,
}

impl Outcome {
    pub const fn finish_reason(self) -> Option<FinishReason> {
        match self {
            Self::Stop => Some(FinishReason::Stop),
            Self::Length => Some(FinishReason::Length),
            Self::Cancelled => None,
        }
    }
}

/// Why a worker cannot serve its model at all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum LoadFailure {
    #[error("this processor lacks {missing}, which local models need")]
    Processor { missing: String },
    #[error("the worker could not lock itself in, so it read no model: {detail}")]
    Confinement { detail: String },
    #[error("llama.cpp cannot load the model")]
    Model,
    #[error("llama.cpp cannot apply the model's adapter, or the two do not belong together")]
    Adapter,
    #[error("llama.cpp cannot load the model's projector, or the two do not belong together")]
    Projector,
    #[error("there is no device {device} any more")]
    Device { device: String },
    #[error("there is not enough memory for a context of {context_window} tokens")]
    Context { context_window: u32 },
    #[error("the server speaks version {server} of the worker protocol, the worker {worker}")]
    Version { server: u32, worker: u32 },
}

/// Why a worker does not run, or no longer runs, one sequence. The worker itself is well.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Refusal {
    #[error("the prompt has {prompt_tokens} tokens, the context {context_window}")]
    TooLong { prompt_tokens: u64, context_window: u64 },
    #[error("the prompt has {bytes} bytes, at most {maximum} are taken")]
    TooManyBytes { bytes: u64, maximum: u64 },
    #[error("the model has no chat template, so it cannot chat; it is probably a base model")]
    NoTemplate,
    #[error("the model's chat template failed: {detail}")]
    Template { detail: String },
    #[error("{detail}")]
    Sampling { detail: String },
    #[error("answers of this form cannot be had: {detail}")]
    Schema { detail: String },
    #[error("every place is taken by another sequence")]
    Occupied,
    #[error("the model makes no embeddings: it ranks texts")]
    NoEmbeddings,
    #[error("the model ranks no texts: it has no head for that")]
    NoRanking,
    #[error("the model makes embeddings only, and writes no text")]
    NoText,
    #[error("the model does not support images")]
    NoEye,
    /// Counted from 0, but told from 1.
    #[error("image {} cannot be used: {detail}", index + 1)]
    Image { index: u64, detail: String },
    #[error("the embedding has {dimensions} dimensions, not {wanted}")]
    Dimensions { wanted: u32, dimensions: u32 },
    #[error("the embedding of text {index} is not made of numbers")]
    NotFinite { index: u64 },
    #[error("the relevance of document {index} is no number")]
    NoScore { index: u64 },
    #[error("llama.cpp failed: {detail}")]
    Engine { detail: String },
}

/// One sequence as it is asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Submission {
    /// Chosen by the server, and not used again on this connection.
    pub sequence: u64,
    pub prompt: Prompt,
    /// Where its images stand, in the order in which they came before this.
    pub images: Vec<Placed>,
    pub sampling: Sampling,
    pub max_tokens: Option<u32>,
    pub stop: Vec<String>,
    /// Whose it is: in every step, the sequences of each get about as much as those of any other.
    pub owner: Option<String>,
    /// Whoever shares this may share what was computed of an earlier prompt; nobody else, since the time to the
    /// first token would tell what others wrote. `None` shares nothing.
    pub cache_scope: Option<String>,
    /// Its numbers must not depend on what else runs: it is computed by itself, in steps of fixed sizes.
    pub alone: bool,
    /// Tell how likely each token was, beside so many of the likeliest.
    pub logprobs: Option<u8>,
    /// Tokens before the prompt. Those of the whole sequence are then told at its end.
    pub context: Option<Vec<u32>>,
    /// The answer, behind what the model thinks, must be JSON that this JSON Schema describes.
    pub schema: Option<Json>,
    /// The time of the request, for templates that tell the model the date: milliseconds since 1970, UTC.
    pub now_ms: i64,
}

/// The place of an image in a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Placed {
    /// The message, counted from 0.
    pub message: usize,
    /// The byte of the message's text that it stands before.
    pub at: usize,
}

/// What a sequence begins with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "form", rename_all = "snake_case", deny_unknown_fields)]
pub enum Prompt {
    /// To be put into a template.
    Messages(Talk),
    /// The very text that the model reads.
    Raw { text: String },
}

/// What a template makes a prompt of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Talk {
    /// Without their images, which travel by themselves.
    pub messages: Vec<PromptMessage>,
    pub layer: Layer,
    /// Each as OpenAI and Ollama write it: `{"type":"function","function":{…}}`.
    pub tools: Vec<Json>,
    pub think: Option<Think>,
    /// What stands behind the gap that the model is to fill.
    pub suffix: String,
}

/// A template of Ollama's kind that does not come with the model's file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Layer {
    #[default]
    None,
    /// The better of it and the file's own is taken.
    Beside(String),
    /// Nothing else is looked at.
    Instead(String),
}

impl Prompt {
    /// Bytes of its text.
    pub fn len(&self) -> usize {
        match self {
            Self::Messages(talk) => talk.messages.iter().map(PromptMessage::bytes).sum::<usize>() + talk.suffix.len(),
            Self::Raw { text } => text.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes out the images, in their order.
    pub fn take_images(&mut self) -> (Vec<Placed>, Vec<Image>) {
        let Self::Messages(talk) = self else { return (Vec::new(), Vec::new()) };
        let messages = talk.messages.iter_mut().enumerate();
        let images = messages.flat_map(|(message, taken)| {
            let images = std::mem::take(&mut taken.images);
            images.into_iter().map(move |image| (Placed { message, at: image.at }, image))
        });
        images.unzip()
    }
}
