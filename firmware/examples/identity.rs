//! Makes the identity page of a device: JSON in, page out.
//!
//! ```sh
//! cargo run -p standpipe-firmware --example identity < me.json > me.bin
//! ```

use std::io::{Error, Read, Write};

use standpipe_firmware::identity::{Identity, PAGE};

fn main() -> Result<(), Error> {
    let mut json = String::new();
    std::io::stdin().read_to_string(&mut json)?;
    let identity: Identity<'_> = serde_json::from_str(&json)
        .map_err(|bad| Error::other(format!("no identity: {bad}: compare with the README")))?;
    let mut page = [0xFF; PAGE];
    identity.write(&mut page).map_err(|_| {
        Error::other(format!("longer than {PAGE} bytes: shorten names or password"))
    })?;
    // What the device will refuse is refused here.
    Identity::read(&page).map_err(|bad| Error::other(bad.to_string()))?;
    std::io::stdout().write_all(&page)
}
