//! The nodes: one small state machine for each challenge.

pub mod broadcast;
pub mod echo;
pub mod unique_ids;

pub use broadcast::Broadcast;
pub use echo::Echo;
pub use unique_ids::UniqueIds;
