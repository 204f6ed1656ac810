//! What projects, tags, the archive and changes of many conversations promise, on both engines.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use stoa_model::assistant::AssistantProfile;
use stoa_model::completion::Parameters;
use stoa_model::conversation::Part;
use stoa_model::person::Role;
use stoa_model::project::ProjectProfile;
use stoa_model::{ConversationId, InstanceId, Principal, SessionId, Timestamp, UserId, Via};
use stoa_storage::{
    BulkChange, ConversationChange, ConversationFilter, Database, Leftover, NewConversation, NewTurn, NewUser,
    StorageError, TurnIds, TurnLimits, TurnParent, on_both_engines,
};

const NOW: Timestamp = Timestamp::from_millis(1_767_225_600_000);

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

fn project(name: &str, instructions: &str, model: Option<&str>) -> ProjectProfile {
    ProjectProfile {
        name: name.to_owned(),
        instructions: instructions.to_owned(),
        model: model.map(str::to_owned),
        ..ProjectProfile::default()
    }
}

async fn conversation(database: &Database, who: &Principal, title: &str) -> ConversationId {
    let new = NewConversation { title: Some(title.to_owned()), ..NewConversation::default() };
    database.create_conversation(who, new, NOW).await.unwrap().id
}

async fn say(database: &Database, who: &Principal, conversation: ConversationId) -> TurnIds {
    let turn = NewTurn::Message {
        conversation,
        parent: TurnParent::Leaf,
        parts: vec![Part::Text { text: "hello".to_owned() }],
        model: "mock/echo".to_owned(),
        parameters: Parameters::default(),
        assistant: None,
        title: "hello".to_owned(),
    };
    let limits = TurnLimits { running_per_user: 99, history: 9, personal_providers: false };
    database.begin_turn(who, turn, InstanceId::generate(NOW), limits, NOW).await.unwrap()
}

/// The titles of a list, in alphabetical order.
async fn titles(database: &Database, who: &Principal, filter: ConversationFilter) -> Vec<String> {
    let page = database.conversations(who, &filter, None, 100).await.unwrap();
    let mut titles: Vec<String> = page.items.into_iter().map(|item| item.title).collect();
    titles.sort();
    titles
}

