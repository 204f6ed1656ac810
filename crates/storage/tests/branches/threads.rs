//! Threads: what the model gets, where they are listed, and that they go and come with what they hang on.

use stoa_model::conversation::Part;
use stoa_model::{ConversationId, MessageId, Principal};
use stoa_storage::{
    BulkChange, ConversationChange, ConversationFilter, Database, NewConversation, PathQuery, SearchFilter,
    SearchQuery, StorageError, TurnIds, on_both_engines,
};

use crate::{NOW, ask, conversation, end, found, later, say, shown, two_people};

fn given(turn: &TurnIds) -> Vec<String> {
    turn.history.messages.iter().map(|message| message.parts.iter().map(Part::text).collect()).collect()
}

async fn begin(database: &Database, who: &Principal, at: MessageId, with_context: bool) -> ConversationId {
    database.create_thread(who, at, with_context, later(50)).await.unwrap().id
}

/// The threads of each message of the branch that is shown, and how much is in each.
async fn hung(database: &Database, who: &Principal, within: ConversationId) -> Vec<Vec<(ConversationId, u64)>> {
    let page = database.messages(who, within, PathQuery { limit: 100, ..PathQuery::default() }).await.unwrap();
    let of = |threads: &[stoa_model::conversation::MessageThread]| {
        threads.iter().map(|thread| (thread.id, thread.messages)).collect()
    };
    page.items.iter().map(|message| of(&message.threads)).collect()
}

