//! What stands between the nodes and PostgreSQL: it lets through, cuts, hangs, or takes away the
//! answer to a COMMIT.

use std::{net::SocketAddr, sync::Arc};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::watch,
};
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Open,
    /// New connections are refused, old ones cut.
    Shut,
    /// Nothing moves, nothing ends.
    Hung,
    /// A COMMIT reaches the server; its answer reaches nobody.
    CutCommits,
}

#[derive(Debug)]
pub(crate) struct Gate {
    pub(crate) address: SocketAddr,
    mode: Arc<watch::Sender<Mode>>,
    _task: AbortOnDropHandle<()>,
}

impl Gate {
    pub(crate) async fn before(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mode = Arc::new(watch::Sender::new(Mode::Open));
        let seen = mode.subscribe();
        let task = async move {
            let connections = TaskTracker::new();
            loop {
                let Ok((client, _)) = listener.accept().await else { continue };
                if *seen.borrow() != Mode::Shut {
                    connections.spawn(forward(client, port, seen.clone()));
                }
            }
        };
        Self { address, mode, _task: AbortOnDropHandle::new(TaskTracker::new().spawn(task)) }
    }

    pub(crate) fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }
}

/// Forwards until either side ends, or the gate says so.
async fn forward(mut client: TcpStream, port: u16, mut mode: watch::Receiver<Mode>) {
    let Ok(mut server) = TcpStream::connect(("127.0.0.1", port)).await else { return };
    let (mut asked, mut answered) = (vec![0; 16 * 1024], vec![0; 16 * 1024]);
    let mut committing = false;
    loop {
        let now = *mode.borrow_and_update();
        if now == Mode::Shut {
            return;
        }
        let moves = now != Mode::Hung;
        tokio::select! {
            read = client.read(&mut asked), if moves => {
                let Ok(count @ 1..) = read else { return };
                let statement = &asked[..count];
                committing = now == Mode::CutCommits
                    && statement.windows(6).any(|window| window == b"COMMIT");
                if server.write_all(statement).await.is_err() {
                    return;
                }
            }
            read = server.read(&mut answered), if moves => {
                let Ok(count @ 1..) = read else { return };
                // It is committed, and the node will never hear so.
                if committing || client.write_all(&answered[..count]).await.is_err() {
                    return;
                }
            }
            changed = mode.changed() => if changed.is_err() { return },
        }
    }
}
