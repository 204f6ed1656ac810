//! What the repositories promise, on both engines.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::time::Duration;

use stoa_model::assistant::AssistantProfile;
use stoa_model::completion::{FinishReason, Parameters, Usage};
use stoa_model::conversation::{MessageStatus, Part, Timings};
use stoa_model::person::Role;
use stoa_model::{
    ApiKeyId, ConversationId, GenerationId, InstanceId, MessageId, Principal, Scope, SessionId, Timestamp, UserId, Via,
};
use stoa_storage::{
    Append, AppendOutcome, AssistantChange, Chunk, ConversationChange, ConversationFilter, Database, GenerationState,
    InputTemplate, MasterKey, NewApiKey, NewConversation, NewSession, NewTurn, NewUser, OpenError, Outcome, PathQuery,
    StorageError, TurnIds, TurnLimits, TurnParent, UserChange, on_both_engines,
};

const LIMITS: TurnLimits = TurnLimits { running_per_user: 32, history: 40, personal_providers: false };
const NOW: Timestamp = Timestamp::from_millis(1_767_225_600_000);

fn later(millis: u64) -> Timestamp {
    NOW.plus(Duration::from_millis(millis))
}

fn new_user(name: &str, role: Role) -> NewUser {
    NewUser {
        name: name.to_owned(),
        email: format!("{name}@example.com"),
        role,
        password_hash: "$argon2id$not-a-real-hash".to_owned(),
    }
}

fn acting(id: UserId, role: Role) -> Principal {
    Principal::User { id, role, epoch: 1, via: Via::Session(SessionId::generate(NOW)) }
}

/// The owner and two members.
async fn three_people(database: &Database) -> (Principal, Principal, Principal) {
    let owner = database.create_first_owner(new_user("owner", Role::Owner), NOW).await.unwrap();
    let owner = acting(owner.id, Role::Owner);
    let mut members = Vec::new();
    for name in ["ann", "ben"] {
        let user = database.create_user(&owner, new_user(name, Role::Member), NOW).await.unwrap();
        members.push(acting(user.id, Role::Member));
    }
    let ben = members.pop().unwrap();
    (owner, members.pop().unwrap(), ben)
}

fn named(name: &str) -> AssistantProfile {
    AssistantProfile { name: name.to_owned(), ..AssistantProfile::default() }
}

fn text(text: &str) -> Vec<Part> {
    vec![Part::Text { text: text.to_owned() }]
}

async fn say(
    database: &Database,
    who: &Principal,
    conversation: ConversationId,
    parent: TurnParent,
    at: u64,
) -> TurnIds {
    let turn = NewTurn::Message {
        conversation,
        parent,
        parts: text(&format!("question {at}")),
        model: "mock/echo".to_owned(),
        parameters: Parameters::default(),
        assistant: None,
        title: "question".to_owned(),
    };
    database.begin_turn(who, turn, instance(), LIMITS, later(at)).await.unwrap()
}

fn instance() -> InstanceId {
    InstanceId::from_uuid(uuid::Uuid::from_u128(7))
}

async fn finish(database: &Database, turn: &TurnIds, answer: &str, at: u64) {
    let append = Append {
        generation: turn.generation,
        lease: turn.lease,
        chunk: Some(Chunk { first_seq: 1, last_seq: 1, data: answer.as_bytes().to_vec() }),
        outcome: Some(Outcome {
            status: MessageStatus::Complete,
            parts: text(answer),
            usage: Some(Usage { prompt_tokens: 3, completion_tokens: 1, ..Usage::default() }),
            timings: Some(Timings { first_token_ms: 5, total_ms: 9 }),
            error: None,
            finish_reason: Some(FinishReason::Stop),
            stand_in: None,
            last_seq: 1,
            calls: Vec::new(),
        }),
    };
    let outcomes = database.append_generations(&[append], later(at)).await.unwrap();
    assert_eq!(outcomes, [AppendOutcome::Appended { stop_requested: false }]);
}

