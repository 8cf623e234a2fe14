//! The content of a message or of a tool's result: texts, other parts, and references in place of media.

use base64::Engine;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::digest::hex;
use crate::invalid::Invalid;
use crate::object::{self, Object};

/// Names that hold a payload, in a part or one level below.
const PAYLOADS: &[&str] = &["data", "base64", "file_data", "url", "image_url"];
/// Names that hold a media type.
const MEDIA_TYPES: &[&str] = &["media_type", "mime_type", "mimeType"];
/// Padding is optional: clients differ.
const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);

/// What a message or a result holds.
pub(crate) enum Content {
    /// One text.
    Text(String),
    /// Anything else, in order.
    Parts(Vec<Part>),
}

/// A part of a content.
pub(crate) enum Part {
    Text(String),
    /// JSON that is not a text.
    Other(String),
}

/// Reads contents, and counts the references that it makes.
pub(crate) struct Contents {
    pub(crate) keep_media: bool,
    pub(crate) references: usize,
}

impl Contents {
    /// A string, or an array of parts.
    pub(crate) fn read(&mut self, json: &RawValue) -> Result<Content, Invalid> {
        match json.get().as_bytes() {
            [b'"', ..] => Ok(Content::Text(object::text(json)?)),
            [b'[', ..] => {
                let parts = object::items(json)?;
                let parts: Result<_, _> = parts.into_iter().map(|part| self.part(part)).collect();
                Ok(Content::of(parts?))
            }
            _ => Err(Invalid::new("it is neither a string nor an array of parts")),
        }
    }

    /// The content in a member of an object, which `whose` names in an error.
    pub(crate) fn member(&mut self, object: &Object<'_>, name: &str, whose: &str) -> Result<Content, Invalid> {
        let content = object.get(name).ok_or_else(|| Invalid::new(format!("{whose} has no {name}")))?;
        self.read(content).map_err(|wrong| wrong.within(name))
    }

    /// A part: a text, or an object.
    pub(crate) fn part(&mut self, json: &RawValue) -> Result<Part, Invalid> {
        if json.get().starts_with('"') {
            return Ok(Part::Text(object::text(json)?));
        }
        let part = Object::parse(json)?;
        let kind = part.text("type")?;
        if let (None | Some("text" | "input_text" | "output_text"), Some(text)) = (kind.as_deref(), part.get("text")) {
            return Ok(Part::Text(object::text(text)?));
        }
        let reference = if self.keep_media { None } else { Reference::of(&part, kind.as_deref()) };
        match reference {
            Some(reference) => {
                self.references += 1;
                Ok(Part::Other(serde_json::to_string(&reference)?))
            }
            None => Ok(Part::Other(json.get().to_owned())),
        }
    }
}

impl Content {
    /// One part that is a text is that text.
    pub(crate) fn of(mut parts: Vec<Part>) -> Self {
        match parts.pop() {
            Some(Part::Text(text)) if parts.is_empty() => Self::Text(text),
            last => {
                parts.extend(last);
                Self::Parts(parts)
            }
        }
    }

    /// The texts of a content that holds nothing else, put together.
    pub(crate) fn whole_text(&self) -> Option<String> {
        match self {
            Self::Text(text) => Some(text.clone()),
            Self::Parts(parts) => parts
                .iter()
                .map(|part| if let Part::Text(text) = part { Some(text.as_str()) } else { None })
                .collect::<Option<Vec<_>>>()
                .map(|texts| texts.concat()),
        }
    }
}

/// The parts as a JSON array; a text is an object as OpenAI and Anthropic write it.
pub(crate) fn array(parts: &[Part]) -> Result<String, Invalid> {
    #[derive(Serialize)]
    struct Text<'a> {
        r#type: &'static str,
        text: &'a str,
    }
    let mut json = String::from("[");
    for part in parts {
        if json.len() > 1 {
            json.push(',');
        }
        match part {
            Part::Text(text) => json.push_str(&serde_json::to_string(&Text { r#type: "text", text })?),
            Part::Other(other) => json.push_str(other),
        }
    }
    json.push(']');
    Ok(json)
}

/// What takes the place of a payload.
#[derive(Serialize)]
struct Reference {
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    filename: Option<String>,
    media_type: String,
    bytes: usize,
    sha256: String,
}

impl Reference {
    /// The reference to the payload of a part, if it has one.
    fn of(part: &Object<'_>, kind: Option<&str>) -> Option<Self> {
        let inner: Vec<Object<'_>> = part.values().filter_map(|value| Object::parse(value).ok()).collect();
        let (media_type, bytes) =
            payload(part, kind).or_else(|| inner.iter().find_map(|inner| payload(inner, kind)))?;
        let filename = std::iter::once(part).chain(&inner).find_map(|object| object.text("filename").ok().flatten());
        let r#type = match media_type.split('/').next() {
            Some("image") => "image",
            Some("audio") => "audio",
            Some("video") => "video",
            _ => "file",
        };
        Some(Self { r#type, filename, media_type, bytes: bytes.len(), sha256: hex(&bytes) })
    }
}

/// The media type and the bytes of a payload.
fn payload(object: &Object<'_>, kind: Option<&str>) -> Option<(String, Vec<u8>)> {
    // A document of Anthropic may hold its text as it is.
    if object.is("type", "text") {
        return None;
    }
    let text = |name: &str| object.text(name).ok().flatten();
    let named = MEDIA_TYPES.iter().find_map(|name| text(name)).or_else(|| {
        // OpenAI's audio has a format in place of a type, and its parts say which medium they are.
        let medium =
            ["image", "audio", "video"].into_iter().find(|medium| kind.is_some_and(|kind| kind.contains(medium)));
        match (text("format"), medium) {
            (Some(format), _) => Some(format!("audio/{format}")),
            (None, Some(medium)) => Some(format!("{medium}/*")),
            (None, None) => None,
        }
    });
    PAYLOADS.iter().find_map(|name| {
        let payload = text(name)?;
        if let Some(url) = payload.strip_prefix("data:") {
            let (head, payload) = url.split_once(',')?;
            let media_type = head.strip_suffix(";base64")?.split(';').next().filter(|it| !it.is_empty());
            return Some((media_type.unwrap_or("application/octet-stream").to_owned(), decoded(payload)?));
        }
        if matches!(*name, "url" | "image_url") {
            return None;
        }
        let media_type = named.clone().unwrap_or_else(|| "application/octet-stream".into());
        Some((media_type, decoded(&payload)?))
    })
}

fn decoded(payload: &str) -> Option<Vec<u8>> {
    let alphabet = if payload.contains(['-', '_']) { &URL_SAFE } else { &STANDARD };
    GeneralPurpose::new(alphabet, LENIENT).decode(payload).ok()
}
