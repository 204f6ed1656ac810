//! Models that see: what they are shown decides what they say, and whoever sends a bad image hurts nobody else.

use std::io::Cursor;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use image::codecs::gif::GifEncoder;
use image::{DynamicImage, Frame, ImageFormat, Rgb, RgbImage, Rgba, RgbaImage};
use stoa_model::UserId;
use stoa_model::completion::{CompletionError, CompletionEvent, CompletionRequest, PromptMessage};
use stoa_model::conversation::MessageRole;
use stoa_model::image::Image;
use stoa_model::provider::Ability;
use stoa_models::{LaneState, RuntimeOptions};

use crate::seer::{self, EyeSize};
use crate::support::{House, first_text, model_path, options, request, signal, user};

/// Tokens of an image of the tiny model.
const PATCHES: u64 = 16;

fn png(picture: impl Into<DynamicImage>) -> Vec<u8> {
    let mut bytes = Vec::new();
    picture.into().write_to(&mut Cursor::new(&mut bytes), ImageFormat::Png).unwrap();
    bytes
}

fn plain(colour: [u8; 3]) -> Vec<u8> {
    png(RgbImage::from_pixel(24, 24, Rgb(colour)))
}

fn red() -> Vec<u8> {
    plain([255, 0, 0])
}

fn blue() -> Vec<u8> {
    plain([0, 0, 255])
}

/// A question with images before it.
fn asked(text: &str, images: &[Vec<u8>]) -> CompletionRequest {
    let mut asked = request(text);
    asked.seed = None;
    asked.messages[0].images = images.iter().map(|image| Image::new(image.as_slice(), 0).unwrap()).collect();
    asked.parameters.max_tokens = Some(3);
    asked
}

fn by(user: UserId, request: CompletionRequest) -> CompletionRequest {
    CompletionRequest { tenant: Some(user), ..request }
}

/// The tiny model with its eye.
fn seer_house() -> House {
    with_eye(EyeSize::TINY, options())
}

fn with_eye(size: EyeSize, options: RuntimeOptions) -> House {
    let (_folder, weights, projector) = seer::save(&seer::eye(size));
    House::seeing(options, &weights, &projector)
}

/// An eye that is at work for a while, with the tiny model behind it.
const SLOW: EyeSize = EyeSize { image: 448, patch: 28, width: 512, layers: 12, ..EyeSize::TINY };

#[tokio::test]
async fn what_is_shown_decides_what_is_said() {
    let house = seer_house();
    let mut said = Vec::new();
    for colour in [[255, 0, 0], [0, 255, 0], [0, 0, 255], [200, 90, 20]] {
        let answer = house.ask(asked("colour?", &[plain(colour)])).await.unwrap();
        assert_eq!(answer.usage.unwrap().prompt_tokens, 1 + "[user]colour?[assistant]".len() as u64 + PATCHES);
        said.push(answer.text);
    }
    assert_eq!(said, [" red", " green", " blue", " red"]);
    let alone = CompletionRequest { seed: Some(7), ..asked("colour?", &[blue()]) };
    let first = house.ask(alone.clone()).await.unwrap();
    assert_eq!((first.text.as_str(), &first), (" blue", &house.ask(alone).await.unwrap()));
    let models = house.runtime.models().await.unwrap();
    assert!(models[0].abilities.contains(&Ability::Vision), "{models:?}");
}

#[tokio::test]
async fn eyes_and_models_of_other_manners_see() {
    for (what, model, eye) in [
        ("two dimensions", seer::model_with_dimensions(), seer::eye(EyeSize::TINY)),
        ("both ways", seer::model(), seer::eye_both_ways()),
    ] {
        let (_folder, weights, projector) = seer::save_both(&model, &eye);
        let house = House::seeing(options(), &weights, &projector);
        let me = user();
        let ask = |images: Vec<Vec<u8>>| house.ask(by(me, asked("colour?", &images)));
        let one = ask(vec![red(), red()]).await.unwrap();
        let other = ask(vec![blue(), blue(), blue()]).await.unwrap();
        assert_ne!(one.text, other.text, "{what}");
        let again = ask(vec![blue(), blue(), blue()]).await.unwrap();
        let usage = again.usage.unwrap();
        assert_eq!((&again.text, usage.cached_tokens), (&other.text, usage.prompt_tokens - 1), "{what}");
        // What is kept ends with an image; what follows stands where it did.
        let mixed = ask(vec![blue(), blue(), red()]).await.unwrap();
        let fresh = house.ask(by(user(), asked("colour?", &[blue(), blue(), red()]))).await.unwrap();
        assert!(mixed.usage.unwrap().cached_tokens > 0 && fresh.usage.unwrap().cached_tokens == 0, "{what}");
        assert_eq!(mixed.text, fresh.text, "{what}");
    }
}

