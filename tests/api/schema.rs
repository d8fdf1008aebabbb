//! What the database holds by itself, whatever the service does.

use serde_json::json;
use uuid::Uuid;

use crate::support::{App, ago, batch, now, reading_at, time};

#[tokio::test]
async fn an_old_reading_lies_in_the_partition_of_its_month() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    device
        .ingest_text(&reading_at(time("2019-12-31T23:59:59.999999Z"), 1))
        .await
        .expect(201);
    let all = [
        "2020-01-01T00:00:00Z",
        "2020-01-31T00:00:00Z",
        "2000-01-01T00:00:00Z",
    ];
    let all = all.map(|at| reading_at(time(at), 2));
    device.ingest_text(&batch(all)).await.expect(200);
    device.ingest_text(&reading_at(now(), 3)).await.expect(201);

    let sql = app.sql().await;
    let homes = sql
        .column("select tableoid::regclass::text from samples order by recorded_at")
        .await;
    let this_month = now().format("samples_%Y_%m").to_string();
    assert_eq!(
        homes,
        [
            "samples_2000_01",
            "samples_2019_12",
            "samples_2020_01",
            "samples_2020_01",
            &this_month
        ]
    );
    let strays = sql.one("select count(*) from samples_default").await;
    assert_eq!(strays, "0");
    let attached = sql
        .column("select inhrelid::regclass::text from pg_inherits where inhparent = 'samples'::regclass")
        .await;
    for home in &homes {
        assert!(attached.contains(home), "{home}");
    }
}

#[tokio::test]
async fn the_partitions_of_the_coming_months_are_made_ahead() {
    let app = App::start().await;
    let sql = app.sql().await;
    let count = "select count(*) from pg_inherits where inhparent = 'samples'::regclass";
    let within = std::time::Duration::from_secs(10);
    crate::support::eventually(
        "this month, two more and the default one",
        within,
        async || sql.one(count).await == "4",
    )
    .await;
}

#[tokio::test]
async fn the_view_shows_readings_in_the_published_shape() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    let at = ago(9);
    device
        .ingest_text(&reading_at(at, "21.50"))
        .await
        .expect(201);
    let sql = app.sql().await;
    let rows = sql
        .rows("select id, device_id, metric, value, recorded_at at time zone 'UTC' from sensor_readings")
        .await;
    let [row] = &rows[..] else { panic!("{rows:?}") };
    assert_eq!(Uuid::parse_str(&row[0]).unwrap().get_version_num(), 8);
    let stored_at = at.format("%Y-%m-%d %H:%M:%S").to_string();
    assert_eq!(
        row[1..],
        [
            device.id.clone(),
            "t".to_owned(),
            "21.50".to_owned(),
            stored_at
        ]
    );
    let again = sql.one("select id from sensor_readings").await;
    assert_eq!(again, row[0]);
}

#[tokio::test]
async fn stored_readings_are_append_only() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    device.ingest_text(&reading_at(ago(9), 1)).await.expect(201);
    let sql = app.sql().await;
    for update in [
        "update samples set value = 2",
        "update samples set recorded_at = recorded_at - interval '1 month'",
        "update sensor_readings set value = 2",
    ] {
        assert!(sql.run(update).await.is_err(), "{update}");
    }
    for value in ["NaN", "Infinity", "-Infinity"] {
        let insert = format!("insert into samples select series_id, now(), '{value}' from samples");
        let error = sql.run(&insert).await.unwrap_err();
        assert!(
            format!("{error:?}").contains("samples_value_is_finite"),
            "{error:?}"
        );
    }
    assert_eq!(sql.one("select value from samples").await, "1");
}

#[tokio::test]
async fn a_device_key_is_for_life() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    let sql = app.sql().await;
    let error = sql
        .run("update devices set device_key = 'another'")
        .await
        .unwrap_err();
    assert!(
        format!("{error:?}").contains("devices_key_is_for_life"),
        "{error:?}"
    );
    sql.run("update devices set name = 'renamed', device_key = device_key")
        .await
        .unwrap();
    user.patch(&device.path(""), &json!({"name": "again"}))
        .await
        .expect(200);
}

#[tokio::test]
async fn a_rule_has_at_most_one_open_alert() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    user.rule(&device, "gt", 100).await;
    device
        .ingest_text(&reading_at(ago(9), 101))
        .await
        .expect(201);
    let sql = app.sql().await;
    let copy = "insert into alerts select (alert).* from (select jsonb_populate_record(alerts, \
                jsonb_build_object('id', gen_random_uuid())) as alert from alerts) as copies";
    let error = sql.run(copy).await.unwrap_err();
    assert!(
        format!("{error:?}").contains("alerts_one_open_per_rule"),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_purge_removes_what_a_deleted_device_leaves_and_nothing_else() {
    let app = App::start().await;
    let user = app.user().await;
    let (gone, stays) = (user.device().await, user.device().await);
    for device in [&gone, &stays] {
        device
            .ingest_text(&batch((0..50).map(|n| reading_at(ago(n), n))))
            .await
            .expect(200);
    }
    user.delete(&gone.path("")).await.expect(204);
    let sql = app.sql().await;
    let within = std::time::Duration::from_secs(35);
    crate::support::eventually("the purge", within, async || {
        sql.one("select count(*) from samples").await == "50"
            && sql.one("select count(*) from devices").await == "1"
    })
    .await;
    assert_eq!(sql.one("select count(*) from sensor_readings").await, "50");
    assert_eq!(sql.one("select id from devices").await, stays.id);
}
