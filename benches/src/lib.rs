//! The benchmarks are in the folders beside this one.
