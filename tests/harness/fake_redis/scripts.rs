//! The scripts of the host, with text and SHA-1.

use std::sync::LazyLock;

use super::resp::Reply;

macro_rules! script {
    ($kind:ident, $($file:literal),+) => {{
        let text = concat!($(include_str!(concat!("../../../host/store/src/redis/", $file))),+);
        Script { kind: Kind::$kind, text, sha1: redis::Script::new(text).get_hash().to_owned() }
    }};
}

static ALL: LazyLock<[Script; 7]> = LazyLock::new(|| {
    [
        script!(Read, "entry.lua", "read.lua"),
        script!(Write, "entry.lua", "write.lua"),
        script!(InPlace, "field_deadlines.lua", "is_at.lua", "in_place.lua"),
        script!(Replace, "field_deadlines.lua", "is_at.lua", "replace.lua"),
        script!(Touch, "field_deadlines.lua", "entry.lua", "touch.lua"),
        script!(Remove, "entry.lua", "remove.lua"),
        script!(Probe, "entry.lua", "probe.lua"),
    ]
});

/// The kind of a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "named after the files")]
pub enum Kind {
    Read,
    Write,
    InPlace,
    Replace,
    Touch,
    Remove,
    Probe,
}

/// A script of the host.
#[derive(Debug)]
pub struct Script {
    pub(super) kind: Kind,
    /// Its text, for EVAL.
    pub text: &'static str,
    /// Its SHA-1, for EVALSHA.
    pub sha1: String,
}

impl Script {
    /// The script of a kind.
    #[must_use]
    pub fn of(kind: Kind) -> &'static Self {
        Self::find(|script| script.kind == kind).expect("one script of each kind")
    }

    pub(super) fn by_text(text: &[u8]) -> Option<&'static Self> {
        Self::find(|script| script.text.as_bytes() == text)
    }

    pub(super) fn by_sha1(sha1: &[u8]) -> Option<&'static Self> {
        Self::find(|script| script.sha1.as_bytes().eq_ignore_ascii_case(sha1))
    }

    fn find(wanted: impl Fn(&Script) -> bool) -> Option<&'static Self> {
        ALL.iter().find(|script| wanted(script))
    }

    /// The error of Redis for the line of the script that contains `code`.
    pub(super) fn error(&self, error: &str, code: &str) -> Reply {
        let line = self.text.lines().position(|line| line.contains(code)).expect("the code of the script");
        Reply::error(format!("{error} script: {}, on @user_script:{}.", self.sha1, line + 1))
    }
}
