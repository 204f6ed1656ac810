//! The chunk encoding of a generation's log, and how a log becomes the parts of a message.
//!
//! A chunk holds its deltas one after another: one byte for the part (0 text, 1 reasoning), the length of the text in
//! four bytes little-endian, the text in UTF-8. The first has the chunk's `first_seq`, each further one the next.

use stoa_model::completion::PartKind;
use stoa_model::conversation::Part;
use stoa_storage::Chunk;

const TEXT: u8 = 0;
const REASONING: u8 = 1;

/// A chunk whose bytes are not of this encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a chunk of the generation log is damaged")]
pub(crate) struct DamagedChunk;

pub(crate) fn encode<'a>(data: &mut Vec<u8>, deltas: impl Iterator<Item = (PartKind, &'a str)>) {
    for (part, text) in deltas {
        data.push(match part {
            PartKind::Text => TEXT,
            PartKind::Reasoning => REASONING,
        });
        // A delta is far below 4 GiB: a whole answer is capped.
        data.extend_from_slice(&u32::try_from(text.len()).unwrap_or(u32::MAX).to_le_bytes());
        data.extend_from_slice(text.as_bytes());
    }
}

pub(crate) fn decode(chunk: &Chunk) -> Result<Vec<(PartKind, &str)>, DamagedChunk> {
    let mut deltas = Vec::new();
    let mut rest = chunk.data.as_slice();
    while !rest.is_empty() {
        let (head, tail) = rest.split_at_checked(5).ok_or(DamagedChunk)?;
        let part = match head[0] {
            TEXT => PartKind::Text,
            REASONING => PartKind::Reasoning,
            _ => return Err(DamagedChunk),
        };
        let length = u32::from_le_bytes([head[1], head[2], head[3], head[4]]);
        let length = usize::try_from(length).map_err(|_| DamagedChunk)?;
        let (text, tail) = tail.split_at_checked(length).ok_or(DamagedChunk)?;
        deltas.push((part, std::str::from_utf8(text).map_err(|_| DamagedChunk)?));
        rest = tail;
    }
    let expected = chunk.last_seq.checked_sub(chunk.first_seq).ok_or(DamagedChunk)? + 1;
    if u64::try_from(deltas.len()) == Ok(expected) { Ok(deltas) } else { Err(DamagedChunk) }
}

/// Adds a piece of text to parts: to the last one when it is of the same kind, else as a new one.
pub(crate) fn append(parts: &mut Vec<Part>, kind: PartKind, piece: &str) {
    match (parts.last_mut(), kind) {
        (Some(Part::Text { text }), PartKind::Text) | (Some(Part::Reasoning { text, .. }), PartKind::Reasoning) => {
            text.push_str(piece);
        }
        (_, PartKind::Text) => parts.push(Part::Text { text: piece.to_owned() }),
        (_, PartKind::Reasoning) => parts.push(Part::Reasoning { text: piece.to_owned(), duration_ms: 0 }),
    }
}

/// What a log leaves in the message when nobody can finish it. A damaged chunk ends it there.
pub(crate) fn fold(mut base: Vec<Part>, chunks: &[Chunk]) -> Vec<Part> {
    for chunk in chunks {
        match decode(chunk) {
            Ok(deltas) => {
                for (part, text) in deltas {
                    append(&mut base, part, text);
                }
            }
            Err(error) => {
                tracing::error!(%error, first_seq = chunk.first_seq, "the answer is cut here");
                break;
            }
        }
    }
    base
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn deltas() -> impl Strategy<Value = Vec<(PartKind, String)>> {
        let part = prop_oneof![Just(PartKind::Text), Just(PartKind::Reasoning)];
        prop::collection::vec((part, ".{0,12}"), 1..20)
    }

    proptest! {
        #[test]
        fn deltas_survive_a_chunk(deltas in deltas(), first_seq in 1_u64..1_000) {
            let mut data = Vec::new();
            encode(&mut data, deltas.iter().map(|(part, text)| (*part, text.as_str())));
            let last_seq = first_seq + u64::try_from(deltas.len()).unwrap() - 1;
            let chunk = Chunk { first_seq, last_seq, data };
            let decoded: Vec<_> =
                decode(&chunk).unwrap().into_iter().map(|(part, text)| (part, text.to_owned())).collect();
            prop_assert_eq!(decoded, deltas);
        }

        #[test]
        fn damaged_bytes_never_panic(data: Vec<u8>, first_seq: u64, last_seq: u64) {
            let _ = decode(&Chunk { first_seq, last_seq, data });
        }
    }

    #[test]
    fn pieces_of_one_kind_become_one_part() {
        let mut parts = vec![Part::Text { text: "Hel".to_owned() }];
        append(&mut parts, PartKind::Text, "lo");
        append(&mut parts, PartKind::Reasoning, "hm");
        append(&mut parts, PartKind::Text, "!");
        assert_eq!(
            parts,
            [
                Part::Text { text: "Hello".to_owned() },
                Part::Reasoning { text: "hm".to_owned(), duration_ms: 0 },
                Part::Text { text: "!".to_owned() },
            ]
        );
    }
}