on_both_engines! {
    async fn a_thread_goes_on_from_its_message_and_is_in_no_list(test: TestDatabase) {
        let database = &test.database;
        let (ann, owner) = two_people(database).await;
        let id = conversation(database, &ann).await;
        say(database, &ann, id, "apple", 1).await;
        let pear = say(database, &ann, id, "pear", 2).await;
        say(database, &ann, id, "plum", 3).await;
        assert!(matches!(database.create_thread(&owner, pear.reply, true, NOW).await, Err(StorageError::NotFound)));
        let thread = database.create_thread(&ann, pear.reply, true, later(50)).await.unwrap();
        let of = thread.thread.unwrap();
        assert_eq!((of.conversation_id, of.message_id, of.with_context, of.messages), (id, pear.reply, true, 0));
        assert_eq!(thread.model.as_deref(), Some("mock/echo"), "as its conversation has it now");
        let first = say(database, &ann, thread.id, "cherry", 60).await;
        assert_eq!(given(&first), ["apple", "apple!", "pear", "pear!", "cherry"]);
        assert!(first.untitled, "it gets a title of its own");
        let second = ask(database, &ann, thread.id, "quince", 61).await;
        assert_eq!(given(&second), ["apple", "apple!", "pear", "pear!", "cherry", "cherry!", "quince"]);
        let page = database.messages(&ann, id, PathQuery { limit: 9, ..PathQuery::default() }).await.unwrap();
        let line = &page.items[3].threads[0];
        assert_eq!((line.id, line.messages, line.generating, line.unread), (thread.id, 4, true, false));
        end(database, &second, "quince!", 62).await;
        let line = database.message(&ann, pear.reply).await.unwrap().threads.pop().unwrap();
        assert_eq!((line.generating, line.unread, line.title.as_str()), (false, true, "cherry"));
        // Apart from what it begins at, neither knows of the other.
        assert_eq!(shown(database, &ann, thread.id).await, ["cherry", "cherry!", "quince", "quince!"]);
        assert_eq!(shown(database, &ann, id).await.len(), 6);
        let listed = database.conversations(&ann, &ConversationFilter::default(), None, 50).await.unwrap().items;
        assert_eq!(listed.iter().map(|one| one.id).collect::<Vec<_>>(), [id]);
        let own = database.threads(&ann, id).await.unwrap();
        assert_eq!((own.len(), own[0].id, own[0].thread.unwrap().messages), (1, thread.id, 4));
        assert!(matches!(database.threads(&owner, id).await, Err(StorageError::NotFound)));
        assert!(matches!(
            database.create_thread(&ann, second.reply, true, NOW).await,
            Err(StorageError::Refused("a thread begins in no thread"))
        ));
    }

    async fn a_thread_of_one_message_gets_that_message_alone_and_never_loses_it(test: TestDatabase) {
        let database = &test.database;
        let (ann, _) = two_people(database).await;
        let id = conversation(database, &ann).await;
        say(database, &ann, id, "apple", 1).await;
        let pear = say(database, &ann, id, "pear", 2).await;
        let alone = begin(database, &ann, pear.reply, false).await;
        assert_eq!(given(&say(database, &ann, alone, "cherry", 60).await), ["pear!", "cherry"]);
        let from_question = begin(database, &ann, pear.message, true).await;
        let turn = say(database, &ann, from_question, "quince", 61).await;
        assert_eq!(given(&turn), ["apple", "apple!", "pear", "quince"]);
        // However long it gets, and only as much of what is above as there is room for.
        for at in 0..24 {
            say(database, &ann, from_question, "more", 70 + at).await;
        }
        let turn = ask(database, &ann, from_question, "last", 99).await;
        let given = given(&turn);
        assert_eq!((given.len(), given[0].as_str(), given[1].as_str()), (51, "pear", "quince!"));
    }

    async fn threads_go_and_come_with_their_conversation(test: TestDatabase) {
        let database = &test.database;
        let (ann, _) = two_people(database).await;
        let id = conversation(database, &ann).await;
        let apple = say(database, &ann, id, "apple", 1).await;
        let gone = begin(database, &ann, apple.reply, true).await;
        say(database, &ann, gone, "quince", 60).await;
        let thread = begin(database, &ann, apple.reply, true).await;
        say(database, &ann, thread, "cherry", 61).await;
        database.delete_conversation(&ann, gone, later(62)).await.unwrap();
        let there = async || database.conversation(&ann, thread).await.is_ok();
        assert_eq!((found(database, &ann, "cherry").await, found(database, &ann, "quince").await), (3, 0));
        database.delete_conversation(&ann, id, later(63)).await.unwrap();
        assert_eq!((there().await, found(database, &ann, "cherry").await), (false, 0));
        assert!(matches!(database.restore_conversation(&ann, thread).await, Err(StorageError::NotFound)));
        database.restore_conversation(&ann, id).await.unwrap();
        assert_eq!((there().await, found(database, &ann, "cherry").await), (true, 3));
        assert!(database.conversation(&ann, gone).await.is_err(), "what was deleted before stays so");
        let all = |deleted| BulkChange { deleted: Some(deleted), ..BulkChange::default() };
        assert!(database.change_conversations(&ann, &[thread], &all(true), later(64)).await.is_err());
        database.change_conversations(&ann, &[id], &all(true), later(64)).await.unwrap();
        assert!(!there().await);
        database.change_conversations(&ann, &[id], &all(false), later(65)).await.unwrap();
        assert!(there().await);
        database.restore_conversation(&ann, gone).await.unwrap();
        assert_eq!(database.threads(&ann, id).await.unwrap().len(), 2);
        // For good.
        database.delete_conversation(&ann, id, later(66)).await.unwrap();
        assert!(database.purge_conversations(later(67), 50).await.unwrap() >= 1);
        while database.purge_conversations(later(67), 50).await.unwrap() > 0 {}
        assert!(matches!(database.restore_conversation(&ann, id).await, Err(StorageError::NotFound)));
        assert!(matches!(database.restore_conversation(&ann, thread).await, Err(StorageError::NotFound)));
    }

    async fn a_message_goes_with_its_threads_and_both_come_back(test: TestDatabase) {
        let database = &test.database;
        let (ann, _) = two_people(database).await;
        let id = conversation(database, &ann).await;
        let apple = say(database, &ann, id, "apple", 1).await;
        say(database, &ann, id, "pear", 2).await;
        let thread = begin(database, &ann, apple.reply, true).await;
        say(database, &ann, thread, "cherry", 60).await;
        assert_eq!(hung(database, &ann, id).await, [vec![], vec![(thread, 2)], vec![], vec![]]);
        // The question takes the answer along, and that its thread.
        database.remove_message(&ann, apple.message, later(61)).await.unwrap();
        assert_eq!((shown(database, &ann, id).await.len(), found(database, &ann, "cherry").await), (2, 0));
        assert!(database.conversation(&ann, thread).await.is_err());
        assert!(database.threads(&ann, id).await.unwrap().is_empty());
        assert!(matches!(database.restore_conversation(&ann, thread).await, Err(StorageError::NotFound)));
        // Also when all of it was away meanwhile.
        database.delete_conversation(&ann, id, later(62)).await.unwrap();
        database.restore_conversation(&ann, id).await.unwrap();
        assert!(database.conversation(&ann, thread).await.is_err());
        database.restore_message(&ann, apple.message).await.unwrap();
        assert_eq!(hung(database, &ann, id).await, [vec![], vec![(thread, 2)], vec![], vec![]]);
        assert_eq!(given(&say(database, &ann, thread, "quince", 63).await).len(), 5);
        // Within the thread messages go as everywhere.
        let last = say(database, &ann, thread, "fig", 64).await;
        database.remove_message(&ann, last.message, later(65)).await.unwrap();
        assert_eq!(hung(database, &ann, id).await[1], [(thread, 4)]);
        database.remove_message(&ann, apple.reply, later(66)).await.unwrap();
        while database.purge_messages(later(67), 20).await.unwrap() > 0 {}
        assert!(matches!(database.restore_conversation(&ann, thread).await, Err(StorageError::NotFound)));
        assert_eq!(shown(database, &ann, id).await, ["apple", "pear", "pear!"]);
    }

    async fn threads_are_found_and_temporary_ones_are_not(test: TestDatabase) {
        let database = &test.database;
        let (ann, _) = two_people(database).await;
        let id = conversation(database, &ann).await;
        let apple = say(database, &ann, id, "apple", 1).await;
        let thread = begin(database, &ann, apple.reply, false).await;
        say(database, &ann, thread, "cherry", 60).await;
        let query = SearchQuery::parse("cherry").unwrap();
        let within = SearchFilter { conversation: Some(id), ..SearchFilter::default() };
        let hits = database.search(&ann, &query, &within, None, 50).await.unwrap().items;
        assert_eq!(hits.len(), 2, "also when it is looked for in the conversation that it hangs on");
        assert!(hits.iter().all(|hit| hit.conversation_id == thread && hit.thread_of == Some(id)));

        let new = NewConversation { expires_at: Some(later(900)), ..NewConversation::default() };
        let secret = database.create_conversation(&ann, new, NOW).await.unwrap().id;
        let pear = say(database, &ann, secret, "pear", 2).await;
        let aside = begin(database, &ann, pear.reply, true).await;
        assert_eq!(database.conversation(&ann, aside).await.unwrap().temporary_until, Some(later(900)));
        assert!(!say(database, &ann, aside, "quince", 61).await.untitled);
        while database.index_pending(50).await.unwrap() == 50 {}
        assert_eq!(found(database, &ann, "quince").await, 0);
        let keep = ConversationChange { keep: true, ..ConversationChange::default() };
        database.change_conversation(&ann, secret, keep, NOW).await.unwrap();
        assert_eq!(database.conversation(&ann, aside).await.unwrap().temporary_until, None);
        assert_eq!(found(database, &ann, "quince").await, 3);
    }
}
