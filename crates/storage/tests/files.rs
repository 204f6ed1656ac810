//! What the files promise, on both engines: who sees one, how long it stays, and that no blob goes that somebody needs.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::time::Duration;

use stoa_model::completion::Parameters;
use stoa_model::conversation::Part;
use stoa_model::file::File;
use stoa_model::person::Role;
use stoa_model::{FileId, InstanceId, Principal, SessionId, Timestamp, Via};
use stoa_storage::{
    Database, FileLimits, NewConversation, NewFile, NewTurn, NewUser, StorageError, TurnIds, TurnLimits, TurnParent,
    on_both_engines,
};

const NOW: Timestamp = Timestamp::from_millis(1_767_225_600_000);
const LIMITS: FileLimits = FileLimits { bytes_per_user: 1_000, uploads: 5, within: Duration::from_mins(10) };
const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

async fn person(database: &Database, name: &str) -> Principal {
    let new = NewUser {
        name: name.to_owned(),
        email: format!("{name}@example.com"),
        role: Role::Member,
        password_hash: "none".to_owned(),
    };
    let user = database.create_user(&Principal::System("test"), new, NOW).await.unwrap();
    Principal::User { id: user.id, role: Role::Member, epoch: 1, via: Via::Session(SessionId::generate(NOW)) }
}

fn digest(letter: char) -> String {
    letter.to_string().repeat(64)
}

async fn upload(database: &Database, who: &Principal, letter: char, at: Timestamp) -> Result<File, StorageError> {
    let (large, small) = (digest(letter), digest(letter.to_ascii_uppercase()));
    assert!(database.claim_blob(&large, at).await? && database.claim_blob(&small, at).await?);
    let new = NewFile {
        digest: large,
        small_digest: Some(small),
        media_type: "image/png".to_owned(),
        name: format!("{letter}.png"),
        bytes: 100,
        width: 640,
        height: 480,
    };
    database.create_file(who, new, LIMITS, at).await
}

async fn show(database: &Database, who: &Principal, file: &File, at: Timestamp) -> Result<TurnIds, StorageError> {
    let conversation = database.create_conversation(who, NewConversation::default(), at).await?.id;
    let turn = NewTurn::Message {
        conversation,
        parent: TurnParent::Leaf,
        // Twice the same is one.
        parts: vec![Part::image(file), Part::image(file)],
        model: "mock/echo".to_owned(),
        parameters: Parameters::default(),
        title: String::new(),
    };
    let limits = TurnLimits { running_per_user: 32, history: 40, personal_providers: false };
    database.begin_turn(who, turn, InstanceId::generate(NOW), limits, at).await
}

fn names(mut digests: Vec<String>) -> String {
    digests.sort();
    digests.iter().filter_map(|digest| digest.chars().next()).collect()
}