on_both_engines! {
    async fn a_project_speaks_first_and_then_the_role_of_conversation_or_assistant(test: TestDatabase) {
        let database = &test.database;
        let (ann, _) = two_people(database).await;
        let thesis = database.create_project(&ann, &project("Thesis", "Cite sources.", Some("mock/p")), NOW).await.unwrap();
        let poet = AssistantProfile { role: "You are a poet.".to_owned(), ..named("Poet") };
        let clerk = AssistantProfile { model: Some("mock/a".to_owned()), ..named("Clerk") };
        let made = database.create_assistants(&ann, vec![poet.into(), clerk.into()], NOW).await.unwrap();
        let begin = async |assistant, project| {
            let new = NewConversation { assistant, project, ..NewConversation::default() };
            database.create_conversation(&ann, new, NOW).await.unwrap()
        };
        let alone = begin(None, Some(thesis.id)).await;
        assert_eq!((alone.model.as_deref(), alone.project_id), (Some("mock/p"), Some(thesis.id)));
        assert_eq!(say(database, &ann, alone.id).await.role, "Cite sources.");
        let with_poet = begin(Some(made[0].id), Some(thesis.id)).await;
        assert_eq!(with_poet.model.as_deref(), Some("mock/p"));
        assert_eq!(say(database, &ann, with_poet.id).await.role, "Cite sources.\n\nYou are a poet.");
        assert_eq!(begin(Some(made[1].id), Some(thesis.id)).await.model.as_deref(), Some("mock/a"));
        // Its own role stands in the place of the assistant's, and after the project all the same.
        let change = ConversationChange { role: Some("Rhyme.".to_owned()), ..ConversationChange::default() };
        database.change_conversation(&ann, with_poet.id, change, NOW).await.unwrap();
        assert_eq!(say(database, &ann, with_poet.id).await.role, "Cite sources.\n\nRhyme.");
        // What is changed holds from the next turn on; out of the project, or without it, nothing is left of it.
        database.change_project(&ann, thesis.id, &project("Thesis", "Cite none.", None), NOW).await.unwrap();
        assert_eq!(say(database, &ann, with_poet.id).await.role, "Cite none.\n\nRhyme.");
        let out = ConversationChange { project: Some(None), ..ConversationChange::default() };
        assert_eq!(database.change_conversation(&ann, with_poet.id, out, NOW).await.unwrap().project_id, None);
        assert_eq!(say(database, &ann, with_poet.id).await.role, "Rhyme.");
        database.delete_project(&ann, thesis.id, Leftover::Keep, NOW).await.unwrap();
        assert_eq!(say(database, &ann, alone.id).await.role, "");
    }

    async fn conversations_of_a_project_that_goes_stay_or_go(test: TestDatabase) {
        let database = &test.database;
        let (ann, _) = two_people(database).await;
        for (leftover, left) in [(Leftover::Keep, 2), (Leftover::Delete, 1)] {
            let of = database.create_project(&ann, &project("X", "", None), NOW).await.unwrap().id;
            let inside = NewConversation { title: Some("in".to_owned()), project: Some(of), ..NewConversation::default() };
            let inside = database.create_conversation(&ann, inside, NOW).await.unwrap().id;
            let outside = conversation(database, &ann, "out").await;
            let filter = ConversationFilter { project: Some(of), ..ConversationFilter::default() };
            assert_eq!(titles(database, &ann, filter).await, ["in"]);
            database.delete_project(&ann, of, leftover, NOW).await.unwrap();
            assert!(matches!(database.project(&ann, of).await, Err(StorageError::NotFound)));
            assert_eq!(titles(database, &ann, ConversationFilter::default()).await.len(), left);
            let restored = database.restore_conversation(&ann, inside).await.unwrap();
            assert_eq!(restored.project_id, None);
            let all = BulkChange { deleted: Some(true), ..BulkChange::default() };
            database.change_conversations(&ann, &[inside, outside], &all, NOW).await.unwrap();
        }
    }

    async fn many_are_changed_at_once_or_none(test: TestDatabase) {
        let database = &test.database;
        let (ann, owner) = two_people(database).await;
        let mut ids = Vec::new();
        for title in ["a", "b", "c"] {
            ids.push(conversation(database, &ann, title).await);
        }
        let of = database.create_project(&ann, &project("X", "", None), NOW).await.unwrap().id;
        let foreign = conversation(database, &owner, "foreign").await;
        let foreign_project = database.create_project(&owner, &project("Y", "", None), NOW).await.unwrap().id;
        let bulk = async |ids: &[ConversationId], change: BulkChange| {
            database.change_conversations(&ann, ids, &change, NOW).await
        };
        let archive = |on| BulkChange { archived: Some(on), ..BulkChange::default() };
        let refused = bulk(&[ids[0], foreign], archive(true)).await;
        assert!(matches!(refused, Err(StorageError::NotFound)));
        let into = |project| BulkChange { project: Some(project), archived: Some(true), ..BulkChange::default() };
        assert!(matches!(bulk(&ids, into(Some(foreign_project))).await, Err(StorageError::NotFound)));
        let change = ConversationChange { project: Some(Some(foreign_project)), ..ConversationChange::default() };
        let refused = database.change_conversation(&ann, ids[0], change, NOW).await;
        assert!(matches!(refused, Err(StorageError::NotFound)));
        assert_eq!(titles(database, &ann, ConversationFilter::default()).await, ["a", "b", "c"], "nothing has changed");

        bulk(&[ids[0], ids[1], ids[0]], into(Some(of))).await.unwrap();
        assert_eq!(titles(database, &ann, ConversationFilter::default()).await, ["c"]);
        let archived = || ConversationFilter { archived: true, ..ConversationFilter::default() };
        assert_eq!(titles(database, &ann, archived()).await, ["a", "b"]);
        bulk(&ids[..1], archive(false)).await.unwrap();
        assert_eq!(titles(database, &ann, archived()).await, ["b"]);
        // What goes on is not put away.
        say(database, &ann, ids[1]).await;
        assert!(titles(database, &ann, archived()).await.is_empty());
        let inside = ConversationFilter { project: Some(of), ..ConversationFilter::default() };
        assert_eq!(titles(database, &ann, inside).await, ["a", "b"]);

        let delete = |on| BulkChange { deleted: Some(on), ..BulkChange::default() };
        bulk(&ids, delete(true)).await.unwrap();
        assert!(titles(database, &ann, ConversationFilter::default()).await.is_empty());
        assert!(matches!(bulk(&ids, archive(true)).await, Err(StorageError::NotFound)));
        bulk(&ids, delete(false)).await.unwrap();
        assert_eq!(titles(database, &ann, ConversationFilter::default()).await.len(), 3);
        assert!(database.conversation(&owner, foreign).await.is_ok());
    }

    async fn tags_are_given_taken_counted_and_bounded(test: TestDatabase) {
        let database = &test.database;
        let (ann, owner) = two_people(database).await;
        let ids = [conversation(database, &ann, "a").await, conversation(database, &ann, "b").await];
        let tags = |add: &[&str], remove: &[&str]| BulkChange {
            add_tags: add.iter().map(|&tag| tag.to_owned()).collect(),
            remove_tags: remove.iter().map(|&tag| tag.to_owned()).collect(),
            ..BulkChange::default()
        };
        database.change_conversations(&ann, &ids, &tags(&["work", "读书"], &[]), NOW).await.unwrap();
        database.change_conversations(&ann, &ids[..1], &tags(&["work", "art"], &["读书"]), NOW).await.unwrap();
        assert_eq!(database.conversation(&ann, ids[0]).await.unwrap().tags, ["art", "work"]);
        let counted: Vec<_> =
            database.tags(&ann).await.unwrap().into_iter().map(|tag| (tag.tag, tag.conversations)).collect();
        assert_eq!(counted, [("art".to_owned(), 1), ("work".to_owned(), 2), ("读书".to_owned(), 1)]);
        assert!(database.tags(&owner).await.unwrap().is_empty());
        let filter = ConversationFilter { tag: Some("读书".to_owned()), ..ConversationFilter::default() };
        assert_eq!(titles(database, &ann, filter).await, ["b"]);
        let many: Vec<String> = (0..9).map(|number| number.to_string()).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let refused = database.change_conversations(&ann, &ids, &tags(&many, &[]), NOW).await;
        assert!(matches!(refused, Err(StorageError::Refused(_))));
        assert_eq!(database.conversation(&ann, ids[1]).await.unwrap().tags.len(), 2);
        let change = ConversationChange { tags: Some(vec!["one".to_owned()]), ..ConversationChange::default() };
        assert_eq!(database.change_conversation(&ann, ids[1], change, NOW).await.unwrap().tags, ["one"]);
    }

    async fn a_project_is_its_owners(test: TestDatabase) {
        let database = &test.database;
        let (ann, owner) = two_people(database).await;
        let id = database.create_project(&ann, &project("Mine", "x", None), NOW).await.unwrap().id;
        assert_eq!(database.projects(&ann).await.unwrap().len(), 1);
        assert!(database.projects(&owner).await.unwrap().is_empty());
        let missing = [
            database.project(&owner, id).await.err(),
            database.change_project(&owner, id, &project("Yours", "", None), NOW).await.err(),
            database.delete_project(&owner, id, Leftover::Delete, NOW).await.err(),
            database
                .create_conversation(&owner, NewConversation { project: Some(id), ..NewConversation::default() }, NOW)
                .await
                .err(),
        ];
        assert!(missing.iter().all(|error| matches!(error, Some(StorageError::NotFound))), "{missing:?}");
    }
}

fn named(name: &str) -> AssistantProfile {
    AssistantProfile { name: name.to_owned(), ..AssistantProfile::default() }
}
