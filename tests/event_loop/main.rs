//! The event loop, on every kind of descriptor.
#![expect(clippy::disallowed_methods, reason = "threads at the other ends of the descriptors sleep")]

mod backpressure;
mod children;
mod descriptors;
mod echo;
mod flags;
mod long_lines;
mod timers;
