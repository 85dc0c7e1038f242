//! A connection that the server refuses.

use std::io::{self, ErrorKind};

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

/// A connection is reset, while it is made or when it has been made.
///
/// # Panics
/// When it is not.
pub async fn expect_reset(connecting: impl Future<Output = io::Result<TcpStream>>) {
    let read = async { connecting.await?.read(&mut [0; 8]).await };
    let error = read.await.expect_err("the connection stays");
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}
