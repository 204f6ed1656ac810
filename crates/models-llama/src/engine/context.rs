//! llama.cpp's context as the session uses it: tokens of many sequences in one call, or the vectors of one image.
//!
//! `llama-cpp-2` has no call for vectors in the place of tokens and keeps its pointers to itself, so the session's context
//! is made here. What is unsafe about models, samplers and vocabularies stays there.

#![expect(unsafe_code, reason = "llama-cpp-2 has no door to what images need of llama.cpp's context")]

use std::marker::PhantomData;
use std::mem::size_of;
use std::ptr::NonNull;

use llama_cpp_2::llama_backend::LlamaBackend;
use llama_cpp_2::model::{LlamaLoraAdapter, LlamaModel};
use llama_cpp_2::token::LlamaToken;
use llama_cpp_sys_2 as sys;

/// Numbers of a position for models that give images two dimensions (M-RoPE).
pub(super) const SECTIONS: usize = 4;

/// How large a context is to be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Size {
    /// Tokens of all sequences together.
    pub(super) tokens: u32,
    /// Tokens of one call.
    pub(super) call: u32,
    pub(super) sequences: u32,
    pub(super) threads: u32,
}

/// The pointer may go to another thread with its owner, and is used by one at a time: it is not `Sync`.
pub(super) struct Context<'engine> {
    pointer: NonNull<sys::llama_context>,
    /// Numbers of an output: tokens that there are.
    vocabulary: usize,
    /// Numbers of a vector that takes the place of a token.
    width: usize,
    sections: usize,
    call: usize,
    sequences: i32,
    model: PhantomData<&'engine LlamaModel>,
}

/// Tokens for one call.
#[derive(Default)]
pub(super) struct Batch {
    tokens: Vec<sys::llama_token>,
    positions: Vec<sys::llama_pos>,
    lanes: Vec<sys::llama_seq_id>,
    outputs: Vec<i8>,
}

impl Batch {
    pub(super) fn clear(&mut self) {
        self.tokens.clear();
        self.positions.clear();
        self.lanes.clear();
        self.outputs.clear();
    }

    pub(super) const fn len(&self) -> usize {
        self.tokens.len()
    }

    /// `lane` is the number of the sequence. `output` asks for what may follow.
    pub(super) fn add(&mut self, token: LlamaToken, position: i32, lane: i32, output: bool) {
        self.tokens.push(token.0);
        self.positions.push(position);
        self.lanes.push(lane);
        self.outputs.push(i8::from(output));
    }
}

/// Vectors of a part of an image, for one call.
pub(super) struct Vectors<'v> {
    /// As many as there are positions, one after the other.
    pub(super) numbers: &'v [f32],
    pub(super) positions: &'v [[i32; SECTIONS]],
    pub(super) lane: i32,
    /// Each of them sees those behind it, too.
    pub(super) both_ways: bool,
    /// What may follow the last is asked for.
    pub(super) output: bool,
}

/// The model's own pointer.
pub(super) fn raw(model: &LlamaModel) -> *const sys::llama_model {
    const { assert!(size_of::<LlamaModel>() == size_of::<NonNull<sys::llama_model>>()) }
    // SAFETY: `LlamaModel` is `repr(transparent)` over a type that is so over a `NonNull`, in the one version that this
    // crate takes.
    unsafe { std::ptr::from_ref(model).cast::<*const sys::llama_model>().read() }
}

