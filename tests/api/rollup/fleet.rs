//! `GET /rollups`: many devices in one answer, named or found, side by side or together.

use super::*;

const HOURS: &str = "start=2026-01-31T12:00:00Z&end=2026-01-31T14:00:00Z";

/// Provisions a device with tags and with these readings of `t`, minutes after noon.
async fn measured(user: &User, name: &str, tags: &Value, readings: &[(i64, &str)]) -> String {
    let body = json!({"name": name, "tags": tags});
    let made = user.post("/devices", &body).await.expect(201);
    let device = Device::provisioned(user, &made);
    let noon = time("2026-01-31T12:00:00Z");
    let all = readings
        .iter()
        .map(|(minute, value)| reading_at(noon + TimeDelta::minutes(*minute), value));
    device.ingest_text(&batch(all)).await.expect(200);
    device.id
}

/// Three devices at two sites.
async fn fleet(user: &User) -> [String; 3] {
    let site = |site: &str| json!({"site": site});
    [
        measured(
            user,
            "Pump 1",
            &site("north"),
            &[(0, "1.5"), (59, "2.5"), (60, "10")],
        )
        .await,
        measured(user, "Pump 2", &site("south"), &[(30, "-4")]).await,
        measured(user, "Fan", &site("north"), &[(15, "100"), (70, "20.25")]).await,
    ]
}

fn ids(devices: &[String]) -> String {
    let all: Vec<_> = devices.iter().map(|id| format!("device_id={id}")).collect();
    all.join("&")
}

/// Device, metric and the sums of the buckets of each series.
fn sums(answer: &Answer) -> Vec<(Value, Value, Vec<Value>)> {
    let sums = |it: &Value| {
        let buckets = it["buckets"].as_array().unwrap();
        buckets.iter().map(|it| it["sum"].clone()).collect()
    };
    let series = answer.data().iter();
    series
        .map(|it| (it["device_id"].clone(), it["metric"].clone(), sums(it)))
        .collect()
}

#[tokio::test]
async fn each_device_and_metric_has_a_series_in_the_order_of_the_question() {
    let app = App::start().await;
    let user = app.user().await;
    let [one, two, three] = fleet(&user).await;
    let devices = ids(&[three.clone(), one.clone(), two.clone(), one.clone()]);
    let query = format!("{devices}&metric=t&metric=u&metric=t&interval=1h&agg=sum&{HOURS}");
    let answer = user.get(&format!("/rollups?{query}")).await.expect(200);
    assert!(answer.body.get("device_id").is_none());
    let expected: Vec<_> = [
        (&three, "t", vec![json!(100), json!(20.25)]),
        (&three, "u", vec![]),
        (&one, "t", vec![json!(4.0), json!(10)]),
        (&one, "u", vec![]),
        (&two, "t", vec![json!(-4)]),
        (&two, "u", vec![]),
    ]
    .into_iter()
    .map(|(device, metric, sums)| (json!(device), json!(metric), sums))
    .collect();
    assert_eq!(sums(&answer), expected);
    // As each of them tells by itself.
    let own = user
        .get(&format!(
            "/devices/{one}/rollups?metric=t&interval=1h&agg=sum&{HOURS}"
        ))
        .await;
    assert_eq!(
        own.expect(200).body["data"][0]["buckets"],
        answer.data()[2]["buckets"]
    );
}

#[tokio::test]
async fn devices_are_summed_up_together() {
    let app = App::start().await;
    let user = app.user().await;
    let devices = fleet(&user).await;
    let agg = "agg=sum,avg,min,max,first,last,median,p25";
    let query = format!(
        "{}&metric=t&metric=u&interval=1h&{agg}&{HOURS}&combine=true",
        ids(&devices)
    );
    let answer = user.get(&format!("/rollups?{query}")).await.expect(200);
    assert_eq!(answer.data().len(), 2);
    assert!(answer.data()[0].get("device_id").is_none());
    // 1.5 at 12:00, 100 at 12:15, -4 at 12:30, 2.5 at 12:59; 10 at 13:00, 20.25 at 13:10.
    let [noon, one] = &buckets(&answer, 0)[..] else {
        panic!("{}", answer.text)
    };
    let told = |bucket: &Value| {
        let members = [
            "count", "sum", "avg", "min", "max", "first", "last", "median", "p25",
        ];
        members.map(|it| bucket[it].to_string()).join(" ")
    };
    assert_eq!(told(noon), "4 100.0 25 -4 100 1.5 2.5 2 0.125");
    assert_eq!(told(one), "2 30.25 15.125 10 20.25 10 20.25 15.125 12.5625");
    assert_eq!(answer.data()[1], json!({"metric": "u", "buckets": []}));
}

