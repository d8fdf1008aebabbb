//! Answers that a client has already are not sent again.

use super::*;

#[tokio::test]
async fn an_answer_is_sent_again_only_when_it_has_changed() {
    let app = App::start().await;
    let (user, device) = with_readings(&app).await;
    let question = format!("metric=t&interval=1h&agg=avg,p50&{DAY}");
    for path in [
        device.path(&format!("/rollups?{question}")),
        format!("/rollups?device_id={}&{question}", device.id),
        format!("/rollups?search=boiler&combine=true&{question}"),
    ] {
        let first = user.get(&path).await.expect(200);
        let tag = first.header("etag").to_owned();
        assert!(
            tag.starts_with('"') && tag.ends_with('"') && tag.len() > 20,
            "{tag}"
        );
        assert_eq!(first.header("cache-control"), "private, no-cache");
        // Both instances say the same.
        for known in [
            tag.clone(),
            format!("\"other\", {tag}"),
            format!("W/{tag}"),
            "*".to_owned(),
        ] {
            for instance in [0, 1] {
                let client = user.on(instance).with("if-none-match", known.clone());
                let again = client.get(&path).await.expect(304);
                assert_eq!(again.header("etag"), tag);
                assert_eq!(again.header("cache-control"), "private, no-cache");
                assert_eq!(again.text, "");
            }
        }
        let other = user.with("if-none-match", "\"other\"").get(&path).await;
        assert_eq!(other.expect(200).text, first.text);
        // Asked for otherwise, it is another answer.
        let wider = user.get(&path.replace("1h", "1d")).await.expect(200);
        assert_ne!(wider.header("etag"), tag);
    }
}

#[tokio::test]
async fn a_reading_that_arrives_late_makes_another_answer() {
    let app = App::start().await;
    let (user, device) = with_readings(&app).await;
    let path = device.path(&format!("/rollups?metric=t&interval=1d&agg=max&{DAY}"));
    let first = user.get(&path).await.expect(200);
    let tag = first.header("etag").to_owned();
    let known = user.with("if-none-match", tag.clone());
    // Of another metric, and outside of the range: nothing is new.
    let at = time("2026-01-31T18:00:00Z");
    device.ingest_text(&reading("u", at, 99)).await.expect(201);
    let after = reading_at(time("2026-02-01T00:00:00Z"), 99);
    device.ingest_text(&after).await.expect(201);
    known.get(&path).await.expect(304);
    device
        .ingest_text(&reading_at(at, "-2.5"))
        .await
        .expect(201);
    let second = known.get(&path).await.expect(200);
    assert_ne!(second.header("etag"), tag);
    // The largest is still the same, but there is one more.
    assert_eq!(buckets(&second, 0)[0]["max"], buckets(&first, 0)[0]["max"]);
    assert_eq!(buckets(&second, 0)[0]["count"], 4);
    let known = user.with("if-none-match", second.header("etag"));
    known.get(&path).await.expect(304);
}

#[tokio::test]
async fn a_range_without_an_end_has_the_same_answer_while_its_window_is_open() {
    let app = App::start().await;
    let (user, device) = with_readings(&app).await;
    device.ingest_text(&reading_at(now(), 1)).await.expect(201);
    let path = device.path("/rollups?metric=t&interval=1y&start=2026-01-01T00:00:00Z");
    let first = user.get(&path).await.expect(200);
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    let known = user.with("if-none-match", first.header("etag"));
    known.get(&path).await.expect(304);
    device.ingest_text(&reading_at(now(), 2)).await.expect(201);
    known.get(&path).await.expect(200);
}

#[tokio::test]
async fn a_problem_has_no_tag() {
    let app = App::start().await;
    let (user, device) = with_readings(&app).await;
    let any = user.with("if-none-match", "*");
    let refused = any.get(&device.path("/rollups?metric=t&interval=1x")).await;
    let refused = refused.problem(422, "validation_failed");
    assert_eq!(refused.header("etag"), "");
    let stranger = app.user().await.with("if-none-match", "*");
    let path = device.path("/rollups?metric=t&interval=1h");
    stranger.get(&path).await.problem(404, "not_found");
}
