//! `readout migrate`: the schema, over a direct connection where there is one.

use crate::{Failure, cli::MigrateAction, database, logging, settings::Settings, signals::Signals};

pub(crate) async fn run(action: MigrateAction, settings: &Settings) -> Result<(), Failure> {
    logging::start(settings)?;
    if let Some(url) = settings.migration_url()? {
        return act(action, url).await;
    }
    // A private server is never left running: a signal waits until it has stopped.
    let _signals = Signals::listen()?;
    let postgres = database::start_private(settings).await?;
    let outcome = act(action, &postgres.url()).await;
    postgres.stop().await?;
    outcome
}

async fn act(action: MigrateAction, url: &str) -> Result<(), Failure> {
    match action {
        MigrateAction::Up => match migration::up(url).await? {
            0 => println!("Nothing to do: the schema is up to date."),
            1 => println!("Applied 1 migration."),
            n => println!("Applied {n} migrations."),
        },
        MigrateAction::Status => {
            for migration in migration::status(url).await? {
                let state = if migration.applied {
                    "applied"
                } else {
                    "pending"
                };
                println!("{state}  {}", migration.name);
            }
        }
    }
    Ok(())
}