on_both_engines! {
    async fn only_one_of_two_first_owners_is_made(test: TestDatabase) {
        assert!(test.database.needs_setup().await.unwrap());
        let one = test.database.create_first_owner(new_user("one", Role::Owner), NOW);
        let two = test.database.create_first_owner(new_user("two", Role::Owner), NOW);
        let (one, two) = tokio::join!(one, two);
        assert_eq!([one.is_ok(), two.is_ok()].iter().filter(|made| **made).count(), 1);
        assert!(!test.database.needs_setup().await.unwrap());
    }

    async fn an_address_is_taken_whatever_its_case(test: TestDatabase) {
        let (owner, ..) = three_people(&test.database).await;
        let again = NewUser { email: "ANN@Example.com".to_owned(), ..new_user("other", Role::Member) };
        let refused = test.database.create_user(&owner, again, NOW).await;
        assert!(matches!(refused, Err(StorageError::Taken("email"))), "{refused:?}");
        let found = test.database.credentials_by_email(" Ann@EXAMPLE.com ").await.unwrap().unwrap();
        assert_eq!(found.user.name, "ann");
    }

    async fn the_last_owner_stays_and_rights_raise_the_epoch(test: TestDatabase) {
        let (owner, ann, _) = three_people(&test.database).await;
        let own = owner.user_id().unwrap();
        let leave = UserChange { role: Some(Role::Member), ..UserChange::default() };
        let refused = test.database.change_user(&owner, own, leave.clone(), NOW).await;
        assert!(matches!(refused, Err(StorageError::Refused(_))));
        let raise = UserChange { role: Some(Role::Owner), ..UserChange::default() };
        let second = test.database.change_user(&owner, ann.user_id().unwrap(), raise, NOW).await.unwrap();
        assert_eq!(second.epoch, 2);
        test.database.change_user(&owner, own, leave, NOW).await.unwrap();
    }

    async fn a_member_changes_their_own_name_and_nothing_else(test: TestDatabase) {
        let (_, ann, ben) = three_people(&test.database).await;
        let own = ann.user_id().unwrap();
        let rename = UserChange { name: Some("Anna".to_owned()), ..UserChange::default() };
        assert_eq!(test.database.change_user(&ann, own, rename.clone(), NOW).await.unwrap().name, "Anna");
        let rise = UserChange { role: Some(Role::Owner), ..UserChange::default() };
        assert!(matches!(test.database.change_user(&ann, own, rise, NOW).await, Err(StorageError::Forbidden)));
        assert!(matches!(test.database.change_user(&ben, own, rename, NOW).await, Err(StorageError::NotFound)));
        assert!(matches!(test.database.users(&ben).await, Err(StorageError::Forbidden)));
    }

    async fn a_session_is_good_until_it_runs_out_or_its_owner_is_disabled(test: TestDatabase) {
        let (owner, ann, ben) = three_people(&test.database).await;
        let new = |user: &Principal, token: &[u8]| NewSession {
            user: user.user_id().unwrap(),
            token_hash: token.to_vec(),
            user_agent: String::new(),
            address: "192.0.2.1".to_owned(),
            lasts: Duration::from_mins(1),
        };
        let id = test.database.create_session(new(&ann, b"ann"), NOW).await.unwrap();
        assert!(test.database.session_by_token(b"ann", NOW).await.unwrap().is_some());
        assert!(test.database.session_by_token(b"ben", NOW).await.unwrap().is_none());
        assert!(test.database.session_by_token(b"ann", later(60_001)).await.unwrap().is_none());
        assert!(matches!(test.database.delete_session(&ben, id).await, Err(StorageError::NotFound)));
        let disable = UserChange { disabled: Some(true), ..UserChange::default() };
        test.database.change_user(&owner, ann.user_id().unwrap(), disable, NOW).await.unwrap();
        assert!(test.database.session_by_token(b"ann", NOW).await.unwrap().is_none());
    }

    async fn an_api_key_belongs_to_one_person(test: TestDatabase) {
        let (_, ann, ben) = three_people(&test.database).await;
        let id = ApiKeyId::generate(NOW);
        let new = NewApiKey {
            id,
            name: "script".to_owned(),
            secret_hash: vec![1, 2, 3],
            scopes: vec![Scope::Infer],
            expires_at: Some(later(1_000)),
        };
        test.database.create_api_key(&ann, new, NOW).await.unwrap();
        assert_eq!(test.database.api_keys(&ann).await.unwrap().len(), 1);
        assert!(test.database.api_keys(&ben).await.unwrap().is_empty());
        assert!(matches!(test.database.delete_api_key(&ben, id).await, Err(StorageError::NotFound)));
        assert!(test.database.api_key_by_id(id, NOW).await.unwrap().is_some());
        assert!(test.database.api_key_by_id(id, later(1_000)).await.unwrap().is_none());
    }

    async fn conversations_come_in_pages_newest_first_and_never_to_strangers(test: TestDatabase) {
        let (_, ann, ben) = three_people(&test.database).await;
        for i in 0..25 {
            // Several share a moment, so that the cursor has to break ties.
            let title = Some(format!("Plan {i} 100% ÄRGER"));
            test.database.create_conversation(&ann, NewConversation { title, ..NewConversation::default() }, later(i / 4)).await.unwrap();
        }
        let mut seen = Vec::new();
        let mut after = None;
        loop {
            let page = test.database.conversations(&ann, &ConversationFilter::default(), after, 7).await.unwrap();
            seen.extend(page.items.iter().map(|item| (item.updated_at, item.id)));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(seen.len(), 25);
        assert!(seen.windows(2).all(|pair| pair[0] > pair[1]));
        let strangers = test.database.conversations(&ben, &ConversationFilter::default(), None, 50).await.unwrap();
        assert!(strangers.items.is_empty());
    }

    async fn titles_are_searched_in_any_case_and_wildcards_are_text(test: TestDatabase) {
        let (_, ann, _) = three_people(&test.database).await;
        for title in ["Ärger mit 100%", "合同条款翻译", "other"] {
            test.database.create_conversation(&ann, NewConversation { title: Some(title.to_owned()), ..NewConversation::default() }, NOW).await.unwrap();
        }
        for (search, hits) in [("ärger", 1), ("ÄRGER 100%", 1), ("合同", 1), ("%", 1), ("_", 0), ("OTHER", 1)] {
            let filter = ConversationFilter { search: Some(search.to_owned()), ..ConversationFilter::default() };
            let page = test.database.conversations(&ann, &filter, None, 50).await.unwrap();
            assert_eq!(page.items.len(), hits, "{search}");
        }
    }

    async fn a_deleted_conversation_can_be_restored_until_it_is_purged(test: TestDatabase) {
        let (_, ann, ben) = three_people(&test.database).await;
        let id = test.database.create_conversation(&ann, NewConversation::default(), NOW).await.unwrap().id;
        say(&test.database, &ann, id, TurnParent::Leaf, 1).await;
        test.database.delete_conversation(&ann, id, later(2)).await.unwrap();
        assert!(matches!(test.database.conversation(&ann, id).await, Err(StorageError::NotFound)));
        assert!(matches!(test.database.restore_conversation(&ben, id).await, Err(StorageError::NotFound)));
        test.database.restore_conversation(&ann, id).await.unwrap();
        test.database.delete_conversation(&ann, id, later(3)).await.unwrap();
        assert_eq!(test.database.purge_conversations(later(3), 10).await.unwrap(), 0);
        assert_eq!(test.database.purge_conversations(later(4), 10).await.unwrap(), 1);
        assert!(matches!(test.database.restore_conversation(&ann, id).await, Err(StorageError::NotFound)));
    }

    async fn assistants_are_their_owners_and_keep_the_order_that_was_given(test: TestDatabase) {
        let (_, ann, ben) = three_people(&test.database).await;
        let database = &test.database;
        let made = database.create_assistants(&ann, ["a", "b"].map(|name| named(name).into()).to_vec(), NOW).await.unwrap();
        let made = made.into_iter().chain(database.create_assistants(&ann, vec![named("c").into()], NOW).await.unwrap());
        let ids: Vec<_> = made.map(|assistant| assistant.id).collect();
        let (a, b, c) = (ids[0], ids[1], ids[2]);
        let names = async || {
            let all = database.assistants(&ann).await.unwrap();
            all.into_iter().map(|assistant| assistant.profile.name).collect::<String>()
        };
        assert_eq!(names().await, "cab", "the newest come first");
        database.order_assistants(&ann, &[b, c]).await.unwrap();
        assert_eq!(names().await, "bca");
        let pin = AssistantChange { pinned: Some(true), profile: None };
        assert!(database.change_assistant(&ann, a, pin, later(1)).await.unwrap().pinned);
        assert_eq!(names().await, "abc");
        let change = AssistantChange { pinned: None, profile: Some(named("d")) };
        let changed = database.change_assistant(&ann, b, change, later(2)).await.unwrap();
        assert_eq!((changed.created_at, changed.updated_at), (NOW, later(2)));

        database.delete_assistant(&ann, a, later(3)).await.unwrap();
        assert_eq!(names().await, "dc");
        assert!(matches!(database.restore_assistant(&ben, a).await, Err(StorageError::NotFound)));
        assert!(database.restore_assistant(&ann, a).await.unwrap().pinned);
        assert_eq!(names().await, "adc");
        database.delete_assistant(&ann, a, later(4)).await.unwrap();
        assert_eq!(database.purge_assistants(later(4)).await.unwrap(), 0);
        assert_eq!(database.purge_assistants(later(5)).await.unwrap(), 1);
        assert!(matches!(database.restore_assistant(&ann, a).await, Err(StorageError::NotFound)));

        assert!(database.assistants(&ben).await.unwrap().is_empty());
        assert!(matches!(database.order_assistants(&ben, &[b]).await, Err(StorageError::NotFound)));
        let foreign = NewConversation { assistant: Some(b), ..NewConversation::default() };
        assert!(matches!(database.create_conversation(&ben, foreign, NOW).await, Err(StorageError::NotFound)));
    }

    async fn a_conversation_begins_with_what_its_assistant_says(test: TestDatabase) {
        let (_, ann, _) = three_people(&test.database).await;
        let database = &test.database;
        let profile = AssistantProfile {
            role: "Translate.".to_owned(),
            input_template: "Text: {{text}}".to_owned(),
            model: Some("mock/echo".to_owned()),
            parameters: Parameters { temperature: Some(0.5), ..Parameters::default() },
            history_messages: Some(1),
            ..named("Translator")
        };
        let made = database.create_assistants(&ann, vec![profile.clone().into()], NOW).await.unwrap().remove(0);
        let new = NewConversation { assistant: Some(made.id), ..NewConversation::default() };
        let conversation = database.create_conversation(&ann, new, NOW).await.unwrap();
        assert_eq!(conversation.assistant_id, Some(made.id));
        assert_eq!((conversation.model, conversation.parameters), (profile.model.clone(), profile.parameters.clone()));
        let filter = ConversationFilter { assistant: Some(made.id), ..ConversationFilter::default() };
        assert_eq!(database.conversations(&ann, &filter, None, 9).await.unwrap().items.len(), 1);

        let id = conversation.id;
        let first = say(database, &ann, id, TurnParent::Leaf, 1).await;
        let template = InputTemplate { text: profile.input_template.clone(), user: "ann".to_owned() };
        assert_eq!((first.role.as_str(), &first.template), ("Translate.", &Some(template)));
        finish(database, &first, "one", 2).await;
        // What it says now holds from the next turn on.
        let change = AssistantProfile { role: "Sing.".to_owned(), input_template: String::new(), ..profile };
        let change = AssistantChange { profile: Some(change), pinned: None };
        database.change_assistant(&ann, made.id, change, later(3)).await.unwrap();
        let second = say(database, &ann, id, TurnParent::Leaf, 4).await;
        assert_eq!((second.role.as_str(), &second.template, second.history.messages.len()), ("Sing.", &None, 1));
        finish(database, &second, "two", 5).await;
        // The conversation's own role goes before it.
        let own = ConversationChange { role: Some("Whisper.".to_owned()), ..ConversationChange::default() };
        database.change_conversation(&ann, id, own, NOW).await.unwrap();
        let third = say(database, &ann, id, TurnParent::Leaf, 6).await;
        assert_eq!(third.role, "Whisper.");
        finish(database, &third, "three", 7).await;
        let own = ConversationChange { role: Some(String::new()), ..ConversationChange::default() };
        database.change_conversation(&ann, id, own, NOW).await.unwrap();
        database.delete_assistant(&ann, made.id, later(8)).await.unwrap();
        let fourth = say(database, &ann, id, TurnParent::Leaf, 9).await;
        assert_eq!((fourth.role.as_str(), fourth.history.messages.len()), ("", 7), "it goes on without it");
    }

    async fn the_path_is_paged_with_siblings_and_branches_switch(test: TestDatabase) {
        let (_, ann, _) = three_people(&test.database).await;
        let database = &test.database;
        let id = database.create_conversation(&ann, NewConversation::default(), NOW).await.unwrap().id;
        let first = say(database, &ann, id, TurnParent::Leaf, 1).await;
        finish(database, &first, "one", 2).await;
        let second = say(database, &ann, id, TurnParent::Leaf, 3).await;
        finish(database, &second, "two", 4).await;
        let again = NewTurn::Regenerate { answer: first.reply, model: None, parameters: None };
        let again = database.begin_turn(&ann, again, instance(), LIMITS, later(5)).await.unwrap();
        finish(database, &again, "one again", 6).await;

        let page = database.messages(&ann, id, PathQuery { limit: 50, ..PathQuery::default() }).await.unwrap();
        assert_eq!(page.items.iter().map(|item| item.id).collect::<Vec<_>>(), [first.message, again.reply]);
        assert_eq!(page.items[1].siblings, [first.reply, again.reply]);
        assert_eq!(page.items[1].parts, text("one again"));

        let leaf = Some(first.reply);
        let page = database.messages(&ann, id, PathQuery { leaf, limit: 3, ..PathQuery::default() }).await.unwrap();
        assert_eq!(page.leaf, Some(second.reply));
        assert!(page.has_more);
        assert_eq!(
            page.items.iter().map(|item| item.id).collect::<Vec<_>>(),
            [first.reply, second.message, second.reply]
        );
        let above = PathQuery { leaf, before: Some(first.reply), limit: 3, ..PathQuery::default() };
        let page = database.messages(&ann, id, above).await.unwrap();
        assert_eq!(page.items.iter().map(|item| item.id).collect::<Vec<_>>(), [first.message]);
        assert!(!page.has_more);

        let change = ConversationChange { leaf: Some(first.reply), ..ConversationChange::default() };
        assert_eq!(database.change_conversation(&ann, id, change, NOW).await.unwrap().leaf_id, Some(second.reply));
        let root = say(database, &ann, id, TurnParent::Root, 7).await;
        let page = database.messages(&ann, id, PathQuery { limit: 50, ..PathQuery::default() }).await.unwrap();
        assert_eq!(page.items[0].siblings, [first.message, root.message]);
    }

    async fn a_path_is_read_around_a_message_and_on_from_there(test: TestDatabase) {
        let (_, ann, ben) = three_people(&test.database).await;
        let database = &test.database;
        let id = database.create_conversation(&ann, NewConversation::default(), NOW).await.unwrap().id;
        let mut path = Vec::new();
        for at in 0..10 {
            let turn = say(database, &ann, id, TurnParent::Leaf, at).await;
            finish(database, &turn, "so", at).await;
            path.extend([turn.message, turn.reply]);
        }
        let read = async |query| {
            let page = database.messages(&ann, id, query).await.unwrap();
            (page.items.iter().map(|item| item.id).collect::<Vec<_>>(), page.has_more, page.has_newer, page.leaf)
        };
        let around = |message, limit| PathQuery { around: Some(message), limit, ..PathQuery::default() };
        let after = |message, limit| PathQuery { after: Some(message), limit, ..PathQuery::default() };
        let leaf = path.last().copied();
        assert_eq!(read(around(path[8], 4)).await, (path[7..=10].to_vec(), true, true, leaf));
        assert_eq!(read(after(path[10], 4)).await, (path[11..15].to_vec(), true, true, leaf));
        assert_eq!(read(after(path[14], 5)).await, (path[15..].to_vec(), true, false, leaf));
        assert_eq!(read(after(path[19], 5)).await, (Vec::new(), true, false, leaf));
        assert_eq!(read(around(path[0], 100)).await, (path.clone(), false, false, leaf));
        assert_eq!(read(around(path[19], 2)).await, (path[19..].to_vec(), true, false, leaf));
        // A branch that is not shown: its own end is the leaf.
        let again = NewTurn::Regenerate { answer: path[3], model: None, parameters: None };
        let again = database.begin_turn(&ann, again, instance(), LIMITS, later(50)).await.unwrap();
        let (items, .., end) = read(around(path[8], 4)).await;
        assert_eq!((items, end), (path[7..=10].to_vec(), leaf));
        assert_eq!(read(around(path[1], 2)).await.3, Some(again.reply), "what is on the path keeps its leaf");
        let gone = database.messages(&ann, id, after(path[8], 4)).await;
        assert!(matches!(gone, Err(StorageError::NotFound)), "not on the way to the leaf");
        for query in [around(path[8], 4), after(path[1], 4)] {
            assert!(matches!(database.messages(&ben, id, query).await, Err(StorageError::NotFound)));
            let other = database.create_conversation(&ann, NewConversation::default(), NOW).await.unwrap().id;
            assert!(matches!(database.messages(&ann, other, query).await, Err(StorageError::NotFound)));
        }
    }

    async fn strangers_find_neither_messages_nor_generations(test: TestDatabase) {
        let (owner, ann, ben) = three_people(&test.database).await;
        let database = &test.database;
        let id = database.create_conversation(&ann, NewConversation::default(), NOW).await.unwrap().id;
        let turn = say(database, &ann, id, TurnParent::Leaf, 1).await;
        for stranger in [&owner, &ben] {
            assert!(matches!(database.conversation(stranger, id).await, Err(StorageError::NotFound)));
            assert!(matches!(database.message(stranger, turn.reply).await, Err(StorageError::NotFound)));
            assert!(matches!(database.generation(stranger, turn.generation).await, Err(StorageError::NotFound)));
            assert!(matches!(database.request_stop(stranger, turn.generation).await, Err(StorageError::NotFound)));
            let query = PathQuery { limit: 5, ..PathQuery::default() };
            assert!(matches!(database.messages(stranger, id, query).await, Err(StorageError::NotFound)));
            let again = NewTurn::Regenerate { answer: turn.reply, model: None, parameters: None };
            let refused = database.begin_turn(stranger, again, instance(), LIMITS, later(5)).await;
            assert!(matches!(refused, Err(StorageError::NotFound)));
        }
        let other = database.create_conversation(&ben, NewConversation::default(), NOW).await.unwrap().id;
        let parent = TurnParent::After(turn.message);
        let into_mine = NewTurn::Message {
            conversation: other,
            parent,
            parts: text("x"),
            model: "mock/echo".to_owned(),
            parameters: Parameters::default(),
            assistant: None,
            title: "question".to_owned(),
        };
        let refused = database.begin_turn(&ben, into_mine, instance(), LIMITS, later(5)).await;
        assert!(matches!(refused, Err(StorageError::NotFound)));
    }

    async fn the_log_is_fenced_once_the_lease_is_gone(test: TestDatabase) {
        let (_, ann, _) = three_people(&test.database).await;
        let database = &test.database;
        database.register_instance(instance(), "1", NOW).await.unwrap();
        let id = database.create_conversation(&ann, NewConversation::default(), NOW).await.unwrap().id;
        let turn = say(database, &ann, id, TurnParent::Leaf, 1).await;
        let append = |seq: u64| Append {
            generation: turn.generation,
            lease: turn.lease,
            chunk: Some(Chunk { first_seq: seq, last_seq: seq, data: vec![0xff, 0x00] }),
            outcome: None,
        };
        assert_eq!(
            database.append_generations(&[append(1), append(2)], later(2)).await.unwrap(),
            [AppendOutcome::Appended { stop_requested: false }; 2]
        );
        let fold = |_: Vec<Part>, chunks: &[Chunk]| text(&format!("{} chunks", chunks.len()));
        assert!(!database.interrupt_orphan(turn.generation, NOW, later(3), fold).await.unwrap());
        assert!(database.orphans(NOW, 10).await.unwrap().is_empty());
        let silent_since = later(10);
        assert_eq!(database.orphans(silent_since, 10).await.unwrap().len(), 1);
        assert!(database.interrupt_orphan(turn.generation, silent_since, later(11), fold).await.unwrap());
        assert!(!database.interrupt_orphan(turn.generation, silent_since, later(11), fold).await.unwrap());
        assert_eq!(database.append_generations(&[append(3)], later(12)).await.unwrap(), [AppendOutcome::Fenced]);
        let message = database.message(&ann, turn.reply).await.unwrap();
        assert_eq!(message.timings, None, "nobody knows how long it took");
        assert_eq!((message.status, message.parts), (MessageStatus::Interrupted, text("2 chunks")));
        assert!(database.generation_chunks(&ann, turn.generation, 0, 10).await.unwrap().is_empty());
        let ended = database.generation(&ann, turn.generation).await.unwrap();
        assert_eq!(ended.state, GenerationState::Ended(MessageStatus::Interrupted));
    }

    async fn one_append_serves_many_generations_and_tells_of_stops(test: TestDatabase) {
        let (_, ann, _) = three_people(&test.database).await;
        let database = &test.database;
        let id = database.create_conversation(&ann, NewConversation::default(), NOW).await.unwrap().id;
        let mut turns = Vec::new();
        for i in 0..20 {
            turns.push(say(database, &ann, id, TurnParent::Root, i).await);
        }
        database.request_stop(&ann, turns[3].generation).await.unwrap();
        let mut appends: Vec<Append> = turns
            .iter()
            .map(|turn| Append {
                generation: turn.generation,
                lease: turn.lease,
                chunk: Some(Chunk { first_seq: 1, last_seq: 9, data: vec![1; 100] }),
                outcome: None,
            })
            .collect();
        appends[5].lease.epoch += 1;
        let outcomes = database.append_generations(&appends, later(100)).await.unwrap();
        assert_eq!(outcomes[3], AppendOutcome::Appended { stop_requested: true });
        assert_eq!(outcomes[5], AppendOutcome::Fenced);
        assert_eq!(outcomes[6], AppendOutcome::Appended { stop_requested: false });
        assert_eq!(database.stop_requests(instance()).await.unwrap(), [turns[3].generation]);
        let log = database.generation_chunks(&ann, turns[6].generation, 8, 10).await.unwrap();
        assert_eq!(log, [Chunk { first_seq: 1, last_seq: 9, data: vec![1; 100] }]);
        assert!(database.generation_chunks(&ann, turns[6].generation, 9, 10).await.unwrap().is_empty());
    }

    async fn a_person_has_a_bound_of_running_answers(test: TestDatabase) {
        let (_, ann, _) = three_people(&test.database).await;
        let id = test.database.create_conversation(&ann, NewConversation::default(), NOW).await.unwrap().id;
        for i in 0..32 {
            say(&test.database, &ann, id, TurnParent::Root, i).await;
        }
        let turn = NewTurn::Message {
            conversation: id,
            parent: TurnParent::Root,
            parts: text("one more"),
            model: "mock/echo".to_owned(),
            parameters: Parameters::default(),
            assistant: None,
            title: "question".to_owned(),
        };
        let refused = test.database.begin_turn(&ann, turn, instance(), LIMITS, later(99)).await;
        assert!(matches!(refused, Err(StorageError::Refused(_))));
    }

    async fn another_master_key_is_refused(test: TestDatabase) {
        let other = Database::open(&test.url, MasterKey::generate(), &test.tracker).await;
        assert!(matches!(other, Err(OpenError::WrongMasterKey)), "{other:?}");
        Database::open(&test.url, test.key.clone(), &test.tracker).await.unwrap();
    }

    async fn nul_characters_in_messages_are_kept(test: TestDatabase) {
        let (_, ann, _) = three_people(&test.database).await;
        let id = test.database.create_conversation(&ann, NewConversation::default(), NOW).await.unwrap().id;
        let turn = NewTurn::Message {
            conversation: id,
            parent: TurnParent::Leaf,
            parts: text("a\0b \u{1F30D}"),
            model: "mock/echo".to_owned(),
            parameters: Parameters { temperature: Some(0.1), ..Parameters::default() },
            assistant: None,
            title: "question".to_owned(),
        };
        let turn = test.database.begin_turn(&ann, turn, instance(), LIMITS, NOW).await.unwrap();
        let message = test.database.message(&ann, turn.message).await.unwrap();
        assert_eq!(message.parts, text("a\0b \u{1F30D}"));
        let reply = test.database.message(&ann, turn.reply).await.unwrap();
        assert_eq!(reply.parameters.unwrap().temperature, Some(0.1));
    }

    async fn unknown_ids_are_not_found(test: TestDatabase) {
        let (_, ann, _) = three_people(&test.database).await;
        let database = &test.database;
        let generation = database.generation(&ann, GenerationId::generate(NOW)).await;
        assert!(matches!(generation, Err(StorageError::NotFound)));
        assert!(matches!(database.message(&ann, MessageId::generate(NOW)).await, Err(StorageError::NotFound)));
        let conversation = database.conversation(&ann, ConversationId::generate(NOW)).await;
        assert!(matches!(conversation, Err(StorageError::NotFound)));
    }
}