#[tokio::test]
async fn an_image_is_seen_once_and_never_taken_for_another() {
    let house = seer_house();
    let me = user();
    let ask = |images: Vec<Vec<u8>>| house.ask(by(me, asked("colour?", &images)));
    let first = ask(vec![red()]).await.unwrap();
    let whole = first.usage.unwrap().prompt_tokens;
    assert_eq!((first.text.as_str(), first.usage.unwrap().cached_tokens), (" red", 0));
    let again = ask(vec![red()]).await.unwrap();
    assert_eq!((again.text.as_str(), again.usage.unwrap().cached_tokens), (" red", whole - 1), "all but the last");
    // Of the same size, with the same words around it: only what stands before the image is the same.
    let other = ask(vec![blue()]).await.unwrap();
    let before = 1 + "[user]".len() as u64;
    assert_eq!((other.text.as_str(), other.usage.unwrap().prompt_tokens), (" blue", whole));
    assert!(other.usage.unwrap().cached_tokens <= before, "{other:?}");
    // The same beginning, then another image: the first is kept, whole, and the second is computed.
    ask(vec![red(), red(), red()]).await.unwrap();
    let mixed = ask(vec![red(), red(), blue()]).await.unwrap();
    assert_eq!(mixed.usage.unwrap().cached_tokens, before + 2 * PATCHES);
    let stranger = house.ask(by(user(), asked("colour?", &[red()]))).await.unwrap();
    assert_eq!(stranger.usage.unwrap().cached_tokens, 0);
}

#[tokio::test]
async fn images_stand_where_they_were_put() {
    let house = seer_house();
    let mut asked = asked("before and after", &[red()]);
    asked.messages[0].images[0].at = "before ".len();
    asked.messages.push(PromptMessage::new(MessageRole::Assistant, "hm"));
    let mut last = PromptMessage::new(MessageRole::User, "");
    last.images = [blue(), red(), red()].map(|image| Image::new(image, 0).unwrap()).into();
    asked.messages.push(last);
    let answer = house.ask(asked.clone()).await.unwrap();
    let text = "[user]before and after[assistant]hm[user][assistant]";
    assert_eq!(answer.usage.unwrap().prompt_tokens, 1 + text.len() as u64 + 4 * PATCHES);
    assert_eq!(answer.text, " red");
    asked.messages[0].images[0].at = 40;
    let error = house.ask(asked).await.unwrap_err();
    assert!(matches!(&error, CompletionError::Invalid { detail } if detail.contains("nowhere")), "{error:?}");
}

#[tokio::test]
async fn text_that_looks_like_an_image_is_text() {
    let house = seer_house();
    for text in ["<__media__>", "<image-00000000000000000000000000000000-00>", "<image> [img-0] <start_of_image>"] {
        let bytes = 1 + format!("[user]{text}[assistant]").len() as u64;
        let without = house.ask(asked(text, &[])).await.unwrap();
        assert_eq!(without.usage.unwrap().prompt_tokens, bytes, "{text}");
        let with = house.ask(asked(text, &[blue()])).await.unwrap();
        assert_eq!((with.usage.unwrap().prompt_tokens, with.text.as_str()), (bytes + PATCHES, " blue"), "{text}");
    }
}

