//! The form of a request's body: media type, content coding, and the unit of times that are numbers.

use crate::{
    body::{Coding, media_type},
    problem::{FieldError, Problem, ProblemKind},
};
use actix_web::HttpRequest;
use domain::reading::Precision;

/// How readings are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// `application/json` (RFC 8259).
    Json,
    /// `application/x-ndjson`, and `application/ndjson`: a JSON text on each line.
    NdJson,
    /// `application/senml+json` (RFC 8428).
    SenMl,
}

/// All that must be known to read a body.
#[derive(Debug, Clone, Copy)]
pub(in crate::reading) struct Form {
    pub(super) format: Format,
    pub(super) coding: Coding,
    pub(super) precision: Option<Precision>,
}

impl Form {
    /// The form that a request says its body has.
    ///
    /// Fails with 415 for a media type or coding that is not taken, and with 422 for a precision
    /// where the format has its own unit of time.
    pub(in crate::reading) fn of(
        request: &HttpRequest,
        precision: Option<Precision>,
    ) -> Result<Self, Problem> {
        let format = match media_type(request).as_str() {
            "application/json" => Format::Json,
            "application/x-ndjson" | "application/ndjson" => Format::NdJson,
            "application/senml+json" => Format::SenMl,
            _ => {
                return Err(Problem::with_detail(
                    ProblemKind::UnsupportedMediaType,
                    "Readings must be application/json, application/x-ndjson or \
                     application/senml+json.",
                ));
            }
        };
        let coding = Coding::of(request)?;
        if format == Format::SenMl && precision.is_some() {
            return Err(Problem::invalid(FieldError::at_parameter(
                "precision",
                "invalid_combination",
                "must not be given for SenML, whose times are in seconds".to_owned(),
            )));
        }
        Ok(Self {
            format,
            coding,
            precision,
        })
    }
}
