//! Files as they come in: read within bounds, made anew, kept in the object store, and then written down.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use stoa_model::assistant::Assistant;
use stoa_model::file::{File, clean_name};
use stoa_model::{FileId, Principal, UserId};
use stoa_objects::{Digest, Objects, ObjectsError};
use stoa_pictures::{PictureError, Prepared};
use stoa_storage::{FileLimits, NewFile, StorageError};
use tokio::sync::Semaphore;

use crate::app::App;
use crate::problem::{Problem, chain};

/// Uploads that are held in memory at once, of all people and of one.
const AT_ONCE: usize = 16;
const AT_ONCE_PER_USER: usize = 4;
/// Pictures that are decoded at once: each takes up to 300 MiB for a moment.
const DECODING: usize = 2;
/// How long an upload waits for its turn to be decoded.
const PATIENCE: Duration = Duration::from_secs(30);
/// Uploads of one person within a time.
const UPLOADS: u64 = 120;
const WITHIN: Duration = Duration::from_mins(10);
/// Imports that run at once.
const IMPORTS: usize = 4;
/// Tries, and the pause between them, while the same bytes are just being removed.
const CLAIMS: u32 = 20;
const CLAIM_PAUSE: Duration = Duration::from_millis(200);

/// Cheap to clone.
#[derive(Clone)]
pub struct FileService {
    shared: Arc<Shared>,
}

struct Shared {
    objects: Objects,
    limits: FileLimits,
    uploads: Semaphore,
    decoding: Semaphore,
    uploading: Mutex<HashMap<UserId, usize>>,
    importing: Mutex<HashSet<UserId>>,
}

impl FileService {
    /// `bytes_per_user` is the room that one person has.
    pub fn new(objects: Objects, bytes_per_user: u64) -> Self {
        let limits = FileLimits { bytes_per_user, uploads: UPLOADS, within: WITHIN };
        let shared = Shared {
            objects,
            limits,
            uploads: Semaphore::new(AT_ONCE),
            decoding: Semaphore::new(DECODING),
            uploading: Mutex::default(),
            importing: Mutex::default(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Begins an upload; before any of its bytes is read.
    pub(crate) async fn admit(&self, app: &App, principal: &Principal) -> Result<Admitted<'_>, Problem> {
        app.database.check_file_room(principal, self.shared.limits, app.now()).await.map_err(refused)?;
        let user = principal.user_id().ok_or_else(Problem::forbidden)?;
        let own = self.shared.enter(user).ok_or_else(too_many)?;
        let permit = tokio::time::timeout(PATIENCE, self.shared.uploads.acquire()).await;
        let permit = permit.map_err(|_| too_many())?.map_err(|error| Problem::internal(error.to_string()))?;
        Ok(Admitted { _own: own, _permit: permit })
    }

    /// Makes a picture anew from `bytes` and keeps it.
    pub(crate) async fn keep(
        &self,
        app: &App,
        principal: &Principal,
        name: &str,
        bytes: Bytes,
        _admitted: Admitted<'_>,
    ) -> Result<File, Problem> {
        let new = self.made_anew(app, name, bytes).await?;
        app.database.create_file(principal, new, self.shared.limits, app.now()).await.map_err(refused)
    }

    /// Keeps a picture of an import under the id that it has there, made anew as any other.
    pub(crate) async fn keep_imported(
        &self,
        app: &App,
        principal: &Principal,
        id: FileId,
        name: &str,
        bytes: Bytes,
    ) -> Result<File, Problem> {
        let new = self.made_anew(app, name, bytes).await?;
        app.database.import_file(principal, id, new, self.shared.limits, app.now()).await.map_err(refused)
    }

    async fn made_anew(&self, app: &App, name: &str, bytes: Bytes) -> Result<NewFile, Problem> {
        let Prepared { full, small } = self.decode(bytes, stoa_pictures::prepare).await?;
        let (media_type, width, height) = (full.media_type.to_owned(), full.width, full.height);
        let size = u64::try_from(full.bytes.len()).unwrap_or(u64::MAX);
        let digest = self.put(app, full.bytes.into()).await?;
        let small_digest = match small {
            Some(small) => Some(self.put(app, small.bytes.into()).await?.to_string()),
            None => None,
        };
        let name = clean_name(name);
        Ok(NewFile { digest: digest.to_string(), small_digest, media_type, name, bytes: size, width, height })
    }

    /// Makes the face of an assistant of a picture, puts it, and says where it lies.
    pub(crate) async fn keep_face(&self, app: &App, bytes: Bytes) -> Result<String, Problem> {
        let face = self.decode(bytes, stoa_pictures::face).await?;
        Ok(self.put(app, face.bytes.into()).await?.to_string())
    }

    /// The bytes of the face of an assistant, if it has one that is not lost.
    pub(crate) async fn face(
        &self,
        app: &App,
        principal: &Principal,
        assistant: &Assistant,
    ) -> Result<Option<Bytes>, Problem> {
        if assistant.picture.is_none() {
            return Ok(None);
        }
        let digest = match app.database.assistant_picture(principal, assistant.id).await {
            Ok(digest) => digest,
            // Taken away meanwhile.
            Err(StorageError::NotFound) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        match self.read(&digest).await {
            Ok(bytes) => Ok(Some(bytes)),
            Err(problem) if problem.status == StatusCode::SERVICE_UNAVAILABLE => Err(problem),
            Err(problem) => {
                tracing::warn!(assistant = %assistant.id, cause = ?problem.more.cause, "a face is lost");
                Ok(None)
            }
        }
    }

    /// What one person may keep and send.
    pub(crate) fn limits(&self) -> FileLimits {
        self.shared.limits
    }

    /// Begins an import: one at a time of each person, and few of all.
    pub(crate) fn admit_import(&self, user: UserId) -> Result<Importing<'_>, Problem> {
        let mut importing = self.shared.importing.lock().unwrap_or_else(PoisonError::into_inner);
        if importing.len() >= IMPORTS || !importing.insert(user) {
            let detail = "An import is running already.";
            return Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_imports", detail)
                .hint("Wait until it has ended, and try again.")
                .retry_after(Duration::from_secs(10)));
        }
        Ok(Importing { shared: &self.shared, user })
    }

    /// The bytes of a stored file.
    pub(crate) async fn read(&self, digest: &str) -> Result<Bytes, Problem> {
        let digest: Digest = digest.parse().map_err(|_| Problem::internal(format!("`{digest}` is no digest")))?;
        self.shared.objects.get(digest).await.map_err(|error| unavailable(&error))
    }

    /// On a thread of its own, of which there are few: it costs time and memory.
    async fn decode<T: Send + 'static>(
        &self,
        bytes: Bytes,
        work: fn(&[u8]) -> Result<T, PictureError>,
    ) -> Result<T, Problem> {
        if bytes.is_empty() {
            let problem = Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "picture_empty", "The file is empty.");
            return Err(problem.hint("Choose another one."));
        }
        let permit = tokio::time::timeout(PATIENCE, self.shared.decoding.acquire()).await;
        let _permit = permit.map_err(|_| too_many())?.map_err(|error| Problem::internal(error.to_string()))?;
        let done = tokio::task::spawn_blocking(move || work(&bytes)).await;
        done.map_err(|error| Problem::internal(error.to_string()))?.map_err(|error| not_taken(&error))
    }

    /// Puts a blob that somebody is about to count on.
    pub(crate) async fn put(&self, app: &App, bytes: Bytes) -> Result<Digest, Problem> {
        let digest = Digest::of(&bytes);
        let name = digest.to_string();
        // Claimed before it is put, so that nobody who removes unused blobs removes it between that and its row.
        for _ in 0..CLAIMS {
            if app.database.claim_blob(&name, app.now()).await? {
                return self.shared.objects.put(bytes).await.map_err(|error| unavailable(&error));
            }
            tokio::time::sleep(CLAIM_PAUSE).await;
        }
        let detail = "An older copy of this file is just being removed.";
        let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, "file_busy", detail);
        Err(problem.hint("Try again in a moment.").retry_after(Duration::from_secs(5)))
    }
}