#[tokio::test]
async fn a_prompt_that_is_too_long_with_its_images_is_refused_with_the_numbers() {
    let house = seer_house();
    let fits = house.ask(asked("colour?", &vec![blue(); 32])).await.unwrap();
    assert_eq!(fits.text, " blue");
    let long = "x".repeat(700);
    assert!(house.ask(asked(&long, &[])).await.is_ok(), "it is the images that are too many");
    let error = house.ask(asked(&long, &vec![blue(); 20])).await.unwrap_err();
    let prompt_tokens = 1 + format!("[user]{long}[assistant]").len() as u64 + 20 * PATCHES;
    assert_eq!(error, CompletionError::TooLong { prompt_tokens, context_window: u64::from(seer::WINDOW) });
    let error = house.ask(asked("colour?", &vec![blue(); 33])).await.unwrap_err();
    assert!(matches!(&error, CompletionError::Invalid { detail } if detail.contains("33 images")), "{error:?}");
}

#[tokio::test]
async fn a_bad_image_is_refused_and_hurts_nobody() {
    let house = seer_house();
    house.ask(asked("colour?", &[red()])).await.unwrap();
    let worker = house.worker_id().await;
    let mut huge = red();
    huge[16..24].copy_from_slice(&[0, 0, 0xff, 0xff, 0, 0, 0xff, 0xff]);
    let shade = |number: u32| u8::try_from(number % 256).unwrap();
    let whole = png(RgbImage::from_fn(64, 64, |x, y| Rgb([x * y, x, y].map(shade))));
    let cut = whole[..whole.len() / 2].to_vec();
    let line = png(RgbImage::new(1, 900));
    let noise = b"\x89PNG\r\n\x1a\nand nothing that follows".to_vec();
    let mut lying = whole.clone();
    lying.splice(..8, *b"GIF89a..");
    for (what, image) in [("huge", huge), ("cut", cut), ("line", line), ("noise", noise), ("lying", lying)] {
        let error = house.ask(asked("colour?", &[red(), image])).await.unwrap_err();
        let told = matches!(&error, CompletionError::Invalid { detail } if detail.contains("image 2 cannot be used"));
        assert!(told, "{what}: {error:?}");
    }
    let mut moving = Vec::new();
    let mut encoder = GifEncoder::new(&mut moving);
    let frame = |number: u8| Frame::new(RgbaImage::from_pixel(9, 9, Rgba([0, 0, 255 - number * 5, 255])));
    encoder.encode_frames((0..50).map(frame)).unwrap();
    drop(encoder);
    let dot = png(RgbImage::from_pixel(1, 1, Rgb([0, 0, 255])));
    for (what, image) in [("moving", moving), ("dot", dot)] {
        assert_eq!(house.ask(asked("colour?", &[image])).await.unwrap().text, " blue", "{what}");
    }
    let wide = png(RgbaImage::from_pixel(2_300, 30, Rgba([0, 0, 255, 255])));
    house.ask(asked("colour?", &[wide])).await.unwrap();
    assert_eq!(house.worker_id().await, worker, "it was the same worker all along");
}

#[tokio::test]
async fn a_model_without_an_eye_is_shown_nothing() {
    let (_folder, weights, _) = seer::save(&seer::eye(EyeSize::TINY));
    let house = House::with_models(options(), &[(&weights, crate::support::NAME)]);
    let error = house.ask(asked("colour?", &[red()])).await.unwrap_err();
    let told = matches!(&error, CompletionError::Invalid { detail } if detail.ends_with("does not support images"));
    assert!(told, "{error:?}");
    assert!(house.runtime.models().await.unwrap()[0].abilities.is_empty());
}

#[tokio::test]
async fn an_eye_of_another_model_is_refused_when_it_is_loaded() {
    let house = with_eye(EyeSize { model_width: 24, ..EyeSize::TINY }, options());
    let error = house.ask(asked("colour?", &[])).await.unwrap_err();
    let told = matches!(&error, CompletionError::WorkerFailed { detail } if detail.contains("projector"));
    assert!(told, "{error:?}");
}

