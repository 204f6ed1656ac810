//! `POST /api/v1/providers/{id}/models/fetch`

use std::collections::HashSet;

use axum::Json as Answer;
use axum::extract::State;
use http::StatusCode;
use stoa_model::ProviderId;
use stoa_model::completion::CompletionError;
use stoa_model::provider::{Provider, ProviderModel};

use super::client::client;
use super::{fields, in_force};
use crate::app::App;
use crate::extract::{Administrator, Id};
use crate::problem::{Problem, ProblemBody, Result};

/// Asks the provider for its models. New ones are added, enabled; those known keep their settings and their place.
#[utoipa::path(
    post, path = "/providers/{id}/models/fetch", tag = "providers", params(("id" = ProviderId, Path)),
    responses(
        (status = 200, body = Provider),
        (status = 403, body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, body = ProblemBody, content_type = "application/problem+json", description = "too_many_models"),
        (status = 502, body = ProblemBody, content_type = "application/problem+json", description = "What the provider said, or why it could not be asked; `egress_refused` carries the `authority` to allow."),
    )
)]
pub(super) async fn fetch_models(
    State(app): State<App>,
    Administrator(principal): Administrator,
    Id(id): Id<ProviderId>,
) -> Result<Answer<Provider>> {
    let stored = app.database.provider(&principal, id).await?;
    let provider = client(&app, &stored).map_err(failed)?;
    let offered = Box::pin(provider.list_models()).await.map_err(failed)?;
    // Read again: asking may have taken a while, and an admin may have changed the list meanwhile.
    let known = app.database.provider(&principal, id).await?.provider.models;
    let models = merge(known, offered);
    if models.len() > fields::MODELS {
        let detail = format!("The provider offers {} models; at most {} can be kept.", models.len(), fields::MODELS);
        let problem = Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "too_many_models", detail);
        return Err(problem.hint("Add the ones you need by hand."));
    }
    let provider = app.database.put_provider_models(&principal, id, models, app.now()).await?;
    in_force(&app).await;
    Ok(Answer(provider))
}

fn merge(known: Vec<ProviderModel>, offered: Vec<ProviderModel>) -> Vec<ProviderModel> {
    let names: HashSet<_> = known.iter().map(|model| model.name.clone()).collect();
    let new = offered
        .into_iter()
        .filter(|model| !names.contains(&model.name))
        .map(|model| ProviderModel { enabled: true, ..model });
    known.into_iter().chain(new).collect()
}

fn failed(error: CompletionError) -> Problem {
    let problem = Problem::new(StatusCode::BAD_GATEWAY, error.code(), format!("{error}."));
    match error {
        CompletionError::AddressRefused { authority } => {
            problem.hint("Allow this address if it is meant.").authority(authority)
        }
        _ => problem,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(name: &str, display_name: Option<&str>, enabled: bool) -> ProviderModel {
        ProviderModel { display_name: display_name.map(str::to_owned), enabled, ..ProviderModel::named(name) }
    }

    #[test]
    fn known_models_keep_their_settings_and_place_and_new_ones_follow() {
        let known = vec![model("b", Some("Mine"), false), model("gone", None, true)];
        let offered = vec![model("a", None, true), model("b", Some("Theirs"), true)];
        let expected = vec![model("b", Some("Mine"), false), model("gone", None, true), model("a", None, true)];
        assert_eq!(merge(known, offered), expected);
    }
}
