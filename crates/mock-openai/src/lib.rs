//! A mock of the OpenAI API, and of some others, over real HTTP: it answers as it is told, misbehaves on demand, and
//! remembers what it was sent.
//!
//! # Doors
//!
//! | path | what |
//! |---|---|
//! | `POST …/chat/completions` | an answer, streamed or whole, as the scenario says; any prefix before it will do |
//! | `POST …/messages`, `…/responses`, `…/api/chat`, `…/models/MODEL:streamGenerateContent` | the same, streamed, in the protocols of Anthropic, of OpenAI's Responses, of Ollama and of Gemini |
//! | `POST …/model/MODEL/converse-stream`, `…/converse` | the same in Bedrock's protocol, streamed or whole; a key `ID:SECRET[:TOKEN]` is one that requests are signed with |
//! | `GET …/models`, `…/api/tags`, `…/foundation-models`, `…/inference-profiles` | the model list, in the shape of whoever asks |
//! | `GET /__mock/requests` | what came in: counts, and the last 256 requests with headers, body and outcome |
//! | `DELETE /__mock/requests` | forgets them |
//!
//! # Scenarios
//!
//! A scenario is a model name with options behind it: `lorem;rate=20;tokens=200`. Options may also stand in the last user
//! message as `[[key=value key=value]]` (not echoed), in headers as `x-mock-key: value`, or in the path as
//! `/__scenario/key=value;key=value/v1`, which is a base URL to configure. Path beats header beats message beats model.
//! A slash and what stands before it are not part of the model name.
//!
//! | model | what it does |
//! |---|---|
//! | `echo` | says the last user message, word by word, and the kinds of the pictures in it |
//! | `lorem`, `lorem-N` | N words (64) |
//! | `counter`, `counter-N` | `0 1 2 …`: a missing or misplaced token shows |
//! | `mock-Ntps` | 200 words at N tokens a second |
//! | `markdown` | headings, lists, a table, code, mathematics, a long line |
//! | `reasoning` | thinks 24 tokens in `reasoning_content`, then answers |
//! | `think-tags` | the same within `<think>` in the text |
//! | `slow-first` | first token after 2 s |
//! | `endless` | never stops, as fast as it can |
//! | `stall` | falls silent after 8 tokens, connection open |
//! | `silent` | answers with a head and then nothing |
//! | `cut` | closes the connection after 8 tokens, within the chunked encoding |
//! | `unfinished` | ends well-formed after 8 tokens, without finish reason and `[DONE]` |
//! | `malformed` | a chunk that is no JSON, or has a wrong checksum, after 8 tokens |
//! | `error-midstream` | an error object after 8 tokens |
//! | `error-401`, `error-429`, … | that status; 429 with `Retry-After: 7` |
//! | `error-html` | 502 with an HTML page |
//! | `trickle` | one byte a minute (`trickle_ms`) |
//! | `giant-line` | one line of 1 GiB (`giant_bytes`) |
//! | `redirect` | 307 to `redirect=URL` |
//! | `whole` | a JSON answer although a stream was asked for |
//! | `tool` | calls the first tool that is offered, with the last user message as `said` |
//!
//! | option | meaning |
//! |---|---|
//! | `tokens`, `rate`, `first_ms`, `head_ms` | how many, how many a second (0: no pauses), delay of the first token, of the head |
//! | `reasoning`, `reasoning_field` | tokens of thought first; `reasoning_content`, `reasoning` or `think` |
//! | `stall_after`, `cut_after`, `unfinished_after`, `malformed_after`, `error_after` | token count at which it happens |
//! | `status`, `retry_after`, `error_body` | error answer; body `json`, `html`, `text`, `empty`, `nested`, `list` |
//! | `finish` | `stop`, `length`, `content_filter`, `tool_calls` |
//! | `usage` | `asked` (as the request says), `always`, `every` (in each chunk), `choice` (in the last choice), `none` |
//! | `done` | `false`: no `[DONE]` |
//! | `crlf`, `comments`, `nospace` | SSE in other clothes |
//! | `split` | the answer in pieces of so many bytes |
//! | `trickle_ms`, `giant_bytes`, `redirect`, `redirect_status`, `whole`, `call` | as above |

mod body;
mod chunk;
mod dialect;
pub mod event_stream;
mod record;
mod scenario;
mod script;
mod seen;
mod server;
mod signed;
mod texts;
mod vectors;

pub use record::{Counts, Outcome, Recorded};
pub use server::{Mock, MockServer};
