//! Checks the certificate of a server, and says what is wrong with it.

use std::io;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, SignatureScheme};

use crate::misconfiguration::CertificateFault;
use crate::text::printable;

/// Most characters of the names in a certificate that are shown.
const NAMES_CHARS_MAX: usize = 128;

/// Trusts a certificate that a trusted one has issued, and one that is itself named as trusted (*pinned*): a server with
/// a certificate of its own making has no other.
#[derive(Debug)]
pub(super) struct Verifier {
    issued: Arc<WebPkiServerVerifier>,
    pinned: Vec<CertificateDer<'static>>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Verifier {
    pub(super) fn new(
        issued: Arc<WebPkiServerVerifier>,
        pinned: Vec<CertificateDer<'static>>,
        algorithms: WebPkiSupportedAlgorithms,
    ) -> Self {
        Self { issued, pinned, algorithms }
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let issued = self.issued.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        match issued {
            // The time was checked before the issuer was looked for, the name was not.
            Err(error) if is_of_issuer(&error) && self.pinned.contains(end_entity) => {
                verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
                Ok(ServerCertVerified::assertion())
            }
            issued => issued,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// Whether an error says only that no trusted certificate has issued this one.
fn is_of_issuer(error: &rustls::Error) -> bool {
    use CertificateError::{BadSignature, UnknownIssuer};
    let rustls::Error::InvalidCertificate(error) = error else { return false };
    matches!(error, UnknownIssuer | BadSignature) || is_called(error, "CaUsedAsEndEntity")
}

/// Whether it is the error of webpki with this name. rustls does not export the type.
fn is_called(error: &CertificateError, name: &str) -> bool {
    matches!(error, CertificateError::Other(other) if other.0.to_string() == name)
}

/// A name of a certificate without the kind that webpki writes around it: `DnsName("h")`, `IpAddress(127.0.0.1)`.
fn bare(name: &str) -> &str {
    let inner = name.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
    inner.unwrap_or(name).trim_matches('"')
}

/// What is wrong with the certificate of a server, if that is why no stream to it could be opened.
pub(super) fn fault(error: &io::Error) -> Option<CertificateFault> {
    use CertificateError as Cause;
    let rustls::Error::InvalidCertificate(error) = error.get_ref()?.downcast_ref()? else { return None };
    Some(match error {
        Cause::Expired | Cause::ExpiredContext { .. } => CertificateFault::Expired,
        Cause::NotValidYet | Cause::NotValidYetContext { .. } => CertificateFault::NotYetValid,
        Cause::NotValidForNameContext { expected, presented } => CertificateFault::OtherName {
            host: expected.to_str().into_owned(),
            names: printable(&presented.iter().map(|name| bare(name)).collect::<Vec<_>>().join(", "), NAMES_CHARS_MAX),
        },
        Cause::UnknownIssuer | Cause::BadSignature => CertificateFault::UnknownIssuer,
        error if is_called(error, "CaUsedAsEndEntity") => CertificateFault::OfAuthority,
        error if is_called(error, "UnsupportedCertVersion") => CertificateFault::Version1,
        error => CertificateFault::Other(printable(&error.to_string(), NAMES_CHARS_MAX)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_shown_without_their_kind() {
        for (name, shown) in [(r#"DnsName("db.example")"#, "db.example"), ("IpAddress(::1)", "::1"), ("a", "a")] {
            assert_eq!(bare(name), shown);
        }
    }

    #[test]
    fn an_error_of_another_kind_is_no_fault_of_a_certificate() {
        assert_eq!(fault(&io::ErrorKind::ConnectionRefused.into()), None);
        let error = rustls::Error::PeerIncompatible(rustls::PeerIncompatible::NoCipherSuitesInCommon);
        assert_eq!(fault(&io::Error::other(error)), None);
        let error = rustls::Error::InvalidCertificate(CertificateError::Expired);
        assert_eq!(fault(&io::Error::other(error)), Some(CertificateFault::Expired));
    }
}
