//! Values of options: what serves while Redis is down, how results are shown, a stored field, the form of transcripts.

use std::path::PathBuf;

use clap::ValueEnum;
use ticket_host::store;
use ticket_transcripts::Form;
use ticket_workflows::Limits;

/// What serves while Redis is down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FallbackArg {
    Memory,
    File(PathBuf),
    None,
}

/// Parses what serves while Redis is down.
pub(super) fn fallback_arg(text: &str) -> Result<FallbackArg, String> {
    match text {
        "memory:" => Ok(FallbackArg::Memory),
        "none" => Ok(FallbackArg::None),
        _ if text.starts_with("sqlite:") => {
            store::sqlite_path(text).map(FallbackArg::File).map_err(|error| error.to_string())
        }
        _ => Err("use memory:, sqlite:PATH or none".into()),
    }
}

/// How results are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// One line of JSON, for programs.
    Json,
    /// Tables, for people.
    Table,
}

/// A stored field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum Field {
    Facts,
    History,
    LastDecision,
    CreatedAt,
    UpdatedAt,
    Version,
}

/// Parses limits of a workflow: `time_ms=100,fuel=10000`.
pub(super) fn limits(text: &str) -> Result<Limits, String> {
    Limits::parse(&text.replace(',', "\n"))
}

/// The form of transcripts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "lower")]
pub(crate) enum FormArg {
    Auto,
    OpenAi,
    Responses,
    Anthropic,
    LangChain,
    Gemini,
}

impl FormArg {
    /// The form; none if each conversation tells its own.
    pub(crate) fn form(self) -> Option<Form> {
        match self {
            Self::Auto => None,
            Self::OpenAi => Some(Form::OpenAi),
            Self::Responses => Some(Form::Responses),
            Self::Anthropic => Some(Form::Anthropic),
            Self::LangChain => Some(Form::LangChain),
            Self::Gemini => Some(Form::Gemini),
        }
    }
}
