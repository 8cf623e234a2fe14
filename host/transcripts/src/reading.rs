//! How transcripts are read.

use regex::Regex;

use crate::form::Form;

/// How transcripts are read.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Reading {
    /// The form of every conversation; none tells it from each.
    pub form: Option<Form>,
    /// A result of a tool that matches is a failure, beside those that are one anyway.
    pub error_pattern: Option<Regex>,
    /// Whether base64 payloads stay in messages; else a reference takes their place.
    pub keep_media: bool,
}
