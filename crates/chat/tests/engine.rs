//! The engine's promises: an answer is written whoever watches, everybody reads all of it once and in order, and nothing
//! that was acknowledged is lost.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use stoa_chat::ChatError;
use stoa_model::StreamId;
use stoa_model::conversation::{MessageStatus, Part};
use stoa_storage::{Engine as DatabaseEngine, NewTurn, StorageError, on_both_engines};
use support::{CANCELLED, Page, counted, furnish, never, replica};

fn text(parts: &[Part]) -> String {
    parts.iter().filter(|part| matches!(part, Part::Text { .. })).map(Part::text).collect()
}

on_both_engines! {
    async fn an_answer_is_written_though_nobody_watches(test: TestDatabase) {
        let (ann, _) = furnish(&test.database).await;
        let replica = replica(&test.database).await;
        let conversation = replica.conversation(&ann).await;
        let turn = replica.say(&ann, conversation, "count-100-5").await;
        assert!(replica.database.conversation(&ann, conversation).await.unwrap().generating);
        let message = replica.settled(&ann, turn.reply).await;
        assert_eq!((message.status, text(&message.parts)), (MessageStatus::Complete, counted(100)));
        assert!(matches!(message.parts[0], Part::Reasoning { duration_ms: 1.., .. }), "{:?}", message.parts[0]);
        assert_eq!(message.usage.unwrap().completion_tokens, 100);
        let conversation = replica.database.conversation(&ann, conversation).await.unwrap();
        assert!(!conversation.generating && conversation.unread);
        assert_eq!(conversation.title, "count");
    }

    async fn a_reader_who_comes_back_misses_nothing_and_reads_nothing_twice(test: TestDatabase) {
        let (ann, _) = furnish(&test.database).await;
        let replica = replica(&test.database).await;
        let conversation = replica.conversation(&ann).await;
        let turn = replica.say(&ann, conversation, "count-100-5").await;
        let mut page = Page::default();
        for seen in [10, 40, 70] {
            let mut stream =
                replica.engine.open_generation(&ann, turn.generation, page.seq, never()).await.unwrap();
            page.read(&mut stream, |page| page.seq >= seen).await;
        }
        let mut stream = replica.engine.open_generation(&ann, turn.generation, page.seq, never()).await.unwrap();
        page.read(&mut stream, |_| false).await;
        assert_eq!((page.text.as_str(), page.reasoning.as_str()), (counted(100).as_str(), "hm"));
        assert!(page.has("usage") && page.has("finish"));
        // Once it is over, a late reader gets the whole at once.
        let mut late = Page::default();
        let mut stream = replica.engine.open_generation(&ann, turn.generation, 0, never()).await.unwrap();
        late.read(&mut stream, |_| false).await;
        assert_eq!(late.names, ["start", "snapshot", "usage", "finish"]);
        assert_eq!(late.text, counted(100));
    }

    async fn stop_keeps_what_was_written_and_cancels_the_call(test: TestDatabase) {
        let (ann, ben) = furnish(&test.database).await;
        let replica = replica(&test.database).await;
        let conversation = replica.conversation(&ann).await;
        let turn = replica.say(&ann, conversation, "count-400-5").await;
        let mut page = Page::default();
        let mut stream = replica.engine.open_generation(&ann, turn.generation, 0, never()).await.unwrap();
        page.read(&mut stream, |page| page.seq > 10).await;
        let refused = replica.engine.stop(&ben, turn.generation).await;
        assert!(matches!(refused, Err(ChatError::Storage(StorageError::NotFound))));
        let before = CANCELLED.load(Ordering::SeqCst);
        replica.engine.stop(&ann, turn.generation).await.unwrap();
        page.read(&mut stream, |_| false).await;
        assert!(page.data.last().unwrap().contains("\"reason\":\"stopped\""), "{:?}", page.data.last());
        let message = replica.settled(&ann, turn.reply).await;
        assert_eq!((message.status, text(&message.parts)), (MessageStatus::Stopped, page.text));
        assert!(CANCELLED.load(Ordering::SeqCst) > before);
        replica.engine.stop(&ann, turn.generation).await.unwrap();
    }

    async fn a_stopped_answer_goes_on_where_it_stopped(test: TestDatabase) {
        let (ann, _) = furnish(&test.database).await;
        let replica = replica(&test.database).await;
        let conversation = replica.conversation(&ann).await;
        let turn = replica.say(&ann, conversation, "count-10-0").await;
        let before = text(&replica.settled(&ann, turn.reply).await.parts);
        let more = replica.engine.begin(&ann, NewTurn::Continue { answer: turn.reply }).await.unwrap().turn;
        assert_eq!(more.reply, turn.reply);
        let mut page = Page::default();
        let mut stream = replica.engine.open_generation(&ann, more.generation, 0, never()).await.unwrap();
        page.read(&mut stream, |_| false).await;
        let message = replica.settled(&ann, turn.reply).await;
        assert_eq!(text(&message.parts), format!("{before}{}", counted(10)));
        assert_eq!(page.text, text(&message.parts));
    }

    async fn a_conversation_that_grows_long_is_summed_up_by_itself(test: TestDatabase) {
        let (ann, _) = furnish(&test.database).await;
        let replica = replica(&test.database).await;
        let conversation = replica.conversation(&ann).await;
        let mut answers = Vec::new();
        for _ in 0..20 {
            let turn = replica.say(&ann, conversation, "count-3-0").await;
            replica.settled(&ann, turn.reply).await;
            answers.push(turn.reply);
        }
        // The four latest turns of the forty messages that a model is sent stay as they are.
        let mut summary = None;
        for _ in 0..500 {
            summary = replica.database.message(&ann, answers[15]).await.unwrap().summary;
            if summary.is_some() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let summary = summary.unwrap();
        assert_eq!((summary.text.as_str(), summary.model.as_str(), summary.messages), ("0 1 2", "mock/count-3-0", 32));
        let turn = replica.say(&ann, conversation, "count-3-0").await;
        assert_eq!((turn.history.summary, turn.history.messages.len()), (Some(summary), 9));
        replica.settled(&ann, turn.reply).await;
    }

    async fn strangers_attach_to_nothing(test: TestDatabase) {
        let (ann, ben) = furnish(&test.database).await;
        let replica = replica(&test.database).await;
        let conversation = replica.conversation(&ann).await;
        let turn = replica.say(&ann, conversation, "count-400-5").await;
        let opened = replica.engine.open_generation(&ben, turn.generation, 0, never()).await;
        assert!(matches!(opened.err().unwrap(), ChatError::Storage(StorageError::NotFound)));
        let mut stream = replica.engine.open_stream(&ben, never()).unwrap();
        let mut page = Page::default();
        page.read(&mut stream, |page| page.has("stream")).await;
        let stream = stream_id(&page);
        let refused = replica.engine.subscribe(&ben, stream, vec![(turn.generation, 0)], vec![]).await;
        assert!(matches!(refused, Err(ChatError::Storage(StorageError::NotFound))));
        replica.engine.stop(&ann, turn.generation).await.unwrap();
    }

    async fn one_stream_follows_many_answers_and_the_lists(test: TestDatabase) {
        let (ann, _) = furnish(&test.database).await;
        let replica = replica(&test.database).await;
        let mut stream = replica.engine.open_stream(&ann, never()).unwrap();
        let mut page = Page::default();
        page.read(&mut stream, |page| page.has("stream")).await;
        let id = stream_id(&page);
        let conversation = replica.conversation(&ann).await;
        page.read(&mut stream, |page| page.has("conversation")).await;
        let one = replica.say(&ann, conversation, "count-100-5").await;
        let two = replica.say(&ann, conversation, "count-100-5").await;
        let wish = vec![(one.generation, 0), (two.generation, 0)];
        replica.engine.subscribe(&ann, id, wish, vec![]).await.unwrap();
        let mut names = Vec::new();
        let mut texts = std::collections::HashMap::<String, String>::new();
        while names.iter().filter(|name| *name == "finish").count() < 2 {
            let bytes = stream.next().await.unwrap();
            for event in std::str::from_utf8(&bytes).unwrap().split("\n\n").filter(|event| !event.is_empty()) {
                let Some((name, data)) = event.split_once("\ndata: ") else { continue };
                let name = name.trim_start_matches("event: ").to_owned();
                let json: serde_json::Value = serde_json::from_str(data).unwrap();
                if name == "delta" && json["part"] == "text" {
                    let generation = json["generation_id"].as_str().unwrap().to_owned();
                    texts.entry(generation).or_default().push_str(json["text"].as_str().unwrap());
                }
                names.push(name);
            }
        }
        assert_eq!(texts[&one.generation.to_string()], counted(100));
        assert_eq!(texts[&two.generation.to_string()], counted(100));
        let unknown = StreamId::generate(replica.engine.now());
        let nowhere = replica.engine.subscribe(&ann, unknown, vec![(one.generation, 0)], vec![]).await;
        if test.database.engine() == DatabaseEngine::Sqlite {
            assert!(matches!(nowhere, Err(ChatError::StreamGone)));
        }
    }

    async fn a_slow_reader_slows_nobody(test: TestDatabase) {
        let (ann, _) = furnish(&test.database).await;
        let replica = replica(&test.database).await;
        let conversation = replica.conversation(&ann).await;
        let turn = replica.say(&ann, conversation, "count-20000-0").await;
        let mut slow = replica.engine.open_generation(&ann, turn.generation, 0, never()).await.unwrap();
        let mut page = Page::default();
        page.read(&mut slow, |page| page.seq > 0).await;
        let message = replica.settled(&ann, turn.reply).await;
        assert_eq!(message.status, MessageStatus::Complete);
        page.read(&mut slow, |_| false).await;
        assert_eq!(page.text, counted(20_000));
    }

    async fn a_reader_past_the_end_of_the_log_is_rewound(test: TestDatabase) {
        let (ann, _) = furnish(&test.database).await;
        let replica = replica(&test.database).await;
        let conversation = replica.conversation(&ann).await;
        let turn = replica.say(&ann, conversation, "count-400-5").await;
        let mut stream = replica.engine.open_generation(&ann, turn.generation, 9_999, never()).await.unwrap();
        let mut page = Page::default();
        page.read(&mut stream, |page| page.seq > 0).await;
        assert!(page.has("rewind"));
        replica.engine.stop(&ann, turn.generation).await.unwrap();
    }

    async fn shutdown_interrupts_what_is_not_finished_and_writes_it_down(test: TestDatabase) {
        let (ann, _) = furnish(&test.database).await;
        let replica = replica(&test.database).await;
        let conversation = replica.conversation(&ann).await;
        let short = replica.say(&ann, conversation, "count-10-0").await;
        let long = replica.say(&ann, conversation, "count-400-5").await;
        let mut stream = replica.engine.open_generation(&ann, long.generation, 0, never()).await.unwrap();
        let mut page = Page::default();
        page.read(&mut stream, |page| page.seq > 20).await;
        replica.engine.shutdown(Duration::from_millis(100)).await;
        let message = replica.database.message(&ann, short.reply).await.unwrap();
        assert_eq!(message.status, MessageStatus::Complete);
        let message = replica.database.message(&ann, long.reply).await.unwrap();
        assert_eq!(message.status, MessageStatus::Interrupted);
        page.read(&mut stream, |_| false).await;
        assert!(text(&message.parts).starts_with(&counted(20)));
        let refused = replica.engine.begin(&ann, NewTurn::Continue { answer: long.reply }).await;
        assert!(matches!(refused, Err(ChatError::Closing)));
        replica.helpers.cancel();
        replica.tracker.close();
        test.tracker.close();
    }
}

fn stream_id(page: &Page) -> StreamId {
    let json: serde_json::Value = serde_json::from_str(&page.data[0]).unwrap();
    json["id"].as_str().unwrap().parse().unwrap()
}

/// Two replicas on one PostgreSQL: follow and stop from the other one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_replica_follows_and_stops() {
    let test = stoa_storage::testing::TestDatabase::open(DatabaseEngine::Postgres).await;
    let (ann, ben) = furnish(&test.database).await;
    let here = replica(&test.database).await;
    let there = replica(&test.open_again().await).await;
    let conversation = here.conversation(&ann).await;
    let turn = here.say(&ann, conversation, "count-4000-5").await;
    let refused = there.engine.open_generation(&ben, turn.generation, 0, never()).await;
    assert!(matches!(refused.err().unwrap(), ChatError::Storage(StorageError::NotFound)));
    let mut stream = there.engine.open_generation(&ann, turn.generation, 0, never()).await.unwrap();
    let mut page = Page::default();
    page.read(&mut stream, |page| page.seq > 50).await;
    let pressed = Instant::now();
    there.engine.stop(&ann, turn.generation).await.unwrap();
    page.read(&mut stream, |_| false).await;
    assert!(pressed.elapsed() < Duration::from_secs(10), "the stop arrived only after {:?}", pressed.elapsed());
    let message = there.settled(&ann, turn.reply).await;
    assert_eq!((message.status, text(&message.parts)), (MessageStatus::Stopped, page.text));
}

