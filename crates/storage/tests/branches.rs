//! What messages that are taken out, summaries, temporary conversations and prompts promise, on both engines.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::time::Duration;

use stoa_model::completion::Parameters;
use stoa_model::conversation::{Language, MessageStatus, Part, Summary, Timings, Translation};
use stoa_model::person::Role;
use stoa_model::prompt::{PromptProfile, PromptVariable};
use stoa_model::{ConversationId, InstanceId, MessageId, Principal, SessionId, Timestamp, UserId, Via};
use stoa_storage::{
    Append, ConversationChange, ConversationFilter, Database, NewConversation, NewTurn, NewUser, Outcome, PathQuery,
    SearchFilter, SearchQuery, StorageError, TurnIds, TurnLimits, TurnParent, Wish, on_both_engines,
};

const NOW: Timestamp = Timestamp::from_millis(1_767_225_600_000);
const LIMITS: TurnLimits = TurnLimits { running_per_user: 99, history: 50, personal_providers: false };

async fn two_people(database: &Database) -> (Principal, Principal) {
    let new = |name: &str, role| NewUser {
        name: name.to_owned(),
        email: format!("{name}@example.com"),
        role,
        password_hash: "$argon2id$not-a-real-hash".to_owned(),
    };
    let acting = |id: UserId, role| Principal::User { id, role, epoch: 1, via: Via::Session(SessionId::generate(NOW)) };
    let owner = database.create_first_owner(new("owner", Role::Owner), NOW).await.unwrap();
    let owner = acting(owner.id, Role::Owner);
    let ann = database.create_user(&owner, new("ann", Role::Member), NOW).await.unwrap();
    (acting(ann.id, Role::Member), owner)
}

async fn conversation(database: &Database, who: &Principal) -> ConversationId {
    database.create_conversation(who, NewConversation::default(), NOW).await.unwrap().id
}

fn later(seconds: u64) -> Timestamp {
    NOW.plus(Duration::from_secs(seconds))
}

fn text(words: &str) -> Vec<Part> {
    vec![Part::Text { text: words.to_owned() }]
}

/// A question whose answer is still being written.
async fn ask(database: &Database, who: &Principal, within: ConversationId, words: &str, at: u64) -> TurnIds {
    let turn = NewTurn::Message {
        conversation: within,
        parent: TurnParent::Leaf,
        parts: text(words),
        model: "mock/echo".to_owned(),
        parameters: Parameters::default(),
        title: words.to_owned(),
    };
    database.begin_turn(who, turn, InstanceId::generate(NOW), LIMITS, later(at)).await.unwrap()
}

async fn end(database: &Database, turn: &TurnIds, words: &str, at: u64) {
    let outcome = Outcome {
        status: MessageStatus::Complete,
        parts: text(words),
        usage: None,
        timings: Some(Timings::default()),
        error: None,
        finish_reason: None,
        stand_in: None,
        last_seq: 0,
        calls: Vec::new(),
    };
    let append = Append { generation: turn.generation, lease: turn.lease, chunk: None, outcome: Some(outcome) };
    database.append_generations(&[append], later(at)).await.unwrap();
}

/// A question and its answer, `word` and `word!`.
async fn say(database: &Database, who: &Principal, within: ConversationId, word: &str, at: u64) -> TurnIds {
    let turn = ask(database, who, within, word, at).await;
    end(database, &turn, &format!("{word}!"), at).await;
    turn
}

/// What the branch that is shown says.
async fn shown(database: &Database, who: &Principal, within: ConversationId) -> Vec<String> {
    let page = database.messages(who, within, PathQuery { limit: 100, ..PathQuery::default() }).await.unwrap();
    page.items.iter().map(|message| message.parts.iter().map(Part::text).collect()).collect()
}

async fn found(database: &Database, who: &Principal, word: &str) -> usize {
    let query = SearchQuery::parse(word).unwrap();
    database.search(who, &query, &SearchFilter::default(), None, 50).await.unwrap().items.len()
}

