//! Operations on their way out: what the document and every answer say of them (RFC 9745, RFC 8594).

use crate::operation;
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue, LINK};
use chrono::{DateTime, Utc};
use utoipa::openapi::{self, OpenApi, RefOr, header::HeaderBuilder, path::Operation};

/// An operation that is to be used no more.
#[derive(Debug)]
pub(crate) struct Deprecated {
    /// Its id in the document.
    pub(crate) operation: &'static str,
    /// Since when, as RFC 3339 has it; may lie ahead.
    pub(crate) since: &'static str,
    /// From when on it may be gone, as RFC 3339 has it.
    pub(crate) sunset: Option<&'static str>,
    /// Where to read what to do instead.
    pub(crate) more: &'static str,
}

/// Every one of them. To deprecate an operation is to add it here.
pub(crate) const DEPRECATED: &[Deprecated] = &[];

const DEPRECATION: HeaderName = HeaderName::from_static("deprecation");
const SUNSET: HeaderName = HeaderName::from_static("sunset");

impl Deprecated {
    /// Adds what is to be said of the operation that was asked for.
    pub(crate) fn announce(all: &[Self], (path, method): (&str, &str), headers: &mut HeaderMap) {
        if all.is_empty() {
            return;
        }
        let asked = operation::find(path, method).map(|it| it.id.as_str());
        let found = all.iter().find(|it| asked == Some(it.operation));
        for (name, value) in found.into_iter().flat_map(Self::fields) {
            headers.append(name, value);
        }
    }

    fn fields(&self) -> impl Iterator<Item = (HeaderName, HeaderValue)> {
        let since = instant(self.since).map(|at| format!("@{}", at.timestamp()));
        let sunset = self.sunset.and_then(instant);
        let sunset = sunset.map(|at| at.format("%a, %d %b %Y %H:%M:%S GMT").to_string());
        let relation = |relation: &str| format!("<{}>; rel=\"{relation}\"", self.more);
        let link = Some(relation("deprecation"));
        let ended = sunset.is_some().then(|| relation("sunset"));
        let fields = [
            (DEPRECATION, since),
            (SUNSET, sunset),
            (LINK, link),
            (LINK, ended),
        ];
        let fields = fields.into_iter();
        fields.filter_map(|(name, text)| Some((name, HeaderValue::try_from(text?).ok()?)))
    }

    /// Says so of these operations in the document.
    pub(crate) fn describe(all: &[Self], document: &mut OpenApi) {
        let items = document.paths.paths.values_mut();
        let operations = items.flat_map(|item| {
            let all = [
                &mut item.get,
                &mut item.post,
                &mut item.patch,
                &mut item.put,
                &mut item.delete,
            ];
            all.into_iter().filter_map(Option::as_mut)
        });
        for operation in operations {
            let id = operation.operation_id.as_deref();
            if let Some(found) = all.iter().find(|it| id == Some(it.operation)) {
                found.mark(operation);
            }
        }
    }

    fn mark(&self, operation: &mut Operation) {
        operation.deprecated = Some(openapi::Deprecated::True);
        let until = self
            .sunset
            .map_or_else(String::new, |it| format!(", gone from {it} on"));
        let notice = format!("Deprecated since {}{until}: see {}.", self.since, self.more);
        let rest = operation.description.take().unwrap_or_default();
        let text = format!("{notice}\n\n{rest}");
        operation.description = Some(text.trim_end().to_owned());
        for response in operation.responses.responses.values_mut() {
            if let RefOr::T(response) = response {
                for (name, about) in [
                    (
                        "Deprecation",
                        "Since when the operation is deprecated (RFC 9745)",
                    ),
                    ("Sunset", "From when on it may be gone (RFC 8594)"),
                ] {
                    let header = HeaderBuilder::new().description(Some(about)).build();
                    response.headers.insert(name.to_owned(), header.into());
                }
            }
        }
    }
}

