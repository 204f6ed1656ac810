//! The eye of a model: llama.cpp's mtmd, which makes vectors of images that stand in the place of tokens.
//!
//! `llama-cpp-2` wraps it without what is needed here: prompts in parts (its text would be searched for a mark that anybody
//! can write), the vectors themselves, where each stands, and a way to stop while an image is computed.

#![expect(unsafe_code, reason = "llama-cpp-2's wrapper of mtmd neither hands out vectors nor takes a prompt in parts")]

use std::ffi::{CStr, CString, c_void};
use std::marker::PhantomData;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use llama_cpp_2::model::LlamaModel;
use llama_cpp_2::token::LlamaToken;
use llama_cpp_sys_2 as sys;
use stoa_models::protocol::LoadFailure;
use stoa_pictures::Pixels;

use super::context::{SECTIONS, raw};
use crate::link::Vitals;

/// After so many operations of an image's computation it is looked whether anybody still wants it: about half a layer.
const OPERATIONS: usize = 16;

pub(crate) struct Eye<'engine> {
    pointer: NonNull<sys::mtmd_context>,
    /// Numbers of a vector.
    width: usize,
    both_ways: bool,
    /// What the computation calls back; mtmd knows its address.
    watch: Box<Watch>,
    /// mtmd computes one image at a time.
    turn: Mutex<()>,
    model: PhantomData<&'engine LlamaModel>,
}

// SAFETY: mtmd takes prompts apart on any thread ("this function is thread-safe (shared ctx)"), and computes images behind
// the lock. Everything else reads numbers that never change.
unsafe impl Send for Eye<'_> {}
// SAFETY: As above.
unsafe impl Sync for Eye<'_> {}

struct Watch {
    vitals: Arc<Vitals>,
    operations: AtomicUsize,
    /// Of the image that is computed right now.
    cancelled: Mutex<Arc<AtomicBool>>,
}

/// A piece of a prompt.
pub(super) enum Part<'p> {
    Text(&'p str),
    /// With a name that differs from that of any other image.
    Image(&'p Pixels, &'p str),
}

/// What mtmd makes of a prompt.
pub(super) enum Piece {
    Text(Vec<LlamaToken>),
    Sight(Sight),
}

/// An image, or a tile of one, that is ready to be computed.
pub(super) struct Sight {
    chunk: NonNull<sys::mtmd_input_chunk>,
    /// The name of the image.
    pub(super) name: String,
    /// Places that it takes among the tokens.
    pub(super) tokens: usize,
    /// How far it moves the position on. In models that give images two dimensions, that is less than its tokens.
    pub(super) advance: i32,
}

// SAFETY: A chunk is data of its own, which nobody changes after it was made.
unsafe impl Send for Sight {}
// SAFETY: As above.
unsafe impl Sync for Sight {}

impl<'engine> Eye<'engine> {
    /// Fails when the file is no eye, or not that of this model.
    pub(crate) fn load(
        path: &Path,
        model: &'engine LlamaModel,
        threads: u32,
        vitals: Arc<Vitals>,
    ) -> Result<Self, LoadFailure> {
        let watch = Box::new(Watch { vitals, operations: AtomicUsize::new(0), cancelled: Mutex::default() });
        let path = CString::new(path.as_os_str().as_bytes()).map_err(|_| LoadFailure::Projector)?;
        // SAFETY: It fills a plain structure.
        let mut parameters = unsafe { sys::mtmd_context_params_default() };
        parameters.use_gpu = false;
        parameters.print_timings = false;
        parameters.n_threads = i32::try_from(threads).unwrap_or(i32::MAX);
        parameters.cb_eval = Some(operation);
        parameters.cb_eval_user_data = std::ptr::from_ref(&*watch).cast_mut().cast::<c_void>();
        // SAFETY: The path ends with a zero. The model outlives what borrows it here; what the callback is given lies in a
        // box that is dropped after mtmd is freed.
        let pointer = unsafe { sys::mtmd_init_from_file(path.as_ptr(), raw(model), parameters) };
        let Some(pointer) = NonNull::new(pointer) else {
            tracing::error!("mtmd cannot load the projector");
            return Err(LoadFailure::Projector);
        };
        // SAFETY: Both are alive; these read numbers.
        let (sees, both_ways, width) = unsafe {
            (
                sys::mtmd_support_vision(pointer.as_ptr()),
                sys::mtmd_decode_use_non_causal(pointer.as_ptr(), std::ptr::null()),
                sys::llama_model_n_embd_inp(raw(model)),
            )
        };
        let width = usize::try_from(width).unwrap_or(0);
        let eye = Self { pointer, width, both_ways, watch, turn: Mutex::new(()), model: PhantomData };
        if sees { Ok(eye) } else { Err(LoadFailure::Projector) }
    }

