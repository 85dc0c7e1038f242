//! The admin server on a Unix socket: the kernel says who the peer is.

use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::UnixStream as StdUnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use axum::serve::Listener;
use tokio::net::unix::SocketAddr;
use tokio::net::{UnixListener, UnixStream};

/// A listening Unix socket that serves the user of this process and root.
pub(super) struct LocalSocket {
    listener: UnixListener,
    /// The user of this process.
    user: u32,
}

/// The file of a listening socket. It is removed when this is dropped.
pub(super) struct SocketFile(PathBuf);

impl LocalSocket {
    /// Binds the path. A socket that nobody listens on any more is replaced.
    ///
    /// # Errors
    /// The operating system's; `AddrInUse` when somebody listens there, or something else has the
    /// name.
    pub(super) fn bind(path: &Path) -> io::Result<(Self, SocketFile)> {
        if let Err(error) = StdUnixStream::connect(path)
            && error.kind() == io::ErrorKind::ConnectionRefused
        {
            std::fs::remove_file(path)?;
        }
        let listener = UnixListener::bind(path)?;
        let file = SocketFile(path.to_owned());
        // Peers are asked for by the kernel's word; the mode keeps others from trying.
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
        let user = std::fs::metadata(path)?.uid();
        Ok((Self { listener, user }, file))
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        // Without the file there is nothing to remove.
        let _ = std::fs::remove_file(&self.0);
    }
}

impl Listener for LocalSocket {
    type Io = UnixStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (UnixStream, SocketAddr) {
        loop {
            match self.listener.accept().await {
                Ok((stream, address)) => match stream.peer_cred() {
                    Ok(peer) if peer.uid() == self.user || peer.uid() == ROOT => {
                        return (stream, address);
                    }
                    Ok(peer) => {
                        let user = peer.uid();
                        tracing::warn!(user, "a peer of the admin socket was refused");
                    }
                    Err(error) => {
                        tracing::warn!(%error, "a peer of the admin socket is not known");
                    }
                },
                // Out of file descriptors, most likely: it passes.
                Err(error) => {
                    tracing::error!(%error, "the admin socket does not accept");
                    tokio::time::sleep(ACCEPT_DELAY).await;
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// The user who may do everything.
const ROOT: u32 = 0;
/// Wait after an accept that failed.
const ACCEPT_DELAY: Duration = Duration::from_millis(500);
