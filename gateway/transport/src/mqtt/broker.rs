//! Where the broker is and how to be let in.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use pki_types::pem::PemObject as _;
use pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rumqttc::tokio_rustls::TlsConnector;
use rumqttc::tokio_rustls::rustls::{self, ClientConfig, RootCertStore, pki_types};
use rumqttc::v5::mqttbytes::v5::Login;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use super::rivals::Rivals;

/// How long opening a connection may take, from the name to the TLS session.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A byte stream to the broker: TCP, or TLS over it.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Where the broker is and how to be let in. Made once, at start.
#[derive(Clone)]
pub struct Broker {
    host: Arc<str>,
    port: u16,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    pub(super) login: Option<Login>,
    /// Who takes our sessions there. Clones share it.
    pub rivals: Rivals,
}

/// Why a broker cannot even be tried.
#[derive(Debug, thiserror::Error)]
pub enum BadBroker {
    /// No name a certificate could bear.
    #[error("`mqtt.url` names the host `{0}`, which no certificate can bear: use its DNS name")]
    Name(String),
    /// Certificates to trust that are none.
    #[error("`mqtt.ca_file` is not usable ({0}): export the authority's certificate as PEM")]
    Authority(String),
    /// No certificates to trust.
    #[error("no trusted certificates were found on this system: set `mqtt.ca_file`")]
    NoAuthority,
    /// A certificate or key that cannot be used.
    #[error(
        "`mqtt.client_cert_file` with `mqtt.client_key_file` is not usable ({0}): export both as \
         PEM, the key unencrypted"
    )]
    Client(String),
}

impl fmt::Display for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls.is_some() { "mqtts" } else { "mqtt" };
        if self.host.contains(':') {
            write!(f, "{scheme}://[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{scheme}://{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Debug for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Broker {
    /// A broker that lets everybody in, unencrypted.
    #[must_use]
    pub fn new(host: &str, port: u16) -> Self {
        let host = host.trim_start_matches('[').trim_end_matches(']').into();
        Self { host, port, tls: None, login: None, rivals: Rivals::default() }
    }

    /// The broker of `[mqtt]`.
    ///
    /// # Errors
    /// [`BadBroker`] says which key to change.
    pub fn of(mqtt: &standpipe_config::MqttConfig) -> Result<Self, BadBroker> {
        let mut broker = Self::new(&mqtt.broker.host, mqtt.broker.port);
        if let Some(user) = &mqtt.username {
            let password = mqtt.password.as_ref().map_or("", |password| password.expose());
            broker = broker.with_login(user, password);
        }
        if mqtt.broker.tls {
            let client = mqtt.client.as_ref();
            let client =
                client.map(|client| (&*client.certificate, client.key.expose().as_bytes()));
            broker = broker.with_tls(mqtt.ca.as_deref(), client)?;
        }
        Ok(broker)
    }

    /// The same, for a user.
    #[must_use]
    pub fn with_login(self, user: &str, password: &str) -> Self {
        Self { login: Some(Login::new(user, password)), ..self }
    }

    /// The same, encrypted. `authority`: PEM of whom to believe; `None`: whom the system believes.
    /// `client`: PEM of our certificate and its key.
    ///
    /// # Errors
    /// [`BadBroker`] says which key of the configuration to change.
    pub fn with_tls(
        self,
        authority: Option<&[u8]>,
        client: Option<(&[u8], &[u8])>,
    ) -> Result<Self, BadBroker> {
        let name = ServerName::try_from(self.host.to_string())
            .map_err(|_| BadBroker::Name(self.host.to_string()))?;
        let bad = |why: pki_types::pem::Error| BadBroker::Authority(why.to_string());
        let authorities = match authority {
            Some(pem) => certificates(pem).map_err(bad)?,
            // Where they are, `SSL_CERT_FILE` may say, as it does for other programs.
            None => rustls_native_certs::load_native_certs().certs,
        };
        if authority.is_none() && authorities.is_empty() {
            return Err(BadBroker::NoAuthority);
        }
        let connector = connector(authorities, client)?;
        Ok(Self { tls: Some((connector, name)), ..self })
    }

    /// Opens the byte stream.
    pub(super) async fn open(&self) -> io::Result<Box<dyn Stream>> {
        let tcp = TcpStream::connect((&*self.host, self.port)).await?;
        tcp.set_nodelay(true)?;
        Ok(match &self.tls {
            None => Box::new(tcp),
            Some((connector, name)) => Box::new(connector.connect(name.clone(), tcp).await?),
        })
    }
}

fn connector(
    authorities: Vec<CertificateDer<'static>>,
    client: Option<(&[u8], &[u8])>,
) -> Result<TlsConnector, BadBroker> {
    let mut roots = RootCertStore::empty();
    let (taken, _) = roots.add_parsable_certificates(authorities);
    if taken == 0 {
        return Err(BadBroker::Authority("no certificate in it".to_owned()));
    }
    let builder =
        ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|why| BadBroker::Authority(why.to_string()))?
            .with_root_certificates(roots);
    let config = match client {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => {
            let bad = |why: pki_types::pem::Error| BadBroker::Client(why.to_string());
            let key = PrivateKeyDer::from_pem_slice(key).map_err(bad)?;
            builder
                .with_client_auth_cert(certificates(certificate).map_err(bad)?, key)
                .map_err(|why| BadBroker::Client(why.to_string()))?
        }
    };
    Ok(TlsConnector::from(Arc::new(config)))
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, pki_types::pem::Error> {
    CertificateDer::pem_slice_iter(pem).collect()
}

#[cfg(test)]
mod tests {
    use super::Broker;

    #[test]
    fn an_address_is_shown_as_it_is_written() {
        for (host, expected) in [
            ("broker", "mqtt://broker:1883"),
            ("10.0.0.7", "mqtt://10.0.0.7:1883"),
            ("[::1]", "mqtt://[::1]:1883"),
        ] {
            assert_eq!(Broker::new(host, 1883).to_string(), expected);
        }
    }

    #[test]
    fn a_file_that_is_no_certificate_says_which_key_to_change() {
        let broker = || Broker::new("broker", 8883);
        let bad = broker().with_tls(Some(b"hello"), None).expect_err("no PEM").to_string();
        assert!(bad.starts_with("`mqtt.ca_file` is not usable"), "{bad}");
        let bad = Broker::new("no name", 8883).with_tls(None, None).expect_err("no DNS name");
        assert!(bad.to_string().contains("`no name`"), "{bad}");
    }
}
