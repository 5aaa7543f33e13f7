//! The signature by which a receiver knows that a page is ours and whole.

use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// The header that carries it.
pub const HEADER: &str = "X-Standpipe-Signature";

/// `sha256=` and the lower-case hex of HMAC-SHA256 (RFC 2104) of the body, keyed with the content
/// of `secret_file`.
#[must_use]
pub fn signature(secret: &[u8], body: &[u8]) -> String {
    format!("sha256={}", HEXLOWER.encode(&hmac_sha256(secret, body)))
}

/// HMAC-SHA256 (RFC 2104).
#[must_use]
pub fn hmac_sha256(key: &[u8], text: &[u8]) -> Vec<u8> {
    // HMAC takes a key of any length: there is no other way for this to fail.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return Vec::new() };
    mac.update(text);
    mac.finalize().into_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use super::signature;

    #[test]
    #[rustfmt::skip] // a table
    fn signatures_are_those_of_rfc_4231() {
        for (secret, body, expected) in [
            (&b"Jefe"[..], &b"what do ya want for nothing?"[..],
             "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
            (&[0x0b; 20], b"Hi There",
             "sha256=b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
            (&[0xaa; 131], b"Test Using Larger Than Block-Size Key - Hash Key First",
             "sha256=60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"),
        ] {
            assert_eq!(signature(secret, body), expected);
        }
    }
}
