//! Windows by the calendar of a zone: days where clocks change, weeks, months, and half hours.
//!
//! Each question is asked while the answer comes from samples alone, and again when hours are kept.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::*;
use crate::support::eventually;

/// Readings of one metric, and a way to ask about them.
struct Asked {
    app: App,
    user: User,
    device: Device,
}

impl Asked {
    async fn with(times: impl IntoIterator<Item = DateTime<Utc>>) -> Self {
        let app = App::start().await;
        let user = app.user().await;
        let device = user.device().await;
        let all = times.into_iter().map(|at| reading_at(at, 1));
        device.ingest_text(&batch(all)).await.expect(200);
        Self { app, user, device }
    }

    /// Begin, end and count of each bucket must be these, however they are found.
    async fn answers(&self, query: &str, expected: &[(&str, &str, u64)]) {
        self.check(query, expected).await;
        let sql = self.app.sql().await;
        eventually("hours that are kept", Duration::from_secs(20), async || {
            sql.one("select count(*) from stale_hours").await == "0"
        })
        .await;
        assert_ne!(sql.one("select count(*) from series_hours").await, "0");
        self.check(query, expected).await;
    }

    async fn check(&self, query: &str, expected: &[(&str, &str, u64)]) {
        let path = self
            .device
            .path(&format!("/rollups?metric=t&agg=count&{query}"));
        let answer = self.user.get(&path).await.expect(200);
        let found: Vec<_> = buckets(&answer, 0).iter().map(edges).collect();
        assert_eq!(found, expected, "{query}");
    }
}

fn edges(bucket: &Value) -> (&str, &str, u64) {
    let text = |member: &str| bucket[member].as_str().unwrap();
    (
        text("start"),
        text("end"),
        bucket["count"].as_u64().unwrap(),
    )
}

fn hourly(start: &str, hours: i32) -> impl Iterator<Item = DateTime<Utc>> {
    let start = time(start);
    (0..hours).map(move |n| start + TimeDelta::hours(1) * n)
}

#[tokio::test]
async fn days_in_berlin_have_23_and_25_hours_where_clocks_change() {
    let spring = hourly("2026-03-28T00:00:00Z", 72);
    let autumn = hourly("2026-10-24T00:00:00Z", 72);
    let asked = Asked::with(spring.chain(autumn)).await;
    asked
        .answers(
            "interval=1d&timezone=Europe/Berlin&start=2026-03-27T23:00:00Z&end=2026-03-30T22:00:00Z",
            &[
                ("2026-03-27T23:00:00Z", "2026-03-28T23:00:00Z", 23),
                ("2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z", 23),
                ("2026-03-29T22:00:00Z", "2026-03-30T22:00:00Z", 24),
            ],
        )
        .await;
    asked
        .answers(
            "interval=1d&timezone=Europe/Berlin&start=2026-10-24T22:00:00Z&end=2026-10-26T23:00:00Z",
            &[
                ("2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z", 25),
                ("2026-10-25T23:00:00Z", "2026-10-26T23:00:00Z", 24),
            ],
        )
        .await;
}

#[tokio::test]
async fn windows_below_a_day_follow_each_other_through_a_change_of_clocks() {
    let asked = Asked::with(hourly("2026-03-28T23:00:00Z", 24)).await;
    asked
        .answers(
            "interval=6h&timezone=Europe/Berlin&start=2026-03-28T23:00:00Z&end=2026-03-29T23:00:00Z",
            &[
                ("2026-03-28T23:00:00Z", "2026-03-29T05:00:00Z", 6),
                ("2026-03-29T05:00:00Z", "2026-03-29T11:00:00Z", 6),
                ("2026-03-29T11:00:00Z", "2026-03-29T17:00:00Z", 6),
                ("2026-03-29T17:00:00Z", "2026-03-29T23:00:00Z", 6),
            ],
        )
        .await;
}