fn instant(text: &str) -> Option<DateTime<Utc>> {
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{document, headers::Headers, observe::observe};
    use actix_web::{
        App, HttpResponse,
        middleware::from_fn,
        test::{TestRequest, call_service, init_service},
        web::{self, Data},
    };

    const OLD: &[Deprecated] = &[
        Deprecated {
            operation: "device_list",
            since: "2026-01-01T00:00:00Z",
            sunset: Some("2027-07-01T12:00:00Z"),
            more: "https://readout.example/changes#devices",
        },
        Deprecated {
            operation: "device_delete",
            since: "2026-02-01T00:00:00Z",
            sunset: None,
            more: "/docs/",
        },
    ];

    /// What an application that is surrounded as the real one answers to this request.
    async fn asked(method: actix_web::http::Method, path: &str) -> HeaderMap {
        let app = App::new()
            .app_data(Data::new(Headers::deprecating(OLD)))
            .default_service(web::to(async || HttpResponse::NoContent().finish()))
            .wrap(from_fn(observe));
        let app = init_service(app).await;
        let request = TestRequest::with_uri(path).method(method);
        let response = call_service(&app, request.to_request()).await;
        response.headers().clone()
    }

    fn texts(headers: &HeaderMap, name: &HeaderName) -> Vec<String> {
        let values = headers.get_all(name);
        values.map(|it| it.to_str().unwrap().to_owned()).collect()
    }

    #[actix_web::test]
    async fn every_answer_of_a_deprecated_operation_says_so() {
        use actix_web::http::Method;
        for method in [Method::GET, Method::HEAD] {
            let headers = asked(method, "/api/v1/devices?limit=1").await;
            assert_eq!(texts(&headers, &DEPRECATION), ["@1767225600"]);
            assert_eq!(texts(&headers, &SUNSET), ["Thu, 01 Jul 2027 12:00:00 GMT"]);
            assert_eq!(
                texts(&headers, &LINK),
                [
                    "<https://readout.example/changes#devices>; rel=\"deprecation\"",
                    "<https://readout.example/changes#devices>; rel=\"sunset\"",
                ]
            );
        }
        let headers = asked(Method::DELETE, "/api/v1/devices/7").await;
        assert_eq!(texts(&headers, &DEPRECATION), ["@1769904000"]);
        assert!(texts(&headers, &SUNSET).is_empty());
        assert_eq!(texts(&headers, &LINK), ["</docs/>; rel=\"deprecation\""]);
        for (method, path) in [
            (Method::POST, "/api/v1/devices"),
            (Method::GET, "/api/v1/devices/7"),
            (Method::GET, "/api/v1/alerts"),
        ] {
            let headers = asked(method, path).await;
            assert!(!headers.contains_key(DEPRECATION), "{path}");
        }
    }

    #[test]
    fn the_document_says_so_too() {
        let mut document = document();
        Deprecated::describe(OLD, &mut document);
        let text = serde_json::to_value(document).unwrap();
        let list = &text["paths"]["/api/v1/devices"]["get"];
        assert_eq!(list["deprecated"], true);
        let description = list["description"].as_str().unwrap();
        assert!(
            description.contains("gone from 2027-07-01"),
            "{description}"
        );
        let headers = &list["responses"]["200"]["headers"];
        assert!(headers["Sunset"].is_object() && headers["Deprecation"].is_object());
        assert!(text["paths"]["/api/v1/devices"]["post"]["deprecated"].is_null());
    }

    #[test]
    fn what_is_deprecated_is_there_and_its_times_are_times() {
        for it in DEPRECATED.iter().chain(OLD) {
            assert!(
                operation::all().any(|known| known.id == it.operation),
                "{}",
                it.operation
            );
            let times = [Some(it.since), it.sunset];
            assert!(times.into_iter().flatten().all(|it| instant(it).is_some()));
        }
    }
}
