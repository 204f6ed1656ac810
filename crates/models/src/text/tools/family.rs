//! How each family of models writes calls, as its makers document it.

use serde::{Deserialize, Serialize};

/// A way to write calls. Which one a model uses is seen in its template.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToolFormat {
    /// `<tool_call>{"name": …, "arguments": {…}}</tool_call>`: Hermes, Qwen and many that followed.
    Hermes,
    /// `{"name": …, "parameters": {…}}` as the whole answer, perhaps behind `<|python_tag|>`: Llama 3.1 and later.
    Llama,
    /// `[TOOL_CALLS] [{"name": …, "arguments": {…}}]` or `[TOOL_CALLS]name[ARGS]{…}`.
    Mistral,
    /// `Action:` and a list in a fence, or a list between `<|START_ACTION|>` and `<|END_ACTION|>`.
    CommandR,
    /// `<|tool_call|>[{"name": …, "arguments": {…}}]`: Granite, Phi 4.
    Granite,
    /// DeepSeek's own marks, with the name outside of the JSON.
    DeepSeek,
    /// `<function=name>{…}</function>`, or with a `<parameter=…>` for each argument.
    Function,
    /// No mark at all: JSON as the whole answer or in a fence.
    Json,
}

/// A mark, and what may follow it.
#[derive(Debug)]
pub(super) struct Opening {
    /// Empty for JSON at the start of an answer.
    pub(super) mark: &'static str,
    /// Tried in their order.
    pub(super) ways: &'static [Way],
}

#[derive(Debug)]
pub(super) struct Way {
    pub(super) steps: &'static [Step],
    /// When this follows the steps, they begin again.
    pub(super) again: Option<&'static str>,
    /// What may stand at the very end.
    pub(super) close: Option<&'static str>,
    /// Only a tool that is known is called so.
    pub(super) only_known: bool,
}

