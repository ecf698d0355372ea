//! The nodes: one small state machine for each challenge.

pub mod broadcast;
pub mod counter;
pub mod echo;
pub mod g_set;
pub mod set;
pub mod unique_ids;
pub mod values;

pub use broadcast::Broadcast;
pub use counter::Counter;
pub use echo::Echo;
pub use g_set::GSet;
pub use unique_ids::UniqueIds;
