//! The host's scripts: their texts, and the names that a server knows them by.

use std::sync::LazyLock;

use super::resp::Reply;

macro_rules! script {
    ($kind:ident, $($file:literal),+) => {{
        let text = concat!($(include_str!(concat!("../../../host/store/src/redis/", $file))),+);
        Script { kind: Kind::$kind, text, sha1: redis::Script::new(text).get_hash().to_owned() }
    }};
}

static ALL: LazyLock<[Script; 5]> = LazyLock::new(|| {
    [
        script!(Read, "entry.lua", "read.lua"),
        script!(Write, "write_usual.lua", "entry.lua", "write.lua"),
        script!(Touch, "entry.lua", "touch.lua"),
        script!(Remove, "entry.lua", "remove.lua"),
        script!(Probe, "entry.lua", "probe.lua"),
    ]
});

/// Which of the host's scripts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "they are named as the files")]
pub enum Kind {
    Read,
    Write,
    Touch,
    Remove,
    Probe,
}

/// One of the host's scripts.
#[derive(Debug)]
pub struct Script {
    pub(super) kind: Kind,
    /// Its text, as EVAL takes it.
    pub text: &'static str,
    /// Its name, as EVALSHA takes it.
    pub sha1: String,
}

impl Script {
    /// The script of a kind.
    #[must_use]
    pub fn of(kind: Kind) -> &'static Self {
        Self::find(|script| script.kind == kind).expect("one script a kind")
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

    /// What Redis says of an error at the line of the script that has `code`.
    pub(super) fn error(&self, error: &str, code: &str) -> Reply {
        let line = self.text.lines().position(|line| line.contains(code)).expect("the code of the script");
        Reply::error(format!("{error} script: {}, on @user_script:{}.", self.sha1, line + 1))
    }
}
