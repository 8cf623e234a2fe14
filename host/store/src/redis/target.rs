//! Which server a URL names, and how to open a stream to it.

use std::fmt;
use std::io;
use std::str::FromStr;

use async_trait::async_trait;
use redis::{ConnectionAddr, ConnectionInfo, RedisConnectionInfo};
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::progress::{self, Step};
use super::tls;
use crate::error::Error;
use crate::written_url;

/// A server and its login. `Display` shows no secrets.
pub(super) struct Target {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) login: RedisConnectionInfo,
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

/// The parts of a URL.
pub(super) struct Address {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) login: RedisConnectionInfo,
    is_secure: bool,
}

/// Opens streams to a server: the default is TCP or TLS, as the URL says.
#[async_trait]
pub trait Connector: fmt::Debug + Send + Sync + 'static {
    /// A new stream to the server.
    async fn connect(&self) -> io::Result<Box<dyn Stream>>;
}

impl Address {
    /// Parses `redis://[[USER]:PASSWORD@]HOST[:PORT][/DB]`, or `rediss://` for TLS.
    ///
    /// # Errors
    /// `Invalid` for any other text, which is not shown because it may contain a password.
    pub(super) fn parse(url: &str) -> Result<Self, Error> {
        const FORM: &str = "invalid store URL: use redis://[[USER]:PASSWORD@]HOST[:PORT][/DB] (or rediss:// for TLS; \
                            percent-encode what is not a letter or digit in USER and PASSWORD)";
        written_url::check(url)?;
        if url.contains(['?', '#']) {
            return Err(Error::invalid(format!("{FORM}; options after ? or # are not supported")));
        }
        // The error of redis-rs says no more than this one.
        let info = ConnectionInfo::from_str(url).map_err(|_| Error::invalid(FORM))?;
        let (host, port, is_secure) = match info.addr() {
            ConnectionAddr::Tcp(host, port) => (host.clone(), *port, false),
            ConnectionAddr::TcpTls { host, port, .. } => (host.clone(), *port, true),
            _ => return Err(Error::invalid(FORM)),
        };
        // CLIENT SETINFO costs a round trip, and not every user may run it.
        let login = info.redis_settings().clone().set_skip_set_lib_name();
        Ok(Self { host, port, login, is_secure })
    }
}

impl Target {
    /// The target of a URL.
    ///
    /// # Errors
    /// As [`Address::parse`], and `Denied` where the certificates to trust cannot be read.
    pub(super) fn parse(url: &str) -> Result<Self, Error> {
        let Address { host, port, login, is_secure } = Address::parse(url)?;
        let tls = if is_secure { Some((tls::connector()?, tls::server_name(&host)?)) } else { None };
        Ok(Self { host, port, login, tls })
    }

    /// Host and port, for messages.
    pub(super) fn address(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    pub(super) fn is_encrypted(&self) -> bool {
        self.tls.is_some()
    }

    /// Whether the server is on this machine.
    pub(super) fn is_loopback(&self) -> bool {
        match self.host.parse::<std::net::IpAddr>() {
            Ok(address) => address.is_loopback(),
            Err(_) => self.host == "localhost",
        }
    }

    /// The connector for the URL.
    pub(super) fn connector(&self) -> Box<dyn Connector> {
        Box::new(Network { host: self.host.clone(), port: self.port, tls: self.tls.clone() })
    }
}

/// TCP, with TLS if the URL asks for it.
struct Network {
    host: String,
    port: u16,
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Network({}, {})", self.host, self.port)
    }
}

#[async_trait]
impl Connector for Network {
    async fn connect(&self) -> io::Result<Box<dyn Stream>> {
        let tcp = TcpStream::connect((self.host.as_str(), self.port)).await?;
        progress::reached(Step::Tcp);
        // A small write must not wait for the acknowledgement of the previous one.
        tcp.set_nodelay(true)?;
        match &self.tls {
            Some((connector, name)) => Ok(Box::new(connector.connect(name.clone(), tcp).await?)),
            None => Ok(Box::new(tcp)),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_encrypted() { "rediss" } else { "redis" };
        write!(f, "{scheme}://{}/{}", self.address(), self.login.db())
    }
}

/// The bytes of a connection.
pub trait Stream: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin {}
impl<S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin> Stream for S {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    #[test]
    fn display_shows_the_server_and_no_secrets() {
        for (url, shown) in [
            ("redis://localhost", "redis://localhost:6379/0"),
            ("redis://app:s3cret@db.example:7000/3", "redis://db.example:7000/3"),
            ("redis://:s3cr%40et@[::1]/", "redis://[::1]:6379/0"),
        ] {
            assert_eq!(Target::parse(url).expect(url).to_string(), shown);
        }
    }

    #[test]
    fn logins_are_percent_decoded() {
        let target = Target::parse("redis://a%20b:p%2F%40@h").expect("target");
        assert_eq!((target.login.username(), target.login.password()), (Some("a b"), Some("p/@")));
    }

    #[test]
    fn an_invalid_url_is_refused_and_not_shown() {
        for url in [
            "redis://",
            "redis://u:s3cret@h:port",
            "redis://u:s3cret@h/x",
            "redis://u:s3cret@h/?protocol=s3cret",
            "rediss://u:s3cret@h/#insecure",
        ] {
            let error = Target::parse(url).err().expect(url);
            assert_eq!(error.kind(), Kind::Invalid);
            assert!(!error.chain().contains("s3cret"), "{}", error.chain());
        }
    }
}
