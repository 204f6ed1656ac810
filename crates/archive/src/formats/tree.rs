//! Trees of other chats: what is not taken is left out of the middle, and an answer in several pieces becomes one.

use std::collections::HashMap;

use stoa_model::completion::Usage;
use stoa_model::conversation::{MessageRole, MessageStatus};
use stoa_model::{ConversationId, MessageId, Timestamp};

use crate::origin::Origins;
use crate::piece::{Kind, MessagePiece, Piece, PiecePart, Why};

pub(crate) struct Node {
    pub(crate) key: String,
    pub(crate) parent: Option<String>,
    pub(crate) says: Option<Says>,
}

pub(crate) struct Says {
    pub(crate) role: MessageRole,
    pub(crate) parts: Vec<PiecePart>,
    pub(crate) model: Option<String>,
    pub(crate) created_at: Option<Timestamp>,
}

/// Whose nodes these are.
#[derive(Clone, Copy)]
pub(crate) struct Of<'a> {
    pub(crate) origins: Origins,
    pub(crate) source: &'static str,
    pub(crate) conversation: ConversationId,
    /// What the other side calls the conversation.
    pub(crate) key: &'a str,
}

impl Of<'_> {
    fn message(self, key: &str) -> MessageId {
        self.origins.id("message", self.source, &format!("{}/{key}", self.key))
    }
}

/// The messages, each after the one that it follows, and the one that `leaf` has become.
pub(crate) fn messages(of: Of<'_>, mut nodes: Vec<Node>, leaf: Option<&str>) -> (Vec<Piece>, Option<MessageId>) {
    nodes.sort_by(|a, b| a.key.cmp(&b.key));
    nodes.dedup_by(|a, b| a.key == b.key);
    let places: HashMap<&str, usize> =
        nodes.iter().enumerate().map(|(place, node)| (node.key.as_str(), place)).collect();
    let parents: Vec<Option<usize>> =
        nodes.iter().map(|node| node.parent.as_deref().and_then(|parent| places.get(parent).copied())).collect();
    let leaf = leaf.and_then(|leaf| places.get(leaf).copied());
    let kept = kept_ancestors(&nodes, &parents);
    let mut children: Vec<Vec<usize>> = nodes.iter().map(|_| Vec::new()).collect();
    let mut ready = Vec::new();
    for (place, _) in nodes.iter().enumerate().filter(|(_, node)| node.says.is_some()) {
        match parents.get(place).copied().flatten().and_then(|parent| kept.get(parent).copied().flatten()) {
            Some(parent) => children[parent].push(place),
            None => ready.push((place, None)),
        }
    }
    let wanted = nodes.iter().filter(|node| node.says.is_some()).count();
    let mut made: Vec<MessagePiece> = Vec::with_capacity(wanted);
    let mut target: HashMap<usize, usize> = HashMap::new();
    while let Some((place, parent)) = ready.pop() {
        let Some(says) = nodes[place].says.take() else { continue };
        let alone = parent.is_some_and(|(parent, _): (usize, usize)| children[parent].len() == 1);
        let before = parent.map(|(_, made)| made);
        let into = before.filter(|before| {
            alone && says.role == MessageRole::Assistant && made[*before].role == MessageRole::Assistant
        });
        let here = if let Some(into) = into {
            made[into].parts.extend(says.parts);
            into
        } else {
            let parent = before.map(|before| made[before].id);
            made.push(piece(of, &nodes[place].key, parent, says));
            made.len() - 1
        };
        target.insert(place, here);
        ready.extend(children[place].iter().map(|child| (*child, Some((place, here)))));
    }
    let lost = wanted - target.len();
    let leaf = leaf.and_then(|leaf| kept[leaf]).and_then(|leaf| target.get(&leaf)).map(|leaf| made[*leaf].id);
    let mut pieces: Vec<Piece> = made.into_iter().map(|message| Piece::Message(Box::new(message))).collect();
    // In a circle: nothing leads there.
    pieces.extend((0..lost).map(|_| Piece::left_out(Kind::Message, Why::Unreadable, of.key)));
    (pieces, leaf)
}

