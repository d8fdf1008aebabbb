//! Every operation, who may call it, and what it takes to do so.

/// Who may call an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    Public,
    /// A user, and nothing in it belongs to anyone in particular.
    User,
    /// The owner of the thing in the path.
    Owner,
    Device,
}

/// What the thing in the path is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Thing {
    None,
    Problem,
    Device,
    Rule,
    Alert,
    Session,
    ApiKey,
}

/// Everything that it takes to call an operation well.
pub(super) struct Call {
    pub(super) id: &'static str,
    pub(super) access: Access,
    pub(super) thing: Thing,
    pub(super) query: &'static str,
    pub(super) body: Option<&'static str>,
    pub(super) status: u16,
}

const fn call(id: &'static str, access: Access, thing: Thing, status: u16) -> Call {
    Call {
        id,
        access,
        thing,
        query: "",
        body: None,
        status,
    }
}

impl Call {
    const fn body(self, body: &'static str) -> Self {
        Self {
            body: Some(body),
            ..self
        }
    }

    const fn query(self, query: &'static str) -> Self {
        Self { query, ..self }
    }
}

/// Every operation. Those that end a thing or a session come last, since they are called in this order.
pub(super) const CALLS: [Call; 52] = [
    call("health_live", Access::Public, Thing::None, 200),
    call("health_ready", Access::Public, Thing::None, 200),
    call("metrics_show", Access::Public, Thing::None, 200),
    call("signing_key_list", Access::Public, Thing::None, 200),
    call("problem_list", Access::Public, Thing::None, 200),
    call("problem_show", Access::Public, Thing::Problem, 200),
    call("user_sign_up", Access::Public, Thing::None, 201)
        .body(r#"{"email": "<fresh>", "password": "correct horse battery"}"#),
    call("session_sign_in", Access::Public, Thing::None, 200)
        .body(r#"{"email": "<email>", "password": "correct horse battery"}"#),
    call("session_refresh", Access::Public, Thing::None, 200)
        .body(r#"{"refresh_token": "<refresh>"}"#),
    call(
        "verification_request_password_reset",
        Access::Public,
        Thing::None,
        202,
    )
    .body(r#"{"email": "<email>"}"#),
    call("verification_send_email", Access::User, Thing::None, 202),
    call("verification_verify_email", Access::Public, Thing::None, 204)
        .body(r#"{"token": "<verify>"}"#),
    call("session_show", Access::User, Thing::None, 200),
    call("session_list", Access::User, Thing::None, 200),
    call("user_update", Access::User, Thing::None, 200).body(r#"{"name": "Ada"}"#),
    call("api_key_create", Access::User, Thing::None, 201)
        .body(r#"{"name": "Nightly export", "scopes": ["readings:read"]}"#),
    call("api_key_list", Access::User, Thing::None, 200),
    call("api_key_show", Access::Owner, Thing::ApiKey, 200),
    call("device_create", Access::User, Thing::None, 201).body(r#"{"name": "Boiler"}"#),
    call("device_create_bulk", Access::User, Thing::None, 200)
        .body(r#"{"devices": [{"name": "Boiler"}]}"#),
    call("device_list", Access::User, Thing::None, 200),
    call("device_show", Access::Owner, Thing::Device, 200),
    call("device_update", Access::Owner, Thing::Device, 200).body(r#"{"name": "Kettle"}"#),
    call("device_status_history", Access::Owner, Thing::Device, 200),
    call("reading_create", Access::Device, Thing::None, 201).body(r#"{"metric": "u", "value": 1}"#),
    call("reading_list", Access::Owner, Thing::Device, 200),
    call("reading_latest", Access::Owner, Thing::Device, 200),
    call("metric_list", Access::Owner, Thing::Device, 200),
    call("rejection_list", Access::Owner, Thing::Device, 200),
    call("rollup_show", Access::Owner, Thing::Device, 200).query("?metric=t&interval=1h"),
    call("rollup_list", Access::User, Thing::None, 200).query("?search=&metric=t&interval=1h"),
    call("alert_rule_create", Access::Owner, Thing::Device, 201)
        .body(r#"{"metric": "t", "comparator": "gt", "threshold": 100}"#),
    call("alert_rule_create_for_fleet", Access::User, Thing::None, 201).body(
        r#"{"metric": "t", "comparator": "gt", "threshold": 100, "selector": {"tags": {"site": "north"}}}"#,
    ),
    call("alert_rule_preview", Access::Owner, Thing::Device, 200)
        .body(r#"{"rule": {"metric": "t", "comparator": "gt", "threshold": 100}}"#),
    call("alert_rule_list_all", Access::User, Thing::None, 200),
    call("alert_rule_list", Access::Owner, Thing::Device, 200),
    call("alert_rule_show", Access::Owner, Thing::Rule, 200),
    call("alert_rule_update", Access::Owner, Thing::Rule, 200).body(r#"{"name": "Hot"}"#),
    call("alert_list", Access::User, Thing::None, 200),
    call("alert_show", Access::Owner, Thing::Alert, 200),
    call("alert_timeline", Access::Owner, Thing::Alert, 200),
    call("alert_acknowledge", Access::Owner, Thing::Alert, 200).body(r#"{"note": "Seen"}"#),
    call("alert_resolve", Access::Owner, Thing::Alert, 200),
    call("alert_rule_delete", Access::Owner, Thing::Rule, 204),
    call("device_delete", Access::Owner, Thing::Device, 204),
    call("session_delete", Access::Owner, Thing::Session, 204),
    call("session_revoke_others", Access::User, Thing::None, 204),
    call("user_change_password", Access::User, Thing::None, 204)
        .body(r#"{"current_password": "correct horse battery", "new_password": "another horse battery"}"#),
    call("user_delete", Access::User, Thing::None, 204).body(r#"{"password": "correct horse battery"}"#),
    call("api_key_delete", Access::Owner, Thing::ApiKey, 204),
    call("session_sign_out", Access::User, Thing::None, 204),
    call("verification_reset_password", Access::Public, Thing::None, 204)
        .body(r#"{"token": "<reset>", "new_password": "another horse, another battery"}"#),
];