    /// Whether each part of an image sees those behind it, so that all must be computed in one call.
    pub(crate) const fn both_ways(&self) -> bool {
        self.both_ways
    }

    /// Takes a prompt apart. Special tokens are known in its texts; no token is added but those around images.
    pub(super) fn take_apart(&self, parts: &[Part<'_>]) -> Result<Vec<Piece>, String> {
        let bitmaps = parts.iter().map(bitmap).collect::<Result<Vec<_>, _>>()?;
        let texts: Vec<sys::mtmd_input_text> = parts.iter().map(text).collect();
        let inputs: Vec<sys::mtmd_input_part> = bitmaps
            .iter()
            .zip(&texts)
            .map(|(bitmap, text)| match bitmap {
                Some(Bitmap(bitmap)) => sys::mtmd_input_part { text: std::ptr::null(), bitmap: bitmap.as_ptr() },
                None => sys::mtmd_input_part { text, bitmap: std::ptr::null() },
            })
            .collect();
        let pointers: Vec<*const sys::mtmd_input_part> = inputs.iter().map(std::ptr::from_ref).collect();
        // SAFETY: It makes an empty list.
        let chunks = Chunks(NonNull::new(unsafe { sys::mtmd_input_chunks_init() }).ok_or("no memory for a prompt")?);
        // SAFETY: As many pointers as are told, each to a part with a text or a bitmap; all of it lives until the call
        // returns, and mtmd copies what it keeps.
        let status = unsafe {
            sys::mtmd_tokenize_from_parts(
                self.pointer.as_ptr(),
                chunks.0.as_ptr(),
                pointers.as_ptr(),
                pointers.len(),
                false,
            )
        };
        match status {
            0 => chunks.pieces(),
            2 => Err("the model's eye cannot take an image of these proportions".to_owned()),
            status => Err(format!("mtmd answered {status}")),
        }
    }

    /// The vectors of an image, one for each of its tokens; `None` when it was cancelled meanwhile.
    pub(super) fn look(&self, sight: &Sight, cancelled: &Arc<AtomicBool>) -> Result<Option<Vec<f32>>, String> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        *self.watch.cancelled.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(cancelled);
        if cancelled.load(Ordering::Relaxed) {
            return Ok(None);
        }
        // SAFETY: Both are alive, and nobody else computes an image.
        let status = unsafe { sys::mtmd_encode_chunk(self.pointer.as_ptr(), sight.chunk.as_ptr()) };
        self.watch.vitals.step();
        if cancelled.load(Ordering::Relaxed) {
            // It may have stopped half-way, and what is there is of no use.
            return Ok(None);
        }
        // SAFETY: As above.
        let vectors = unsafe { sys::mtmd_get_output_embd(self.pointer.as_ptr()) };
        if status != 0 || vectors.is_null() {
            return Err("the model's eye failed to compute an image".to_owned());
        }
        // SAFETY: "the reading size is llama_model_n_embd_inp(model) * mtmd_input_chunk_get_n_tokens(chunk)", and nobody
        // computes another image before they are copied.
        let vectors = unsafe { std::slice::from_raw_parts(vectors, self.width * sight.tokens) };
        if vectors.iter().all(|number| number.is_finite()) {
            Ok(Some(vectors.to_vec()))
        } else {
            Err("what the model's eye made of an image is not made of numbers".to_owned())
        }
    }

    /// For a comparison with how llama.cpp's own helper computes images.
    #[cfg(test)]
    pub(super) const fn pointer(&self) -> *mut sys::mtmd_context {
        self.pointer.as_ptr()
    }
}

impl Drop for Eye<'_> {
    fn drop(&mut self) {
        // SAFETY: It was made by mtmd, and nothing borrows from it any more.
        unsafe { sys::mtmd_free(self.pointer.as_ptr()) };
    }
}

impl Sight {
    /// Where each of its vectors stands when the first token of the image stands at `start`.
    pub(super) fn positions(&self, start: i32) -> Vec<[i32; SECTIONS]> {
        let number = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
        // SAFETY: The chunk is alive and holds an image.
        let image = unsafe { sys::mtmd_input_chunk_get_tokens_image(self.chunk.as_ptr()) };
        (0..self.tokens)
            .map(|token| {
                // SAFETY: The image lives as long as its chunk, and has so many tokens.
                let at = unsafe { sys::mtmd_image_tokens_get_decoder_pos(image, start, token) };
                [at.t, at.y, at.x, at.z].map(number)
            })
            .collect()
    }
}

impl Drop for Sight {
    fn drop(&mut self) {
        // SAFETY: It is a copy of its own.
        unsafe { sys::mtmd_input_chunk_free(self.chunk.as_ptr()) };
    }
}

