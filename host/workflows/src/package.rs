//! What an author ships: a folder with a manifest and a component.

use std::path::{Path, PathBuf};

use ticket_host::workflow::digest;

use super::error::Error;
use super::files;
use super::manifest::{self, Manifest};

/// A manifest and its component, as they are in a folder.
#[derive(Clone, Debug)]
pub struct Package {
    /// The manifest.
    pub manifest: Manifest,
    /// The bytes of the component.
    pub component: Vec<u8>,
    /// The SHA-256 of the component, in hexadecimal digits.
    pub digest: String,
    /// The folder.
    pub folder: PathBuf,
}

impl Package {
    /// Reads a folder, or the folder of a manifest. The component must be that of the manifest's digest, if it has one.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::File`] or [`Error::Digest`].
    pub fn read(path: &Path) -> Result<Self, Error> {
        let is_manifest = path.file_name().is_some_and(|name| name == manifest::FILE);
        let folder = if is_manifest { path.parent().unwrap_or(Path::new(".")) } else { path };
        let manifest = Manifest::read(&folder.join(manifest::FILE))?;
        let component = files::component(&folder.join(&manifest.component))?;
        let digest = digest(&component);
        match &manifest.sha256 {
            Some(expected) if *expected != digest => {
                let (name, expected) = (manifest.name.clone(), expected.clone());
                Err(Error::Digest { name, expected, found: digest })
            }
            _ => Ok(Self { manifest, component, digest, folder: folder.to_owned() }),
        }
    }
}