on_both_engines! {
    async fn a_question_goes_with_its_answer_and_what_follows_stays(test: TestDatabase) {
        let database = &test.database;
        let (ann, owner) = two_people(database).await;
        let id = conversation(database, &ann).await;
        say(database, &ann, id, "apple", 1).await;
        let pear = say(database, &ann, id, "pear", 2).await;
        let plum = say(database, &ann, id, "plum", 3).await;
        assert_eq!(found(database, &ann, "pear").await, 2);
        assert!(matches!(database.remove_message(&owner, pear.message, NOW).await, Err(StorageError::NotFound)));
        database.remove_message(&ann, pear.message, later(4)).await.unwrap();
        assert_eq!(shown(database, &ann, id).await, ["apple", "apple!", "plum", "plum!"]);
        assert_eq!(found(database, &ann, "pear").await, 0, "what is taken out is found no more");
        assert!(matches!(database.message(&ann, pear.message).await, Err(StorageError::NotFound)));
        assert!(matches!(database.message(&ann, pear.reply).await, Err(StorageError::NotFound)));
        assert!(matches!(database.remove_message(&ann, pear.message, NOW).await, Err(StorageError::NotFound)));
        let first = database.messages(&ann, id, PathQuery { limit: 9, ..PathQuery::default() }).await.unwrap();
        assert_eq!(first.items[0].siblings.len(), 1, "what was taken out is nobody's sibling");

        assert!(matches!(database.restore_message(&owner, pear.message).await, Err(StorageError::NotFound)));
        database.restore_message(&ann, pear.message).await.unwrap();
        assert_eq!(shown(database, &ann, id).await, ["apple", "apple!", "pear", "pear!", "plum", "plum!"]);
        assert_eq!(found(database, &ann, "pear").await, 2);
        assert!(matches!(database.restore_message(&ann, pear.message).await, Err(StorageError::NotFound)));
        assert_eq!(database.message(&ann, plum.message).await.unwrap().parent_id, Some(pear.reply));
    }

    async fn the_end_of_a_branch_goes_and_comes_back(test: TestDatabase) {
        let database = &test.database;
        let (ann, _) = two_people(database).await;
        let id = conversation(database, &ann).await;
        let only = say(database, &ann, id, "apple", 1).await;
        let last = say(database, &ann, id, "pear", 2).await;
        database.remove_message(&ann, last.reply, later(3)).await.unwrap();
        assert_eq!(shown(database, &ann, id).await, ["apple", "apple!", "pear"]);
        database.restore_message(&ann, last.reply).await.unwrap();
        assert_eq!(shown(database, &ann, id).await, ["apple", "apple!", "pear", "pear!"]);
        // Of two answers the other one is shown.
        let again = NewTurn::Regenerate { answer: last.reply, model: None, parameters: None };
        let again = database.begin_turn(&ann, again, InstanceId::generate(NOW), LIMITS, later(4)).await.unwrap();
        assert!(matches!(database.remove_message(&ann, last.message, later(5)).await, Err(StorageError::Refused(_))));
        assert!(matches!(database.remove_message(&ann, again.reply, later(5)).await, Err(StorageError::Refused(_))));
        end(database, &again, "better", 5).await;
        database.remove_message(&ann, again.reply, later(6)).await.unwrap();
        assert_eq!(shown(database, &ann, id).await, ["apple", "apple!", "pear", "pear!"]);
        // All of it, down to nothing, and on from there.
        database.remove_message(&ann, last.message, later(7)).await.unwrap();
        database.remove_message(&ann, only.message, later(8)).await.unwrap();
        assert_eq!(shown(database, &ann, id).await, Vec::<String>::new());
        assert_eq!(database.conversation(&ann, id).await.unwrap().leaf_id, None);
        database.restore_message(&ann, only.message).await.unwrap();
        database.restore_message(&ann, last.message).await.unwrap();
        assert_eq!(shown(database, &ann, id).await, ["apple", "apple!", "pear", "pear!"]);
        say(database, &ann, id, "plum", 9).await;
        assert_eq!(shown(database, &ann, id).await.len(), 6);
    }

    async fn an_answer_in_the_middle_goes_alone_and_the_first_question_too(test: TestDatabase) {
        let database = &test.database;
        let (ann, _) = two_people(database).await;
        let id = conversation(database, &ann).await;
        let first = say(database, &ann, id, "apple", 1).await;
        say(database, &ann, id, "pear", 2).await;
        database.remove_message(&ann, first.reply, later(3)).await.unwrap();
        assert_eq!(shown(database, &ann, id).await, ["apple", "pear", "pear!"]);
        database.remove_message(&ann, first.message, later(4)).await.unwrap();
        assert_eq!(shown(database, &ann, id).await, ["pear", "pear!"]);
        // Put back in the other order, everything is there again.
        database.restore_message(&ann, first.message).await.unwrap();
        database.restore_message(&ann, first.reply).await.unwrap();
        let texts = shown(database, &ann, id).await;
        assert!(texts.contains(&"pear!".to_owned()) || texts.contains(&"apple!".to_owned()), "{texts:?}");
        for message in [first.message, first.reply] {
            database.message(&ann, message).await.unwrap();
        }
    }

    async fn what_was_taken_out_goes_for_good_after_a_while(test: TestDatabase) {
        let database = &test.database;
        let (ann, _) = two_people(database).await;
        let id = conversation(database, &ann).await;
        let first = say(database, &ann, id, "apple", 1).await;
        say(database, &ann, id, "pear", 2).await;
        database.remove_message(&ann, first.message, later(10)).await.unwrap();
        assert_eq!(database.purge_messages(later(10), 20).await.unwrap(), 0);
        assert_eq!(database.purge_messages(later(11), 20).await.unwrap(), 2);
        assert!(matches!(database.restore_message(&ann, first.message).await, Err(StorageError::NotFound)));
        assert_eq!(shown(database, &ann, id).await, ["pear", "pear!"]);
        // What waits to be indexed does not bring it back either.
        while database.index_pending(50).await.unwrap() == 50 {}
        assert_eq!(found(database, &ann, "apple").await, 1, "only the title, which was its first question");
    }

    async fn a_temporary_conversation_is_in_no_list_and_goes(test: TestDatabase) {
        let database = &test.database;
        let (ann, owner) = two_people(database).await;
        let new = |seconds| NewConversation { expires_at: Some(later(seconds)), ..NewConversation::default() };
        let one = database.create_conversation(&ann, new(100), NOW).await.unwrap();
        let other = database.create_conversation(&ann, new(200), NOW).await.unwrap();
        let kept = database.create_conversation(&ann, new(100), NOW).await.unwrap();
        assert_eq!(one.temporary_until, Some(later(100)));
        for (conversation, word) in [(&one, "apple"), (&other, "pear"), (&kept, "plum")] {
            let turn = say(database, &ann, conversation.id, word, 1).await;
            assert!(!turn.untitled, "no model is asked for a title that nobody reads");
        }
        let listed = async || {
            let filter = ConversationFilter::default();
            database.conversations(&ann, &filter, None, 50).await.unwrap().items.len()
        };
        while database.index_pending(50).await.unwrap() == 50 {}
        assert_eq!(listed().await, 0);
        for word in ["apple", "pear", "plum"] {
            assert_eq!(found(database, &ann, word).await, 0, "{word}");
        }
        // Kept, it is one like all others.
        let keep = ConversationChange { keep: true, ..ConversationChange::default() };
        assert!(database.change_conversation(&owner, kept.id, keep.clone(), NOW).await.is_err());
        let changed = database.change_conversation(&ann, kept.id, keep, NOW).await.unwrap();
        assert_eq!((changed.temporary_until, listed().await), (None, 1));
        assert_eq!(found(database, &ann, "plum").await, 3, "question, answer and title");
        // One is left, and goes at once, for good.
        database.delete_conversation(&ann, other.id, later(2)).await.unwrap();
        assert!(matches!(database.restore_conversation(&ann, other.id).await, Err(StorageError::NotFound)));
        // The other is forgotten, and goes by itself.
        assert!(!database.purge_temporary(later(99), 20).await.unwrap());
        assert_eq!(shown(database, &ann, one.id).await.len(), 2);
        assert!(!database.purge_temporary(later(100), 20).await.unwrap());
        assert!(matches!(database.conversation(&ann, one.id).await, Err(StorageError::NotFound)));
        assert!(!database.purge_temporary(later(9_999), 20).await.unwrap());
        assert_eq!(shown(database, &ann, kept.id).await.len(), 2);
    }

    async fn an_answer_of_a_conversation_that_is_gone_ends_nowhere(test: TestDatabase) {
        let database = &test.database;
        let (ann, _) = two_people(database).await;
        let new = NewConversation { expires_at: Some(later(100)), ..NewConversation::default() };
        let id = database.create_conversation(&ann, new, NOW).await.unwrap().id;
        let turn = ask(database, &ann, id, "apple", 1).await;
        database.delete_conversation(&ann, id, later(2)).await.unwrap();
        end(database, &turn, "too late", 3).await;
        assert!(matches!(database.message(&ann, turn.reply).await, Err(StorageError::NotFound)));
    }

    async fn prompts_are_ones_own(test: TestDatabase) {
        let database = &test.database;
        let (ann, owner) = two_people(database).await;
        let profile = |name: &str| PromptProfile {
            name: name.to_owned(),
            text: "Dear {{who}}".to_owned(),
            variables: vec![PromptVariable { name: "who".to_owned(), ..PromptVariable::default() }],
        };
        let letter = database.create_prompt(&ann, &profile("letter"), NOW).await.unwrap();
        database.create_prompt(&ann, &profile("Answer"), NOW).await.unwrap();
        let names = async |who: &Principal| {
            let all = database.prompts(who).await.unwrap();
            all.into_iter().map(|prompt| prompt.profile.name).collect::<Vec<_>>()
        };
        assert_eq!((names(&ann).await, names(&owner).await), (vec!["Answer".to_owned(), "letter".to_owned()], vec![]));
        assert!(database.change_prompt(&owner, letter.id, &profile("x"), NOW).await.is_err());
        assert!(database.delete_prompt(&owner, letter.id).await.is_err());
        let changed = database.change_prompt(&ann, letter.id, &profile("Zeal"), later(1)).await.unwrap();
        assert_eq!((changed.profile, changed.updated_at), (profile("Zeal"), later(1)));
        database.delete_prompt(&ann, letter.id).await.unwrap();
        assert_eq!(names(&ann).await, ["Answer"]);
    }

    async fn a_translation_is_kept_beside_what_it_translates(test: TestDatabase) {
        let database = &test.database;
        let (ann, owner) = two_people(database).await;
        let id = conversation(database, &ann).await;
        let turn = say(database, &ann, id, "apple", 1).await;
        let translation =
            Translation { language: Language::Zh, text: "苹果".to_owned(), model: "mock/echo".to_owned() };
        let kept = async |message: MessageId| database.message(&ann, message).await.unwrap().translation;
        assert!(database.keep_translation(&owner, turn.reply, Some(&translation)).await.is_err());
        database.keep_translation(&ann, turn.reply, Some(&translation)).await.unwrap();
        assert_eq!((kept(turn.reply).await, kept(turn.message).await), (Some(translation), None));
        database.keep_translation(&ann, turn.reply, None).await.unwrap();
        assert_eq!(kept(turn.reply).await, None);
    }

    async fn a_summary_stands_for_what_is_above_it_on_its_branch(test: TestDatabase) {
        let database = &test.database;
        let (ann, owner) = two_people(database).await;
        let id = conversation(database, &ann).await;
        let summary = |text: &str, messages| Summary { text: text.to_owned(), model: "mock/echo".to_owned(), messages };
        let sum_up = async |who: &Principal, at: MessageId, it: &Summary, wish| {
            database.keep_summary(who, at, it, wish, later(9)).await
        };
        let apple = say(database, &ann, id, "apple", 1).await;
        let pear = say(database, &ann, id, "pear", 2).await;
        say(database, &ann, id, "plum", 3).await;
        let early = summary("An apple.", 2);
        assert!(matches!(sum_up(&owner, apple.reply, &early, Wish::Asked).await, Err(StorageError::NotFound)));
        assert!(matches!(sum_up(&ann, apple.message, &early, Wish::Asked).await, Err(StorageError::Refused(_))));
        assert_eq!(database.conversation(&ann, id).await.unwrap().summarised_at, None);
        assert!(sum_up(&ann, apple.reply, &early, Wish::Asked).await.unwrap());
        assert_eq!(database.conversation(&ann, id).await.unwrap().summarised_at, Some(later(9)));
        // What is summed up next begins with that.
        let next = database.summable(&ann, pear.reply, 400).await.unwrap();
        let said = |messages: &[stoa_model::conversation::Message]| -> Vec<String> {
            messages.iter().map(|message| message.parts[0].text().to_owned()).collect()
        };
        assert_eq!((next.history.summary, said(&next.history.messages)), (Some(early.clone()), vec!["pear".to_owned(), "pear!".to_owned()]));
        let late = summary("An apple and a pear.", 4);
        assert!(sum_up(&ann, pear.reply, &late, Wish::ByItself).await.unwrap());
        let figures = database.context(&ann, id, 50).await.unwrap();
        assert_eq!((figures.messages, figures.summed_up, figures.left_out, figures.summable), (2, 4, false, None));
        assert_eq!((figures.tokens.summary, figures.tokens.messages, figures.cost), (5, 3, None));
        let turn = ask(database, &ann, id, "fig", 10).await;
        assert_eq!((turn.history.summary.clone(), said(&turn.history.messages)),
            (Some(late.clone()), vec!["plum".to_owned(), "plum!".to_owned(), "fig".to_owned()]));
        assert_eq!(turn.sum_up_past, Some(50));
        end(database, &turn, "fig!", 10).await;
        // However few messages are sent, the summary is.
        let limits = TurnLimits { history: 1, ..LIMITS };
        let again = NewTurn::Regenerate { answer: turn.reply, model: None, parameters: None };
        let again = database.begin_turn(&ann, again, InstanceId::generate(NOW), limits, later(11)).await.unwrap();
        assert_eq!((again.history.summary.clone(), said(&again.history.messages), again.history.left_out),
            (Some(late), vec!["fig".to_owned()], true));
        end(database, &again, "fig!", 11).await;
        // Another branch knows nothing of it.
        let other = NewTurn::Regenerate { answer: pear.reply, model: None, parameters: None };
        let other = database.begin_turn(&ann, other, InstanceId::generate(NOW), LIMITS, later(12)).await.unwrap();
        assert_eq!((other.history.summary.clone(), said(&other.history.messages)), (Some(early), vec!["pear".to_owned()]));
        end(database, &other, "pear?", 12).await;
        // Taken back, it is gone, and none comes by itself any more.
        assert!(matches!(database.forget_summary(&owner, pear.reply, later(13)).await, Err(StorageError::NotFound)));
        database.forget_summary(&ann, pear.reply, later(13)).await.unwrap();
        assert_eq!(database.message(&ann, pear.reply).await.unwrap().summary, None);
        assert!(!sum_up(&ann, pear.reply, &summary("No.", 4), Wish::ByItself).await.unwrap());
        assert_eq!(database.message(&ann, pear.reply).await.unwrap().summary, None);
        let turn = ask(database, &ann, id, "quince", 14).await;
        assert_eq!(turn.sum_up_past, None);
    }

    async fn what_is_taken_out_or_goes_on_is_in_no_summary(test: TestDatabase) {
        let database = &test.database;
        let (ann, _owner) = two_people(database).await;
        let id = conversation(database, &ann).await;
        let apple = say(database, &ann, id, "apple", 1).await;
        let pear = say(database, &ann, id, "pear", 2).await;
        let plum = say(database, &ann, id, "plum", 3).await;
        let summary = Summary { text: "Fruit.".to_owned(), model: "mock/echo".to_owned(), messages: 2 };
        let kept = async |at: MessageId| database.message(&ann, at).await.unwrap().summary.is_some();
        for turn in [&apple, &plum] {
            database.keep_summary(&ann, turn.reply, &summary, Wish::Asked, later(4)).await.unwrap();
        }
        database.remove_message(&ann, pear.message, later(5)).await.unwrap();
        assert_eq!((kept(apple.reply).await, kept(plum.reply).await), (true, false));
        let continued = NewTurn::Continue { answer: apple.reply };
        let continued = database.begin_turn(&ann, continued, InstanceId::generate(NOW), LIMITS, later(6)).await.unwrap();
        assert!(matches!(database.keep_summary(&ann, apple.reply, &summary, Wish::Asked, later(7)).await, Err(StorageError::Refused(_))));
        end(database, &continued, "apple! apple!", 7).await;
        assert!(!kept(apple.reply).await, "it says more than what was summed up");
    }

    async fn somebody_is_welcomed_once(test: TestDatabase) {
        let database = &test.database;
        let (ann, owner) = two_people(database).await;
        let id = ann.user_id().unwrap();
        assert!(!database.user(&ann, id).await.unwrap().welcomed);
        assert!(database.mark_welcomed(&ann, later(1)).await.unwrap().welcomed);
        assert!(!database.user(&owner, owner.user_id().unwrap()).await.unwrap().welcomed);
    }
}
