//! Incidents: what people handle, and who is told when. To come.

/// An incident's id.
pub type IncidentId = ulid::Ulid;
