//! Instructions for calls that a carrier's application answers.

use axum::Router;
use axum::routing::any;
use tokio::net::TcpListener;

/// A server of TeXML that has the call wait; its address.
pub(crate) async fn instructions() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}/flow.xml", listener.local_addr().expect("an address"));
    let waits = any(async || "<Response><Pause length=\"600\"/></Response>");
    let router = Router::new().route("/flow.xml", waits);
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}
