//! Query parameters of operations that have none. They are refused by name, like those that are not known elsewhere:
//! a filter that is silently left out answers another question.

use crate::{
    openapi::BASE,
    operation,
    problem::{FieldError, Problem},
};
use actix_web::{
    Error, HttpRequest, HttpResponse,
    body::{BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    middleware::Next,
};

/// Refuses them, for a caller who has been let in.
pub(crate) fn refuse_unasked(request: &HttpRequest) -> Result<(), Problem> {
    if request.query_string().is_empty() {
        return Ok(());
    }
    let operation = operation::find(request.path(), request.method().as_str());
    if operation.is_none_or(|it| it.takes_query) {
        return Ok(());
    }
    let pairs = serde_html_form::from_str::<Vec<(String, String)>>(request.query_string());
    match pairs.unwrap_or_default().first() {
        None => Ok(()),
        Some((name, _)) => {
            let detail = "is not a parameter that is known here".to_owned();
            let error = FieldError::at_parameter(name, "unknown_parameter", detail);
            Err(Problem::invalid(error))
        }
    }
}

/// Refuses those of operations that let everybody in.
pub(crate) async fn of_public_operations(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let is_public = || {
        let operation = operation::find(request.path(), request.method().as_str());
        operation.is_some_and(|it| it.is_public)
            // Probes and scrapers add parameters of their own, and there is nothing that they could narrow.
            && request.path().starts_with(BASE)
    };
    if !request.query_string().is_empty()
        && is_public()
        && let Err(problem) = refuse_unasked(request.request())
    {
        let response = HttpResponse::from_error(problem);
        return Ok(ServiceResponse::new(request.into_parts().0, response));
    }
    let response = next.call(request).await?;
    Ok(response.map_into_boxed_body())
}
