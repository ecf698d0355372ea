//! Threads that share work out, and give the results back in order.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// What `work` makes of each item, in their order, by so many threads.
pub(super) fn share<T: Sync, R: Send + Sync>(threads: usize, items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let results: Vec<_> = items.iter().map(|_| OnceLock::new()).collect();
    let worker = || loop {
        let index = next.fetch_add(1, Ordering::Relaxed);
        let (Some(item), Some(result)) = (items.get(index), results.get(index)) else { return };
        result.get_or_init(|| work(item));
    };
    thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(worker))));
    results.into_iter().map(|result| result.into_inner().expect("no thread panicked")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_in_order_whatever_the_number_of_threads() {
        let numbers: Vec<u64> = (0..100).collect();
        let squares: Vec<u64> = numbers.iter().map(|number| number * number).collect();
        for threads in [1, 2, 7, 200] {
            assert_eq!(share(threads, &numbers, |number| number * number), squares);
        }
    }
}
