//! The tests of luma-client over real sockets: one binary, a file a subject.
