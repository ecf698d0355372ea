//! A parallel map over scoped threads.

use std::sync::{Mutex, PoisonError};
use std::thread;

use super::IsCancelled;

/// The results of `work` for all items, in their order. Once `is_over` returns true no further item is begun. The
/// results are those of the items before that, and before the first for which there is none.
pub(super) fn parallel_map<T, R: Send>(
    threads: usize,
    items: impl Iterator<Item = T> + Send,
    is_over: &IsCancelled<'_>,
    work: impl Fn(T) -> Option<R> + Sync,
) -> Vec<R> {
    let items = Mutex::new(items.enumerate());
    let results = Mutex::new(Vec::new());
    let next = || items.lock().unwrap_or_else(PoisonError::into_inner).next();
    let worker = || {
        while !is_over() {
            let Some((index, item)) = next() else { return };
            if let Some(result) = work(item) {
                results.lock().unwrap_or_else(PoisonError::into_inner).push((index, result));
            }
        }
    };
    thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(worker))));
    let mut results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    // Items are begun in order.
    results.sort_by_key(|(index, _)| *index);
    let is_in_place = |(place, (index, _)): &(usize, (usize, R))| place == index;
    results.into_iter().enumerate().take_while(is_in_place).map(|(_, (_, result))| result).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn results_are_in_order_whatever_the_number_of_threads() {
        let squares: Vec<u64> = (0..100).map(|number| number * number).collect();
        for threads in [1, 2, 7, 200] {
            assert_eq!(parallel_map(threads, 0..100, &|| false, |number| Some(number * number)), squares);
        }
    }

    #[test]
    fn what_has_begun_when_it_is_over_is_finished_and_nothing_else_begins() {
        for threads in [1, 2, 7] {
            let begun = AtomicUsize::new(0);
            let is_over = || begun.load(Ordering::Relaxed) >= 10;
            let work = |number: usize| (begun.fetch_add(1, Ordering::Relaxed), Some(number)).1;
            let done = parallel_map(threads, 0..100, &is_over, work);
            assert_eq!(done, (0..begun.into_inner()).collect::<Vec<_>>());
            assert!((10..10 + threads).contains(&done.len()), "{}", done.len());
        }
    }

    #[test]
    fn nothing_counts_after_an_item_without_a_result() {
        let done = parallel_map(2, 0..100, &|| false, |number| (number != 50).then_some(number));
        assert_eq!(done, (0..50).collect::<Vec<_>>());
    }
}
