//! The HTTP server: everything that surrounds the routes.

use crate::{
    auth::authenticate,
    docs::{self, Published},
    headers::{Headers, WebSettings},
    observe::observe,
    openapi::routes,
    query::of_public_operations,
    state::AppState,
};
use actix_web::{
    App, HttpResponse, HttpServer,
    dev::{Server, ServerHandle},
    middleware::from_fn,
    web,
};
use std::{
    io,
    net::{SocketAddr, TcpListener},
    time::Duration,
};
use utoipa_actix_web::AppExt;

/// How long the headers of a request may take to arrive.
const HEADERS_DEADLINE: Duration = Duration::from_secs(10);

/// How long an idle connection is kept.
const KEEP_ALIVE: Duration = Duration::from_secs(75);

/// How long requests under way may take to finish when the service goes down.
const SHUTDOWN: u64 = 30;

/// A server that listens and has not begun to answer.
pub struct Bound {
    /// Where it listens.
    pub address: SocketAddr,
    /// Stops it.
    pub handle: ServerHandle,
    /// Answers until it is stopped.
    pub server: Server,
}

impl std::fmt::Debug for Bound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bound")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

/// Takes the address (port 0 takes any free one) and makes a server of so many threads, by default
/// one for each core.
///
/// Signals are left to the program, which has more to stop than this.
pub fn bind(
    state: &AppState,
    web: WebSettings,
    address: SocketAddr,
    workers: Option<usize>,
) -> io::Result<Bound> {
    let listener = TcpListener::bind(address)?;
    let address = listener.local_addr()?;
    let state = web::Data::new(state.clone());
    let headers = web::Data::new(Headers::new(web));
    let published = web::Data::new(Published::new());
    let mut server = HttpServer::new(move || {
        let (app, _) = App::new()
            .app_data(state.clone())
            .app_data(headers.clone())
            .app_data(published.clone())
            .into_utoipa_app()
            .configure(routes)
            .split_for_parts();
        app.configure(docs::routes)
            .default_service(web::to(nothing_here))
            .wrap(from_fn(of_public_operations))
            .wrap(from_fn(authenticate))
            .wrap(from_fn(observe))
    })
    .client_request_timeout(HEADERS_DEADLINE)
    .keep_alive(KEEP_ALIVE)
    .shutdown_timeout(SHUTDOWN)
    .disable_signals();
    if let Some(workers) = workers {
        server = server.workers(workers);
    }
    let server = server.listen(listener)?.run();
    let handle = server.handle();
    Ok(Bound {
        address,
        handle,
        server,
    })
}

/// No route matched; `observe` finds out whether it was the path or the method.
async fn nothing_here() -> HttpResponse {
    HttpResponse::NotFound().finish()
}
