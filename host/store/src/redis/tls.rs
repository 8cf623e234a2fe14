//! TLS to a server: which certificates are trusted, and how its own is checked.

use std::env;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use rustls_native_certs::CertificateResult;
use tokio_rustls::TlsConnector;

use super::certificate::Verifier;
use crate::error::{Error, Kind};
use crate::misconfiguration::Misconfiguration;

/// The variables that name certificates in place of those of the system.
const FILE_VARIABLE: &str = "SSL_CERT_FILE";
const FOLDERS_VARIABLE: &str = "SSL_CERT_DIR";

/// TLS with the certificates of `SSL_CERT_FILE` and `SSL_CERT_DIR`, or with the root certificates of the system if
/// neither is set. They are read once and not for every connection.
///
/// # Errors
/// `Denied`, with the file, if they cannot be read or are none.
pub(super) fn connector() -> Result<TlsConnector, Error> {
    let mut roots = RootCertStore::empty();
    let named = named()?;
    match &named {
        Some(sources) => {
            for source in sources {
                source.add_to(&mut roots)?;
            }
        }
        None => add_system_roots(&mut roots)?,
    }
    let pinned = named.into_iter().flatten().flat_map(|source| source.certificates).collect();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let algorithms = provider.signature_verification_algorithms;
    let issued = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
        .build()
        .map_err(|error| unusable("the root certificates cannot be used").caused_by(error))?;
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable("no protocol version is available").caused_by(error))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Verifier::new(issued, pinned, algorithms)))
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

/// The name that the certificate of the server must have.
///
/// # Errors
/// `Invalid` if no certificate can have it.
pub(super) fn server_name(host: &str) -> Result<ServerName<'static>, Error> {
    ServerName::try_from(host.to_owned()).map_err(|error| {
        Error::invalid("invalid host in the store URL: TLS needs a DNS name or an IP address").caused_by(error)
    })
}

fn unusable(why: &str) -> Error {
    Error::new(Kind::Denied, format!("cannot use TLS for redis: {why}"))
}

/// Certificates that the user names, and where they are.
struct Source {
    variable: &'static str,
    path: PathBuf,
    certificates: Vec<CertificateDer<'static>>,
}

impl Source {
    /// Reads them; `load` is for a file or for a folder.
    fn read(
        variable: &'static str,
        path: PathBuf,
        load: impl FnOnce(&Path) -> CertificateResult,
    ) -> Result<Self, Error> {
        if path.as_os_str().is_empty() {
            return Err(refused(variable, "is set and names nothing"));
        }
        let CertificateResult { certs, errors, .. } = load(&path);
        let source = Self { variable, path, certificates: certs };
        match errors.into_iter().next() {
            Some(cause) => Err(source.refused("cannot be read").caused_by(cause)),
            None if source.certificates.is_empty() => {
                Err(source.refused("has no certificate: one in PEM form begins with `-----BEGIN CERTIFICATE-----`"))
            }
            None => Ok(source),
        }
    }

    /// One certificate that cannot be parsed must not exclude the others.
    fn add_to(&self, roots: &mut RootCertStore) -> Result<(), Error> {
        match roots.add_parsable_certificates(self.certificates.iter().cloned()) {
            (0, _) => Err(self.refused("has no certificate that can be parsed")),
            _ => Ok(()),
        }
    }

    fn refused(&self, why: &str) -> Error {
        refused(self.variable, &format!("names {}, which {why}", self.path.display()))
    }
}

fn refused(variable: &'static str, why: &str) -> Error {
    let setting = Misconfiguration::Roots { variable: variable.to_owned() };
    unusable(&format!("the variable {variable} {why}")).with_misconfiguration(setting)
}

/// What the variables name; none if neither is set.
fn named() -> Result<Option<Vec<Source>>, Error> {
    let (file, folders) = (env::var_os(FILE_VARIABLE), env::var_os(FOLDERS_VARIABLE));
    if file.is_none() && folders.is_none() {
        return Ok(None);
    }
    let mut sources = Vec::new();
    if let Some(path) = file {
        let load = |path: &Path| rustls_native_certs::load_certs_from_paths(Some(path), None);
        sources.push(Source::read(FILE_VARIABLE, path.into(), load)?);
    }
    for path in folders.iter().flat_map(env::split_paths) {
        let load = |path: &Path| rustls_native_certs::load_certs_from_paths(None, Some(path));
        sources.push(Source::read(FOLDERS_VARIABLE, path, load)?);
    }
    Ok(Some(sources))
}

fn add_system_roots(roots: &mut RootCertStore) -> Result<(), Error> {
    let CertificateResult { certs, errors, .. } = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(certs);
    if !roots.is_empty() {
        return Ok(());
    }
    let setting = Misconfiguration::Roots { variable: FILE_VARIABLE.to_owned() };
    let error = unusable("the system has no root certificates; set SSL_CERT_FILE to a file of them")
        .with_misconfiguration(setting);
    Err(match errors.into_iter().next() {
        Some(cause) => error.caused_by(cause),
        None => error,
    })
}