#[tokio::test]
async fn devices_are_found_by_name_and_tag() {
    let app = App::start().await;
    let user = app.user().await;
    let [one, two, three] = fleet(&user).await;
    let other = app.user().await;
    measured(&other, "Pump 9", &json!({"site": "north"}), &[(0, "7")]).await;
    for (filter, found) in [
        ("search=pump", vec![&one, &two]),
        ("search=", vec![&one, &two, &three]),
        ("tag=site:north", vec![&one, &three]),
        ("tag=site", vec![&one, &two, &three]),
        ("tag=site:north&search=fan", vec![&three]),
        ("tag=site:north&tag=site:south", vec![]),
        ("search=nothing", vec![]),
    ] {
        let query = format!("{filter}&metric=t&interval=1d&agg=sum&{HOURS}");
        let answer = user.get(&format!("/rollups?{query}")).await.expect(200);
        let devices: Vec<_> = answer.data().iter().map(|it| &it["device_id"]).collect();
        assert_eq!(devices, found, "{filter}");
        let combined = user
            .get(&format!("/rollups?{query}&combine=true&fill=null"))
            .await;
        let combined = combined.expect(200);
        assert_eq!(combined.data().len(), 1);
        assert_eq!(buckets(&combined, 0).len(), 1, "{filter}");
    }
}

#[tokio::test]
async fn a_device_of_someone_else_among_them_is_not_found() {
    let app = App::start().await;
    let user = app.user().await;
    let [one, ..] = fleet(&user).await;
    let other = app.user().await;
    let theirs = measured(&other, "Pump 9", &json!({}), &[(0, "7")]).await;
    let gone = user.device().await;
    user.delete(&gone.path("")).await.expect(204);
    let nobodys = uuid::Uuid::now_v7().to_string();
    for second in [theirs, gone.id, nobodys] {
        for combine in ["", "&combine=true"] {
            let devices = ids(&[one.clone(), second.clone()]);
            let query = format!("{devices}&metric=t&interval=1h&{HOURS}{combine}");
            let answer = user.get(&format!("/rollups?{query}")).await;
            answer.problem(404, "not_found");
        }
    }
}

#[tokio::test]
async fn a_question_about_devices_is_refused_with_the_parameter_to_blame() {
    let app = App::start().await;
    let user = app.user().await;
    let [one, ..] = fleet(&user).await;
    let many: Vec<_> = (0..501).map(|_| uuid::Uuid::now_v7().to_string()).collect();
    for (query, parameter, code) in [
        (String::new(), "device_id", "missing_parameter"),
        ("device_id=7".to_owned(), "device_id", "invalid_value"),
        (
            format!("device_id={one}&search=a"),
            "search",
            "invalid_combination",
        ),
        (
            format!("device_id={one}&tag=a"),
            "tag",
            "invalid_combination",
        ),
        (
            format!("search={}", "x".repeat(101)),
            "search",
            "invalid_value",
        ),
        (
            "search=a&combine=perhaps".to_owned(),
            "combine",
            "invalid_value",
        ),
        (ids(&many), "device_id", "too_many_devices"),
    ] {
        let answer = user
            .get(&format!("/rollups?metric=t&interval=1h&{query}"))
            .await;
        answer
            .problem(422, "validation_failed")
            .blames(parameter, code);
    }
}

#[tokio::test]
async fn at_most_500_devices_are_found_for_one_answer() {
    let app = App::start().await;
    let user = app.user().await;
    let [one, ..] = fleet(&user).await;
    let copies = "insert into devices (id, owner_id, name, device_key, key_prefix, tags, created_at, updated_at) \
                  select gen_random_uuid(), owner_id, 'Copy', n, 'rdk_', '{\"copy\": \"yes\"}', now(), now() \
                  from devices, generate_series(1, 500) as n where id = ";
    app.sql()
        .await
        .run(&format!("{copies}'{one}'"))
        .await
        .unwrap();
    let ask = async |filter: &str| {
        let query = format!("{filter}&metric=t&interval=1d&{HOURS}");
        user.get(&format!("/rollups?{query}")).await
    };
    let all = ask("tag=copy:yes").await.expect(200);
    assert_eq!(all.data().len(), 500);
    user.post(
        "/devices",
        &json!({"name": "Copy", "tags": {"copy": "yes"}}),
    )
    .await
    .expect(201);
    for (filter, parameter) in [
        ("tag=copy", "tag"),
        ("search=copy", "search"),
        ("search=", "search"),
    ] {
        let answer = ask(filter).await.problem(422, "validation_failed");
        answer.blames(parameter, "too_many_devices");
    }
}