#[tokio::test]
async fn weeks_begin_on_monday_and_longer_windows_on_the_first() {
    let edges = [
        "2025-12-31T23:00:00Z",
        "2026-01-31T23:00:00Z",
        "2026-03-31T22:00:00Z",
        "2026-05-31T22:00:00Z",
    ];
    // The last instant before, and the first one after.
    let times = edges
        .map(time)
        .map(|at| [at - TimeDelta::microseconds(1), at]);
    let asked = Asked::with(times.into_iter().flatten()).await;
    let range = "timezone=Europe/Berlin&start=2025-01-01T00:00:00Z&end=2026-11-01T00:00:00Z";
    asked
        .answers(
            &format!("interval=1w&{range}"),
            &[
                ("2025-12-28T23:00:00Z", "2026-01-04T23:00:00Z", 2),
                ("2026-01-25T23:00:00Z", "2026-02-01T23:00:00Z", 2),
                ("2026-03-29T22:00:00Z", "2026-04-05T22:00:00Z", 2),
                ("2026-05-24T22:00:00Z", "2026-05-31T22:00:00Z", 1),
                ("2026-05-31T22:00:00Z", "2026-06-07T22:00:00Z", 1),
            ],
        )
        .await;
    asked
        .answers(
            &format!("interval=1mo&{range}"),
            &[
                ("2025-11-30T23:00:00Z", "2025-12-31T23:00:00Z", 1),
                ("2025-12-31T23:00:00Z", "2026-01-31T23:00:00Z", 2),
                ("2026-01-31T23:00:00Z", "2026-02-28T23:00:00Z", 1),
                ("2026-02-28T23:00:00Z", "2026-03-31T22:00:00Z", 1),
                ("2026-03-31T22:00:00Z", "2026-04-30T22:00:00Z", 1),
                ("2026-04-30T22:00:00Z", "2026-05-31T22:00:00Z", 1),
                ("2026-05-31T22:00:00Z", "2026-06-30T22:00:00Z", 1),
            ],
        )
        .await;
    asked
        .answers(
            &format!("interval=1q&{range}"),
            &[
                ("2025-09-30T22:00:00Z", "2025-12-31T23:00:00Z", 1),
                ("2025-12-31T23:00:00Z", "2026-03-31T22:00:00Z", 4),
                ("2026-03-31T22:00:00Z", "2026-06-30T22:00:00Z", 3),
            ],
        )
        .await;
    asked
        .answers(
            &format!("interval=1y&{range}"),
            &[
                ("2024-12-31T23:00:00Z", "2025-12-31T23:00:00Z", 1),
                ("2025-12-31T23:00:00Z", "2026-12-31T23:00:00Z", 7),
            ],
        )
        .await;
}

#[tokio::test]
async fn hours_and_days_of_a_zone_of_half_or_quarter_hours_begin_by_its_clock() {
    let quarters = (0..16).map(|n| time("2026-01-31T16:00:00Z") + TimeDelta::minutes(15) * n);
    let asked = Asked::with(quarters).await;
    let range = "start=2026-01-31T16:00:00Z&end=2026-01-31T20:00:00Z";
    asked
        .answers(
            &format!("interval=1h&timezone=Asia/Kolkata&{range}"),
            &[
                ("2026-01-31T15:30:00Z", "2026-01-31T16:30:00Z", 2),
                ("2026-01-31T16:30:00Z", "2026-01-31T17:30:00Z", 4),
                ("2026-01-31T17:30:00Z", "2026-01-31T18:30:00Z", 4),
                ("2026-01-31T18:30:00Z", "2026-01-31T19:30:00Z", 4),
                ("2026-01-31T19:30:00Z", "2026-01-31T20:30:00Z", 2),
            ],
        )
        .await;
    asked
        .answers(
            &format!("interval=1d&timezone=Asia/Kolkata&{range}"),
            &[
                ("2026-01-30T18:30:00Z", "2026-01-31T18:30:00Z", 10),
                ("2026-01-31T18:30:00Z", "2026-02-01T18:30:00Z", 6),
            ],
        )
        .await;
    asked
        .answers(
            &format!("interval=1d&timezone=Asia/Kathmandu&{range}"),
            &[
                ("2026-01-30T18:15:00Z", "2026-01-31T18:15:00Z", 9),
                ("2026-01-31T18:15:00Z", "2026-02-01T18:15:00Z", 7),
            ],
        )
        .await;
}
