//! What must be corrected in how a store is set up before it can serve.

use std::fmt;

/// A setting that keeps a store from serving. Waiting does not help: someone must correct it.
///
/// `Display` is what the store does, to follow its name: *refused the login of user app*. It has no secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Misconfiguration {
    /// The server refused the login.
    Login {
        /// The user of the store URL; `default` if the URL has a password alone.
        user: String,
    },
    /// The server requires a login, and the store URL has none.
    NoLogin,
    /// The user lacks a permission.
    Permission {
        /// The user.
        user: String,
        /// What was refused, for example the name of a command.
        refused: String,
    },
    /// The server does not have the database of the store URL.
    Database {
        /// The number of the database.
        number: i64,
    },
    /// The server is a node of a Redis Cluster, which has a part of the tickets only.
    Cluster,
    /// The certificate of the server cannot be trusted.
    Certificate(CertificateFault),
    /// The server asks for a certificate of the client.
    ClientCertificate,
    /// A variable does not name certificates to trust.
    Roots {
        /// The name of the variable.
        variable: String,
    },
    /// Any other one, which the error names: for example the server is not Redis, or is too old.
    Other,
}

impl Misconfiguration {
    /// What to do about it; `url` is what the reader calls the store URL.
    #[must_use]
    pub fn remedy(&self, url: &str) -> String {
        match self {
            Self::Login { .. } => format!("check user and password in {url}"),
            Self::NoLogin => format!("add user and password to {url}"),
            Self::Permission { .. } => "grant it with ACL SETUSER".into(),
            Self::Database { .. } => format!("check the database number in {url}"),
            Self::Cluster => {
                format!("name a server without cluster mode in {url}, or a proxy that serves all slots of the cluster")
            }
            Self::Certificate(fault) => fault.remedy(),
            Self::ClientCertificate => "set `tls-auth-clients no` on the server".into(),
            Self::Roots { variable } => {
                format!("name certificates in PEM form in {variable}, or unset it to trust those of the system")
            }
            Self::Other => format!("check host and port in {url}, or ask the operator of the server"),
        }
    }
}

impl fmt::Display for Misconfiguration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Login { user } => write!(f, "refused the login of user {user}"),
            Self::NoLogin => f.write_str("requires a login, and the store URL has none"),
            Self::Permission { user, refused } => write!(f, "does not permit {refused} to user {user}"),
            Self::Database { number } => write!(f, "has no database {number}"),
            Self::Cluster => f.write_str("is a node of a Redis Cluster, and this version serves single servers only"),
            Self::Certificate(fault) => write!(f, "has a certificate that {fault}"),
            Self::ClientCertificate => f.write_str("asks for a certificate of the client, and this version has none"),
            Self::Roots { variable } => write!(f, "needs certificates, and {variable} names none"),
            Self::Other => f.write_str("cannot be used"),
        }
    }
}

/// Why the certificate of a server cannot be trusted. `Display` follows *a certificate that*.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CertificateFault {
    /// Its time is over.
    Expired,
    /// Its time has not begun.
    NotYetValid,
    /// It is not for the host of the store URL.
    OtherName {
        /// The host of the URL.
        host: String,
        /// The names in it, for people; empty if it has none.
        names: String,
    },
    /// No trusted certificate has issued it, and it is not itself a trusted one.
    UnknownIssuer,
    /// It is that of a certificate authority, which may issue others, and is not itself a trusted one.
    OfAuthority,
    /// It has version 1 of X.509, which has no place for the names of hosts.
    Version1,
    /// Anything else.
    Other(String),
}

impl CertificateFault {
    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> String {
        const NEW: &str = "`openssl req -x509 -newkey rsa:2048 -nodes -days 365 -keyout KEY -out CERTIFICATE -subj /CN=HOST \
                           -addext subjectAltName=DNS:HOST` (IP:ADDRESS for an address) makes one; name it in SSL_CERT_FILE";
        match self {
            Self::Expired => format!("give the server a new one: {NEW}"),
            Self::NotYetValid => "check the clocks of this machine and of the one that made it".into(),
            Self::OtherName { .. } => format!("use a host that it names, or give the server another one: {NEW}"),
            Self::UnknownIssuer => "name its issuer's certificate, or exactly this one, in SSL_CERT_FILE".into(),
            Self::OfAuthority => {
                format!("name exactly this one in SSL_CERT_FILE, or give the server one that it issued: {NEW}")
            }
            Self::Version1 | Self::Other(_) => format!("give the server another one: {NEW}"),
        }
    }
}

impl fmt::Display for CertificateFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Expired => f.write_str("has expired"),
            Self::NotYetValid => f.write_str("is not valid yet"),
            Self::OtherName { host, names } if names.is_empty() => {
                write!(f, "names no host in subjectAltName, and so not {host}")
            }
            Self::OtherName { host, names } => write!(f, "is not for {host} but for {names}"),
            Self::UnknownIssuer => f.write_str("no trusted certificate has issued"),
            Self::OfAuthority => f.write_str("is that of a certificate authority and not of a server"),
            Self::Version1 => f.write_str("has version 1 of X.509, without the names of hosts"),
            Self::Other(text) => write!(f, "cannot be used ({text})"),
        }
    }
}
