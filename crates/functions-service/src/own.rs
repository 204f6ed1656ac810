//! What a function gets of this server's: the way to it and the token for it, and how deep functions call one another.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use stoa_functions::spec::{Binding, Draft};
use stoa_identity::FunctionToken;
use stoa_model::FunctionId;
use stoa_model::function::MAX_CALL_DEPTH;

use crate::ways::{HOME, HOME_PORT};

/// What the binding is called, the first of these that is free.
const NAMES: [&str; 3] = ["stoa", "stoa-models", "stoa-internal"];
/// Where the server is at the function's own address, or at the next port that is free.
pub(crate) const LOCAL_PORT: u16 = 3210;

/// Whether the function asks for the way to this server by itself.
pub(crate) fn asks_for_the_way(draft: &Draft) -> bool {
    draft.bindings.iter().any(is_the_way)
}

fn is_the_way(binding: &Binding) -> bool {
    binding.host == HOME && binding.port == HOME_PORT
}

/// Adds the way to this server, unless there is one, and says in the environment where it is and what to show there, to the
/// clients of OpenAI as well where it leads to `models`. What the function's owner has set stays; whoever has set one half of
/// what those clients read means another server, which gets no token of ours.
pub(crate) fn give_the_way(draft: &mut Draft, token: &FunctionToken, models: bool) {
    let bound = draft.bindings.iter().find(|binding| is_the_way(binding));
    let port = match bound.map(|binding| binding.local_port) {
        Some(port) => port,
        None => bind(draft),
    };
    let url = format!("http://127.0.0.1:{port}");
    let openai = ["OPENAI_BASE_URL", "OPENAI_API_KEY"];
    let mut given = vec![("STOA_URL", url.clone()), ("STOA_TOKEN", token.to_text())];
    if models && openai.iter().all(|name| !draft.environment.contains_key(*name)) {
        given.extend(openai.into_iter().zip([format!("{url}/v1"), token.to_text()]));
    }
    for (name, value) in given {
        draft.environment.entry(name.to_owned()).or_insert(value);
    }
}

fn bind(draft: &mut Draft) -> u16 {
    let binding =
        |name: &str, local_port| Binding { name: name.to_owned(), host: HOME.to_owned(), port: HOME_PORT, local_port };
    let taken = |port: u16| port == draft.port || draft.bindings.iter().any(|other| other.local_port == port);
    let port = (LOCAL_PORT..u16::MAX).find(|port| !taken(*port)).unwrap_or(LOCAL_PORT);
    let variables = |binding: &Binding| binding.variables().map(|(name, _)| name);
    let said: Vec<String> =
        draft.bindings.iter().flat_map(variables).chain(draft.environment.keys().cloned()).collect();
    let free = |name: &&&str| variables(&binding(name, port)).iter().all(|variable| !said.contains(variable));
    let name = NAMES.iter().find(free).unwrap_or(&NAMES[0]);
    draft.bindings.push(binding(name, port));
    port
}

/// How many functions have called one another until a call that is being answered, for each function. A function says
/// nothing of which call it is that has it call a model, and is not believed: it is the deepest one of those it answers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Depths(Arc<Mutex<HashMap<FunctionId, Counts>>>);

/// Calls by their depth.
type Counts = [u32; MAX_CALL_DEPTH as usize + 1];

impl Depths {
    pub(crate) fn enter(&self, function: FunctionId, depth: u8) -> Depth {
        let depth = depth.min(MAX_CALL_DEPTH);
        if let Some(count) = self.lock().entry(function).or_default().get_mut(usize::from(depth)) {
            *count += 1;
        }
        Depth { depths: self.clone(), function, depth }
    }