/// White space before a step means nothing.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    Mark(&'static str),
    Optional(&'static str),
    /// The name, up to this.
    Name(&'static str),
    /// The name, up to the beginning of the JSON, perhaps with a fence; nothing when it has been there before.
    NameBeforeJson,
    /// The arguments when there has been a name, otherwise one call or a list of them.
    Json,
    /// Arguments between tags of their own, up to the closing tag of the function.
    Parameters,
}

const JSON: Way = Way { steps: &[Step::Json], again: None, close: None, only_known: false };
const BARE: Way = Way { steps: &[Step::Optional(";"), Step::Json], again: Some(";"), close: None, only_known: true };
const FENCED: Way = Way { close: Some("```"), only_known: true, ..JSON };

const HERMES: &[Opening] = &[
    Opening {
        mark: "<tool_call>",
        ways: &[Way { close: Some("</tool_call>"), ..JSON }, IN_TAGS_JSON, IN_TAGS_PARAMETERS],
    },
    Opening { mark: "<toolcall>", ways: &[Way { close: Some("</toolcall>"), ..JSON }] },
    // Qwen 3 Coder forgets the outer tag at times.
    Opening { mark: "<function=", ways: FUNCTION_WAYS },
];
const IN_TAGS_JSON: Way = Way {
    steps: &[Step::Mark("<function="), Step::Name(">"), Step::Json, Step::Optional("</function>")],
    close: Some("</tool_call>"),
    ..JSON
};
const IN_TAGS_PARAMETERS: Way =
    Way { steps: &[Step::Mark("<function="), Step::Name(">"), Step::Parameters], ..IN_TAGS_JSON };

const LLAMA: &[Opening] = &[
    Opening { mark: "<|python_tag|>", ways: PYTHON_WAYS },
    Opening { mark: "<|python_start|>", ways: PYTHON_WAYS },
    Opening { mark: "functools", ways: &[Way { only_known: true, ..JSON }] },
    Opening { mark: "<function=", ways: FUNCTION_WAYS },
    Opening { mark: "", ways: &[BARE] },
];

const PYTHON_WAYS: &[Way] = &[Way { close: Some("<|python_end|>"), only_known: false, ..BARE }];

const MISTRAL: &[Opening] =
    &[Opening { mark: "[TOOL_CALLS]", ways: &[JSON, Way { steps: &[Step::Name("[ARGS]"), Step::Json], ..JSON }] }];

const COMMAND_R: &[Opening] = &[
    Opening { mark: "<|START_ACTION|>", ways: &[Way { close: Some("<|END_ACTION|>"), ..JSON }] },
    Opening { mark: "Action: ```json", ways: &[Way { close: Some("```"), ..JSON }] },
    Opening { mark: "Action:```json", ways: &[Way { close: Some("```"), ..JSON }] },
];

const GRANITE: &[Opening] = &[
    Opening { mark: "<|tool_call|>", ways: &[Way { close: Some("<|/tool_call|>"), ..JSON }] },
    Opening { mark: "<tool_call>", ways: &[Way { close: Some("</tool_call>"), ..JSON }] },
];

const DEEPSEEK_CALL: &str = "<｜tool▁call▁begin｜>";
const DEEPSEEK_WAYS: &[Way] = &[Way {
    steps: &[
        Step::Optional(DEEPSEEK_CALL),
        Step::Name("<｜tool▁sep｜>"),
        Step::NameBeforeJson,
        Step::Json,
        Step::Optional("```"),
        Step::Optional("<｜tool▁call▁end｜>"),
    ],
    again: Some(DEEPSEEK_CALL),
    close: Some("<｜tool▁calls▁end｜>"),
    only_known: false,
}];
const DEEPSEEK: &[Opening] = &[
    Opening { mark: "<｜tool▁calls▁begin｜>", ways: DEEPSEEK_WAYS },
    Opening { mark: DEEPSEEK_CALL, ways: DEEPSEEK_WAYS },
];

const FUNCTION_WAYS: &[Way] = &[
    Way { steps: &[Step::Name(">"), Step::Json], close: Some("</function>"), ..JSON },
    // What would close the outer tag, if that had been there.
    Way { steps: &[Step::Name(">"), Step::Parameters], close: Some("</tool_call>"), ..JSON },
];
const FUNCTION: &[Opening] = &[Opening { mark: "<function=", ways: FUNCTION_WAYS }];

const ANY_JSON: &[Opening] = &[
    Opening { mark: "```json", ways: &[FENCED] },
    Opening { mark: "```tool_call", ways: &[FENCED] },
    Opening { mark: "", ways: &[BARE] },
];

impl ToolFormat {
    /// The form that a template, of either language, shows to the model.
    pub fn of_template(source: &str) -> Self {
        // The more special a mark is, the earlier it is looked for.
        let marks = [
            ("<｜tool▁calls▁begin｜>", Self::DeepSeek),
            ("<｜tool▁call▁begin｜>", Self::DeepSeek),
            ("[TOOL_CALLS]", Self::Mistral),
            ("<|START_ACTION|>", Self::CommandR),
            ("Action: ```json", Self::CommandR),
            ("'Action:'", Self::CommandR),
            ("<|tool_call|>", Self::Granite),
            ("<tool_call>", Self::Hermes),
            ("<toolcall>", Self::Hermes),
            ("<|python_tag|>", Self::Llama),
            ("<function=", Self::Function),
            // Llama 3.2 and later have no mark, but their prompts have these.
            ("<|start_header_id|>", Self::Llama),
            ("<|header_start|>", Self::Llama),
        ];
        marks.into_iter().find(|(mark, _)| source.contains(mark)).map_or(Self::Json, |(_, format)| format)
    }

    /// All marks of this form. Each may be a token of its own.
    pub fn marks(self) -> impl Iterator<Item = &'static str> {
        let of_step = |step: &'static Step| match step {
            Step::Mark(mark) | Step::Optional(mark) | Step::Name(mark) => Some(*mark),
            Step::NameBeforeJson | Step::Json | Step::Parameters => None,
        };
        let of_way = move |way: &'static Way| way.steps.iter().filter_map(of_step).chain(way.again).chain(way.close);
        let of_opening =
            move |opening: &'static Opening| std::iter::once(opening.mark).chain(opening.ways.iter().flat_map(of_way));
        // Shorter ones are ordinary text.
        self.openings().iter().flat_map(of_opening).filter(|mark| mark.len() > 3)
    }

    pub(super) const fn openings(self) -> &'static [Opening] {
        match self {
            Self::Hermes => HERMES,
            Self::Llama => LLAMA,
            Self::Mistral => MISTRAL,
            Self::CommandR => COMMAND_R,
            Self::Granite => GRANITE,
            Self::DeepSeek => DEEPSEEK,
            Self::Function => FUNCTION,
            Self::Json => ANY_JSON,
        }
    }
}
