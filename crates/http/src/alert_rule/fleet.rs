//! Rules of fleets, as the document says what they are made with.

use domain::alert_rule::{NewAlertRule, Selector};
use serde_json::json;
use std::borrow::Cow;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{Ref, RefOr, Schema},
};

/// What a rule of a fleet is made with: what one of a device is made with, and a selector. The service reads both as
/// one command, but which of them an operation takes is for the document to tell.
pub(super) struct NewFleetRule;

impl ToSchema for NewFleetRule {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("NewFleetRule")
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((Selector::name().into_owned(), Selector::schema()));
        NewAlertRule::schemas(schemas);
    }
}

impl PartialSchema for NewFleetRule {
    fn schema() -> RefOr<Schema> {
        let mut schema = NewAlertRule::schema();
        if let RefOr::T(Schema::Object(rule)) = &mut schema {
            let selector = Ref::builder()
                .ref_location_from_schema_name(Selector::name())
                .description(Some("Which devices it watches."));
            rule.description = Some("What a rule of a fleet is made with.".to_owned());
            rule.example = None;
            let example = json!({"name": "Too warm", "metric": "temperature", "comparator": "gt", "threshold": 20,
                "selector": {"tags": {"site": "north"}}});
            rule.examples = vec![example];
            rule.required.push("selector".to_owned());
            rule.properties
                .insert("selector".to_owned(), selector.build().into());
        }
        schema
    }
}