    pub(crate) fn of(&self, function: FunctionId) -> u8 {
        let depths = self.lock();
        let deepest = depths.get(&function).and_then(|counts| counts.iter().rposition(|count| *count > 0));
        deepest.and_then(|depth| u8::try_from(depth).ok()).unwrap_or(0)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<FunctionId, Counts>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call, as long as it is answered.
#[derive(Debug)]
pub(crate) struct Depth {
    depths: Depths,
    function: FunctionId,
    depth: u8,
}

impl Drop for Depth {
    fn drop(&mut self) {
        let mut depths = self.depths.lock();
        let Some(counts) = depths.get_mut(&self.function) else { return };
        if let Some(count) = counts.get_mut(usize::from(self.depth)) {
            *count = count.saturating_sub(1);
        }
        if counts.iter().all(|count| *count == 0) {
            depths.remove(&self.function);
        }
    }
}

#[cfg(test)]
mod tests {
    use stoa_functions::Spec;
    use stoa_model::Timestamp;

    use super::*;

    fn given(draft: Draft) -> Spec {
        let mut draft = Draft { command: vec!["x".to_owned()], ..draft };
        give_the_way(&mut draft, &token(), true);
        Spec::try_from(draft).unwrap()
    }

    fn token() -> FunctionToken {
        FunctionToken::parse(&format!("stoafn_{}", "A".repeat(43))).unwrap()
    }

    fn environment(pairs: &[(&str, &str)]) -> Draft {
        let environment = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Draft { environment, ..Draft::default() }
    }

    #[test]
    fn a_function_is_led_to_the_models_and_told_what_to_show() {
        let spec = given(Draft::default());
        let said = |name: &str| spec.environment.get(name).map(String::as_str);
        assert_eq!(said("STOA_URL"), Some("http://127.0.0.1:3210"));
        assert_eq!(said("OPENAI_BASE_URL"), Some("http://127.0.0.1:3210/v1"));
        assert_eq!(said("STOA_TOKEN"), Some(token().to_text().as_str()));
        assert_eq!(said("OPENAI_API_KEY"), said("STOA_TOKEN"));
        assert_eq!((spec.bindings[0].host.as_str(), spec.bindings[0].port), (HOME, 80));
    }

    #[test]
    fn what_its_owner_has_set_stays_and_no_token_goes_to_another_server() {
        let spec = given(environment(&[("STOA_TOKEN", "mine"), ("OPENAI_BASE_URL", "https://api.openai.test/v1")]));
        assert_eq!(spec.environment["STOA_TOKEN"], "mine");
        assert!(!spec.environment.contains_key("OPENAI_API_KEY"));
        let spec = given(environment(&[("OPENAI_API_KEY", "sk-mine")]));
        assert!(!spec.environment.contains_key("OPENAI_BASE_URL"));
    }

    #[test]
    fn a_way_that_is_there_is_taken_and_a_new_one_is_in_nobodys_way() {
        let binding = |name: &str, host: &str, local_port| Binding {
            name: name.to_owned(),
            host: host.to_owned(),
            port: 80,
            local_port,
        };
        let asking = Draft { bindings: vec![binding("mine", HOME, 4000)], ..Draft::default() };
        assert!(asks_for_the_way(&asking) && !asks_for_the_way(&Draft::default()));
        let mut without_models = asking.clone();
        give_the_way(&mut without_models, &token(), false);
        assert_eq!(without_models.environment.into_keys().collect::<Vec<_>>(), ["STOA_TOKEN", "STOA_URL"]);
        let spec = given(asking);
        assert_eq!((spec.bindings.len(), spec.environment["STOA_URL"].as_str()), (1, "http://127.0.0.1:4000"));
        let other = vec![binding("stoa", "db.test", 3210)];
        let spec = given(Draft { bindings: other, port: 3211, ..Draft::default() });
        assert_eq!((spec.bindings[1].name.as_str(), spec.bindings[1].local_port), ("stoa-models", 3212));
        let spec = given(environment(&[("STOA_PORT", "1")]));
        assert_eq!(spec.bindings[0].name, "stoa-models");
    }

    #[test]
    fn the_deepest_call_counts_as_long_as_it_is_answered() {
        let depths = Depths::default();
        let now = Timestamp::from_millis(0);
        let (one, other) = (FunctionId::generate(now), FunctionId::generate(now));
        let (shallow, deep) = (depths.enter(one, 0), depths.enter(one, 3));
        assert_eq!((depths.of(one), depths.of(other)), (3, 0));
        drop(deep);
        assert_eq!(depths.of(one), 0);
        drop(shallow);
        assert!(depths.lock().is_empty());
        let _beyond = depths.enter(other, 200);
        assert_eq!(depths.of(other), MAX_CALL_DEPTH);
    }
}
