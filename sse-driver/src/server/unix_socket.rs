//! A listening Unix socket, whose file is removed with the server.

use std::{
    fs, io,
    os::unix::{
        fs::{FileTypeExt, MetadataExt},
        net::{UnixDatagram, UnixListener as StdListener},
    },
    path::{Path, PathBuf},
};

use crate::{Runtime, UnixListener};

/// A listening socket, and its file if the server created it.
pub(super) struct UnixSocket {
    // This is first, so that the file is removed before the socket is closed: a server that starts in
    // between would take the file for one that is left over, and its own could get the same identity.
    _file: Option<SocketFile>,
    pub(super) listener: Box<dyn UnixListener>,
}

impl UnixSocket {
    /// Wraps a socket that is listening already. Its file belongs to its creator.
    pub(super) fn of<R: Runtime>(runtime: &R, listener: StdListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        Ok(Self {
            _file: None,
            listener: runtime.listen_unix(listener)?,
        })
    }

    /// Listens at `path`. The file of a socket on which no process listens any more is replaced.
    pub(super) fn bind<R: Runtime>(runtime: &R, path: &Path) -> io::Result<Self> {
        let listener = match StdListener::bind(path) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && is_left_over(path) => {
                fs::remove_file(path)?;
                StdListener::bind(path)?
            }
            bound => bound?,
        };
        let file = SocketFile::at(path);
        Ok(Self {
            _file: Some(file?),
            ..Self::of(runtime, listener)?
        })
    }
}

/// Returns whether this is the file of a socket whose process is gone.
///
/// A datagram socket asks: it is refused where there is no socket, and is of the wrong type where there is
/// one. It is no connection for that process, and never waits, as one does that the process does not accept.
fn is_left_over(path: &Path) -> bool {
    let is_socket = fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket());
    let refused = |error: io::Error| error.kind() == io::ErrorKind::ConnectionRefused;
    is_socket && UnixDatagram::unbound().is_ok_and(|asks| asks.connect(path).is_err_and(refused))
}

/// The file of a socket. Dropping this removes it, unless another server has put its own in its place by
/// then.
struct SocketFile {
    path: PathBuf,
    /// The device and the inode.
    identity: (u64, u64),
}

impl SocketFile {
    fn at(path: &Path) -> io::Result<Self> {
        Ok(Self {
            // The process may change its directory.
            path: std::path::absolute(path)?,
            identity: identity(path)?,
        })
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let file = fs::symlink_metadata(path)?;
    Ok((file.dev(), file.ino()))
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if identity(&self.path).is_ok_and(|identity| identity == self.identity) {
            // If it cannot be removed, the next server replaces it.
            let _ = fs::remove_file(&self.path);
        }
    }
}

// The tests need sockets that the standard library does not make.
#[cfg(test)]
#[cfg(feature = "system")]
mod tests;
