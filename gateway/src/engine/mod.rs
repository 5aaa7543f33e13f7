//! The one writer: what arrives is stepped, committed in one transaction, and only then
//! acknowledged.

mod bells;
mod inbox;

pub use bells::{Bells, Rings, bells};
pub use inbox::{
    ACK_QUEUE, Acks, Ask, BULK_QUEUE, Delivery, EngineHandle, Inbox, Lane, Queues, URGENT_QUEUE,
    Unavailable, acks, queues,
};
