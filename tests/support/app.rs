//! The service as a test uses it: two instances on a database of their own, and clients by role.

use std::ops::Deref;
use std::sync::Arc;

use futures_util::future::join_all;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Answer, Client, Database, Proxy, Server, Sql, rig::rig};

/// The secret of both instances.
pub(crate) const AUTH_SECRET: &str = "a secret for tests, of more than 32 bytes";

/// Password of every user that a test signs up.
pub(crate) const PASSWORD: &str = "correct horse battery";

/// Two instances of the service on one database.
#[derive(Debug)]
pub(crate) struct App {
    anonymous: Client,
    // Before the database, so that they end first.
    pub(crate) servers: Vec<Server>,
    pub(crate) database: Database,
}

impl App {
    pub(crate) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// With more settings, or others.
    pub(crate) async fn start_with(settings: &[(&'static str, String)]) -> Self {
        let database = Database::migrated().await;
        Self::start_on(database, settings).await
    }

    /// With a proxy between both instances and the database.
    pub(crate) async fn start_behind(proxy: &Proxy) -> Self {
        Self::start_with_behind(proxy, &[]).await
    }

    /// Both.
    pub(crate) async fn start_with_behind(
        proxy: &Proxy,
        settings: &[(&'static str, String)],
    ) -> Self {
        let database = Database::migrated().await;
        let mut settings = settings.to_vec();
        settings.push(("DATABASE_URL", proxy.url(&database)));
        Self::start_on(database, &settings).await
    }

    async fn start_on(database: Database, more: &[(&'static str, String)]) -> Self {
        let mut settings = Self::settings(&database);
        settings.extend(more.iter().cloned());
        let servers = join_all([Server::start(&settings), Server::start(&settings)]).await;
        let urls: Arc<[String]> = servers.iter().map(|it| it.url().to_owned()).collect();
        Self {
            anonymous: Client::anonymous(urls),
            servers,
            database,
        }
    }

    /// What an instance is started with.
    pub(crate) fn settings(database: &Database) -> Vec<(&'static str, String)> {
        vec![
            ("DATABASE_URL", database.service_url()),
            ("DATABASE_DIRECT_URL", database.direct_url()),
            ("AUTH_SECRET", AUTH_SECRET.to_owned()),
            ("LISTEN_ADDR", "127.0.0.1:0".to_owned()),
            ("LOG_FORMAT", "json".to_owned()),
            ("RUST_LOG", rig().log.clone()),
        ]
    }

    /// Someone without a credential.
    pub(crate) fn anonymous(&self) -> Client {
        self.anonymous.clone()
    }

    /// Someone who has just signed up.
    pub(crate) async fn user(&self) -> User {
        User::sign_up(&self.anonymous).await
    }

    /// A look into the database, past the pooler.
    pub(crate) async fn sql(&self) -> Sql {
        self.database.sql().await
    }
}

/// A user with a session. Derefs to a client with the access token.
#[derive(Debug, Clone)]
pub(crate) struct User {
    client: Client,
    pub(crate) id: String,
    pub(crate) email: String,
    pub(crate) access_token: String,
    pub(crate) refresh_token: String,
}

impl User {
    pub(crate) async fn sign_up(anonymous: &Client) -> Self {
        let email = fresh_email();
        let credentials = json!({"email": email, "password": PASSWORD});
        let answer = anonymous.post("/auth/sign-up", &credentials).await;
        Self::signed_in(anonymous, &answer.expect(201))
    }

    /// The same user in another session, which a client of this name has opened.
    pub(crate) async fn sign_in_with(&self, user_agent: &'static str) -> Self {
        let mut client = self.client.clone();
        client.forget_credential();
        let client = client.with("user-agent", user_agent);
        let credentials = json!({"email": self.email, "password": PASSWORD});
        let answer = client.post("/auth/sign-in", &credentials).await;
        Self::signed_in(&client, &answer.expect(200))
    }

    /// Whoever was answered tokens.
    fn signed_in(anonymous: &Client, answer: &Answer) -> Self {
        let access_token = answer.text_at("/access_token").to_owned();
        Self {
            client: anonymous.with_token(&access_token),
            id: answer.text_at("/user/id").to_owned(),
            refresh_token: answer.text_at("/refresh_token").to_owned(),
            email: answer.text_at("/user/email").to_owned(),
            access_token,
        }
    }

    /// Provisions a device.
    pub(crate) async fn device(&self) -> Device {
        self.device_named("Boiler").await
    }

    pub(crate) async fn device_named(&self, name: &str) -> Device {
        let answer = self.post("/devices", &json!({"name": name})).await;
        Device::provisioned(self, &answer.expect(201))
    }

    /// Arms a rule, and answers its id.
    pub(crate) async fn rule(&self, device: &Device, comparator: &str, threshold: i64) -> String {
        let path = format!("/devices/{}/alert-rules", device.id);
        let rule = json!({"metric": "t", "comparator": comparator, "threshold": threshold});
        let answer = self.post(&path, &rule).await.expect(201);
        answer.text_at("/id").to_owned()
    }
}

impl Deref for User {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

/// A device with its key. Derefs to a client with that key.
#[derive(Debug, Clone)]
pub(crate) struct Device {
    client: Client,
    pub(crate) id: String,
    pub(crate) key: String,
}

impl Device {
    /// The device that was answered.
    pub(crate) fn provisioned(owner: &User, answer: &Answer) -> Self {
        let key = answer.text_at("/device_key").to_owned();
        let mut client = owner.client.clone();
        client.forget_credential();
        Self {
            client: client.with_key(&key),
            id: answer.text_at("/id").to_owned(),
            key,
        }
    }

    /// The same device, always posting to this instance.
    pub(crate) fn on_one(&self, instance: usize) -> Self {
        Self {
            client: self.client.on(instance),
            ..self.clone()
        }
    }

    /// Posts one reading or many.
    pub(crate) async fn ingest(&self, body: &Value) -> Answer {
        self.post("/readings", body).await
    }

    /// The same, with the numbers written as they are to arrive.
    pub(crate) async fn ingest_text(&self, body: &str) -> Answer {
        self.post_text("/readings", body).await
    }

    /// A path below the device's own.
    pub(crate) fn path(&self, rest: &str) -> String {
        format!("/devices/{}{rest}", self.id)
    }
}

impl Deref for Device {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

/// An address that nobody has signed up with.
pub(crate) fn fresh_email() -> String {
    format!("{}@example.com", Uuid::new_v4().simple())
}
