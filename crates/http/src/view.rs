//! What answers have in common: lists, and headers.

use crate::{
    conditional,
    openapi::BASE,
    problem::{Problem, ProblemKind},
};
use actix_web::{
    HttpRequest, HttpResponse,
    http::{
        StatusCode,
        header::{self, HeaderValue},
    },
};
use domain::page::Page;
use serde::Serialize;

/// A page of a list.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Page)]
pub(crate) struct PageView<T> {
    /// The items of this page.
    data: Vec<T>,
    /// Hand this back as `cursor` for the next page; null on the last one.
    #[schema(required = true)]
    next_cursor: Option<String>,
}

/// A list that always comes whole.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = List)]
pub(crate) struct ListView<T> {
    /// All items.
    pub(crate) data: Vec<T>,
}

/// Answers a page, with a `Link` to the next one (RFC 8288).
pub(crate) fn page<T, K, V>(request: &HttpRequest, page: Page<T, K>) -> HttpResponse
where
    V: From<T> + Serialize,
    K: Serialize,
{
    linked(request, page, |view: &PageView<V>| {
        conditional::json(request, view)
    })
}

/// The same of what no cache may keep.
pub(crate) fn secret_page<T, K, V>(request: &HttpRequest, page: Page<T, K>) -> HttpResponse
where
    V: From<T> + Serialize,
    K: Serialize,
{
    linked(request, page, |view: &PageView<V>| {
        secret(StatusCode::OK, view)
    })
}

fn linked<T, K, V>(
    request: &HttpRequest,
    page: Page<T, K>,
    answer: impl FnOnce(&PageView<V>) -> HttpResponse,
) -> HttpResponse
where
    V: From<T> + Serialize,
    K: Serialize,
{
    let next_cursor = page.next.map(|cursor| cursor.encode());
    let link = next_cursor
        .as_ref()
        .map(|cursor| format!("<{}>; rel=\"next\"", next_url(request, cursor)));
    let view = PageView {
        data: page.items.into_iter().map(V::from).collect(),
        next_cursor,
    };
    let mut response = answer(&view);
    if let Some(link) = link.and_then(|link| HeaderValue::try_from(link).ok()) {
        response.headers_mut().insert(header::LINK, link);
    }
    response
}

/// Says where the thing is that was made (RFC 9110, section 10.2.2).
pub(crate) fn locate(response: &mut HttpResponse, path: &str) {
    if let Ok(place) = HeaderValue::try_from(format!("{BASE}{path}")) {
        response.headers_mut().insert(header::LOCATION, place);
    }
}

/// The URL of this request with another cursor. A cursor is of the URL-safe alphabet.
fn next_url(request: &HttpRequest, cursor: &str) -> String {
    let others = request
        .query_string()
        .split('&')
        .filter(|pair| !pair.is_empty() && pair.split('=').next() != Some("cursor"));
    let query: Vec<&str> = others.collect();
    let separator = if query.is_empty() { "" } else { "&" };
    format!(
        "{}?{}{separator}cursor={cursor}",
        request.path(),
        query.join("&")
    )
}

/// The thing, or the one answer for what is not there and what is someone else's.
pub(crate) fn found<T>(thing: Option<T>) -> Result<T, Problem> {
    thing.ok_or_else(|| Problem::new(ProblemKind::NotFound))
}

/// A JSON answer that no cache may keep, since it holds a secret, or tells where someone is.
pub(crate) fn secret(status: StatusCode, body: &impl Serialize) -> HttpResponse {
    HttpResponse::build(status)
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .json(body)
}
