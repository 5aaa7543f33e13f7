//! The authority of one installation: who is who, by certificate (X.509, ECDSA P-256).
//!
//! Not here: who is to have one (`mod.rs`), and who had one (`ledger.rs`).

use std::path::Path;
use std::time::Duration;

use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DistinguishedName,
    DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose,
    RevokedCertParams, SerialNumber,
};
use standpipe_machine::entropy::Entropy;
use standpipe_machine::private_file::{ReadableBy, write};
use standpipe_rules::{DAY_MS, Ms};
use time::OffsetDateTime;

use super::{ProvisionError, read};

/// Its name in every certificate of devices, stations and the broker.
const NAME: &str = "Standpipe";
/// Its name in the certificates of programs.
const PROGRAMS: &str = "Standpipe programs";
/// It outlives every device it lets in: 40 years, in days.
const AUTHORITY_DAYS: i64 = 40 * 365;
/// A device whose clock is a little behind is let in all the same.
const BEFORE_MS: Ms = DAY_MS;
/// Bytes of a serial number: enough that none comes twice.
const SERIAL_BYTES: usize = 16;

/// Whom a certificate is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CertificateSubject<'a> {
    /// A client; its name is the user of the broker's rules.
    Client(&'a str),
    /// The broker, under the names and addresses it is reached by.
    Broker(&'a [String]),
}

/// When a certificate holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    pub from: Ms,
    pub until: Ms,
}

impl Validity {
    /// So many days from now on.
    #[must_use]
    pub const fn days(now: Ms, days: i64) -> Self {
        Self { from: now - BEFORE_MS, until: now + days * DAY_MS }
    }
}

/// A certificate with its key, as PEM.
pub struct Credential {
    /// In PEM.
    pub certificate: String,
    /// In PEM, PKCS #8, not encrypted.
    pub key: String,
    /// In hexadecimal.
    pub serial: String,
}

/// A certificate that is to be refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevokedCertificate {
    /// In hexadecimal.
    pub serial: String,
    /// When it was revoked.
    pub at: Ms,
}

/// Signs certificates and the list of revoked ones.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// PEM, for whoever shall believe it.
    pub certificate: String,
}

impl Authority {
    /// The one whose key and certificate are in this folder; made at the first time.
    ///
    /// # Errors
    /// [`ProvisionError`], also when one of the two files is missing: nobody would believe a new
    /// one.
    pub fn open(folder: &Path, now: Ms) -> Result<Self, ProvisionError> {
        Self::named(NAME, folder, now)
    }

    /// The one beside it that signs the gateway and the self-test alone: where programs come in, no
    /// device is believed, whatever session it asks for.
    ///
    /// # Errors
    /// As [`Authority::open`].
    pub fn of_programs(folder: &Path, now: Ms) -> Result<Self, ProvisionError> {
        Self::named(PROGRAMS, &folder.join("programs"), now)
    }

    fn named(name: &str, folder: &Path, now: Ms) -> Result<Self, ProvisionError> {
        let (key_file, certificate_file) = (folder.join("ca.key"), folder.join("ca.pem"));
        match (key_file.exists(), certificate_file.exists()) {
            (false, false) => {
                let key = KeyPair::generate()?;
                let certificate = params(name, now).self_signed(&key)?.pem();
                write(&key_file, key.serialize_pem().as_bytes(), ReadableBy::Owner)?;
                write(&certificate_file, certificate.as_bytes(), ReadableBy::All)?;
                Ok(Self { issuer: Issuer::new(params(name, now), key), certificate })
            }
            (true, true) => {
                let key = KeyPair::from_pem(&read(&key_file)?)?;
                let certificate = read(&certificate_file)?;
                Ok(Self { issuer: Issuer::new(params(name, now), key), certificate })
            }
            (true, false) => Err(ProvisionError::Half(certificate_file)),
            (false, true) => Err(ProvisionError::Half(key_file)),
        }
    }

    /// Makes a key, and a certificate for it.
    ///
    /// # Errors
    /// [`ProvisionError::Crypto`]: a name that is none, or no randomness.
    pub fn issue(
        &self,
        to: &CertificateSubject,
        when: Validity,
    ) -> Result<Credential, ProvisionError> {
        let mut params = match to {
            CertificateSubject::Client(_) => CertificateParams::default(),
            CertificateSubject::Broker(names) => CertificateParams::new(*names)?,
        };
        let (name, usage) = match to {
            CertificateSubject::Client(name) => (*name, ExtendedKeyUsagePurpose::ClientAuth),
            CertificateSubject::Broker(_) => ("broker", ExtendedKeyUsagePurpose::ServerAuth),
        };
        let mut serial = random::<SERIAL_BYTES>()?;
        // DER would put a byte in front of a first bit that is set, and drop a zero.
        serial[0] = serial[0] & 0x7f | 0x40;
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params.serial_number = Some(SerialNumber::from_slice(&serial));
        (params.not_before, params.not_after) = (time(when.from), time(when.until));
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![usage];
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?.pem();
        let serial = HEXLOWER.encode(&serial);
        Ok(Credential { certificate, key: key.serialize_pem(), serial })
    }

    /// The list of revoked certificates, PEM. It holds as long as the authority: a list that runs
    /// out would shut everybody out.
    ///
    /// # Errors
    /// [`ProvisionError::Crypto`], [`ProvisionError::Serial`].
    pub fn revoked(&self, list: &[RevokedCertificate], now: Ms) -> Result<String, ProvisionError> {
        let mut revoked_certs = Vec::with_capacity(list.len());
        for refused in list {
            revoked_certs.push(RevokedCertParams {
                serial_number: SerialNumber::from(bytes(&refused.serial)?),
                revocation_time: time(refused.at),
                reason_code: None,
                invalidity_date: None,
            });
        }
        let number = u64::try_from(now).unwrap_or_default();
        let list = CertificateRevocationListParams {
            this_update: time(now - BEFORE_MS),
            next_update: time(now + AUTHORITY_DAYS * DAY_MS),
            crl_number: SerialNumber::from(number),
            issuing_distribution_point: None,
            revoked_certs,
            key_identifier_method: KeyIdMethod::Sha256,
        };
        Ok(list.signed_by(&self.issuer)?.pem()?)
    }
}

fn params(name: &str, now: Ms) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let when = Validity::days(now, AUTHORITY_DAYS);
    (params.not_before, params.not_after) = (time(when.from), time(when.until));
    params
}

fn time(at: Ms) -> OffsetDateTime {
    let since = Duration::from_millis(u64::try_from(at).unwrap_or_default());
    OffsetDateTime::UNIX_EPOCH + since
}

/// Bytes that nobody can guess.
pub(super) fn random<const N: usize>() -> Result<[u8; N], ProvisionError> {
    Entropy::new().bytes().map_err(|_| ProvisionError::NoRandomness)
}

fn bytes(hex: &str) -> Result<Vec<u8>, ProvisionError> {
    let bytes = HEXLOWER_PERMISSIVE.decode(hex.as_bytes()).ok();
    bytes.filter(|bytes| !bytes.is_empty()).ok_or_else(|| ProvisionError::Serial(hex.to_owned()))
}
