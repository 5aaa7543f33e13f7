//! Which devices are read by another decoder than ours, as their rows in the registry say: written
//! by the engine, looked up by sources.
//!
//! Not here: the decoders themselves, and which one that makes (`standpipe_rules::wire::decoder`).

use std::collections::HashMap;
use std::sync::Arc;

use standpipe_rules::registry::Device;
use tokio::sync::watch;

/// The table, shared by whoever holds a copy. A device that has ours is not in it.
#[derive(Clone, Debug, Default)]
pub struct ChosenDecoders(Arc<watch::Sender<HashMap<Box<str>, Box<str>>>>);

impl ChosenDecoders {
    /// As these rows say.
    #[must_use]
    pub fn of<'a>(devices: impl IntoIterator<Item = &'a Device>) -> Self {
        let table = Self::default();
        devices.into_iter().for_each(|device| table.put(device));
        table
    }

    /// The name of a device's decoder; `None`: ours.
    #[must_use]
    pub fn get(&self, device: &str) -> Option<Box<str>> {
        self.0.borrow().get(device).cloned()
    }

    /// A row is new, or has changed.
    pub(crate) fn put(&self, device: &Device) {
        self.0.send_if_modified(|table| match &*device.decoder {
            "" => table.remove(&device.id).is_some(),
            name => table.insert(device.id.clone(), name.into()).as_deref() != Some(name),
        });
    }
}
