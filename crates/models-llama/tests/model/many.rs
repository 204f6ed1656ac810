//! Many requests at once in one worker: they share its calls, and nothing else.

use std::time::Duration;

use crate::support::{Answer, House, first_text, long_request, options, request, signal, user};
use futures_util::StreamExt;
use futures_util::future::join_all;
use rustix::process::Signal;
use stoa_model::completion::{
    CompletionError, CompletionEvent, CompletionRequest, CompletionStream, Parameters, PromptMessage,
};
use stoa_model::conversation::MessageRole;
use stoa_models::{LaneState, LaneStatus, RuntimeOptions};

fn four() -> RuntimeOptions {
    RuntimeOptions { slots: Some(4), queue_per_user: 64, ..options() }
}

/// Of a person of its own, and without a seed: computed together with others.
fn shared(text: &str) -> CompletionRequest {
    CompletionRequest { seed: None, tenant: Some(user()), ..request(text) }
}

fn shared_long() -> CompletionRequest {
    CompletionRequest { seed: None, tenant: Some(user()), ..long_request() }
}

fn lane(house: &House) -> LaneStatus {
    house.runtime.status().lanes.remove(0)
}

async fn running(house: &House, wanted: usize) {
    for _ in 0..2_000 {
        if house.runtime.status().lanes.first().is_some_and(|lane| lane.running == wanted) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("never were {wanted} running: {:?}", house.runtime.status());
}

async fn error_of(mut stream: CompletionStream) -> CompletionError {
    loop {
        if let Err(error) = stream.next().await.expect("the stream ends with an error") {
            return error;
        }
    }
}

#[tokio::test]
async fn what_the_context_holds_is_told() {
    let house = House::new(RuntimeOptions { hang_timeout: Duration::from_secs(2), ..options() });
    let mut asked = request(&"The quick brown fox jumps over the lazy dog. ".repeat(20));
    asked.seed = None;
    asked.tenant = Some(user());
    let usage = house.ask(asked).await.unwrap().usage.unwrap();
    let all = usage.prompt_tokens + usage.completion_tokens;
    for _ in 0..200 {
        let held = lane(&house).context_tokens;
        // Of the last token nothing is computed, as nothing comes after it.
        if (all - 1..=all).contains(&held) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{all} tokens are held, and told is {}", lane(&house).context_tokens);
}

#[tokio::test]
async fn many_at_once_each_say_what_they_say_alone() {
    let house = House::new(four());
    let questions = [
        "What is the capital of France?",
        "Count from one to ten in digits.",
        "Name the four seasons of the year.",
        "What is the opposite of hot?",
    ];
    let mut alone = Vec::new();
    for question in questions {
        alone.push(house.ask(shared(question)).await.unwrap().text);
    }
    let streams = join_all(questions.iter().map(|question| house.open(shared(question)))).await;
    let (together, ()) =
        tokio::join!(join_all(streams.into_iter().map(|stream| Answer::read(stream.unwrap()))), async {
            running(&house, 4).await;
            assert_eq!((lane(&house).slots, lane(&house).queued), (4, 0));
        });
    let together: Vec<String> = together.into_iter().map(|answer| answer.unwrap().text).collect();
    assert_eq!(together, alone);
    house.until(LaneState::Idle).await;
    assert_eq!((lane(&house).running, lane(&house).served), (0, 8));
}

#[tokio::test]
async fn a_seed_gives_the_same_text_whatever_else_runs() {
    let house = House::new(four());
    // From 512 tokens on, llama.cpp computes the attention of one sequence in another way than that of several.
    let mut seeded = request(&format!("{} Describe a garden.", "The sun is shining on the sea. ".repeat(70)));
    seeded.parameters = Parameters { temperature: Some(1.3), max_tokens: Some(60), ..Parameters::default() };
    seeded.tenant = Some(user());
    let alone = house.ask(seeded.clone()).await.unwrap();
    let mut others = Vec::new();
    for _ in 0..2 {
        let mut stream = house.open(shared_long()).await.unwrap();
        first_text(&mut stream).await;
        others.push(stream);
    }
    // Two of the same seed at once, and prompts of others meanwhile.
    let mut twin = seeded.clone();
    twin.tenant = Some(user());
    let (first, second) = tokio::join!(house.ask(seeded.clone()), house.ask(twin));
    assert_eq!(first.unwrap(), alone);
    assert_eq!(second.unwrap(), alone);
    drop(others);
    assert_eq!(house.ask(seeded.clone()).await.unwrap(), alone);
    seeded.seed = Some(8);
    assert_ne!(house.ask(seeded).await.unwrap().text, alone.text);
}

#[tokio::test]
async fn one_of_many_is_cancelled_and_the_others_go_on() {
    let house = House::new(four());
    let mut streams = Vec::new();
    for _ in 0..3 {
        let mut stream = house.open(shared_long()).await.unwrap();
        first_text(&mut stream).await;
        streams.push(stream);
    }
    running(&house, 3).await;
    drop(streams.remove(1));
    running(&house, 2).await;
    for stream in &mut streams {
        for _ in 0..5 {
            first_text(stream).await;
        }
    }
    assert!(!house.ask(shared("Say hello.")).await.unwrap().text.is_empty());
    drop(streams);
    house.until(LaneState::Idle).await;
    assert_eq!((lane(&house).served, lane(&house).failures), (4, 0));
}

#[tokio::test]
async fn a_request_that_is_refused_costs_the_others_nothing() {
    let house = House::new(four());
    let mut stream = house.open(shared_long()).await.unwrap();
    first_text(&mut stream).await;
    let error = house.ask(shared(&"word ".repeat(3_000))).await.unwrap_err();
    assert!(matches!(error, CompletionError::TooLong { context_window: 2_048, .. }), "{error:?}");
    for _ in 0..5 {
        first_text(&mut stream).await;
    }
    assert_eq!(lane(&house).failures, 0);
}

#[tokio::test]
async fn a_long_prompt_does_not_stop_answers_that_are_on_their_way() {
    let house = House::new(four());
    let mut talk = house.open(shared_long()).await.unwrap();
    first_text(&mut talk).await;
    let mut book = shared(&"The quick brown fox jumps over the lazy dog. ".repeat(100));
    book.parameters.max_tokens = Some(1);
    let mut book = Box::pin(house.ask(book));
    let mut meanwhile = 0;
    let answer = loop {
        tokio::select! {
            answer = &mut book => break answer.unwrap(),
            event = talk.next() => {
                assert!(matches!(event, Some(Ok(CompletionEvent::Delta { .. }))), "{event:?}");
                meanwhile += 1;
            }
        }
    };
    assert!(answer.usage.unwrap().prompt_tokens > 900, "{answer:?}");
    assert!(meanwhile >= 4, "only {meanwhile} tokens came while the prompt was computed");
}

#[tokio::test]
async fn a_killed_worker_fails_all_that_it_ran_and_nothing_that_waits() {
    let house = House::new(RuntimeOptions { slots: Some(2), ..options() });
    let mut streams = Vec::new();
    for _ in 0..2 {
        let mut stream = house.open(shared_long()).await.unwrap();
        first_text(&mut stream).await;
        streams.push(stream);
    }
    let waiting = join_all((0..2).map(|_| house.open(shared("Say hello.")))).await;
    running(&house, 2).await;
    signal(house.worker_id().await, Signal::KILL);
    for stream in streams {
        let error = error_of(stream).await;
        assert!(error.to_string().contains("was killed"), "{error}");
    }
    for stream in waiting {
        assert!(!Answer::read(stream.unwrap()).await.unwrap().text.is_empty());
    }
    assert_eq!(lane(&house).failures, 1);
}

#[tokio::test]
async fn a_stopped_worker_is_found_whoever_waits_for_it() {
    let house = House::new(RuntimeOptions { hang_timeout: Duration::from_secs(2), ..four() });
    let mut streams = Vec::new();
    for _ in 0..3 {
        let mut stream = house.open(shared_long()).await.unwrap();
        first_text(&mut stream).await;
        streams.push(stream);
    }
    signal(house.worker_id().await, Signal::STOP);
    for stream in streams {
        let error = error_of(stream).await;
        assert!(error.to_string().contains("no sign of life"), "{error}");
    }
    assert!(!house.ask(shared("Say hello.")).await.unwrap().text.is_empty());
}

#[tokio::test]
async fn one_person_never_takes_every_slot() {
    let house = House::new(four());
    let greedy = user();
    let mut streams = Vec::new();
    for _ in 0..20 {
        let mut long = shared_long();
        long.tenant = Some(greedy);
        streams.push(house.open(long).await.unwrap());
    }
    first_text(&mut streams[0]).await;
    running(&house, 3).await;
    let answer = house.ask(shared("Say hello.")).await.unwrap();
    assert!(!answer.text.is_empty());
    let status = lane(&house);
    assert_eq!((status.running, status.queued, status.served), (3, 17, 1), "nobody had to end for it: {status:?}");
}

#[tokio::test]
async fn several_people_each_get_their_share_of_the_slots() {
    let house = House::new(four());
    let people = [user(), user()];
    // All of them wait while the model is loaded; the first has asked for much more, and before the other.
    let mut streams = Vec::new();
    for (person, count) in [(people[0], 8), (people[1], 2)] {
        for _ in 0..count {
            let mut long = shared_long();
            long.tenant = Some(person);
            streams.push((person, house.open(long).await.unwrap()));
        }
    }
    running(&house, 4).await;
    for (_, stream) in streams.iter_mut().filter(|(person, _)| *person == people[1]) {
        first_text(stream).await;
    }
    assert_eq!(lane(&house).queued, 6);
}

#[tokio::test]
async fn conversations_keep_their_own_places() {
    let house = House::new(four());
    let mut talks: Vec<CompletionRequest> = ["fox", "cat", "owl"]
        .iter()
        .map(|animal| {
            let mut talk = shared(&format!("The quick brown {animal} jumps over the lazy dog. ").repeat(15));
            talk.parameters.max_tokens = Some(8);
            talk
        })
        .collect();
    for _ in 0..2 {
        let answers = join_all(talks.iter().map(|talk| house.ask(talk.clone()))).await;
        for (talk, answer) in talks.iter_mut().zip(answers) {
            let answer = answer.unwrap();
            let cached = answer.usage.unwrap().cached_tokens;
            assert!(talk.messages.len() == 1 || cached > 150, "{cached} tokens of {talk:?}");
            talk.messages.push(PromptMessage::new(MessageRole::Assistant, answer.text));
            talk.messages.push(PromptMessage::new(MessageRole::User, "And then?"));
        }
    }
    // Somebody else with the very same words shares none of it.
    let mut foreign = talks[0].clone();
    foreign.tenant = Some(user());
    assert_eq!(house.ask(foreign).await.unwrap().usage.unwrap().cached_tokens, 0);
}
