//! The nodes: one small state machine for each challenge.

pub mod echo;
pub mod unique_ids;

pub use echo::Echo;
pub use unique_ids::UniqueIds;
