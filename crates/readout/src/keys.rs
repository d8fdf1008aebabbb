//! `readout keys`: the keys that sign access tokens, over a connection like that of the service.

use crate::{
    Failure, cli::KeysAction, database::Database, logging, settings::Settings, signals::Signals,
};
use domain::signing_key::SigningKey;
use http::{Clock, SigningKeys, SigningKeysError};
use persistence::{Db, signing_key};

pub(crate) async fn run(action: KeysAction, settings: &Settings) -> Result<(), Failure> {
    logging::start(settings)?;
    // A private server is never left running: a signal waits until it has stopped.
    let _signals = Signals::listen()?;
    let database = Database::open(settings).await?;
    let db = Db::new(&database.settings);
    let outcome = act(action, &db, &database).await;
    db.close().await;
    if let Some(postgres) = database.embedded {
        postgres.stop().await?;
    }
    outcome
}

async fn act(action: KeysAction, db: &Db, database: &Database) -> Result<(), Failure> {
    let keys = SigningKeys::new(db, database.sealer.clone());
    let now = Clock.now();
    let all = match action {
        KeysAction::List => signing_key::list(db).await?,
        KeysAction::Rotate { at_once: false } => keys.rotate(now).await?,
        KeysAction::Rotate { at_once: true } => keys.replace(now).await?,
    };
    for key in &all {
        println!("{}", line(key));
    }
    match action {
        KeysAction::List if all.is_empty() => {
            println!("There are no keys yet: the first start of the service makes one.");
        }
        KeysAction::List | KeysAction::Rotate { at_once: true } => {}
        KeysAction::Rotate { at_once: false } => {
            println!("The new key is published now, and signs when everyone knows it.");
        }
    }
    Ok(())
}

/// A key on a line, with its times in UTC.
fn line(key: &SigningKey) -> String {
    let time = |at: domain::Timestamp| at.format("%Y-%m-%dT%H:%M:%SZ");
    let (id, status) = (&key.id, key.status(Clock.now()).as_str());
    let begins = format!("{status:<9}  {id}  signs from {}", time(key.signs_from));
    match key.retirement {
        Some(end) => format!(
            "{begins} until {}, verifies until {}",
            time(end.signs_until),
            time(end.verifies_until)
        ),
        None => begins,
    }
}

/// Reads the keys before the service begins. Where the database is away or not migrated yet, they are
/// read later; a secret that does not open them is no reason to wait.
pub(crate) async fn open(keys: &SigningKeys) -> Result<(), Failure> {
    match keys.refresh(Clock.now()).await {
        Err(SigningKeysError::Store(error)) => {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "signing keys not read yet"
            );
            Ok(())
        }
        outcome => Ok(outcome?),
    }
}
