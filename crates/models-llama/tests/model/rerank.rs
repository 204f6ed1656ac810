//! Documents ranked by a model made by hand, against what it must answer.

use stoa_model::completion::{CompletionError, Timers};
use stoa_models::{EmbedRequest, RerankRequest};

use crate::ranker::{Form, RANKER, Ranker, WINDOW};
use crate::support::{House, NAME, model_path, options, user};

/// Beside the 64-bit numbers of the reference, llama.cpp has 16 bits in some places.
const CLOSE: f64 = 0.01;

fn rerank(query: &str, documents: &[&str]) -> RerankRequest {
    RerankRequest {
        model: RANKER.to_owned(),
        query: query.to_owned(),
        documents: documents.iter().map(|&document| document.to_owned()).collect(),
        truncate: false,
        keep_alive: None,
        tenant: Some(user()),
        timers: Timers::default(),
    }
}

fn house(form: Form) -> (House, Ranker) {
    let ranker = Ranker::new(form);
    let (_folder, path) = ranker.save();
    (House::with_models(options(), &[(&path, RANKER)]), ranker)
}

/// Whether the model says of each document what it must say of the whole text.
async fn says(form: Form, query: &str, expected: &[(&str, &str)]) {
    let (house, ranker) = house(form);
    let documents: Vec<&str> = expected.iter().map(|(document, _)| *document).collect();
    let made = house.runtime.rerank(rerank(query, &documents)).await.unwrap();
    assert_eq!((made.relevances.len(), made.truncated.len()), (expected.len(), 0));
    for ((document, text), relevance) in expected.iter().zip(&made.relevances) {
        let wanted = ranker.relevance(text);
        assert!((f64::from(*relevance) - wanted).abs() < CLOSE, "{document}: {relevance}, not {wanted} of {text}");
    }
    let tokens: usize = expected.iter().map(|(_, text)| text.split_whitespace().count()).sum();
    assert_eq!(made.prompt_tokens, tokens as u64);
}

#[tokio::test]
async fn documents_that_share_more_with_the_query_are_more_relevant() {
    let (house, _) = house(Form::Plain);
    let made = house.runtime.rerank(rerank("Sea, ship", &["star moon", "sea ship", "sea moon"])).await.unwrap();
    let [none, both, one] = made.relevances[..] else { panic!("three: {made:?}") };
    assert!(both > one + 0.1 && one > none + 0.1, "{made:?}");
    assert!(made.relevances.iter().all(|relevance| (0.0..=1.0).contains(relevance)), "{made:?}");
}

#[tokio::test]
async fn a_pair_stands_between_the_marks_that_its_vocabulary_asks_for() {
    says(
        Form::Plain,
        "sea ship",
        &[
            ("sea", "[CLS] sea ship [SEP] sea"),
            ("Moon  SHIP", "[CLS] sea ship [SEP] moon ship"),
            ("", "[CLS] sea ship [SEP]"),
            ("[SEP]", "[CLS] sea ship [SEP] ? ? ?"),
        ],
    )
    .await;
    says(
        Form::Ends,
        "sea",
        &[("sea", "[CLS] sea [SEP] [SEP] sea [SEP]"), ("wind moon", "[CLS] sea [SEP] [SEP] wind moon [SEP]")],
    )
    .await;
}

#[tokio::test]
async fn a_template_of_the_file_puts_pairs_together() {
    const TEMPLATE: &str = "[CLS] fish {document} [SEP] {query} [SEP]";
    says(
        Form::Template(TEMPLATE),
        "sea",
        &[("sea", "[CLS] fish sea [SEP] sea [SEP]"), ("wind moon", "[CLS] fish wind moon [SEP] sea [SEP]")],
    )
    .await;
}

