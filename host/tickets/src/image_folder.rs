//! A folder where compiled components are kept between processes.
//!
//! They are native code, so they are read only from a folder that no other user can write, and only with the digest at
//! their end. In any other case a component is compiled again.

use std::fs::{self, DirBuilder, OpenOptions};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use sha2::{Digest, Sha256};
use wasmtime::Engine;
use wasmtime::component::Component;

const DIGEST_BYTES: usize = 32;
/// What the names of images end with.
const ENDING: &str = "image";

/// A folder of mode 0700 that this user owns.
#[derive(Clone, Debug)]
pub(crate) struct ImageFolder(PathBuf);

impl ImageFolder {
    /// Creates the folder for this user alone, or checks that it is.
    pub(crate) fn open(folder: impl Into<PathBuf>) -> io::Result<Self> {
        let folder = folder.into();
        DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
        own(&fs::symlink_metadata(&folder)?, "the folder is not of mode 0700 and owned by this user")?;
        Ok(Self(folder))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// The component of an undamaged image, by the first of these engines that can use it, and which that is.
    pub(crate) fn read(&self, name: &str, engines: &[&Engine]) -> Option<(Component, usize)> {
        let mut bytes = Vec::new();
        own_file(&self.file(name)).and_then(|mut file| file.read_to_end(&mut bytes)).ok()?;
        let (image, digest) = bytes.split_at_checked(bytes.len().checked_sub(DIGEST_BYTES)?)?;
        if Sha256::digest(image).as_slice() != digest {
            return None;
        }
        engines.iter().enumerate().find_map(|(place, engine)| {
            // SAFETY: the bytes are an image that this program wrote: the folder is closed to all other users, and
            // the digest shows that it was written to its end. Wasmtime checks its own version and settings.
            #[expect(unsafe_code, reason = "an image is native code, which Wasmtime cannot verify")]
            let component = unsafe { Component::deserialize(engine, image) };
            Some((component.ok()?, place))
        })
    }

    /// Whether there is an image of this name; it may be damaged.
    pub(crate) fn contains(&self, name: &str) -> bool {
        own_file(&self.file(name)).is_ok()
    }

    /// Writes an image so that a reader sees the whole image or none.
    pub(crate) fn write(&self, name: &str, image: &[u8]) -> io::Result<()> {
        let file = self.file(name);
        let unfinished = file.with_extension(format!("{}.unfinished", std::process::id()));
        let mut out = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
        out.write_all(image)?;
        out.write_all(&Sha256::digest(image))?;
        drop(out);
        fs::rename(&unfinished, &file)
    }

    /// Removes the images whose names begin so.
    pub(crate) fn remove(&self, beginning: &str) -> io::Result<()> {
        for entry in fs::read_dir(&self.0)? {
            let entry = entry?;
            if entry.file_name().to_str().is_some_and(|name| name.starts_with(beginning)) {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(format!("{name}.{ENDING}"))
    }
}

/// What the name of an image must end with: it depends on the version of Wasmtime, its settings and the machine.
pub(crate) fn compatibility(engine: &Engine) -> String {
    let mut hasher = DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

/// Opens a file that this user alone may write, and follows no link to it: it is checked as it is open, so that
/// no other file can take its place in between.
fn own_file(file: &Path) -> io::Result<fs::File> {
    let no_link = i32::from_ne_bytes(OFlags::NOFOLLOW.bits().to_ne_bytes());
    let file = OpenOptions::new().read(true).custom_flags(no_link).open(file)?;
    own(&file.metadata()?, "the file is not of mode 0600 and owned by this user")?;
    Ok(file)
}

fn own(metadata: &fs::Metadata, otherwise: &'static str) -> io::Result<()> {
    if metadata.uid() != rustix::process::geteuid().as_raw() || metadata.mode() & 0o077 != 0 {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, otherwise));
    }
    Ok(())
}