impl<'engine> Context<'engine> {
    /// `None` when there is no memory for so much. The backend is proof that llama.cpp has begun.
    pub(super) fn new(model: &'engine LlamaModel, _: &'engine LlamaBackend, size: Size) -> Option<Self> {
        let threads = i32::try_from(size.threads).unwrap_or(i32::MAX);
        // SAFETY: It fills a plain structure.
        let mut parameters = unsafe { sys::llama_context_default_params() };
        parameters.n_ctx = size.tokens;
        parameters.n_batch = size.call;
        parameters.n_ubatch = size.call;
        parameters.n_seq_max = size.sequences;
        parameters.n_threads = threads;
        parameters.n_threads_batch = threads;
        parameters.no_perf = true;
        // Each sequence has keys and values of its own, so that what one says never changes another's numbers.
        parameters.kv_unified = false;
        let model = raw(model).cast_mut();
        // SAFETY: The model lives as long as the context, which borrows it. It is changed by nobody else meanwhile: contexts
        // are made by one thread.
        let pointer = NonNull::new(unsafe { sys::llama_init_from_model(model, parameters) })?;
        // SAFETY: Both belong together and are alive; these read numbers.
        let (call, vocabulary, width, rope) = unsafe {
            (
                sys::llama_n_batch(pointer.as_ptr()),
                sys::llama_vocab_n_tokens(sys::llama_model_get_vocab(model)),
                sys::llama_model_n_embd_inp(model),
                sys::llama_model_rope_type(model),
            )
        };
        let sections =
            if matches!(rope, sys::LLAMA_ROPE_TYPE_MROPE | sys::LLAMA_ROPE_TYPE_IMROPE) { SECTIONS } else { 1 };
        Some(Self {
            pointer,
            vocabulary: usize::try_from(vocabulary).unwrap_or(0),
            width: usize::try_from(width).unwrap_or(0),
            sections,
            call: usize::try_from(call).unwrap_or(1).max(1),
            sequences: i32::try_from(size.sequences).unwrap_or(i32::MAX),
            model: PhantomData,
        })
    }

    /// Whether it computes with the adapter, and no other, from now on.
    pub(super) fn adapt(&mut self, adapter: &mut LlamaLoraAdapter, scale: f32) -> bool {
        const { assert!(size_of::<LlamaLoraAdapter>() == size_of::<NonNull<sys::llama_adapter_lora>>()) }
        // SAFETY: `LlamaLoraAdapter` is `repr(transparent)` as `LlamaModel` is, see `raw`.
        let mut pointer = unsafe { std::ptr::from_mut(adapter).cast::<*mut sys::llama_adapter_lora>().read() };
        let mut scale = scale;
        // SAFETY: It reads one of each, and keeps what the first points at: the adapter lives as long as its model, which
        // this context borrows.
        unsafe { sys::llama_set_adapters_lora(self.pointer.as_ptr(), &raw mut pointer, 1, &raw mut scale) == 0 }
    }

    /// The most tokens of one call.
    pub(super) const fn call(&self) -> usize {
        self.call
    }

    /// Numbers of a vector that takes the place of a token.
    pub(super) const fn width(&self) -> usize {
        self.width
    }

    /// Computes tokens.
    pub(super) fn decode(&mut self, batch: &mut Batch) -> Result<(), String> {
        if batch.len() == 0 || batch.len() > self.call || !batch.lanes.iter().all(|lane| self.has(*lane)) {
            return Err("a call is empty, too long or of no sequence".to_owned());
        }
        let Batch { tokens, positions, lanes, outputs } = batch;
        self.run(tokens.len(), Some(tokens), &[], positions, lanes, outputs)
    }

    /// Computes vectors in the place of tokens.
    pub(super) fn decode_vectors(&mut self, vectors: &Vectors<'_>) -> Result<(), String> {
        let count = vectors.positions.len();
        if count == 0 || count > self.call || !self.has(vectors.lane) || vectors.numbers.len() != count * self.width {
            return Err("vectors of an image are too many, too few or of no sequence".to_owned());
        }
        // One section after the other, as many as the model has.
        let section = |section: usize| vectors.positions.iter().map(move |position| position[section]);
        let mut positions: Vec<i32> = (0..self.sections).flat_map(section).collect();
        let mut outputs = vec![0; count];
        outputs[count - 1] = i8::from(vectors.output);
        if vectors.both_ways {
            self.set_causal(false);
        }
        let computed =
            self.run(count, None, vectors.numbers, &mut positions, &mut vec![vectors.lane; count], &mut outputs);
        if vectors.both_ways {
            self.set_causal(true);
        }
        computed
    }

