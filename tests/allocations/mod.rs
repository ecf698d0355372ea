//! An allocator that counts allocations by thread, so that tests may run in parallel.

#![expect(unsafe_code, reason = "a global allocator has no safe form")]
#![allow(dead_code, reason = "each test uses a part")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    /// The number of allocations of this thread.
    static COUNT: Cell<u64> = const { Cell::new(0) };
    /// Bytes that it has allocated and not freed; wraps below zero if it frees allocations of other threads.
    static HELD: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

impl Counting {
    fn count(allocations: u64, more: usize, less: usize) {
        // The counters of a thread that is ending are gone.
        COUNT.try_with(|count| count.set(count.get() + allocations)).ok();
        HELD.try_with(|held| held.set(held.get().wrapping_add(more).wrapping_sub(less))).ok();
    }
}

// SAFETY: all calls are forwarded to the system allocator; counting does not allocate.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        Self::count(1, layout.size(), 0);
        // SAFETY: the caller upholds the same contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        Self::count(1, layout.size(), 0);
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        Self::count(1, size, layout.size());
        // SAFETY: as above.
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        Self::count(0, 0, layout.size());
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The number of allocations of this thread so far.
pub(crate) fn so_far() -> u64 {
    COUNT.get()
}

/// The number of allocations of a closure.
pub(crate) fn allocations(of: impl FnOnce()) -> u64 {
    let before = so_far();
    of();
    so_far() - before
}

/// The number of bytes that dropping a value frees.
pub(crate) fn size_of<T>(value: T) -> usize {
    let before = HELD.get();
    drop(value);
    before.wrapping_sub(HELD.get())
}

#[test]
fn allocations_and_bytes_are_counted() {
    assert_eq!(allocations(|| drop(std::hint::black_box(Box::new(7)))), 1);
    assert_eq!(allocations(|| ()), 0);
    assert_eq!(size_of(std::hint::black_box(vec![7_u8; 1000])), 1000);
    assert_eq!(size_of(7), 0);
}