/// An upload that may go on. Dropped, it makes room for the next.
pub(crate) struct Admitted<'a> {
    _own: Uploading<'a>,
    _permit: tokio::sync::SemaphorePermit<'a>,
}

/// An import that may go on. Dropped, it makes room for the next.
pub(crate) struct Importing<'a> {
    shared: &'a Shared,
    user: UserId,
}

impl Drop for Importing<'_> {
    fn drop(&mut self) {
        self.shared.importing.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.user);
    }
}

struct Uploading<'a> {
    shared: &'a Shared,
    user: UserId,
}

impl Shared {
    fn enter(&self, user: UserId) -> Option<Uploading<'_>> {
        let mut uploading = self.uploading.lock().unwrap_or_else(PoisonError::into_inner);
        let own = uploading.entry(user).or_default();
        (*own < AT_ONCE_PER_USER).then(|| {
            *own += 1;
            Uploading { shared: self, user }
        })
    }
}

impl Drop for Uploading<'_> {
    fn drop(&mut self) {
        let mut uploading = self.shared.uploading.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = uploading.get_mut(&self.user) {
            *own -= 1;
            if *own == 0 {
                uploading.remove(&self.user);
            }
        }
    }
}

fn too_many() -> Problem {
    let detail = "Too many pictures are being sent at once.";
    Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_uploads", detail)
        .hint("Wait until those before are there, and try again.")
        .retry_after(Duration::from_secs(2))
}

pub(crate) fn refused(error: StorageError) -> Problem {
    match error {
        StorageError::Refused("too many files were sent in a short time") => {
            Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_uploads", "You have sent many pictures just now.")
                .hint("Wait a few minutes and try again.")
                .retry_after(Duration::from_mins(1))
        }
        StorageError::Refused("your pictures take all the room that you have") => {
            Problem::new(StatusCode::CONFLICT, "no_room", "Your pictures take all the room that you have.").hint(
                "Delete conversations with pictures that you no longer need, or ask an administrator for more room.",
            )
        }
        error => error.into(),
    }
}

/// What is wrong with a picture, in words for its sender.
fn not_taken(error: &PictureError) -> Problem {
    let problem = |status, code, what: &str| Problem::new(status, code, format!("{what}: {error}."));
    match error {
        PictureError::Kind => problem(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not_a_picture", "This file cannot be taken")
            .hint("Send PNG, JPEG, WebP or GIF. A drawing such as SVG can be exported as PNG."),
        PictureError::TooLarge { .. } | PictureError::TooNarrow { .. } | PictureError::TooCostly => {
            problem(StatusCode::PAYLOAD_TOO_LARGE, "picture_too_large", "This picture cannot be taken")
                .hint("Scale it down, or cut out what matters.")
        }
        PictureError::Damaged { .. } => {
            problem(StatusCode::UNPROCESSABLE_ENTITY, "picture_damaged", "This picture cannot be read")
                .hint("Open it in another program, save it again, and send that.")
        }
    }
}

fn unavailable(error: &ObjectsError) -> Problem {
    if matches!(error, ObjectsError::NotFound | ObjectsError::Damaged { .. }) {
        return Problem::internal(chain(error));
    }
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "files_unavailable", "Files cannot be kept or read now.")
        .hint("Try again in a moment; if it stays, tell whoever runs this server.")
        .retry_after(Duration::from_secs(5))
        .cause(chain(error))
}
