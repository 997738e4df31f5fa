//! Settings that make no sense, listening on 127.0.0.1, and ending.

use std::{io, net::Ipv4Addr, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::{ConnectInfo, Request, State},
    middleware::{self, Next},
    response::Response,
};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::{
    clock::Pace,
    socket::{CuttableListener, Wire, cut},
};

/// How long a stop waits for connections to close before it cuts them.
const STOP_PATIENCE: Duration = Duration::from_secs(1);

/// Why a config cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(pub String);

impl ConfigError {
    /// Time must pass, and forwards.
    pub(crate) fn check_speed(speed: f64) -> Result<(), Self> {
        if Pace::new(speed).is_some() {
            return Ok(());
        }
        Err(Self(format!("speed must be positive and finite, not {speed}")))
    }
}

/// A listener, and where clients reach it.
pub(crate) async fn bind(port: u16) -> io::Result<(TcpListener, String)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    let origin = format!("http://{}", listener.local_addr()?);
    Ok((listener, origin))
}

/// What is being served.
pub(crate) struct Server(JoinHandle<io::Result<()>>);

/// Serves on connections that handlers can cut, until `stopping`.
pub(crate) fn serve(listener: TcpListener, routes: Router, stopping: &CancellationToken) -> Server {
    let routes = routes.layer(middleware::from_fn_with_state(stopping.clone(), until_stopped));
    let service = routes.into_make_service_with_connect_info::<Wire>();
    let server = axum::serve(CuttableListener(listener), service)
        .with_graceful_shutdown(stopping.clone().cancelled_owned());
    Server(tokio::spawn(server.into_future()))
}

impl Server {
    /// Waits for the end, but not for long.
    pub(crate) async fn ended(mut self) {
        if tokio::time::timeout(STOP_PATIENCE, &mut self.0).await.is_err() {
            self.0.abort();
        }
    }
}

/// A stop cuts what is still being served, hanging requests above all.
async fn until_stopped(
    State(stopping): State<CancellationToken>,
    ConnectInfo(wire): ConnectInfo<Wire>,
    request: Request<Body>,
    next: Next,
) -> Response {
    let served = stopping.run_until_cancelled(next.run(request)).await;
    served.unwrap_or_else(|| cut(&wire))
}