/// For each node itself, if it says something, or else the nearest above it that does.
fn kept_ancestors(nodes: &[Node], parents: &[Option<usize>]) -> Vec<Option<usize>> {
    let mut known: Vec<Option<Option<usize>>> = vec![None; nodes.len()];
    for start in 0..nodes.len() {
        let (mut way, mut at) = (Vec::new(), Some(start));
        let found = loop {
            match at {
                None => break None,
                Some(place) if known[place].is_some() => break known[place].flatten(),
                Some(place) if nodes[place].says.is_some() => break Some(place),
                Some(place) => {
                    // What leads to itself leads nowhere.
                    known[place] = Some(None);
                    way.push(place);
                    at = parents[place];
                }
            }
        };
        known[start] = Some(found);
        for place in way {
            known[place] = Some(found);
        }
    }
    known.into_iter().map(Option::flatten).collect()
}

fn piece(of: Of<'_>, key: &str, parent: Option<MessageId>, says: Says) -> MessagePiece {
    MessagePiece {
        id: of.message(key),
        conversation: of.conversation,
        parent,
        role: says.role,
        parts: says.parts,
        status: MessageStatus::Complete,
        model: says.model,
        stand_in: None,
        assistant: None,
        parameters: None,
        finish_reason: None,
        usage: None::<Usage>,
        timings: None,
        error: None,
        translation: None,
        summary: None,
        created_at: says.created_at,
    }
}

#[cfg(test)]
mod tests {
    use stoa_model::UserId;

    use super::*;

    fn node(key: &str, parent: &str, says: &str) -> Node {
        let role = if says.starts_with('u') { MessageRole::User } else { MessageRole::Assistant };
        let parts = vec![PiecePart::Text(says.to_owned())];
        let says = (!says.is_empty()).then_some(Says { role, parts, model: None, created_at: None });
        Node { key: key.to_owned(), parent: Some(parent.to_owned()).filter(|parent| !parent.is_empty()), says }
    }

    /// What each message says, and what the one before it says.
    fn shape(nodes: Vec<Node>, leaf: &str) -> (Vec<(String, String)>, String, usize) {
        let origins = Origins(UserId::generate(Timestamp::from_millis(1)));
        let conversation = origins.id("conversation", "test", "c");
        let (pieces, leaf) = messages(Of { origins, source: "test", conversation, key: "c" }, nodes, Some(leaf));
        let mut said: HashMap<MessageId, String> = HashMap::new();
        let (mut shape, mut lost) = (Vec::new(), 0);
        for piece in pieces {
            let Piece::Message(message) = piece else {
                lost += 1;
                continue;
            };
            let text: Vec<&str> = message.parts.iter().map(PiecePart::text).collect();
            let before = message.parent.map(|parent| said[&parent].clone()).unwrap_or_default();
            shape.push((before, text.join("+")));
            said.insert(message.id, text.join("+"));
        }
        shape.sort();
        (shape, leaf.map(|leaf| said[&leaf].clone()).unwrap_or_default(), lost)
    }

    fn pair(before: &str, text: &str) -> (String, String) {
        (before.to_owned(), text.to_owned())
    }

    #[test]
    fn branches_stay_and_what_says_nothing_goes_from_the_middle() {
        let nodes = vec![
            node("root", "", ""),
            node("sys", "root", ""),
            node("u1", "sys", "u1"),
            node("a1", "u1", "a1"),
            node("tool", "a1", ""),
            node("a2", "tool", "a2"),
            node("b1", "u1", "b1"),
            node("u2", "b1", "u2"),
        ];
        let want = vec![pair("", "u1"), pair("b1", "u2"), pair("u1", "a1+a2"), pair("u1", "b1")];
        assert_eq!(shape(nodes, "a2"), (want, "a1+a2".to_owned(), 0));
    }

    #[test]
    fn circles_and_loose_ends_do_no_harm() {
        let nodes = vec![
            node("a", "b", "u a"),
            node("b", "a", "u b"),
            node("x", "y", ""),
            node("y", "x", ""),
            node("c", "y", "u c"),
            node("d", "gone", "u d"),
            node("e", "e", "u e"),
        ];
        assert_eq!(shape(nodes, "x"), (vec![pair("", "u c"), pair("", "u d")], String::new(), 3));
    }
}
