//! The shell, at every kind of descriptor it may be started with.
#![expect(clippy::disallowed_methods, reason = "the other ends of the descriptors are threads that take their time")]

mod backpressure;
mod children;
mod descriptors;
mod echo;
mod flags;
mod long_lines;
mod timers;
