//! The models of this machine, for the doors through which they are managed.

use std::sync::Arc;

use stoa_model_store::pulls::Refresh;
use stoa_model_store::{ModelSearch, Pulls, Registries, Store, StoreError};
use stoa_models::Runtime;
use tokio::task::JoinError;

/// Cheap to clone.
#[derive(Clone)]
pub struct LocalModelService {
    pub runtime: Arc<Runtime>,
    pub registries: Registries,
    pub pulls: Pulls,
    /// `None` where the operator has switched it off.
    pub search: Option<ModelSearch>,
    /// Looks at the store at once, so that a model is there as soon as its making has been told.
    pub refresh: Refresh,
}

impl LocalModelService {
    pub(crate) fn store(&self) -> &Arc<Store> {
        self.runtime.store()
    }

    /// Works on the store off the async threads.
    pub(crate) async fn on_store<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Store) -> T + Send + 'static,
    ) -> Result<T, JoinError> {
        let store = Arc::clone(self.store());
        tokio::task::spawn_blocking(move || work(&store)).await
    }

    /// Removes a name. The model goes from memory, too, unless another name leads to it: nobody keeps what they were told
    /// is gone.
    pub(crate) async fn delete(&self, name: String) -> Result<Result<(), StoreError>, JoinError> {
        let wanted = name.clone();
        let model = self.on_store(move |store| store.find(&wanted)).await?;
        if let Err(error) = self.on_store(move |store| store.remove(&name)).await? {
            return Ok(Err(error));
        }
        (self.refresh)().await;
        // A damaged model can be removed, and was never loaded.
        let Ok(model) = model else { return Ok(Ok(())) };
        let others = match self.on_store(Store::list).await? {
            Ok(others) => others,
            Err(error) => return Ok(Err(error)),
        };
        if others.iter().all(|other| other.digest != model.digest) {
            self.runtime.unload(&model.digest);
        }
        Ok(Ok(()))
    }
}