/// A stream held by one replica is changed through the other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn subscriptions_reach_the_replica_that_holds_the_stream() {
    let test = stoa_storage::testing::TestDatabase::open(DatabaseEngine::Postgres).await;
    let (ann, _) = furnish(&test.database).await;
    let here = replica(&test.database).await;
    let there = replica(&test.open_again().await).await;
    let mut stream = here.engine.open_stream(&ann, never()).unwrap();
    let mut page = Page::default();
    page.read(&mut stream, |page| page.has("stream")).await;
    let conversation = there.conversation(&ann).await;
    page.read(&mut stream, |page| page.has("conversation")).await;
    let turn = there.say(&ann, conversation, "count-100-5").await;
    there.engine.subscribe(&ann, stream_id(&page), vec![(turn.generation, 0)], vec![]).await.unwrap();
    page.read(&mut stream, |page| page.has("finish")).await;
    assert_eq!(page.text, counted(100));
}

/// A process that is gone without a good-bye: on SQLite its answers are interrupted at the next start.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_dead_process_left_is_interrupted_and_can_go_on() {
    let test = stoa_storage::testing::TestDatabase::open(DatabaseEngine::Sqlite).await;
    let (ann, _) = furnish(&test.database).await;
    let dead = replica(&test.database).await;
    let conversation = dead.conversation(&ann).await;
    let turn = dead.say(&ann, conversation, "count-400-5").await;
    tokio::time::sleep(Duration::from_millis(600)).await;
    // The second takes the first for dead, as a new process on the same file would; the fence keeps the first out.
    let alive = replica(&test.open_again().await).await;
    let message = alive.settled(&ann, turn.reply).await;
    assert_eq!(message.status, MessageStatus::Interrupted);
    let kept = text(&message.parts);
    assert!(kept.len() > 10 && counted(400).starts_with(&kept), "{kept}");
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(text(&alive.database.message(&ann, turn.reply).await.unwrap().parts), kept, "the fence did not hold");
    let more = alive.engine.begin(&ann, NewTurn::Continue { answer: turn.reply }).await.unwrap().turn;
    let message = alive.settled(&ann, more.reply).await;
    assert_eq!((message.status, text(&message.parts)), (MessageStatus::Complete, format!("{kept}{}", counted(400))));
}
