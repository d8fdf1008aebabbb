//! Every operation by everyone, as the document says it and as it is: no hole, and no leak.

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{Access, CALLS, Call, Client, Thing, User, World, guarded};
use crate::support::{Answer, App, Forgery, admit_forger};

const SCOPES: [&str; 6] = [
    "devices:read",
    "devices:write",
    "readings:read",
    "alerts:read",
    "alerts:write",
    "webhooks:write",
];

/// Someone who asks.
struct Identity {
    name: String,
    client: Client,
    who: Who,
}

/// What the service knows of someone.
enum Who {
    /// Nothing, or nothing that is good.
    Nobody,
    Device,
    Owner,
    /// A user who owns nothing of this.
    Stranger,
    /// The owner's API key with these scopes.
    Key(Vec<&'static str>),
    /// A stranger's, with all scopes.
    StrangersKey,
}

/// What an operation should say.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Verdict {
    Through,
    /// As if there were nothing.
    NotFound,
    Refused(u16, &'static str),
}

/// The scope that an operation names for API keys in the document.
fn scope(world: &World, call: &Call) -> Option<String> {
    let operation = world.operation(call);
    let ways = operation.body["security"].as_array()?;
    let scopes = ways.iter().find_map(|way| way.get("api_key"))?;
    let [Value::String(scope)] = &scopes.as_array().unwrap()[..] else {
        panic!("{} should need one scope: {scopes}", call.id)
    };
    assert!(
        SCOPES.contains(&scope.as_str()),
        "{} needs {scope}",
        call.id
    );
    Some(scope.clone())
}

fn verdict(world: &World, call: &Call, who: &Who) -> Verdict {
    let scope = scope(world, call);
    let foreign = || match call.access {
        Access::Owner => Verdict::NotFound,
        Access::Public | Access::User | Access::Device => Verdict::Through,
    };
    if call.access == Access::Device {
        return if matches!(who, Who::Device) {
            Verdict::Through
        } else {
            Verdict::Refused(401, "invalid_device_key")
        };
    }
    match (who, scope) {
        (Who::Nobody | Who::Device, _) => Verdict::Refused(401, "unauthenticated"),
        (Who::Owner, _) => Verdict::Through,
        (Who::Stranger, _) | (Who::StrangersKey, Some(_)) => foreign(),
        (Who::Key(_) | Who::StrangersKey, None) => Verdict::Refused(403, "session_required"),
        (Who::Key(scopes), Some(scope)) if scopes.contains(&scope.as_str()) => Verdict::Through,
        (Who::Key(_), Some(_)) => Verdict::Refused(403, "insufficient_scope"),
    }
}

async fn key(world: &World, user: &User, scopes: &[&'static str]) -> Client {
    let new = json!({"name": "Matrix", "scopes": scopes});
    let made = user.post("/auth/api-keys", &new).await.expect(201);
    world.root.with_token(made.text_at("/api_key"))
}

async fn everyone(app: &App, world: &World, stranger: &User) -> Vec<Identity> {
    admit_forger(app, &world.owner).await;
    let expired = Forgery::of(&world.owner).expired().signed();
    let identity = |name: &str, client: Client, who: Who| {
        let name = name.to_owned();
        Identity { name, client, who }
    };
    let root = || world.root.clone();
    let mut all = vec![
        identity("anonymous", root(), Who::Nobody),
        identity("expired", root().with_token(&expired), Who::Nobody),
        identity("malformed key", root().with_token("rpk_x"), Who::Nobody),
        identity("device", world.with_key(), Who::Device),
        identity("owner", world.with_token(&world.owner), Who::Owner),
        identity("stranger", world.with_token(stranger), Who::Stranger),
        identity(
            "stranger's key",
            key(world, stranger, &SCOPES).await,
            Who::StrangersKey,
        ),
    ];
    for scope in SCOPES {
        let others: Vec<_> = SCOPES.into_iter().filter(|it| *it != scope).collect();
        let only = key(world, &world.owner, &[scope]).await;
        all.push(identity(
            &format!("key with {scope}"),
            only,
            Who::Key(vec![scope]),
        ));
        let all_but = key(world, &world.owner, &others).await;
        all.push(identity(
            &format!("key without {scope}"),
            all_but,
            Who::Key(others),
        ));
    }
    all
}

/// Nothing of the owner may be in an answer to someone else, but for the path that was asked for.
fn leaks_nothing(world: &World, name: &str, answer: &Answer) {
    let told = answer.essence().to_string();
    let World {
        owner,
        device,
        rule,
        alert,
        api_key,
        ..
    } = world;
    for secret in [
        &owner.id,
        &owner.email,
        &device.id,
        &device.key,
        rule,
        alert,
        api_key,
    ] {
        assert!(!told.contains(secret.as_str()), "{name}: {told}");
    }
}

#[tokio::test]
async fn nobody_gets_through_whom_the_document_does_not_let_through() {
    let (app, world) = World::make().await;
    let stranger = app.user().await;
    let everyone = everyone(&app, &world, &stranger).await;
    let mut asked = 0;
    for call in guarded() {
        for Identity { name, client, who } in &everyone {
            let name = format!("{} by {name}", call.id);
            let verdict = verdict(&world, call, who);
            // What changes something can be done once: by the owner, in the end.
            let is_strange = matches!(who, Who::Stranger | Who::StrangersKey);
            if verdict == Verdict::Through && (call.id == "user_delete" || !is_strange) {
                continue;
            }
            let answer = world.call(client, call).await;
            match verdict {
                Verdict::Through => {
                    assert_eq!(answer.status, call.status, "{name}: {}", answer.text);
                }
                Verdict::NotFound => {
                    assert_eq!(answer.body["code"], "not_found", "{name}: {}", answer.text);
                }
                Verdict::Refused(status, code) => {
                    assert_eq!(answer.body["code"], code, "{name}: {}", answer.text);
                    assert_eq!(answer.status, status, "{name}");
                    let documented = &world.operation(call).body["responses"][status.to_string()];
                    assert!(documented.is_object(), "{name}: {status} is not documented");
                }
            }
            leaks_nothing(&world, &name, &answer);
            asked += 1;
        }
    }
    assert!(asked > 300, "{asked}");
    for call in guarded().filter(|call| call.access != Access::Device) {
        // The owner is needed for what comes after it.
        let client = match call.id {
            "user_delete" => world.with_token(&app.user().await),
            _ => world.with_token(&world.owner),
        };
        world.call(&client, call).await.expect(call.status);
    }
}

#[tokio::test]
async fn an_api_key_gets_through_where_the_document_names_its_scope() {
    let (_app, world) = World::make().await;
    let keys = SCOPES.map(async |scope| key(&world, &world.owner, &[scope]).await);
    let keys = join_all(keys).await;
    let mut used = Vec::new();
    for call in &CALLS {
        let Some(scope) = scope(&world, call) else {
            let is_of_programs = matches!(call.thing, Thing::Device | Thing::Rule | Thing::Alert);
            assert!(!is_of_programs, "{} should take API keys", call.id);
            continue;
        };
        let place = SCOPES.iter().position(|it| *it == scope).unwrap();
        world.call(&keys[place], call).await.expect(call.status);
        used.push(scope);
    }
    let mut unused = SCOPES.to_vec();
    unused.retain(|scope| !used.iter().any(|it| it == scope));
    assert_eq!(unused, ["webhooks:write"], "there are no webhooks yet");
}
