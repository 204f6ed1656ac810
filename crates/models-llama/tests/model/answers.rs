//! Answers of the real model, through the whole path: store, queue, worker, llama.cpp.

use std::time::{Duration, Instant};

use crate::support::{Answer, House, first_text, long_request, options, request, user};
use futures_util::StreamExt;
use stoa_model::completion::{CompletionError, FinishReason, Parameters, PromptMessage};
use stoa_model::conversation::MessageRole;
use stoa_models::LaneState;

#[tokio::test]
async fn a_question_is_answered_piece_by_piece() {
    let house = House::new(options());
    let answer = house.ask(request("What is the capital of France? Answer in one word.")).await.unwrap();
    assert!(answer.text.contains("Paris"), "{answer:?}");
    let usage = answer.usage.unwrap();
    assert!(usage.prompt_tokens > 20 && usage.completion_tokens >= 1, "{usage:?}");

    let story = house.ask(request("Tell me about the moon.")).await.unwrap();
    assert!(story.pieces > 20, "it is streamed: {story:?}");
    assert_eq!(story.finish, Some(FinishReason::Length));
    assert_eq!(story.usage.unwrap().completion_tokens, 48);
    house.runtime.shutdown().await;
}

#[tokio::test]
async fn the_same_seed_gives_the_same_text_and_another_another() {
    let house = House::new(options());
    let mut warm = request("Invent a name for a ship and describe it.");
    warm.parameters = Parameters { temperature: Some(1.2), max_tokens: Some(40), ..Parameters::default() };
    warm.tenant = Some(user());
    let first = house.ask(warm.clone()).await.unwrap();
    let between = house.ask(request("What is two plus two?")).await.unwrap();
    let again = house.ask(warm.clone()).await.unwrap();
    warm.seed = Some(8);
    let other = house.ask(warm).await.unwrap();
    assert_eq!(first, again);
    assert_ne!(first.text, other.text);
    assert_ne!(first.text, between.text);
}

#[tokio::test]
async fn a_stop_string_ends_the_answer_and_is_not_part_of_it() {
    let house = House::new(options());
    let plain = house.ask(request("Count from one to ten in digits.")).await.unwrap();
    let stop = plain.text.chars().skip(10).take(3).collect::<String>();
    let mut stopped = request("Count from one to ten in digits.");
    stopped.stop = vec!["never in there".to_owned(), stop.clone()];
    let answer = house.ask(stopped).await.unwrap();
    assert_eq!(answer.finish, Some(FinishReason::Stop));
    assert_eq!(answer.text, plain.text[..plain.text.find(&stop).unwrap()]);
    assert!(answer.usage.unwrap().completion_tokens < plain.usage.unwrap().completion_tokens);
}

#[tokio::test]
async fn a_prompt_longer_than_the_context_is_refused_with_the_numbers() {
    let house = House::new(options());
    for words in [3_000, 200_000] {
        let error = house.ask(request(&"word ".repeat(words))).await.unwrap_err();
        let CompletionError::TooLong { prompt_tokens, context_window } = error else { panic!("{error:?}") };
        assert_eq!(context_window, 2_048);
        assert!(prompt_tokens.abs_diff(words as u64) < words as u64 / 20 + 50, "{prompt_tokens} for {words} words");
    }
    let answer = house.ask(request("Say hello.")).await.unwrap();
    assert!(!answer.text.is_empty());
}

#[tokio::test]
async fn an_answer_ends_with_the_context() {
    let house = House::new(stoa_models::RuntimeOptions { context_limit: 128, ..options() });
    let mut request = long_request();
    request.parameters.max_tokens = None;
    let answer = house.ask(request).await.unwrap();
    let usage = answer.usage.unwrap();
    assert_eq!(answer.finish, Some(FinishReason::Length), "{answer:?}");
    assert_eq!(usage.prompt_tokens + usage.completion_tokens, 129, "the last token needs no room: {usage:?}");
}

#[tokio::test]
async fn absurd_requests_are_refused_before_they_reach_the_worker() {
    let house = House::new(options());
    let mut hot = request("Hi");
    hot.parameters.temperature = Some(f64::NAN);
    let mut empty = request("Hi");
    empty.messages.clear();
    let mut stops = request("Hi");
    stops.stop = vec!["x".to_owned(); 9];
    let huge = request(&"a".repeat(5 * 1024 * 1024));
    for (what, request) in [("NaN", hot), ("no messages", empty), ("nine stops", stops), ("5 MiB", huge)] {
        let error = house.open(request).await.map(drop).unwrap_err();
        assert!(matches!(error, CompletionError::Invalid { .. }), "{what}: {error:?}");
    }
    for name in ["nothing:here", "../../etc/passwd", "", "smollm2:135m\0"] {
        let mut unknown = request("Hi");
        unknown.model = name.to_owned();
        let error = house.open(unknown).await.map(drop).unwrap_err();
        assert!(matches!(error, CompletionError::UnknownModel { .. }), "{name}: {error:?}");
    }
    assert!(house.runtime.status().lanes.is_empty(), "no worker was started for any of it");
}

