//! What the eye sees, and how the session computes it, against llama.cpp's own helper.

use std::sync::mpsc;
use std::thread;

use llama_cpp_sys_2 as sys;
use stoa_model::completion::{LocalOptions, Parameters};
use stoa_models::protocol::{Prompt, Report, Sampling, Submission};

use super::super::glance::watch;
use super::super::unit::Units;
use super::super::{Engine, Request, Room, looks};
use super::*;
use crate::devices::Given;

#[path = "../../../tests/model/seer.rs"]
mod seer;

const TEXT: [&str; 2] = ["look: ", " what colour is it?"];

/// llama.cpp begins once in a process.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn engine() -> (tempfile::TempDir, Engine, std::path::PathBuf) {
    let (folder, weights, projector) = seer::save(&seer::eye(seer::EyeSize::TINY));
    (folder, Engine::load(&weights, &Given::default(), |_| true).unwrap(), projector)
}

/// Mostly of one colour.
fn plain(colour: [u8; 3]) -> Pixels {
    let of = |pixel: usize| {
        if pixel % 20 < 14 { colour } else { [pixel % 7 * 12, pixel / 5, 60].map(|shade| u8::try_from(shade).unwrap()) }
    };
    Pixels { width: 20, height: 20, colours: (0..400).flat_map(of).collect() }
}

fn pieces(eye: &Eye<'_>, pixels: &Pixels) -> Vec<Piece> {
    eye.take_apart(&[Part::Text(TEXT[0]), Part::Image(pixels, "a"), Part::Text(TEXT[1])]).unwrap()
}

/// What may follow, as llama.cpp's helper computes it in one go.
fn by_the_helper(engine: &Engine, eye: &Eye<'_>, pixels: &Pixels) -> Vec<f32> {
    let (model, backend) = engine.parts();
    let size = super::super::context::Size { tokens: 256, call: 256, sequences: 1, threads: 1 };
    let mut context = super::super::context::Context::new(model, backend, size).unwrap();
    let parts = [Part::Text(TEXT[0]), Part::Image(pixels, "a"), Part::Text(TEXT[1])];
    let bitmaps: Vec<Option<Bitmap>> = parts.iter().map(|part| bitmap(part).unwrap()).collect();
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
    let mut past = 0;
    // SAFETY: As in `take_apart`; the helper gets a context, an eye and chunks that are alive.
    let tokens = unsafe {
        let chunks = Chunks(NonNull::new(sys::mtmd_input_chunks_init()).unwrap());
        let taken =
            sys::mtmd_tokenize_from_parts(eye.pointer(), chunks.0.as_ptr(), pointers.as_ptr(), pointers.len(), true);
        assert_eq!(taken, 0);
        let chunks = chunks.0.as_ptr();
        let computed =
            sys::mtmd_helper_eval_chunks(eye.pointer(), context.pointer(), chunks, 0, 0, 256, true, &raw mut past);
        assert_eq!(computed, 0);
        sys::mtmd_helper_get_n_tokens(chunks)
    };
    // The helper's last call held what stands behind the image.
    let units = Units::of_pieces(Some(LlamaToken(1)), pieces(eye, pixels));
    assert_eq!((tokens, past), (units.units.len(), units.next));
    let last = i32::try_from(units.units.len() - units.images[0].end()).unwrap();
    context.logits(last - 1).unwrap().to_vec()
}

#[test]
fn an_image_becomes_as_many_vectors_as_it_has_patches() {
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let (_folder, engine, projector) = engine();
    let eye = engine.eye(&projector, 1, Arc::default()).unwrap();
    let [red, blue] = [[255, 0, 0], [0, 0, 255]].map(plain);
    let units = Units::of_pieces(None, pieces(&eye, &red));
    assert_eq!((units.units.len(), units.images.len()), (TEXT[0].len() + 16 + TEXT[1].len(), 1));
    assert_eq!(units.images[0].sight.positions(5)[15], [20; 4]);
    assert_eq!((units.whole(TEXT[0].len() + 3), units.whole(3), units.whole(40)), (TEXT[0].len(), 3, 40));
    let look = |pixels: &Pixels| {
        let sight = Units::of_pieces(None, pieces(&eye, pixels)).images.remove(0).sight;
        eye.look(&sight, &Arc::default()).unwrap().unwrap()
    };
    let (one, other) = (look(&red), look(&blue));
    assert_eq!((one.len(), one == look(&red)), (16 * 16, true), "the same image is the same vectors");
    assert!(one.iter().zip(&other).any(|(one, other)| (one - other).abs() > 1.0), "{one:?} {other:?}");
    let cancelled = Arc::new(AtomicBool::new(true));
    assert_eq!(eye.look(&units.images[0].sight, &cancelled), Ok(None));
}

