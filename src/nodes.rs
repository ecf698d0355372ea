//! The nodes: one small state machine for each challenge.

pub mod broadcast;
pub mod echo;
pub mod g_counter;
pub mod g_set;
pub mod kafka;
pub mod lin_kv;
pub mod list_append;
pub mod pn_counter;
mod request_queue;
mod set;
pub mod txn;
pub mod unique_ids;
mod values;

pub use broadcast::Broadcast;
pub use echo::Echo;
pub use g_counter::GCounter;
pub use g_set::GSet;
pub use kafka::Kafka;
pub use lin_kv::LinKv;
pub use list_append::ListAppend;
pub use pn_counter::PnCounter;
pub use txn::Txn;
pub use unique_ids::UniqueIds;