#[tokio::test]
async fn a_dropped_stream_frees_the_model_at_once() {
    let house = House::new(options());
    let mut stream = house.open(long_request()).await.unwrap();
    first_text(&mut stream).await;
    let dropped = Instant::now();
    drop(stream);
    house.until(LaneState::Idle).await;
    assert!(dropped.elapsed() < Duration::from_secs(2), "{:?}", dropped.elapsed());
    house.ask(request("Say hello.")).await.unwrap();
    let status = house.runtime.status();
    assert_eq!((status.lanes[0].served, status.lanes[0].failures), (2, 0), "the same worker went on");
}

#[tokio::test]
async fn a_second_person_is_served_between_the_requests_of_the_first() {
    let house = House::new(stoa_models::RuntimeOptions { slots: Some(1), ..options() });
    let first = user();
    let crowd: Vec<_> = (0..5)
        .map(|_| {
            let mut request = request("Tell me about the sea.");
            request.parameters.max_tokens = Some(16);
            request.tenant = Some(first);
            request
        })
        .collect();
    let mut waiting = Vec::new();
    for request in crowd {
        waiting.push(house.open(request).await.unwrap());
    }
    let mut other = request("Say hello.");
    other.tenant = Some(user());
    let other = house.open(other).await.unwrap();
    let finished = tokio::sync::Mutex::new(Vec::new());
    let order = &finished;
    let all = waiting.into_iter().map(|stream| ("first", stream)).chain([("second", other)]);
    futures_util::future::join_all(all.map(|(who, stream)| async move {
        Answer::read(stream).await.unwrap();
        order.lock().await.push(who);
    }))
    .await;
    let order = finished.into_inner();
    let place = order.iter().position(|who| *who == "second").unwrap();
    assert!(place <= 2, "{order:?}");
}

#[tokio::test]
async fn whoever_waits_is_told_how_many_are_before_them() {
    let house = House::new(stoa_models::RuntimeOptions { slots: Some(1), ..options() });
    let mut running = house.open(long_request()).await.unwrap();
    first_text(&mut running).await;
    let mut waiting = Vec::new();
    for _ in 0..3 {
        let mut request = request("Say hello.");
        request.tenant = Some(user());
        waiting.push(house.open(request).await.unwrap());
    }
    let leave = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        drop(running);
    };
    let (answers, ()) = tokio::join!(futures_util::future::join_all(waiting.into_iter().map(Answer::read)), leave);
    let told: Vec<_> = answers.into_iter().map(|answer| answer.unwrap().ahead).collect();
    assert_eq!(told, [vec![0], vec![1, 0], vec![2, 1, 0]]);
}

#[tokio::test]
async fn whoever_asks_too_much_at_once_is_told_when_to_come_back() {
    let house = House::new(stoa_models::RuntimeOptions { queue_per_user: 2, slots: Some(1), ..options() });
    let mut streams = Vec::new();
    let error = loop {
        match house.open(long_request()).await {
            Ok(stream) => streams.push(stream),
            Err(error) => break error,
        }
        assert!(streams.len() < 5);
    };
    let CompletionError::TooMany { waiting: 2, retry_after } = error else { panic!("{error:?}") };
    assert!(retry_after >= Duration::from_secs(1));
    // A place that is given up is free at once.
    streams.truncate(1);
    drop(house.open(long_request()).await.unwrap());
}

#[tokio::test]
async fn the_beginning_of_a_conversation_is_computed_once_for_its_owner_only() {
    let house = House::new(options());
    let mut turn = request(&"The quick brown fox jumps over the lazy dog. ".repeat(20));
    turn.seed = None;
    turn.tenant = Some(user());
    let first = house.ask(turn.clone()).await.unwrap();
    assert_eq!(first.usage.unwrap().cached_tokens, 0);
    turn.messages.push(PromptMessage::new(MessageRole::Assistant, first.text));
    turn.messages.push(PromptMessage::new(MessageRole::User, "And then?"));
    let second = house.ask(turn.clone()).await.unwrap().usage.unwrap();
    assert!(second.cached_tokens > 200, "{second:?}");
    turn.tenant = Some(user());
    let foreign = house.ask(turn).await.unwrap().usage.unwrap();
    assert_eq!(foreign.cached_tokens, 0);
}

#[tokio::test]
async fn penalties_and_every_character_pass_through() {
    let house = House::new(options());
    let mut request = request("Repeat exactly: \u{1f600}\u{4f60}\u{597d}, caf\u{e9} \u{1f44d}\u{1f3fd}");
    request.parameters = Parameters {
        temperature: Some(0.7),
        top_p: Some(0.9),
        presence_penalty: Some(0.5),
        frequency_penalty: Some(-0.5),
        max_tokens: Some(30),
        think: None,
        ..Parameters::default()
    };
    let answer = house.ask(request).await.unwrap();
    assert!(!answer.text.is_empty());
}

#[tokio::test]
async fn a_slow_start_counts_against_the_first_token() {
    let house = House::new(options());
    let mut hurried = request("Say hello.");
    hurried.timers.first_token = Duration::from_millis(1);
    let error = house.ask(hurried).await.unwrap_err();
    assert!(matches!(error, CompletionError::TimedOut { .. }), "{error:?}");
    let mut stream = house.open(request("Say hello.")).await.unwrap();
    assert!(stream.next().await.unwrap().is_ok());
}