/// Told of every operation: `ask` before it, to learn whether it shall be told again behind it; an answer of `false` then
/// ends the computation.
unsafe extern "C" fn operation(_: *mut sys::ggml_tensor, ask: bool, watch: *mut c_void) -> bool {
    // SAFETY: It is the box of the eye that computes.
    let watch = unsafe { &*watch.cast::<Watch>() };
    if ask {
        return watch.operations.fetch_add(1, Ordering::Relaxed).is_multiple_of(OPERATIONS);
    }
    watch.vitals.step();
    !watch.cancelled.lock().unwrap_or_else(PoisonError::into_inner).load(Ordering::Relaxed)
}

struct Bitmap(NonNull<sys::mtmd_bitmap>);

impl Drop for Bitmap {
    fn drop(&mut self) {
        // SAFETY: It was made by mtmd, and is freed once.
        unsafe { sys::mtmd_bitmap_free(self.0.as_ptr()) };
    }
}

fn bitmap(part: &Part<'_>) -> Result<Option<Bitmap>, String> {
    let Part::Image(pixels, name) = part else { return Ok(None) };
    let bytes =
        usize::try_from(u64::from(pixels.width) * u64::from(pixels.height) * 3).map_err(|_| "an image is too large")?;
    let name = CString::new(*name).map_err(|_| "an image has no name")?;
    if bytes == 0 || pixels.colours.len() != bytes {
        return Err("an image has no pixels".to_owned());
    }
    // SAFETY: There are as many colours as the sides say, and mtmd copies them.
    let bitmap = unsafe { sys::mtmd_bitmap_init(pixels.width, pixels.height, pixels.colours.as_ptr()) };
    let bitmap = Bitmap(NonNull::new(bitmap).ok_or("no memory for an image")?);
    // SAFETY: The name ends with a zero, and mtmd copies it.
    unsafe { sys::mtmd_bitmap_set_id(bitmap.0.as_ptr(), name.as_ptr()) };
    Ok(Some(bitmap))
}

fn text(part: &Part<'_>) -> sys::mtmd_input_text {
    let text = if let Part::Text(text) = part { *text } else { "" };
    sys::mtmd_input_text { text: text.as_ptr().cast(), text_len: text.len(), add_special: false, parse_special: true }
}

struct Chunks(NonNull<sys::mtmd_input_chunks>);

impl Drop for Chunks {
    fn drop(&mut self) {
        // SAFETY: It was made by mtmd, and is freed once.
        unsafe { sys::mtmd_input_chunks_free(self.0.as_ptr()) };
    }
}

impl Chunks {
    fn pieces(&self) -> Result<Vec<Piece>, String> {
        // SAFETY: The list is alive.
        let count = unsafe { sys::mtmd_input_chunks_size(self.0.as_ptr()) };
        (0..count).map(|index| self.piece(index)).collect()
    }

    fn piece(&self, index: usize) -> Result<Piece, String> {
        // SAFETY: The list has so many chunks, which live as long as it does.
        let (chunk, kind) = unsafe {
            let chunk = sys::mtmd_input_chunks_get(self.0.as_ptr(), index);
            (chunk, sys::mtmd_input_chunk_get_type(chunk))
        };
        match kind {
            sys::MTMD_INPUT_CHUNK_TYPE_TEXT => {
                let mut count = 0;
                // SAFETY: A chunk of text has as many tokens as it says; they are copied at once.
                let tokens = unsafe {
                    let tokens = sys::mtmd_input_chunk_get_tokens_text(chunk, &raw mut count);
                    if tokens.is_null() { &[] } else { std::slice::from_raw_parts(tokens, count) }
                };
                Ok(Piece::Text(tokens.iter().copied().map(LlamaToken).collect()))
            }
            sys::MTMD_INPUT_CHUNK_TYPE_IMAGE => {
                // SAFETY: A copy is the caller's own; the name, if there is one, ends with a zero.
                let (copy, name, tokens, advance) = unsafe {
                    let name = sys::mtmd_input_chunk_get_id(chunk);
                    let name = if name.is_null() { c"" } else { CStr::from_ptr(name) };
                    (
                        sys::mtmd_input_chunk_copy(chunk),
                        name.to_string_lossy().into_owned(),
                        sys::mtmd_input_chunk_get_n_tokens(chunk),
                        sys::mtmd_input_chunk_get_n_pos(chunk),
                    )
                };
                let sight = Sight { chunk: NonNull::new(copy).ok_or("no memory for an image")?, name, tokens, advance };
                if tokens == 0 || advance <= 0 {
                    Err("an image became nothing".to_owned())
                } else {
                    Ok(Piece::Sight(sight))
                }
            }
            _ => Err("a prompt holds something that is neither text nor image".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests;
