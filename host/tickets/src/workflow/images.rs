//! Compiled workflows, kept in a folder: a component is compiled when it is added, and not when it first runs.

use std::io;
use std::path::PathBuf;

use super::error::LoadError;
use super::form::{check_form, digest};
use super::machine::{self, Compiled};
use crate::image_folder::ImageFolder;

/// A folder of compiled components. They are native code: the folder is of mode 0700 and owned by this user, or refused.
#[derive(Clone, Debug)]
pub struct Images(ImageFolder);

impl Images {
    /// Opens the folder, and makes it if it is not there.
    ///
    /// # Errors
    /// [`LoadError::Images`] if it cannot be made, or is open to another user.
    pub fn open(folder: impl Into<PathBuf>) -> Result<Self, LoadError> {
        let folder = folder.into();
        ImageFolder::open(&folder).map(Self).map_err(|source| LoadError::Images { folder, source })
    }

    /// Whether the component of this digest is compiled for this version of the host.
    ///
    /// # Errors
    /// [`LoadError::Compile`] if there is no compiler at all.
    pub fn contains(&self, digest: &str) -> Result<bool, LoadError> {
        Ok(self.0.contains(&name(digest, false)?) && self.0.contains(&name(digest, true)?))
    }

    /// Compiles a component, unless it was before. That takes from some ten milliseconds (Rust) to a minute (Python).
    ///
    /// # Errors
    /// [`LoadError`] says what is wrong with it, or with the folder.
    pub fn add(&self, bytes: &[u8]) -> Result<(), LoadError> {
        check_form(bytes)?;
        let digest = digest(bytes);
        for metered in [false, true] {
            let name = name(&digest, metered)?;
            if !self.0.contains(&name) {
                let image = machine::image(bytes, metered).map_err(LoadError::compile)?;
                let kept = self.0.write(&name, &image);
                kept.map_err(|source| LoadError::Images { folder: self.0.path().to_owned(), source })?;
            }
        }
        Ok(())
    }

    /// Removes what is compiled of a component, for all versions of the host.
    ///
    /// # Errors
    /// If the folder cannot be read, or a file not be removed.
    pub fn remove(&self, digest: &str) -> io::Result<()> {
        self.0.remove(&format!("{digest}-"))
    }

    /// A component that was compiled before, and is undamaged.
    pub(super) fn get(&self, digest: &str, metered: bool) -> Result<Option<Compiled>, LoadError> {
        machine::kept(&self.0, &name(digest, metered)?, metered).map_err(LoadError::compile)
    }
}

fn name(digest: &str, metered: bool) -> Result<String, LoadError> {
    let compatibility = machine::compatibility(metered).map_err(LoadError::compile)?;
    Ok(format!("{digest}-{}-{compatibility}", if metered { "metered" } else { "plain" }))
}
