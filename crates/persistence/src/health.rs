//! Whether the database can be worked with.

use crate::{Db, StoreError};
use sqlx::Row;

/// The migrations of this list that the database does not have. Reads one small table.
pub async fn missing_migrations(db: &Db, known: &[String]) -> Result<Vec<String>, StoreError> {
    db.transaction("health.missing_migrations", async |tx| {
        let table = sqlx::query("select to_regclass('seaql_migrations') is not null");
        if !tx.fetch_bool(table).await? {
            return Ok(known.to_vec());
        }
        let rows = tx
            .fetch_all(sqlx::query("select version from seaql_migrations"))
            .await?;
        let applied: Vec<String> = rows
            .iter()
            .map(|row| row.try_get(0))
            .collect::<Result<_, _>>()?;
        Ok(known
            .iter()
            .filter(|name| !applied.contains(name))
            .cloned()
            .collect())
    })
    .await
}