#[test]
fn an_image_is_given_up_in_the_middle_of_its_computation() {
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let (_folder, engine, _) = engine();
    let size = seer::EyeSize { image: 224, patch: 14, width: 256, layers: 12, ..seer::EyeSize::TINY };
    let (_other, _, projector) = seer::save(&seer::eye(size));
    let vitals: Arc<Vitals> = Arc::default();
    let eye = engine.eye(&projector, 1, Arc::clone(&vitals)).unwrap();
    let sight = Units::of_pieces(None, pieces(&eye, &plain([1, 2, 3]))).images.remove(0).sight;
    let steps = vitals.count();
    let began = std::time::Instant::now();
    assert!(eye.look(&sight, &Arc::default()).unwrap().is_some());
    let (whole, all) = (began.elapsed(), vitals.count() - steps);
    assert!(all > 15, "a sign of life every half layer: {all}");
    let cancelled = Arc::new(AtomicBool::new(false));
    thread::scope(|scope| {
        let (flag, before) = (Arc::clone(&cancelled), vitals.count());
        let vitals = &vitals;
        scope.spawn(move || {
            while vitals.count() < before + 3 {
                thread::yield_now();
            }
            flag.store(true, Ordering::Relaxed);
        });
        let before = vitals.count();
        assert_eq!(eye.look(&sight, &cancelled), Ok(None));
        assert!(
            vitals.count() - before < all,
            "it stopped before the end: {} of {all}, {whole:?}",
            vitals.count() - before
        );
    });
    assert!(eye.look(&sight, &Arc::default()).unwrap().is_some(), "the next is computed as ever");
}

/// The likeliest token and the logarithm of its probability.
fn best(logits: &[f32]) -> (usize, f64) {
    let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let total = logits.iter().map(|logit| f64::from(*logit).exp()).sum::<f64>().ln();
    (logits.iter().position(|logit| *logit >= most).unwrap(), f64::from(most) - total)
}

#[test]
fn steps_of_a_session_compute_what_the_helper_computes_at_once() {
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let plain_eye = seer::eye(seer::EyeSize::TINY);
    for (what, model, file, both_ways) in [
        ("one after the other", seer::model(), plain_eye.clone(), false),
        ("in two dimensions", seer::model_with_dimensions(), plain_eye, false),
        ("both ways", seer::model_of("llama", 2), seer::eye_both_ways(), true),
    ] {
        let (_folder, weights, projector) = seer::save_both(&model, &file);
        let engine = Engine::load(&weights, &Given::default(), |_| true).unwrap();
        let vitals: Arc<Vitals> = Arc::default();
        let eye = engine.eye(&projector, 1, Arc::clone(&vitals)).unwrap();
        assert_eq!(eye.both_ways(), both_ways, "{what}");
        let mut said = Vec::new();
        for colour in [[255, 0, 0], [0, 255, 0], [0, 0, 255]] {
            let pixels = plain(colour);
            let (token, logprob) = best(&by_the_helper(&engine, &eye, &pixels));
            let (text, found) = answer(&engine, &eye, &pixels, &vitals, TEXT[1]);
            assert!((f64::from(found) - logprob).abs() < 1e-5, "{what}, {colour:?}: {found} and {logprob}");
            assert_eq!(text, format!(" {}", seer::WORDS[token - 3 - 256]), "{what}, {colour:?}");
            let last = answer(&engine, &eye, &pixels, &vitals, "");
            assert!(last.1.is_finite(), "{what}: a prompt may end with an image, {last:?}");
            said.push(text);
        }
        assert_ne!(said.first(), said.last(), "{what}: what is shown decides what is said");
    }
}

/// The first token of an answer and how likely it was, computed step by step.
fn answer(engine: &Engine, eye: &Eye<'_>, pixels: &Pixels, vitals: &Arc<Vitals>, behind: &str) -> (String, f32) {
    let room = Room { context_window: 256, slots: Some(2), context_bytes: None, free_bytes: None, threads: 1 };
    let mut session = engine.session(Some(eye), room).unwrap();
    let preparer = engine.preparer(Some(eye), 256);
    let greedy = Parameters { temperature: Some(0.0), ..Parameters::default() };
    let submission = Submission {
        sequence: 1,
        prompt: Prompt::Raw { text: TEXT.concat() },
        images: Vec::new(),
        sampling: Sampling::new(&greedy, &LocalOptions::default(), 1),
        max_tokens: Some(1),
        stop: Vec::new(),
        owner: None,
        cache_scope: None,
        alone: false,
        logprobs: Some(0),
        context: None,
        schema: None,
        now_ms: 0,
    };
    let request = Request { asked: Box::new(submission), images: Vec::new(), submitted: std::time::Instant::now() };
    let idle = AtomicBool::new(false);
    let watching = super::super::Watch { cancelled: &idle, vitals };
    let mut prompt = preparer.prompt(&request, &watching).unwrap().unwrap();
    let begin = LlamaToken(1);
    let parts = [Part::Text(TEXT[0]), Part::Image(pixels, "a"), Part::Text(behind)];
    prompt.units = Units::of_pieces(Some(begin), eye.take_apart(&parts).unwrap());
    thread::scope(|scope| {
        let (looks, asked) = looks();
        let (tell, told) = mpsc::channel();
        scope.spawn(move || watch(eye, &asked, |sequence, seen| tell.send((sequence, seen)).unwrap()));
        session.ask_at(looks, eye.both_ways());
        let mut reports = Vec::new();
        session.begin(request, prompt, &mut reports).unwrap();
        while session.running() > 0 {
            if session.is_ready() {
                session.step(vitals, &mut reports);
            } else {
                let (sequence, seen) = told.recv().unwrap();
                session.see(sequence, seen, &mut reports);
            }
        }
        session.abandon();
        let piece = reports.iter().find_map(|report| match report {
            Report::Piece { text, logprobs, .. } => Some((text.clone(), logprobs.first()?.token.logprob)),
            _ => None,
        });
        piece.unwrap_or_else(|| (format!("{reports:?}"), f32::NAN))
    })
}
