//! HTTP/1.1 over TCP or TLS.

use crate::{failure::Failure, service::Url};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{Request, Response, StatusCode, body::Incoming, header};
use hyper_rustls::{ConfigBuilderExt, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use rustls::{ClientConfig, RootCertStore, crypto::ring};
use std::{error::Error, sync::Arc, time::Duration};
use tokio::time::timeout;

/// How long a connection may take to be made, and a whole request with its answer.
const CONNECT: Duration = Duration::from_secs(5);
const WHOLE: Duration = Duration::from_secs(30);

/// How long a stream may say nothing.
const SILENCE: Duration = Duration::from_mins(1);

/// Most bytes of an answer that is read whole.
const MAX_ANSWER: usize = 32 * 1024 * 1024;

/// There was no answer, or not to its end: what was asked for may have been done all the same.
#[derive(Debug, Clone)]
pub(crate) struct Lost(pub(crate) String);

/// An answer that was read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) media_type: String,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) location: Option<String>,
    pub(crate) body: Bytes,
}

/// A pool of connections.
#[derive(Debug, Clone)]
pub(super) struct Transport(Client<HttpsConnector<HttpConnector>, Full<Bytes>>);

impl Transport {
    /// With the certificates that the system trusts, where they are needed.
    pub(super) fn new(url: &Url) -> Result<Self, Failure> {
        let broken = |error: &dyn Error| Failure::other(format!("TLS cannot be set up: {error}"));
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| broken(&error))?;
        let config = if url.is_https {
            config.with_native_roots().map_err(|error| broken(&error))?
        } else {
            config.with_root_certificates(RootCertStore::empty())
        };
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(CONNECT));
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(config.with_no_client_auth())
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        Ok(Self(Client::builder(TokioExecutor::new()).build(connector)))
    }

    /// Asks, and reads the answer to its end.
    pub(super) async fn ask(&self, request: Request<Full<Bytes>>) -> Result<Answer, Lost> {
        let whole = async {
            let response = self.0.request(request).await.map_err(lost)?;
            read(response).await
        };
        timeout(WHOLE, whole).await.unwrap_or_else(|_| Err(late()))
    }

    /// Asks, and leaves the body to be read as it comes.
    pub(super) async fn open(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, Lost> {
        let begun = timeout(WHOLE, self.0.request(request)).await;
        begun.map_err(|_| late())?.map_err(lost)
    }
}

/// Reads an answer to its end.
pub(super) async fn read(response: Response<Incoming>) -> Result<Answer, Lost> {
    let (head, body) = response.into_parts();
    let text = |name| {
        let value = head.headers.get(name)?;
        value.to_str().ok().map(str::to_owned)
    };
    let retry_after = text(header::RETRY_AFTER).and_then(|text| text.trim().parse().ok());
    let (location, media_type) = (text(header::LOCATION), text(header::CONTENT_TYPE));
    let body = Limited::new(body, MAX_ANSWER).collect().await;
    let body = body.map_err(|error| Lost(deepest(error.as_ref())))?;
    Ok(Answer {
        status: head.status,
        media_type: media_type.unwrap_or_default(),
        retry_after: retry_after.map(Duration::from_secs),
        location,
        body: body.to_bytes(),
    })
}

/// The next piece of a body; none at its end.
pub(super) async fn piece(body: &mut Incoming) -> Result<Option<Bytes>, Lost> {
    loop {
        let frame = timeout(SILENCE, body.frame()).await.map_err(|_| late())?;
        match frame {
            None => return Ok(None),
            Some(Err(error)) => return Err(lost(error)),
            // Trailers are none of our business.
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    return Ok(Some(data));
                }
            }
        }
    }
}

fn late() -> Lost {
    Lost("no answer in time".to_owned())
}

fn lost(error: impl Error + 'static) -> Lost {
    Lost(deepest(&error))
}

/// What the system says, below what every layer adds to it.
fn deepest(error: &(dyn Error + 'static)) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}