    fn run(
        &mut self,
        count: usize,
        tokens: Option<&mut Vec<sys::llama_token>>,
        vectors: &[f32],
        positions: &mut [sys::llama_pos],
        lanes: &mut [sys::llama_seq_id],
        outputs: &mut [i8],
    ) -> Result<(), String> {
        let mut counts = vec![1_i32; count];
        let mut lane_pointers: Vec<*mut sys::llama_seq_id> = lanes.iter_mut().map(std::ptr::from_mut).collect();
        let has_tokens = tokens.is_some();
        let batch = sys::llama_batch {
            n_tokens: i32::try_from(count).map_err(|error| error.to_string())?,
            token: tokens.map_or(std::ptr::null_mut(), Vec::as_mut_ptr),
            embd: if has_tokens { std::ptr::null_mut() } else { vectors.as_ptr().cast_mut() },
            pos: positions.as_mut_ptr(),
            n_seq_id: counts.as_mut_ptr(),
            seq_id: lane_pointers.as_mut_ptr(),
            logits: outputs.as_mut_ptr(),
        };
        // SAFETY: All lists have as many entries as the batch says, positions one for each section of a vector, and live
        // until the call returns; llama.cpp copies what it keeps. The context is borrowed alone.
        let status = unsafe { sys::llama_decode(self.pointer.as_ptr(), batch) };
        // SAFETY: The same context.
        unsafe { sys::llama_synchronize(self.pointer.as_ptr()) };
        match status {
            0 => Ok(()),
            1 => Err("there is no room in the context".to_owned()),
            status => Err(format!("it answered {status}")),
        }
    }

    const fn has(&self, lane: i32) -> bool {
        lane >= 0 && lane < self.sequences
    }

    fn set_causal(&mut self, causal: bool) {
        // SAFETY: The context is alive and borrowed alone.
        unsafe { sys::llama_set_causal_attn(self.pointer.as_ptr(), causal) };
    }

    /// How likely each token is to follow the `place`th of the last call, as numbers that grow with it; `None` when that was
    /// not asked for.
    pub(super) fn logits(&self, place: i32) -> Option<&[f32]> {
        // SAFETY: The context is alive. It answers nothing for a place without an output. The numbers stay until the next
        // call, which needs the context alone, so the borrow outlives them.
        unsafe {
            let logits = NonNull::new(sys::llama_get_logits_ith(self.pointer.as_ptr(), place))?;
            Some(std::slice::from_raw_parts(logits.as_ptr(), self.vocabulary))
        }
    }

    /// The first position that is still there of a sequence; negative when there is none.
    pub(super) fn first_position(&self, lane: i32) -> i32 {
        if !self.has(lane) {
            return -1;
        }
        // SAFETY: The memory belongs to the context; this reads a number of a sequence that there is.
        unsafe { sys::llama_memory_seq_pos_min(sys::llama_get_memory(self.pointer.as_ptr()), lane) }
    }

    /// Forgets what a sequence holds from a position on. Whether it could: forgetting everything always works.
    pub(super) fn forget(&mut self, lane: i32, from: i32) -> bool {
        // SAFETY: The memory belongs to the context, which is borrowed alone, and the sequence is one that there is.
        self.has(lane)
            && unsafe { sys::llama_memory_seq_rm(sys::llama_get_memory(self.pointer.as_ptr()), lane, from, -1) }
    }

    /// For a comparison with how llama.cpp's own helper computes images.
    #[cfg(test)]
    pub(super) const fn pointer(&mut self) -> *mut sys::llama_context {
        self.pointer.as_ptr()
    }
}

impl Drop for Context<'_> {
    fn drop(&mut self) {
        // SAFETY: It was made by llama.cpp, and nothing borrows from it any more.
        unsafe { sys::llama_free(self.pointer.as_ptr()) };
    }
}
