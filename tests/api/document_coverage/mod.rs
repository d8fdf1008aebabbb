//! Walks the document and calls every operation with every wrong credential.
//!
//! What an operation needs stands in a table here; an operation that is not in it fails the test, so that none is
//! published without somebody having said who may call it.

mod calls;
mod matrix;

use reqwest::Method;
use serde_json::json;

use calls::{Access, CALLS, Call, Thing};

use crate::support::{
    Answer, App, Client, Device, Document, JSON, Operation, Postbox, User, ago, fresh_email,
    reading_at,
};

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
    session: String,
    api_key: String,
    root: Client,
    /// Tokens that were mailed to someone else, who does nothing with them.
    verify_token: String,
    reset_token: String,
}

impl World {
    async fn make() -> (App, Self) {
        let postbox = Postbox::start().await;
        let app = App::start_with(&postbox.settings()).await;
        let world = Self::furnish(&app, &postbox).await;
        (app, world)
    }

    async fn furnish(app: &App, postbox: &Postbox) -> Self {
        let owner = app.user().await;
        let device = owner.device().await;
        let rule = owner.rule(&device, "gt", 100).await;
        device
            .ingest_text(&reading_at(ago(60), 101))
            .await
            .expect(201);
        let alerts = owner.get("/alerts").await.expect(200);
        let elsewhere = owner.sign_in_with("elsewhere").await;
        let session = elsewhere.get("/auth/session").await.expect(200);
        let new = json!({"name": "Nightly export", "scopes": ["readings:read"]});
        let api_key = owner.post("/auth/api-keys", &new).await.expect(201);
        let forgetful = app.user().await;
        Self {
            document: Document::fetch(&app.anonymous()).await,
            alert: alerts.text_at("/data/0/id").to_owned(),
            session: session.text_at("/session/id").to_owned(),
            api_key: api_key.text_at("/id").to_owned(),
            root: app.anonymous().at_root(),
            verify_token: postbox.verify_token(&forgetful).await,
            reset_token: postbox.reset_token(app, &forgetful, 1).await,
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
        let body = body.replace("<verify>", &self.verify_token);
        let body = body.replace("<reset>", &self.reset_token);
        Some(
            body.replace("<refresh>", &self.owner.refresh_token)
                .into_bytes(),
        )
    }

    async fn ask(&self, client: &Client, call: &Call, body: Option<Vec<u8>>) -> Answer {
        let operation = self.operation(call);
        let thing = match call.thing {
            Thing::None => "",
            Thing::Problem => "not_found",
            Thing::Device => &self.device.id,
            Thing::Rule => &self.rule,
            Thing::Alert => &self.alert,
            Thing::Session => &self.session,
            Thing::ApiKey => &self.api_key,
        };
        let path = format!(
            "{}{}",
            operation
                .path
                .replace("{id}", thing)
                .replace("{code}", thing),
            call.query
        );
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
    let (app, world) = World::make().await;
    for call in &CALLS {
        let client = match call.access {
            Access::Public => world.root.clone(),
            // The owner is needed for what comes after it.
            Access::User if call.id == "user_delete" => world.with_token(&app.user().await),
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
    let (_app, world) = World::make().await;
    for call in guarded() {
        world.refused(&world.root, call, world.body(call)).await;
        let documented = &world.operation(call).body["responses"]["401"];
        assert!(documented.is_object(), "{} does not document 401", call.id);
    }
}

#[tokio::test]
async fn a_credential_is_asked_for_before_anything_is_read() {
    let (_app, world) = World::make().await;
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
    let (app, world) = World::make().await;
    let stranger = app.user().await;
    let owned = CALLS.iter().filter(|call| call.access == Access::Owner);
    for call in owned {
        let answer = world.call(&world.with_token(&stranger), call).await;
        answer.problem(404, "not_found");
        let documented = &world.operation(call).body["responses"]["404"];
        assert!(documented.is_object(), "{} does not document 404", call.id);
    }
    for list in ["/devices", "/alerts", "/alert-rules"] {
        let nothing = stranger.get(list).await.expect(200);
        assert!(nothing.data().is_empty());
    }
    let device = world.owner.get(&world.device.path("")).await.expect(200);
    assert_eq!(device.body["name"], "Boiler");
}

#[tokio::test]
async fn a_credential_of_the_wrong_kind_is_none() {
    let (_app, world) = World::make().await;
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
