//! temporary
use crate::time::Time;
/// What the loop drives.
pub trait Machine {
    /// Handles
    fn feed(&mut self, buffer: &mut [u8], lines: usize, now: Time);
    /// Fires what is due.
    fn expire(&mut self, now: Time);
    /// The next instant at which `expire` has something to do.
    fn deadline(&self) -> Option<Time>;
    /// Bytes to be written, whole lines; the shell drains it.
    fn output(&mut self) -> &mut Vec<u8>;
}
