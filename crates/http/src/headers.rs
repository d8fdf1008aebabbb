//! Headers that every answer has, whatever it says.

use crate::{
    cors::CorsOrigins,
    deprecation::{DEPRECATED, Deprecated},
};
use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderMap, HeaderValue, REFERRER_POLICY,
    STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS,
};

/// An answer of the API is no page: nothing in it may run, load anything, or be framed.
const NOTHING: HeaderValue = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");

/// Swagger UI runs its own scripts, and asks this service alone. It sets styles in elements.
const SWAGGER_UI: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
     font-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

/// Two years, as those ask for who preload it.
const HTTPS_ONLY: HeaderValue = HeaderValue::from_static("max-age=63072000");

/// What the operator says of how the service is reached.
#[derive(Debug, Clone, Default)]
pub struct WebSettings {
    /// Whose pages may use the API.
    pub origins: CorsOrigins,
    /// Whether clients reach it over TLS, and are to do so in future.
    pub https: bool,
}

/// What is put on every answer.
#[derive(Debug, Clone)]
pub(crate) struct Headers {
    pub(crate) origins: CorsOrigins,
    https: bool,
    deprecated: &'static [Deprecated],
}

impl Headers {
    pub(crate) fn new(settings: WebSettings) -> Self {
        Self {
            origins: settings.origins,
            https: settings.https,
            deprecated: DEPRECATED,
        }
    }

    /// The same service with other operations on their way out.
    #[cfg(test)]
    pub(crate) fn deprecating(deprecated: &'static [Deprecated]) -> Self {
        Self {
            deprecated,
            ..Self::new(WebSettings::default())
        }
    }

    /// Finishes the headers of an answer to a request for this path.
    pub(crate) fn finish(
        &self,
        (origin, path, method): (Option<&HeaderValue>, &str, &str),
        response: &mut HeaderMap,
    ) {
        let is_page = path == "/docs" || path.starts_with("/docs/");
        let policy = if is_page { SWAGGER_UI } else { NOTHING };
        response.insert(CONTENT_SECURITY_POLICY, policy);
        let nosniff = HeaderValue::from_static("nosniff");
        response.insert(X_CONTENT_TYPE_OPTIONS, nosniff);
        let no_referrer = HeaderValue::from_static("no-referrer");
        response.insert(REFERRER_POLICY, no_referrer);
        if self.https {
            response.insert(STRICT_TRANSPORT_SECURITY, HTTPS_ONLY);
        }
        if !response.contains_key(CACHE_CONTROL) {
            // The files of Swagger UI, which change with the program; nothing else may be kept unless it says so.
            let cache = if is_page {
                "public, max-age=3600"
            } else {
                "no-store"
            };
            response.insert(CACHE_CONTROL, HeaderValue::from_static(cache));
        }
        self.origins.mark(origin, response);
        Deprecated::announce(self.deprecated, (path, method), response);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finished(https: bool, path: &str) -> HeaderMap {
        let headers = Headers::new(WebSettings {
            https,
            ..WebSettings::default()
        });
        let mut response = HeaderMap::new();
        headers.finish((None, path, "GET"), &mut response);
        response
    }

    #[test]
    fn transport_security_is_promised_only_over_tls() {
        assert!(finished(true, "/").contains_key(STRICT_TRANSPORT_SECURITY));
        assert!(!finished(false, "/").contains_key(STRICT_TRANSPORT_SECURITY));
    }

    #[test]
    fn scripts_run_under_docs_alone() {
        for (path, runs) in [
            ("/docs/", true),
            ("/docs/index.html", true),
            ("/docsx", false),
            ("/api/openapi.json", false),
        ] {
            let response = finished(false, path);
            let policy = response.get(CONTENT_SECURITY_POLICY).unwrap();
            let policy = policy.to_str().unwrap();
            assert_eq!(policy.contains("script-src 'self'"), runs, "{path}");
            assert!(policy.contains("frame-ancestors 'none'"), "{path}");
        }
    }
}
