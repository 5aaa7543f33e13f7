//! By whom the certificate of whoever is spoken to over HTTPS or SMTP must be signed to be believed: by a public authority or one that
//! this system trusts (`SSL_CERT_FILE` and `SSL_CERT_DIR` say where those are, as they do for other
//! programs), or, with `ca_file`, by those alone.
//!
//! Beside it [`Secret`], a text that is never printed. Both are read from files by the configuration
//! and used by whoever speaks to somebody: receivers of pages, InfluxDB, another gateway's API.

mod secret;

use lettre::transport::smtp::client::{Certificate, CertificateStore, TlsParameters};
use reqwest::{ClientBuilder, Url};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

pub use secret::Secret;

/// Authorities that are believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorities {
    /// Whether the public ones that this program knows are among them.
    public: bool,
    authorities: Vec<CertificateDer<'static>>,
}

/// What makes clients of HTTP for this address: they believe those of `own`, or whom [`Authorities::system`]
/// does. Where nothing is encrypted there is nobody to believe, and nothing is read.
pub fn believing(
    url: &Url,
    own: Option<&Authorities>,
) -> impl Fn(ClientBuilder) -> ClientBuilder + use<> {
    let encrypted = url.scheme() == "https";
    let trust = encrypted.then(|| own.cloned().unwrap_or_else(Authorities::system));
    move |builder| match &trust {
        Some(trust) => trust.client(builder),
        None => builder,
    }
}

impl Authorities {
    /// The public ones, and those of the system. What the system has that is no authority's
    /// certificate is passed over.
    #[must_use]
    pub fn system() -> Self {
        let found = rustls_native_certs::load_native_certs();
        for bad in &found.errors {
            tracing::warn!("a certificate of this system is passed over ({bad})");
        }
        Self { public: true, authorities: found.certs.into_iter().filter(is_usable).collect() }
    }

    /// Those of a `ca_file` alone.
    ///
    /// # Errors
    /// In words, when it is not PEM, or one of its certificates is no authority's.
    pub fn only(pem: &[u8]) -> Result<Self, String> {
        const EXPORT: &str = "export the authority's certificate as PEM";
        let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
        let authorities = read.map_err(|bad| format!("is not PEM ({bad}): {EXPORT}"))?;
        if authorities.is_empty() {
            return Err(format!("no certificate in that file: {EXPORT}"));
        }
        match authorities.iter().position(|authority| !is_usable(authority)) {
            Some(at) => Err(format!("certificate {} in that file can't be read: {EXPORT}", at + 1)),
            None => Ok(Self { public: false, authorities }),
        }
    }

    /// Whether a `ca_file` says who is believed.
    #[must_use]
    pub const fn is_own(&self) -> bool {
        !self.public
    }

    /// A client of HTTP that goes by this.
    pub fn client(&self, builder: ClientBuilder) -> ClientBuilder {
        let certificates = self.authorities.iter().filter_map(|authority| {
            reqwest::Certificate::from_der(authority).ok() // which looks at nothing yet
        });
        certificates
            .fold(builder.tls_built_in_root_certs(self.public), ClientBuilder::add_root_certificate)
    }

    /// The same of SMTP, for a server of that name.
    ///
    /// # Errors
    /// What `lettre` says.
    pub fn smtp(&self, host: String) -> Result<TlsParameters, lettre::transport::smtp::Error> {
        let store =
            if self.public { CertificateStore::WebpkiRoots } else { CertificateStore::None };
        let mut parameters = TlsParameters::builder(host).certificate_store(store);
        for authority in &self.authorities {
            parameters =
                parameters.add_root_certificate(Certificate::from_der(authority.to_vec())?);
        }
        parameters.build()
    }
}

/// Whether it can be an authority: one that can't would make the whole client unusable.
fn is_usable(certificate: &CertificateDer<'static>) -> bool {
    RootCertStore::empty().add(certificate.clone()).is_ok()
}

#[cfg(test)]
mod tests {
    use super::Authorities;

    #[test]
    #[rustfmt::skip] // a table
    fn a_file_that_is_no_authority_says_what_to_do() {
        let export = "export the authority's certificate as PEM";
        let torn = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        for (pem, said) in [
            ("hello",                              format!("no certificate in that file: {export}")),
            ("-----BEGIN CERTIFICATE-----\nAAAA\n", "is not PEM (".to_owned()),
            (torn,                                 format!("certificate 1 in that file can't be read: {export}")),
        ] {
            let bad = Authorities::only(pem.as_bytes()).unwrap_err();
            assert!(bad.starts_with(&said) && bad.ends_with(export), "{bad}");
        }
    }

    /// `from_der` of reqwest and lettre look at nothing: whether a client can be made at all with what
    /// was let through is seen when it is.
    #[test]
    fn a_client_can_be_made_of_what_this_system_has() {
        let trust = Authorities::system();
        trust.client(reqwest::Client::builder()).build().unwrap();
        trust.smtp("mail.example".to_owned()).unwrap();
    }
}
