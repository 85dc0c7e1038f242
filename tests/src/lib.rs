//! End-to-end tests - the real daemon on real sockets.
