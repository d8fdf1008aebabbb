//! The body of a request to provision many devices.

use super::{super::sheet, Item};
use crate::{
    body::{FromBody, media_type, parse, require_plain, valid},
    problem::{FieldError, Problem, ProblemKind},
};
use actix_web::HttpRequest;
use domain::device::NewDevice;
use serde::Deserialize;
use serde_json::value::RawValue;

/// Most devices of a request.
const MOST: usize = 1_000;

/// Most bytes of a body.
const LIMIT: usize = 1024 * 1024;

/// Devices to provision, each of which may be refused on its own.
#[derive(Debug)]
pub(super) struct NewDevices(pub(super) Vec<Item>);

/// Devices to provision.
#[derive(utoipa::ToSchema)]
#[schema(as = NewDevices)]
#[serde(deny_unknown_fields)]
#[expect(
    dead_code,
    reason = "describes the body in the document; each device is read by itself"
)]
pub(super) struct NewDevicesView {
    /// One to 1,000 devices.
    #[schema(min_items = 1, max_items = 1_000)]
    devices: Vec<NewDevice>,
}

/// The same before each device is looked at.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Unread {
    devices: Vec<Box<RawValue>>,
}

impl FromBody for NewDevices {
    const LIMIT: usize = LIMIT;

    fn expect(request: &HttpRequest) -> Result<(), Problem> {
        if ["application/json", "text/csv"].contains(&media_type(request).as_str()) {
            return require_plain(request);
        }
        let detail = "The body must be application/json or text/csv.";
        Err(Problem::with_detail(
            ProblemKind::UnsupportedMediaType,
            detail,
        ))
    }

    fn from_body(request: &HttpRequest, body: &[u8]) -> Result<Self, Problem> {
        let items = if media_type(request) == "text/csv" {
            sheet::read(body, MOST)?
        } else {
            json(body)?
        };
        match items.len() {
            0 => Err(Problem::invalid(FieldError::at_pointer(
                "/devices".to_owned(),
                "invalid_value",
                "must be 1 to 1000 devices".to_owned(),
            ))),
            1..=MOST => Ok(Self(items)),
            _ => {
                let detail = "There may be at most 1000 devices in a request.";
                Err(Problem::with_detail(ProblemKind::PayloadTooLarge, detail))
            }
        }
    }
}

fn json(body: &[u8]) -> Result<Vec<Item>, Problem> {
    let Unread { devices } = parse(body)?;
    let devices = devices.iter().take(MOST + 1);
    Ok(devices.map(|it| valid(it.get().as_bytes())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(body: &str) -> String {
        json(body.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn each_device_is_read_by_itself() {
        let body =
            r#"{"devices": [{"name": "a"}, {"name": ""}, 7, {"name": "b", "tags": {"x": 1}}]}"#;
        let items = json(body.as_bytes()).unwrap();
        let blame = |place: usize| items[place].as_ref().unwrap_err().blame();
        assert!(items[0].is_ok());
        assert!(blame(1).starts_with("name must have"));
        assert_eq!(blame(2), "must be a JSON object");
        assert!(blame(3).starts_with("tags/x must be "), "{}", blame(3));
    }

    #[test]
    fn a_body_of_another_form_is_refused_as_a_whole() {
        for (body, words) in [
            ("{", "malformed_json"),
            ("[]", "must be a JSON object"),
            ("{}", "devices is missing"),
            (r#"{"devices": 1}"#, "devices must be a list"),
            (r#"{"devices": [], "more": 1}"#, "more is not a member"),
        ] {
            let problem = problem(body);
            assert!(problem.contains(words), "{problem}");
        }
    }
}
