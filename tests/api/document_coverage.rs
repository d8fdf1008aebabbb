//! Walks the document and calls every operation with every wrong credential.
//!
//! What an operation needs stands in a table here; an operation that is not in it fails the test, so that none is
//! published without somebody having said who may call it.

use reqwest::Method;

use crate::support::{
    Answer, App, Client, Device, Document, JSON, Operation, User, ago, fresh_email, reading_at,
};

/// Who may call an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Access {
    Public,
    /// A user, and nothing in it belongs to anyone in particular.
    User,
    /// The owner of the thing in the path.
    Owner,
    Device,
}

/// What the thing in the path is.
#[derive(Debug, Clone, Copy)]
enum Thing {
    None,
    Device,
    Rule,
    Alert,
}

/// Everything that it takes to call an operation well.
struct Call {
    id: &'static str,
    access: Access,
    thing: Thing,
    query: &'static str,
    body: Option<&'static str>,
    status: u16,
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
const CALLS: [Call; 29] = [
    call("health_live", Access::Public, Thing::None, 200),
    call("health_ready", Access::Public, Thing::None, 200),
    call("metrics_show", Access::Public, Thing::None, 200),
    call("user_sign_up", Access::Public, Thing::None, 201)
        .body(r#"{"email": "<fresh>", "password": "correct horse battery"}"#),
    call("session_sign_in", Access::Public, Thing::None, 200)
        .body(r#"{"email": "<email>", "password": "correct horse battery"}"#),
    call("session_refresh", Access::Public, Thing::None, 200)
        .body(r#"{"refresh_token": "<refresh>"}"#),
    call("session_show", Access::User, Thing::None, 200),
    call("device_create", Access::User, Thing::None, 201).body(r#"{"name": "Boiler"}"#),
    call("device_list", Access::User, Thing::None, 200),
    call("device_show", Access::Owner, Thing::Device, 200),
    call("device_update", Access::Owner, Thing::Device, 200).body(r#"{"name": "Kettle"}"#),
    call("reading_create", Access::Device, Thing::None, 201).body(r#"{"metric": "u", "value": 1}"#),
    call("reading_list", Access::Owner, Thing::Device, 200),
    call("reading_latest", Access::Owner, Thing::Device, 200),
    call("metric_list", Access::Owner, Thing::Device, 200),
    call("rejection_list", Access::Owner, Thing::Device, 200),
    call("rollup_show", Access::Owner, Thing::Device, 200).query("?metric=t&interval=1h"),
    call("rollup_list", Access::User, Thing::None, 200).query("?search=&metric=t&interval=1h"),
    call("alert_rule_create", Access::Owner, Thing::Device, 201)
        .body(r#"{"metric": "t", "comparator": "gt", "threshold": 100}"#),
    call("alert_rule_list", Access::Owner, Thing::Device, 200),
    call("alert_rule_show", Access::Owner, Thing::Rule, 200),
    call("alert_rule_update", Access::Owner, Thing::Rule, 200).body(r#"{"name": "Hot"}"#),
    call("alert_list", Access::User, Thing::None, 200),
    call("alert_show", Access::Owner, Thing::Alert, 200),
    call("alert_acknowledge", Access::Owner, Thing::Alert, 200).body(r#"{"note": "Seen"}"#),
    call("alert_resolve", Access::Owner, Thing::Alert, 200),
    call("alert_rule_delete", Access::Owner, Thing::Rule, 204),
    call("device_delete", Access::Owner, Thing::Device, 204),
    call("session_sign_out", Access::User, Thing::None, 204),
];

/// Whether an operation needs no credential.
pub(crate) fn is_public(id: &str) -> bool {
    CALLS
        .iter()
        .any(|call| call.id == id && call.access == Access::Public)
}

/// An owner with one of each thing.
struct World {
    document: Document,
    owner: User,
    device: Device,
    rule: String,
    alert: String,
    root: Client,
}

impl World {
    async fn make(app: &App) -> Self {
        let owner = app.user().await;
        let device = owner.device().await;
        let rule = owner.rule(&device, "gt", 100).await;
        device
            .ingest_text(&reading_at(ago(60), 101))
            .await
            .expect(201);
        let alerts = owner.get("/alerts").await.expect(200);
        Self {
            document: Document::fetch(&app.anonymous()).await,
            alert: alerts.text_at("/data/0/id").to_owned(),
            root: app.anonymous().at_root(),
            owner,
            device,
            rule,
        }
    }

    fn operation(&self, call: &Call) -> Operation<'_> {
        let found = self
            .document
            .operations()
            .into_iter()
            .find(|it| it.id == call.id);
        found.unwrap_or_else(|| panic!("{} is not in the document any more", call.id))
    }

    fn body(&self, call: &Call) -> Option<Vec<u8>> {
        let body = call.body?;
        let body = body.replace("<fresh>", &fresh_email());
        let body = body.replace("<email>", &self.owner.email);
        Some(
            body.replace("<refresh>", &self.owner.refresh_token)
                .into_bytes(),
        )
    }

    async fn ask(&self, client: &Client, call: &Call, body: Option<Vec<u8>>) -> Answer {
        let operation = self.operation(call);
        let thing = match call.thing {
            Thing::None => "",
            Thing::Device => &self.device.id,
            Thing::Rule => &self.rule,
            Thing::Alert => &self.alert,
        };
        let path = format!("{}{}", operation.path.replace("{id}", thing), call.query);
        let method: Method = operation.method.to_uppercase().parse().unwrap();
        client
            .ask(method, &path, body.map(|body| (JSON, body)))
            .await
    }

    /// The call as it should be, but for the credential.
    async fn call(&self, client: &Client, call: &Call) -> Answer {
        self.ask(client, call, self.body(call)).await
    }

    fn with_token(&self, user: &User) -> Client {
        self.root.with_token(&user.access_token)
    }

    fn with_key(&self) -> Client {
        self.root.with_key(&self.device.key)
    }

    async fn refused(&self, client: &Client, call: &Call, body: Option<Vec<u8>>) {
        let code = match call.access {
            Access::Device => "invalid_device_key",
            Access::Public | Access::User | Access::Owner => "unauthenticated",
        };
        self.ask(client, call, body).await.problem(401, code);
    }
}

fn guarded() -> impl Iterator<Item = &'static Call> {
    CALLS.iter().filter(|call| call.access != Access::Public)
}

#[tokio::test]
async fn every_operation_of_the_document_is_in_the_table() {
    let app = App::start().await;
    let document = Document::fetch(&app.anonymous()).await;
    for operation in document.operations() {
        let listed = CALLS.iter().any(|call| call.id == operation.id);
        assert!(listed, "say in the table who may call {}", operation.name());
    }
    assert_eq!(document.operations().len(), CALLS.len());
}

#[tokio::test]
async fn every_operation_works_for_whom_it_is_meant() {
    let app = App::start().await;
    let world = World::make(&app).await;
    for call in &CALLS {
        let client = match call.access {
            Access::Public => world.root.clone(),
            Access::User | Access::Owner => world.with_token(&world.owner),
            Access::Device => world.with_key(),
        };
        world.call(&client, call).await.expect(call.status);
        let documented = &world.operation(call).body["responses"][call.status.to_string()];
        assert!(
            documented.is_object(),
            "{} answers {}",
            call.id,
            call.status
        );
    }
}

#[tokio::test]
async fn nothing_guarded_can_be_done_without_a_credential() {
    let app = App::start().await;
    let world = World::make(&app).await;
    for call in guarded() {
        world.refused(&world.root, call, world.body(call)).await;
        let documented = &world.operation(call).body["responses"]["401"];
        assert!(documented.is_object(), "{} does not document 401", call.id);
    }
}

#[tokio::test]
async fn a_credential_is_asked_for_before_anything_is_read() {
    let app = App::start().await;
    let world = World::make(&app).await;
    for call in guarded() {
        for body in [&b"{"[..], b"[1,2,3]", b"", b"\xff\xfe"] {
            world.refused(&world.root, call, Some(body.to_vec())).await;
        }
        let operation = world.operation(call);
        let method: Method = operation.method.to_uppercase().parse().unwrap();
        let path = format!(
            "{}?surprise=1&limit=x",
            operation.path.replace("{id}", "no-uuid")
        );
        let body = Some(("text/plain", b"x".to_vec()));
        let answer = world.root.ask(method, &path, body).await;
        assert_eq!(answer.status, 401, "{}: {}", operation.name(), answer.text);
    }
}

#[tokio::test]
async fn nothing_of_an_owner_can_be_reached_by_another() {
    let app = App::start().await;
    let world = World::make(&app).await;
    let stranger = app.user().await;
    let owned = CALLS.iter().filter(|call| call.access == Access::Owner);
    for call in owned {
        let answer = world.call(&world.with_token(&stranger), call).await;
        answer.problem(404, "not_found");
        let documented = &world.operation(call).body["responses"]["404"];
        assert!(documented.is_object(), "{} does not document 404", call.id);
    }
    for list in ["/devices", "/alerts"] {
        let nothing = stranger.get(list).await.expect(200);
        assert!(nothing.data().is_empty());
    }
    let device = world.owner.get(&world.device.path("")).await.expect(200);
    assert_eq!(device.body["name"], "Boiler");
}

#[tokio::test]
async fn a_credential_of_the_wrong_kind_is_none() {
    let app = App::start().await;
    let world = World::make(&app).await;
    let as_bearer = world.root.with_token(&world.device.key);
    let as_key = world.root.with_key(&world.owner.access_token);
    for call in guarded() {
        let wrong = if call.access == Access::Device {
            [world.with_token(&world.owner), as_key.clone()]
        } else {
            [world.with_key(), as_bearer.clone()]
        };
        for client in wrong {
            world.refused(&client, call, world.body(call)).await;
        }
    }
}