#[tokio::test]
async fn an_image_that_nobody_wants_any_more_is_given_up() {
    let house = with_eye(SLOW, options());
    let began = Instant::now();
    house.ask(asked("colour?", &[red()])).await.unwrap();
    house.ask(asked("colour?", &[blue()])).await.unwrap();
    let one = began.elapsed() / 2;
    let worker = house.worker_id().await;
    let began = Instant::now();
    for number in 0..8 {
        let open = house.open(asked("colour?", &[plain([number, 1, 2]), plain([number, 3, 4])])).await.unwrap();
        tokio::time::sleep(one / 8).await;
        drop(open);
        house.until(LaneState::Idle).await;
    }
    let took = began.elapsed();
    assert!(took < one * 8, "eight times two images, given up: {took:?}, and one takes {one:?}");
    house.ask(asked("colour?", &[])).await.unwrap();
    assert_eq!(house.worker_id().await, worker);
}

#[tokio::test]
async fn a_worker_that_is_killed_while_it_looks_fails_its_request_and_no_other() {
    let house = with_eye(SLOW, options());
    house.ask(asked("colour?", &[])).await.unwrap();
    let worker = house.worker_id().await;
    let looking = house.open(asked("colour?", &[red(), blue(), red()])).await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    signal(worker, rustix::process::Signal::KILL);
    let error = crate::support::Answer::read(looking).await.unwrap_err();
    assert!(matches!(error, CompletionError::WorkerFailed { .. }), "{error:?}");
    assert!(house.ask(asked("colour?", &[blue()])).await.is_ok());
    assert_ne!(house.worker_id().await, worker);
}

/// The longest pause between two pieces of a story, and the middle one, in milliseconds, while `beside` goes on.
async fn pauses(house: &House, beside: impl Future<Output = ()>) -> (u128, u128, usize) {
    let teller = user();
    let tell = || {
        let mut story = crate::support::long_request();
        (story.seed, story.tenant) = (None, Some(teller));
        house.open(story)
    };
    let mut story = tell().await.unwrap();
    first_text(&mut story).await;
    let mut pauses = Vec::new();
    let mut last = Instant::now();
    tokio::pin!(beside);
    loop {
        tokio::select! {
            () = &mut beside => break,
            event = story.next() => match event.map(Result::unwrap) {
                Some(CompletionEvent::Delta { .. }) => {
                    pauses.push(last.elapsed().as_millis());
                    last = Instant::now();
                }
                Some(_) => {}
                // Nobody knows how long a story is; then there is another.
                None => story = tell().await.unwrap(),
            }
        }
    }
    pauses.sort_unstable();
    (
        pauses.last().copied().unwrap_or(u128::MAX),
        pauses.get(pauses.len() / 2).copied().unwrap_or(u128::MAX),
        pauses.len(),
    )
}

#[tokio::test]
async fn nobody_waits_for_somebody_elses_image() {
    // An eye for the starter model; images are as large as LLaVA's.
    let size = EyeSize { image: 336, patch: 14, width: 768, layers: 5, model_width: 576 };
    let (_folder, _, projector) = seer::save(&seer::eye(size));
    let house = House::seeing(options(), &model_path(), &projector);
    house.ask(asked("Say hello.", &[])).await.unwrap();
    let began = Instant::now();
    house.ask(asked("What is it?", &[red()])).await.unwrap();
    let alone = began.elapsed();
    let idle = pauses(&house, tokio::time::sleep(Duration::from_secs(2))).await;
    let began = Instant::now();
    let beside = pauses(&house, async {
        house.ask(by(user(), asked("What is it?", &[blue()]))).await.unwrap();
    })
    .await;
    let shared = began.elapsed();
    println!(
        "an image alone {alone:?}, beside a story {shared:?}; pauses (most, middle, count) {idle:?}, {beside:?} ms"
    );
    let (longest, _, count) = beside;
    assert!(count > 10, "the story goes on meanwhile: {beside:?}");
    assert!(longest < shared.as_millis() / 2, "the story never waits for the image: {beside:?} in {shared:?}");
}

#[test]
fn the_models_of_the_conformance_tests_are_these() {
    for (name, file) in [("seer.gguf", seer::model()), ("seer-eye.gguf", seer::eye(EyeSize::TINY))] {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../conformance").join(name);
        let bytes = file.bytes();
        assert!(bytes.len() < 100_000, "{name} has {} bytes", bytes.len());
        if std::fs::read(&path).ok().as_ref() != Some(&bytes) {
            std::fs::write(&path, &bytes).unwrap();
            panic!("{} was stale; it is fresh now: commit it", path.display());
        }
    }
}
