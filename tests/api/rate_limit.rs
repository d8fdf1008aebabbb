//! Quotas of readings: 429, when to come back, and what an answer says of what is left.

use crate::support::{App, ago, batch, reading_at};

#[tokio::test]
async fn more_than_a_quota_is_refused_with_when_to_come_back() {
    let slow = ("RATE_LIMIT_DEVICE", "1".to_owned());
    let app = App::start_with(&[slow]).await;
    let user = app.user().await;
    let device = user.device().await;
    let (here, there) = (device.on(0), device.on(1));
    let whole = batch((0..10_000).map(|n| reading_at(ago(n), n)));
    let taken = here.post_text("/readings", &whole).await.expect(200);
    let policy = r#""device";q=10000;w=10000, "owner";q=1200000;w=60"#;
    assert_eq!(taken.header("ratelimit-policy"), policy);
    assert!(taken.header("ratelimit").starts_with(r#""device";r="#));

    let again = batch((0..100).map(|n| reading_at(ago(20_000 + n), n)));
    let refused = here.post_text("/readings", &again).await;
    let refused = refused.problem(429, "rate_limited");
    let seconds: u64 = refused.header("retry-after").parse().unwrap();
    assert!((1..=100).contains(&seconds), "{seconds}");
    assert_eq!(refused.header("ratelimit-policy"), policy);
    let left = refused.header("ratelimit");
    assert!(left.contains(r#", "owner";r=1"#), "{left}");
    // The other instance counts for itself, and of what was refused nothing was stored.
    let answer = there.post_text("/readings", &again).await.expect(200);
    assert_eq!(answer.body["accepted"], 100);
}

#[tokio::test]
async fn devices_of_an_owner_share_a_quota_and_those_of_another_do_not() {
    let slow = ("RATE_LIMIT_OWNER", "1".to_owned());
    let app = App::start_with(&[slow]).await;
    let (user, other) = (app.user().await, app.user().await);
    let whole = batch((0..10_000).map(|n| reading_at(ago(n), n)));
    let device = user.device().await.on(0);
    device.post_text("/readings", &whole).await.expect(200);
    let sibling = user.device().await.on(0);
    let refused = sibling.post_text("/readings", &whole).await;
    refused.problem(429, "rate_limited");
    let stranger = other.device().await.on(0);
    stranger.post_text("/readings", &whole).await.expect(200);
}

#[tokio::test]
async fn nothing_is_limited_where_quotas_are_off() {
    let settings = [
        ("RATE_LIMITS", "off".to_owned()),
        ("RATE_LIMIT_DEVICE", "1".to_owned()),
    ];
    let app = App::start_with(&settings).await;
    let device = app.user().await.device().await.on(0);
    let whole = batch((0..10_000).map(|n| reading_at(ago(n), n)));
    for _ in 0..3 {
        let answer = device.post_text("/readings", &whole).await.expect(200);
        assert_eq!(answer.headers.get("ratelimit"), None);
        assert_eq!(answer.headers.get("ratelimit-policy"), None);
    }
}
