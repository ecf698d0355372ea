//! A parallel map over scoped threads.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::IsCancelled;

/// The results of `work` for all items, in their order. Once `is_over` returns true no further item is begun. The
/// results are those of the items before that, and before the first for which there is none.
pub(super) fn parallel_map<T: Sync, R: Send + Sync>(
    threads: usize,
    items: &[T],
    is_over: &IsCancelled<'_>,
    work: impl Fn(&T) -> Option<R> + Sync,
) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let results: Vec<_> = items.iter().map(|_| OnceLock::new()).collect();
    let worker = || {
        while !is_over() {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let (Some(item), Some(result)) = (items.get(index), results.get(index)) else { return };
            if let Some(done) = work(item) {
                result.get_or_init(|| done);
            }
        }
    };
    thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(worker))));
    // Items are begun in order.
    results.into_iter().map_while(OnceLock::into_inner).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_in_order_whatever_the_number_of_threads() {
        let numbers: Vec<u64> = (0..100).collect();
        let squares: Vec<u64> = numbers.iter().map(|number| number * number).collect();
        for threads in [1, 2, 7, 200] {
            assert_eq!(parallel_map(threads, &numbers, &|| false, |number| Some(number * number)), squares);
        }
    }

    #[test]
    fn what_has_begun_when_it_is_over_is_finished_and_nothing_else_begins() {
        let numbers: Vec<usize> = (0..100).collect();
        for threads in [1, 2, 7] {
            let begun = AtomicUsize::new(0);
            let is_over = || begun.load(Ordering::Relaxed) >= 10;
            let work = |number: &usize| (begun.fetch_add(1, Ordering::Relaxed), Some(*number)).1;
            let done = parallel_map(threads, &numbers, &is_over, work);
            assert_eq!(done, numbers[..begun.into_inner()]);
            assert!((10..10 + threads).contains(&done.len()), "{}", done.len());
        }
    }

    #[test]
    fn nothing_counts_after_an_item_without_a_result() {
        let numbers: Vec<u64> = (0..100).collect();
        let done = parallel_map(2, &numbers, &|| false, |number| (*number != 50).then_some(*number));
        assert_eq!(done, numbers[..50]);
    }
}
