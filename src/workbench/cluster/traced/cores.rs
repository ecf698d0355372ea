//! A core for each cluster: a stop costs three times as much across cores.

use std::sync::{Mutex, PoisonError};

use rustix::thread::{CpuSet, sched_getaffinity, sched_getcpu, sched_setaffinity};

/// How many clusters of this process run on each core.
static CLUSTERS: Mutex<[u16; CpuSet::MAX_CPU]> = Mutex::new([0; CpuSet::MAX_CPU]);

/// The core on which a thread runs as long as this lives, with all that it starts meanwhile.
pub(super) struct Core {
    index: usize,
    /// Where the thread was allowed to run before; `None` if the system does not tell.
    before: Option<CpuSet>,
}

impl Core {
    /// Takes the core with the fewest clusters of this process: of several, the one on which this thread runs.
    pub(super) fn take() -> Self {
        let before = sched_getaffinity(None).ok();
        let current = sched_getcpu();
        let mut clusters = CLUSTERS.lock().unwrap_or_else(PoisonError::into_inner);
        let allowed = (0..CpuSet::MAX_CPU).filter(|core| before.is_none_or(|before| before.is_set(*core)));
        let index = allowed.min_by_key(|core| (clusters[*core], *core != current)).unwrap_or(current);
        clusters[index] += 1;
        let mut one = CpuSet::new();
        one.set(index);
        sched_setaffinity(None, &one).ok();
        Self { index, before }
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        CLUSTERS.lock().unwrap_or_else(PoisonError::into_inner)[self.index] -= 1;
        if let Some(before) = &self.before {
            sched_setaffinity(None, before).ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clusters_run_on_different_cores_and_the_thread_anywhere_afterwards() {
        let before = sched_getaffinity(None).expect("it is told");
        let allowed = before.count() as usize;
        let taken: Vec<_> = (0..allowed)
            .map(|_| std::thread::scope(|scope| scope.spawn(Core::take).join().expect("no panic")))
            .collect();
        let mut indices: Vec<_> = taken.iter().map(|core| core.index).collect();
        indices.sort_unstable();
        indices.dedup();
        assert_eq!(indices.len(), allowed);
        let core = Core::take();
        assert_eq!(sched_getaffinity(None).expect("it is told").count(), 1);
        drop(core);
        assert_eq!(sched_getaffinity(None).expect("it is told"), before);
    }
}
