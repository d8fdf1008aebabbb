//! What each kind of problem means and what to do about it, where its `type` leads.

use super::{NotFoundProblem, Problem, ProblemCode, ProblemKind, responses::example};
use crate::{conditional::Tagged, view::ListView};
use actix_web::{HttpRequest, HttpResponse, get};
use serde::Serialize;
use std::fmt::Write;
use utoipa::openapi::OpenApi;
use utoipa_actix_web::service_config::ServiceConfig;

/// A kind of problem, explained.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = ProblemPage)]
struct ProblemPageView {
    /// The `type` of a problem of this kind: where this page is.
    #[schema(format = "uri-reference", example = "/problems/validation_failed")]
    r#type: String,
    #[schema(value_type = ProblemCode, example = "validation_failed")]
    code: &'static str,
    /// The kind of problem in words.
    #[schema(example = "The request is not valid")]
    title: &'static str,
    /// The status of an answer with such a problem.
    #[schema(minimum = 400, maximum = 599, example = 422)]
    status: u16,
    /// What happened.
    #[schema(example = "The request is not valid.")]
    meaning: &'static str,
    /// What to do about it.
    #[schema(example = "Correct what errors names.")]
    advice: &'static str,
    /// Whether the same request may go well later, without anything having been done about it.
    retryable: bool,
    /// Such a problem.
    #[schema(value_type = Object)]
    example: serde_json::Value,
}

impl From<ProblemKind> for ProblemPageView {
    fn from(kind: ProblemKind) -> Self {
        Self {
            r#type: kind.page(),
            code: kind.code(),
            title: kind.title(),
            status: kind.status().as_u16(),
            meaning: kind.usual_detail(),
            advice: kind.advice(),
            retryable: kind.is_retryable(),
            example: example(kind),
        }
    }
}

/// It changes with the program alone.
const CACHE: &str = "public, max-age=3600";

pub(crate) fn routes(config: &mut ServiceConfig) {
    config.service(problem_list).service(problem_show);
}

/// List the kinds of problems
///
/// Everything that a `code` of a problem may be, with what to do about it.
#[utoipa::path(tag = "problems", security(()), responses((status = OK, body = ListView<ProblemPageView>)))]
#[get("/problems")]
async fn problem_list(request: HttpRequest) -> HttpResponse {
    let kinds = ProblemKind::ALL.iter();
    let data = kinds.map(|kind| ProblemPageView::from(*kind)).collect();
    answer(&request, &ListView { data })
}

/// Explain a kind of problem
///
/// Where the `type` of a problem leads.
#[utoipa::path(
    tag = "problems",
    security(()),
    params(("code" = inline(ProblemCode), Path, description = "The `code` of a problem")),
    responses((status = OK, body = ProblemPageView), NotFoundProblem)
)]
#[get("/problems/{code}")]
async fn problem_show(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let code = request.match_info().get("code").unwrap_or_default();
    let mut kinds = ProblemKind::ALL.iter();
    let kind = kinds.find(|kind| kind.code() == code);
    let kind = kind.ok_or_else(|| Problem::new(ProblemKind::NotFound))?;
    Ok(answer(&request, &ProblemPageView::from(*kind)))
}

fn answer(request: &HttpRequest, body: &impl Serialize) -> HttpResponse {
    match Tagged::new(body) {
        Ok(page) => page.public(request, CACHE),
        Err(problem) => HttpResponse::from_error(problem),
    }
}

/// Lists the kinds of problems in the description of their tag, for those who read the document.
pub(crate) fn describe(document: &mut OpenApi) {
    let mut text =
        "What may go wrong, and what to do about it.\n\n| code | status | what to do |\n|---|---|---|\n".to_owned();
    for kind in ProblemKind::ALL {
        let (code, status, advice) = (kind.code(), kind.status().as_u16(), kind.advice());
        // A text takes whatever is written to it.
        let _ = writeln!(text, "| `{code}` | {status} | {advice} |");
    }
    let mut tags = document.tags.iter_mut().flatten();
    if let Some(tag) = tags.find(|tag| tag.name == "problems") {
        tag.description = Some(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_explained() {
        for kind in ProblemKind::ALL {
            let page = ProblemPageView::from(*kind);
            for text in [page.title, page.meaning, page.advice] {
                assert!(
                    text.len() > 5 && !text.contains('|'),
                    "{}: {text}",
                    page.code
                );
            }
            assert!(page.advice.ends_with('.'), "{}", page.code);
        }
    }

    #[test]
    fn no_two_kinds_have_one_code() {
        let mut codes: Vec<_> = ProblemKind::ALL.iter().map(|kind| kind.code()).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), ProblemKind::ALL.len());
    }
}