on_both_engines! {
    async fn a_file_is_its_owners_alone(test: TestDatabase) {
        let (ann, ben) = (person(&test.database, "ann").await, person(&test.database, "ben").await);
        let file = upload(&test.database, &ann, 'a', NOW).await.unwrap();
        let found = test.database.file(&ann, file.id).await.unwrap();
        assert_eq!((found.file, found.digest, found.small_digest), (file.clone(), digest('a'), Some(digest('A'))));
        assert!(matches!(test.database.file(&ben, file.id).await, Err(StorageError::NotFound)));
        assert!(matches!(test.database.delete_file(&ben, file.id).await, Err(StorageError::NotFound)));
        assert!(matches!(show(&test.database, &ben, &file, NOW).await, Err(StorageError::NotFound)));
        assert!(matches!(test.database.file(&Principal::AtTheMachine, file.id).await, Err(StorageError::NotFound)));
        let others = upload(&test.database, &ben, 'b', NOW).await.unwrap();
        let mine = test.database.files(&ann, &[file.id, others.id, FileId::generate(NOW)]).await.unwrap();
        assert_eq!(mine.into_iter().map(|found| found.file.id).collect::<Vec<_>>(), [file.id]);
        // Nothing of a turn that could not begin is left.
        let list = test.database.conversations(&ben, &stoa_storage::ConversationFilter::default(), None, 9).await;
        assert!(list.unwrap().items.iter().all(|conversation| conversation.leaf_id.is_none()));
    }

    async fn a_file_that_a_message_shows_stays_until_the_conversation_is_purged(test: TestDatabase) {
        let ann = person(&test.database, "ann").await;
        let (shown, unused) = (upload(&test.database, &ann, 'a', NOW).await.unwrap(), upload(&test.database, &ann, 'b', NOW).await.unwrap());
        let turn = show(&test.database, &ann, &shown, NOW).await.unwrap();
        assert_eq!(turn.history.messages[0].parts, [Part::image(&shown), Part::image(&shown)]);
        let refused = test.database.delete_file(&ann, shown.id).await;
        assert!(matches!(refused, Err(StorageError::Refused(_))), "{refused:?}");
        assert_eq!(test.database.sweep_files(NOW, 10).await.unwrap(), 0, "not before its time");
        let later = NOW.plus(DAY);
        assert_eq!(test.database.sweep_files(later, 10).await.unwrap(), 1);
        assert!(test.database.file(&ann, unused.id).await.is_err() && test.database.file(&ann, shown.id).await.is_ok());
        test.database.delete_conversation(&ann, turn.conversation, later).await.unwrap();
        assert_eq!(test.database.sweep_files(later, 10).await.unwrap(), 0, "it can still be restored");
        assert_eq!(test.database.purge_conversations(later.plus(HOUR), 10).await.unwrap(), 1);
        assert_eq!(test.database.sweep_files(later, 10).await.unwrap(), 1);
        assert!(matches!(test.database.file(&ann, shown.id).await, Err(StorageError::NotFound)));
    }

    async fn a_file_that_was_removed_is_no_longer_to_be_shown(test: TestDatabase) {
        let ann = person(&test.database, "ann").await;
        let file = upload(&test.database, &ann, 'a', NOW).await.unwrap();
        test.database.delete_file(&ann, file.id).await.unwrap();
        assert!(matches!(show(&test.database, &ann, &file, NOW).await, Err(StorageError::NotFound)));
        assert!(matches!(test.database.delete_file(&ann, file.id).await, Err(StorageError::NotFound)));
    }

    async fn a_blob_goes_when_no_file_lies_in_it(test: TestDatabase) {
        let (ann, ben) = (person(&test.database, "ann").await, person(&test.database, "ben").await);
        let one = upload(&test.database, &ann, 'a', NOW).await.unwrap();
        let same = upload(&test.database, &ben, 'a', NOW).await.unwrap();
        upload(&test.database, &ben, 'b', NOW).await.unwrap();
        let later = NOW.plus(DAY);
        test.database.delete_file(&ann, one.id).await.unwrap();
        assert_eq!(test.database.condemn_blobs(later, later, 10).await.unwrap(), Vec::<String>::new());
        test.database.delete_file(&ben, same.id).await.unwrap();
        assert_eq!(test.database.condemn_blobs(NOW, later, 10).await.unwrap(), Vec::<String>::new(), "claimed lately");
        let condemned = test.database.condemn_blobs(later, later, 10).await.unwrap();
        assert_eq!(names(condemned.clone()), "Aa");
        // It is one sweeper's alone.
        assert_eq!(test.database.condemn_blobs(later, later, 10).await.unwrap(), Vec::<String>::new());
        for digest in &condemned {
            test.database.forget_blob(digest).await.unwrap();
        }
        upload(&test.database, &ann, 'a', later).await.unwrap();
    }

    async fn whoever_uploads_what_is_being_removed_is_told_to_wait(test: TestDatabase) {
        let ann = person(&test.database, "ann").await;
        let file = upload(&test.database, &ann, 'a', NOW).await.unwrap();
        test.database.delete_file(&ann, file.id).await.unwrap();
        let later = NOW.plus(DAY);
        assert_eq!(names(test.database.condemn_blobs(later, later, 10).await.unwrap()), "Aa");
        assert!(!test.database.claim_blob(&digest('a'), later).await.unwrap());
        let forgetful = NewFile {
            digest: digest('a'),
            small_digest: None,
            media_type: "image/png".to_owned(),
            name: String::new(),
            bytes: 1,
            width: 1,
            height: 1,
        };
        let refused = test.database.create_file(&ann, forgetful, LIMITS, later).await;
        assert!(matches!(refused, Err(StorageError::Refused(_))), "{refused:?}");
        // The sweeper died: another takes it over, an hour later.
        let next = later.plus(HOUR).plus(HOUR);
        assert_eq!(names(test.database.condemn_blobs(later.plus(HOUR), next, 10).await.unwrap()), "Aa");
        test.database.forget_blob(&digest('a')).await.unwrap();
        assert!(test.database.claim_blob(&digest('a'), next).await.unwrap());
        // A late word of the one that was thought dead takes nothing away.
        test.database.forget_blob(&digest('a')).await.unwrap();
        assert!(test.database.condemn_blobs(next, next, 10).await.unwrap().iter().all(|found| *found != digest('a')));
    }

    async fn an_upload_and_a_sweep_at_the_same_time_leave_no_file_without_its_blob(test: TestDatabase) {
        let ann = person(&test.database, "ann").await;
        let mut at = NOW;
        for _ in 0..12 {
            let file = upload(&test.database, &ann, 'a', at).await.unwrap();
            test.database.delete_file(&ann, file.id).await.unwrap();
            at = at.plus(DAY);
            let claiming = async {
                if !test.database.claim_blob(&digest('a'), at).await.unwrap() {
                    return None;
                }
                let new = NewFile {
                    digest: digest('a'),
                    small_digest: None,
                    media_type: "image/png".to_owned(),
                    name: String::new(),
                    bytes: 1,
                    width: 1,
                    height: 1,
                };
                Some(test.database.create_file(&ann, new, LIMITS, at).await.unwrap())
            };
            let (created, condemned) = tokio::join!(claiming, test.database.condemn_blobs(at, at, 10));
            let condemned = condemned.unwrap().contains(&digest('a'));
            assert!(created.is_none() == condemned, "exactly one of them has the blob");
            if let Some(file) = created {
                test.database.delete_file(&ann, file.id).await.unwrap();
            }
            for letter in ['a', 'A'] {
                test.database.forget_blob(&digest(letter)).await.unwrap();
            }
        }
    }

    async fn room_and_rate_have_bounds(test: TestDatabase) {
        let (ann, ben) = (person(&test.database, "ann").await, person(&test.database, "ben").await);
        for letter in ['a', 'b', 'c', 'd', 'e'] {
            upload(&test.database, &ann, letter, NOW).await.unwrap();
        }
        let refused = test.database.check_file_room(&ann, LIMITS, NOW).await;
        assert!(matches!(refused, Err(StorageError::Refused("too many files were sent in a short time"))), "{refused:?}");
        assert!(matches!(upload(&test.database, &ann, 'f', NOW).await, Err(StorageError::Refused(_))));
        test.database.check_file_room(&ben, LIMITS, NOW).await.unwrap();
        let later = NOW.plus(HOUR);
        for letter in ['f', 'g', 'h', 'i'] {
            upload(&test.database, &ann, letter, later).await.unwrap();
        }
        let full = upload(&test.database, &ann, 'j', later).await;
        assert!(matches!(full, Err(StorageError::Refused("your pictures take all the room that you have"))), "{full:?}");
        let first = test.database.claim_blob(&digest('j'), later).await;
        assert!(first.unwrap(), "a refused upload leaves the blob to be swept");
    }
}
