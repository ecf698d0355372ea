//! Pins each cluster to a core: a stop costs three times as much across cores.

use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use rustix::thread::{CpuSet, sched_getaffinity, sched_getcpu, sched_setaffinity};

/// Pins a thread, and all that it starts, to a core until it is dropped.
pub(super) struct Core {
    /// The former affinity of the thread; `None` if that is unknown.
    before: Option<CpuSet>,
    _claim: Option<UnixDatagram>,
}

impl Core {
    /// Takes the core on which this thread runs, or another one if a cluster of any process has claimed that.
    pub(super) fn take() -> Self {
        let before = sched_getaffinity(None).ok();
        let current = sched_getcpu();
        let others =
            (0..CpuSet::MAX_CPU).filter(|core| *core != current && before.is_some_and(|before| before.is_set(*core)));
        let free = [current].into_iter().chain(others).find_map(|core| Some((core, claim(core)?)));
        let (index, claim) = free.map_or((current, None), |(core, claim)| (core, Some(claim)));
        let mut one = CpuSet::new();
        one.set(index);
        sched_setaffinity(None, &one).ok();
        Self { before, _claim: claim }
    }
}

/// Claims a core for as long as this socket is open: only one socket can have an address. `None` if it is taken.
fn claim(core: usize) -> Option<UnixDatagram> {
    let address = SocketAddr::from_abstract_name(format!("gloomers in virtual time on core {core}")).ok()?;
    UnixDatagram::bind_addr(&address).ok()
}

impl Drop for Core {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            sched_setaffinity(None, before).ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_cluster_claims_a_core_and_its_thread_runs_anywhere_afterwards() {
        let before = sched_getaffinity(None).expect("an affinity");
        let core = Core::take();
        assert_eq!(sched_getaffinity(None).expect("an affinity").count(), 1);
        assert!((0..CpuSet::MAX_CPU).filter(|core| before.is_set(*core)).any(|core| claim(core).is_none()));
        drop(core);
        assert_eq!(sched_getaffinity(None).expect("an affinity"), before);
    }
}
