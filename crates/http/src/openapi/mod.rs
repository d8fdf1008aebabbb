//! The routes of the service, and the OpenAPI document that they make.

mod describe;
mod links;

pub(crate) use describe::operations_mut;

use crate::{
    alert, alert_rule, api_key, auth, conditional,
    deprecation::{DEPRECATED, Deprecated},
    device, health,
    problem::{
        self, FieldError, FieldErrorCode, ItemErrorCode, ProblemCode, ProblemView,
        documented_responses,
    },
    reading,
    reading::RejectedBatchView,
    rejection, rollup, session, signing_key, user, verification,
};
use actix_web::App;
use utoipa::{
    OpenApi, PartialSchema, ToSchema,
    openapi::{
        OpenApi as Document, RefOr, Schema,
        security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};
use utoipa_actix_web::{AppExt, scope, service_config::ServiceConfig};

/// Where everything versioned lives.
pub(crate) const BASE: &str = "/api/v1";

/// All routes. What is not registered here is not in the document, and the other way round.
pub(crate) fn routes(config: &mut ServiceConfig) {
    config.service(
        scope::scope(BASE)
            .configure(user::routes)
            .configure(session::routes)
            .configure(api_key::routes)
            .configure(verification::routes)
            .configure(device::routes)
            .configure(reading::routes)
            .configure(rejection::routes)
            .configure(rollup::routes)
            .configure(alert_rule::routes)
            .configure(alert::routes),
    );
    signing_key::routes(config);
    health::routes(config);
    problem::routes(config);
}

/// What the document says beside the routes.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Readout",
        description = "IoT telemetry: devices post exact decimal readings, readings roll up by \
            device, metric and time, threshold rules fire and resolve alerts.\n\n\
            Users authenticate with `Authorization: Bearer <access token>`, their programs with \
            `Authorization: Bearer rpk_…` (an API key, where it has the scope), devices with \
            `X-Device-Key: rdk_…`. Times are RFC 3339 in UTC. Values are JSON numbers of up to 28 \
            significant digits, kept exactly: read them with a decimal type (this page shows them as JavaScript \
            rounds them). Every failure is \
            `application/problem+json` (RFC 9457) with a stable `code`; its `type` leads to a page that says what to do. \
            Below `/api/v1` query parameters and members that are not known are refused by name. Every GET can be asked as HEAD.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
    ),
    servers((url = "/", description = "This instance")),
    security(("bearer" = [])),
    tags(
        (name = "auth", description = "Sign up, sign in, stay signed in, and make keys for programs"),
        (name = "devices", description = "Provision devices and keep their settings"),
        (name = "readings", description = "Post readings, read them as they were stored, and find out why one was not"),
        (name = "rollups", description = "Readings summed up by windows of time"),
        (name = "alert rules", description = "Which readings are worth an alert"),
        (name = "alerts", description = "What the rules found"),
        (name = "problems", description = "What may go wrong, and what to do about it"),
        (name = "operations", description = "Health and figures, for those who run the service"),
    ),
)]
struct Base;

/// The OpenAPI 3.1 document of this version.
#[must_use]
pub fn document() -> Document {
    let (_, mut document) = App::new()
        .into_utoipa_app()
        .openapi(Base::openapi())
        .configure(routes)
        .split_for_parts();
    env!("CARGO_PKG_VERSION").clone_into(&mut document.info.version);
    let components = document.components.get_or_insert_default();
    for (name, schema) in [
        (ProblemView::name(), ProblemView::schema()),
        (FieldError::name(), FieldError::schema()),
        (ProblemCode::name(), ProblemCode::schema()),
        (FieldErrorCode::name(), FieldErrorCode::schema()),
        (ItemErrorCode::name(), ItemErrorCode::schema()),
        (RejectedBatchView::name(), RejectedBatchView::schema()),
    ] {
        components.schemas.insert(name.into_owned(), schema);
    }
    for name in ["ExactDecimal", "WideDecimal"] {
        // A client that takes them for binary floats loses the digits that we keep.
        if let Some(RefOr::T(Schema::Object(number))) = components.schemas.get_mut(name) {
            number.format = None;
        }
    }
    let problems = documented_responses();
    components
        .responses
        .extend(problems.into_iter().map(|(name, it)| (name, it.into())));
    auth::describe(&mut document);
    conditional::describe(&mut document);
    problem::describe(&mut document);
    describe::all(&mut document);
    links::describe(&mut document);
    Deprecated::describe(DEPRECATED, &mut document);
    let components = document.components.get_or_insert_default();
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("JWT")
        .description(Some(
            "The `access_token` of a sign-in; it lives for 15 minutes.",
        ))
        .build();
    let api_key = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("rpk_…")
        .description(Some(
            "An `api_key` that `POST /auth/api-keys` answered once. It does what its scopes cover; \
             each operation names the one that it needs.",
        ))
        .build();
    let key = ApiKeyValue::with_description(
        "X-Device-Key",
        "The `device_key` that provisioning answered once: `rdk_…`.",
    );
    components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
    components.add_security_scheme("api_key", SecurityScheme::Http(api_key));
    components.add_security_scheme("device_key", SecurityScheme::ApiKey(ApiKey::Header(key)));
    document
}
