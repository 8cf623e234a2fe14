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
            Self::Other => f.write_str("cannot be used"),
        }
    }
}
