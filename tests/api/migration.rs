//! `readout migrate`, and the way of the schema up, down and up again.

use crate::support::{App, Database, Sql, program};

fn settings(database: &Database) -> [(&'static str, String); 1] {
    [("DATABASE_URL", database.direct_url())]
}

async fn tables(sql: &Sql) -> Vec<String> {
    let tables = "select tablename::text from pg_tables where schemaname = 'public' and tablename <> 'seaql_migrations' order by 1";
    sql.column(tables).await
}

#[tokio::test]
async fn two_processes_that_migrate_at_once_both_succeed() {
    let database = Database::empty().await;
    let settings = settings(&database);
    let (one, two) = tokio::join!(
        program(&["migrate", "up"], &settings),
        program(&["migrate", "up"], &settings),
    );
    for output in [&one, &two] {
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    let sql = database.sql().await;
    let applied = sql
        .column("select version from seaql_migrations order by version")
        .await;
    assert_eq!(applied, migration::names());
    let words = [one, two].map(|output| String::from_utf8(output.stdout).unwrap());
    let idle = words
        .iter()
        .filter(|it| it.to_lowercase().contains("nothing"))
        .count();
    assert_eq!(idle, 1, "{words:?}");
}

#[tokio::test]
async fn it_migrates_through_the_pooler_too() {
    let database = Database::empty().await;
    let settings = [("DATABASE_URL", database.service_url())];
    for _ in 0..2 {
        let output = program(&["migrate", "up"], &settings).await;
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    assert!(!tables(&database.sql().await).await.is_empty());
}

#[tokio::test]
async fn the_direct_way_is_taken_where_it_is_given() {
    let database = Database::empty().await;
    let settings = [
        (
            "DATABASE_URL",
            "postgres://nobody@127.0.0.1:1/nothing".to_owned(),
        ),
        ("DATABASE_DIRECT_URL", database.direct_url()),
    ];
    let output = program(&["migrate", "up"], &settings).await;
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[tokio::test]
async fn the_status_tells_what_is_applied() {
    let database = Database::empty().await;
    let settings = settings(&database);
    let status = async || {
        let output = program(&["migrate", "status"], &settings).await;
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    };
    let before = status().await;
    assert_eq!(
        before.matches("pending").count(),
        migration::names().len(),
        "{before}"
    );
    assert!(
        tables(&database.sql().await).await.is_empty(),
        "asking changes nothing"
    );
    program(&["migrate", "up"], &settings).await;
    let after = status().await;
    assert_eq!(
        after.matches("applied").count(),
        migration::names().len(),
        "{after}"
    );
    for name in migration::names() {
        assert!(before.contains(&name) && after.contains(&name), "{name}");
    }
}

#[tokio::test]
async fn the_schema_goes_up_down_and_up_again() {
    let database = Database::empty().await;
    let url = database.direct_url();
    let sql = database.sql().await;
    let all = migration::names().len();
    assert_eq!(migration::up(&url).await.unwrap(), all);
    let made = tables(&sql).await;
    assert_eq!(migration::up(&url).await.unwrap(), 0);
    // From the newest back to that of the table.
    let names = migration::names();
    let place = names.iter().position(|it| it.ends_with("_rejections"));
    let steps = u32::try_from(all - place.unwrap()).unwrap();
    migration::down(&url, Some(steps)).await.unwrap();
    assert!(!tables(&sql).await.contains(&"rejections".to_owned()));
    migration::down(&url, None).await.unwrap();
    assert_eq!(tables(&sql).await, [""; 0]);
    let functions = sql
        .one("select count(*) from pg_proc where pronamespace = 'public'::regnamespace")
        .await;
    assert_eq!(functions, "0");
    assert_eq!(migration::up(&url).await.unwrap(), all);
    assert_eq!(tables(&sql).await, made);
}

#[tokio::test]
async fn what_was_migrated_by_hand_serves() {
    let app = App::start().await;
    app.user().await.device().await;
    let sql = app.sql().await;
    let applied = sql
        .column("select version from seaql_migrations order by version")
        .await;
    assert_eq!(applied, migration::names());
}