#[tokio::test]
async fn a_document_too_long_is_refused_or_cut_as_asked_and_the_query_never() {
    for (form, around, ends) in
        [(Form::Plain, 3, ""), (Form::Ends, 5, " [SEP]"), (Form::Template("[CLS]{query}[SEP]{document}"), 3, "")]
    {
        let (house, ranker) = house(form);
        let long = "moon ".repeat(200);
        let error = house.runtime.rerank(rerank("sea", &["moon", &long])).await.unwrap_err();
        let CompletionError::TooLong { prompt_tokens, context_window } = error else { panic!("{error:?}") };
        assert!(prompt_tokens >= 200 && context_window == WINDOW as u64, "{prompt_tokens} of {context_window}");

        let cut = RerankRequest { truncate: true, ..rerank("sea", &["moon", &long]) };
        let made = house.runtime.rerank(cut).await.unwrap();
        assert_eq!(made.truncated, [1], "{form:?}");
        let marks = if form == Form::Ends { "[CLS] sea [SEP] [SEP]" } else { "[CLS] sea [SEP]" };
        let left = format!("{marks} {}{ends}", "moon ".repeat(WINDOW - around));
        assert!((f64::from(made.relevances[1]) - ranker.relevance(&left)).abs() < CLOSE, "{form:?}: {made:?}");

        // A hundred times what is looked at, without a space to be cut at.
        let huge = "sea,".repeat(500_000);
        let cut = RerankRequest { truncate: true, ..rerank("sea", &[&huge]) };
        assert_eq!(house.runtime.rerank(cut).await.unwrap().truncated, [0], "{form:?}");

        let cut = RerankRequest { truncate: true, ..rerank(&long, &["moon"]) };
        let error = house.runtime.rerank(cut).await.unwrap_err();
        assert!(matches!(error, CompletionError::TooLong { .. }), "{form:?}: {error:?}");
    }
}

#[tokio::test]
async fn long_lists_are_ranked_whole_and_absurd_ones_refused() {
    let (house, _) = house(Form::Plain);
    let mut many = vec!["moon"; 70];
    many[65] = "sea";
    let made = house.runtime.rerank(rerank("sea", &many)).await.unwrap();
    assert_eq!(made.relevances.len(), 70);
    let best = made.relevances.iter().enumerate().max_by(|(_, one), (_, other)| one.total_cmp(other));
    assert_eq!(best.map(|(index, _)| index), Some(65));
    let as_first = |relevance: &&f32| relevance.to_bits() == made.relevances[0].to_bits();
    assert_eq!(made.relevances.iter().filter(as_first).count(), 69);
    assert_eq!(house.runtime.rerank(rerank("sea", &[])).await.unwrap().relevances.len(), 0);

    let (too_many, too_long) = (vec!["sea"; 2_049], "sea ".repeat(2 << 20));
    for request in [rerank("", &["sea"]), rerank("sea", &too_many), rerank("sea", &[&too_long])] {
        let error = house.runtime.rerank(request).await.unwrap_err();
        assert!(matches!(error, CompletionError::Invalid { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn models_do_what_they_were_made_for_and_refuse_the_rest() {
    let (_folder, path) = Ranker::new(Form::Plain).save();
    let house = House::with_models(options(), &[(&path, RANKER), (&model_path(), NAME)]);
    let writer = RerankRequest { model: NAME.to_owned(), ..rerank("sea", &["sea"]) };
    let error = house.runtime.rerank(writer).await.unwrap_err();
    assert!(matches!(&error, CompletionError::Invalid { detail } if detail.contains("ranks no texts")), "{error:?}");
    let embed = EmbedRequest {
        model: RANKER.to_owned(),
        inputs: vec!["sea".to_owned()],
        truncate: false,
        dimensions: None,
        keep_alive: None,
        tenant: Some(user()),
        timers: Timers::default(),
    };
    let error = house.runtime.embed(embed).await.unwrap_err();
    assert!(matches!(&error, CompletionError::Invalid { detail } if detail.contains("ranks texts")), "{error:?}");
    let mut chat = crate::support::request("Hello");
    chat.model = RANKER.to_owned();
    assert!(matches!(house.ask(chat).await.unwrap_err(), CompletionError::Invalid { .. }));
    // It has come through all of that.
    house.runtime.rerank(rerank("sea", &["sea"])).await.unwrap();
}

#[tokio::test]
async fn who_leaves_a_long_list_stops_it() {
    let (house, _) = house(Form::Plain);
    let list = vec!["moon wind star bird tree"; 2_048];
    let all = {
        let begun = house.runtime.status().totals.begun;
        house.runtime.rerank(rerank("sea", &list)).await.unwrap();
        house.runtime.status().totals.begun - begun
    };
    let begun = house.runtime.status().totals.begun;
    let has_begun = async {
        while house.runtime.status().totals.begun == begun {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        () = has_begun => {}
        made = house.runtime.rerank(rerank("sea", &list)) => panic!("nobody left: {made:?}"),
    }
    house.runtime.rerank(rerank("sea", &["sea"])).await.unwrap();
    assert!(house.runtime.status().totals.begun - begun < all, "what was left went on");
}

#[test]
fn the_model_of_the_conformance_tests_is_this_one() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../conformance/ranker.gguf");
    let bytes = Ranker::new(Form::Plain).file().bytes();
    if std::fs::read(&path).ok().as_ref() != Some(&bytes) {
        std::fs::write(&path, &bytes).unwrap();
        panic!("{} was stale; it is fresh now: commit it", path.display());
    }
}
