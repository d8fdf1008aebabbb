//! The document and Swagger UI, for whoever asks.

use crate::{
    conditional::Tagged,
    openapi::document,
    problem::{Problem, ProblemKind},
};
use actix_web::{
    HttpRequest, HttpResponse,
    http::header,
    web::{self, Data, ServiceConfig},
};
use utoipa_swagger_ui::{Config, SwaggerUi};

/// Where the document is.
const DOCUMENT: &str = "/api/openapi.json";

/// The document as it is sent.
#[derive(Debug)]
pub(crate) struct Published(Option<Tagged>);

impl Published {
    pub(crate) fn new() -> Self {
        Self(Tagged::new(&document()).ok())
    }
}

pub(crate) fn routes(config: &mut ServiceConfig) {
    let to_docs = || async {
        HttpResponse::PermanentRedirect()
            .insert_header((header::LOCATION, "/docs/"))
            .finish()
    };
    config
        .route("/docs", web::get().to(to_docs))
        .route(DOCUMENT, web::get().to(document_show))
        .service(swagger_ui());
}

/// Asked for again each time, and sent again when it has changed: it changes with the program.
async fn document_show(request: HttpRequest, published: Data<Published>) -> HttpResponse {
    match &published.0 {
        Some(document) => document.clone().public(&request, "public, no-cache"),
        None => HttpResponse::from_error(Problem::new(ProblemKind::Internal)),
    }
}

fn swagger_ui() -> SwaggerUi {
    let config = Config::new([DOCUMENT])
        .persist_authorization(true)
        .try_it_out_enabled(true)
        .display_request_duration(true)
        // The document is not shown to a service elsewhere, which would have it checked.
        .validator_url("none");
    SwaggerUi::new("/docs/{_:.*}").config(config)
}
