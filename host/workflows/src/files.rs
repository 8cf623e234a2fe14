//! Files of the registry: read with a limit, written as a whole or not at all.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use serde::de::DeserializeOwned;

use super::error::Error;

/// Most bytes of a file that people write.
const TEXT_BYTES_MAX: u64 = 1024 * 1024;

/// The text of a file that people write.
pub(crate) fn text(path: &Path) -> Result<String, Error> {
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(Error::io("read", path))?;
    file.take(TEXT_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(Error::io("read", path))?;
    if bytes.len() as u64 > TEXT_BYTES_MAX {
        return Err(Error::file(path, format!("it has more than {TEXT_BYTES_MAX} bytes")));
    }
    String::from_utf8(bytes).map_err(|_| Error::file(path, "it is not UTF-8"))
}

/// Refuses a folder or file that other users can write: what it says is what programs are run.
pub(crate) fn check_owner(path: &Path) -> Result<(), Error> {
    const WRITABLE_BY_OTHERS: u32 = 0o022;
    const ROOT: u32 = 0;
    let metadata = fs::metadata(path).map_err(Error::io("read", path))?;
    if metadata.mode() & WRITABLE_BY_OTHERS != 0 {
        return Err(Error::file(path, "other users can write to it, and so run programs: `chmod go-w` forbids it"));
    }
    if ![ROOT, rustix::process::geteuid().as_raw()].contains(&metadata.uid()) {
        return Err(Error::file(path, "another user owns it, and so can have programs run"));
    }
    Ok(())
}

/// What a text in TOML says; an error names the file and the line.
pub(crate) fn parse<T: DeserializeOwned>(text: &str, path: &Path) -> Result<T, Error> {
    toml::from_str(text).map_err(|error| {
        let line = error.span().map(|span| 1 + text[..span.start.min(text.len())].matches('\n').count());
        let line = line.map(|line| format!("line {line}: ")).unwrap_or_default();
        Error::file(path, format!("{line}{}", error.message()))
    })
}

/// Writes a file that this user alone can read, so that a reader sees all of the new text or all of the old.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let write = || {
        let mut draft = tempfile::NamedTempFile::new_in(folder)?;
        draft.write_all(bytes)?;
        draft.as_file().sync_all()?;
        draft.persist(path).map_err(|error| error.error)
    };
    write().map(drop).map_err(Error::io("write", path))
}

/// The bytes of a component.
pub(crate) fn component(path: &Path) -> Result<Vec<u8>, Error> {
    fs::read(path).map_err(Error::io("read", path))
}
