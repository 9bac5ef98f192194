//! Luma.
