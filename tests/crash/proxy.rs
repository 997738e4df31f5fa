//! Stands between a worker and Postgres, and cuts the connection at the worst of moments.

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::watch;
use url::Url;

/// Takes connections by TCP and passes them on to a server's Unix socket.
pub(super) struct Proxy {
    url: String,
    counts: Arc<Counts>,
    silence: watch::Sender<()>,
}

/// What is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// Nothing.
    Nothing,
    /// The ends of transactions.
    Commits,
    /// Single statements, inside of transactions and outside: claims, leases, notices.
    Statements,
}

/// How many exchanges were cut.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cuts {
    /// After the server had carried them out, before the client could hear of it.
    pub(super) answered: u32,
    /// Before the server heard of them.
    pub(super) unsent: u32,
}

struct Counts {
    target: Target,
    every: u32,
    begun: AtomicBool,
    met: AtomicU32,
    answered: AtomicU32,
    unsent: AtomicU32,
}

enum Fate {
    Pass,
    CutBeforeAnswer,
    CutBeforeSending,
}

impl Proxy {
    /// A proxy that, once told to begin, cuts every so many: now before they are sent, now before they are answered.
    pub(super) async fn to(database: &str, target: Target, every: u32) -> Self {
        let mut url = Url::parse(database).expect("a URL");
        let query: HashMap<String, String> = url.query_pairs().into_owned().collect();
        let port = url.port().expect("it has a port");
        let socket = PathBuf::from(&query["host"]).join(format!(".s.PGSQL.{port}"));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        url.set_host(Some("127.0.0.1")).expect("a host");
        url.set_port(Some(port)).expect("a port");
        url.set_query(Some("sslmode=disable"));
        let zero = || AtomicU32::new(0);
        let counts = Arc::new(Counts {
            target,
            every,
            begun: AtomicBool::new(false),
            met: zero(),
            answered: zero(),
            unsent: zero(),
        });
        let silence = watch::Sender::new(());
        tokio::spawn(listen(listener, socket, Arc::clone(&counts), silence.clone()));
        Self { url: url.to_string(), counts, silence }
    }

    /// The database, through the proxy.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Cuts from now on. What starts anew when its database fails is to be through with its start by then: that takes
    /// more statements with each migration.
    pub(super) fn begin(&self) {
        self.counts.begun.store(true, Ordering::Relaxed);
    }

    /// From now on nothing passes over the connections that there are, and nobody is told: as when
    /// the machine behind them is gone. New ones are as good as ever.
    pub(super) fn fall_silent(&self) {
        self.silence.send_replace(());
    }

    pub(super) fn cuts(&self) -> Cuts {
        let Counts { answered, unsent, .. } = &*self.counts;
        Cuts { answered: answered.load(Ordering::Relaxed), unsent: unsent.load(Ordering::Relaxed) }
    }
}

impl Counts {
    /// What becomes of this message.
    fn fate(&self, message: &[u8]) -> Fate {
        let meets = match self.target {
            Target::Nothing => false,
            Target::Commits => message == b"Q\0\0\0\x0bCOMMIT\0",
            // The end of a statement with its arguments.
            Target::Statements => message == b"S\0\0\0\x04",
        };
        let meets = meets && self.begun.load(Ordering::Relaxed);
        let n = self.met.fetch_add(u32::from(meets), Ordering::Relaxed) + 1;
        if !meets || !n.is_multiple_of(self.every) {
            return Fate::Pass;
        }
        if (n / self.every).is_multiple_of(2) {
            self.unsent.fetch_add(1, Ordering::Relaxed);
            Fate::CutBeforeSending
        } else {
            self.answered.fetch_add(1, Ordering::Relaxed);
            Fate::CutBeforeAnswer
        }
    }
}

async fn listen(listener: TcpListener, socket: PathBuf, counts: Arc<Counts>, silence: watch::Sender<()>) {
    while let Ok((mut client, _)) = listener.accept().await {
        let (socket, counts, mut silent) = (socket.clone(), Arc::clone(&counts), silence.subscribe());
        tokio::spawn(async move {
            // However it ends, both sides are closed.
            let Ok(mut server) = UnixStream::connect(socket).await else { return };
            tokio::select! {
                _ = pass(&mut client, &mut server, &counts) => {}
                _ = silent.changed() => {
                    drop(server);
                    std::future::pending::<()>().await;
                }
            }
        });
    }
}

/// Passes on what is said until one side closes or it is cut.
async fn pass(client: &mut TcpStream, server: &mut UnixStream, counts: &Counts) -> io::Result<()> {
    client.set_nodelay(true)?;
    let (mut from_client, mut to_client) = client.split();
    let (mut from_server, mut to_server) = server.split();
    let cutting = tokio::sync::Notify::new();
    let asking = async {
        // The first message has no type.
        let mut message = sized(&mut from_client, vec![]).await?;
        loop {
            match counts.fate(&message) {
                Fate::Pass => to_server.write_all(&message).await?,
                Fate::CutBeforeSending => return Ok(()),
                Fate::CutBeforeAnswer => {
                    cutting.notify_one();
                    to_server.write_all(&message).await?;
                    return std::future::pending().await;
                }
            }
            let kind = from_client.read_u8().await?;
            message = sized(&mut from_client, vec![kind]).await?;
        }
    };
    let answering = async {
        let mut bytes = vec![0; 16 * 1024];
        loop {
            let count = tokio::select! {
                biased;
                count = from_server.read(&mut bytes) => count?,
                () = cutting.notified() => return until_ready(&mut from_server).await,
            };
            if count == 0 {
                return Ok(());
            }
            to_client.write_all(&bytes[..count]).await?;
        }
    };
    tokio::select! {
        ended = asking => ended,
        ended = answering => ended,
    }
}

/// Hears a server to the end of its answer: what it was asked has taken effect then.
async fn until_ready(from_server: &mut (impl AsyncRead + Unpin)) -> io::Result<()> {
    loop {
        let kind = from_server.read_u8().await?;
        sized(from_server, vec![kind]).await?;
        if kind == b'Z' {
            return Ok(());
        }
    }
}

/// The rest of a message that begins with its own length.
async fn sized(from: &mut (impl AsyncRead + Unpin), mut message: Vec<u8>) -> io::Result<Vec<u8>> {
    let length = from.read_u32().await?;
    message.extend(length.to_be_bytes());
    let body = usize::try_from(length).ok().and_then(|length| length.checked_sub(4));
    let body = body.ok_or(io::ErrorKind::InvalidData)?;
    let start = message.len();
    message.resize(start + body, 0);
    from.read_exact(&mut message[start..]).await?;
    Ok(message)
}
