//! Searching models at a server that answers like Hugging Face.

use http::StatusCode;
use http::header::CONTENT_TYPE;
use serde_json::json;
use stoa_model_store::{ModelSearch, SearchError};

use crate::proxy::{Do, Proxy};
use crate::support::egress;

async fn server(status: StatusCode, body: String) -> Proxy {
    let json = vec![(CONTENT_TYPE, "application/json".to_owned())];
    Proxy::start("127.0.0.1:9", move |_| Do::Answer(status, json.clone(), body.clone().into_bytes())).await
}

fn search(server: &Proxy) -> ModelSearch {
    ModelSearch::new(egress([server.authority.as_str()]), &format!("http://{}/mirror/", server.authority)).unwrap()
}

#[tokio::test]
async fn what_is_found_can_be_pulled() {
    let answer = json!([
        {
            "_id": "66f", "id": "bartowski/Llama-3.2-3B-Instruct-GGUF", "likes": 212, "downloads": 150_321, "private": false,
            "tags": ["gguf", "text-generation", "license:llama3.2", "region:us"], "gated": false,
            "lastModified": "2024-10-08T22:55:55.000Z",
            "siblings": [
                { "rfilename": "README.md" }, { "rfilename": "Llama-3.2-3B-Instruct-Q4_K_M.gguf" },
                { "rfilename": "Llama-3.2-3B-Instruct-Q8_0.gguf" }
            ]
        },
        { "id": "closed/model", "gated": "manual", "siblings": [{ "rfilename": "model.F16.gguf" }] },
        { "id": "nothing/to-pull", "siblings": [{ "rfilename": "model-Q4_0-00001-of-00002.gguf" }] },
        { "id": "../etc", "siblings": [{ "rfilename": "model-Q4_0.gguf" }] }
    ]);
    let server = server(StatusCode::OK, answer.to_string()).await;
    let found = search(&server).find("llama 3.2 & more").await.unwrap();
    let path =
        "/mirror/api/models?search=llama+3.2+%26+more&filter=gguf&sort=downloads&direction=-1&limit=20&full=true";
    assert_eq!(server.seen().iter().map(|seen| seen.path.as_str()).collect::<Vec<_>>(), [path]);
    let names: Vec<_> = found.iter().map(|model| model.name.as_str()).collect();
    assert_eq!(names, ["hf.co/bartowski/Llama-3.2-3B-Instruct-GGUF", "hf.co/closed/model"]);
    let first = &found[0];
    assert_eq!(first.quantizations, ["Q4_K_M", "Q8_0"]);
    assert_eq!((first.recommended.as_str(), first.license.as_deref()), ("Q4_K_M", Some("llama3.2")));
    assert_eq!((first.downloads, first.likes, first.gated), (150_321, 212, false));
    assert_eq!(first.modified_at.unwrap().to_string(), "2024-10-08T22:55:55Z");
    assert!(found[1].gated && found[1].license.is_none());
}

#[tokio::test]
async fn what_goes_wrong_is_told_apart() {
    let busy = server(StatusCode::TOO_MANY_REQUESTS, String::new()).await;
    let error = search(&busy).find("x").await.unwrap_err();
    assert!(
        matches!(&error, SearchError::Answer { status, .. } if *status == StatusCode::TOO_MANY_REQUESTS),
        "{error:?}"
    );

    let page = server(StatusCode::OK, "<html>sign in to the network</html>".to_owned()).await;
    let error = search(&page).find("x").await.unwrap_err();
    assert!(matches!(error, SearchError::Unreadable { .. }), "{error:?}");

    let endless = server(StatusCode::OK, " ".repeat(9 * 1024 * 1024)).await;
    let error = search(&endless).find("x").await.unwrap_err();
    assert!(matches!(error, SearchError::Egress { .. }) && error.refused_authority().is_none(), "{error:?}");

    let refused = ModelSearch::new(egress([]), &format!("http://{}", page.authority)).unwrap();
    let error = refused.find("x").await.unwrap_err();
    assert_eq!(error.refused_authority(), Some(page.authority.as_str()));

    let gone = ModelSearch::new(egress(["127.0.0.1:9"]), "http://127.0.0.1:9").unwrap();
    let error = gone.find("x").await.unwrap_err();
    assert!(matches!(error, SearchError::Egress { .. }) && error.refused_authority().is_none(), "{error:?}");
}
