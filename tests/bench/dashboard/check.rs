//! Whether both sides answer the same, since otherwise there is nothing to compare.

use super::question::Question;
use crate::rig::Rig;
use serde_json::Value;
use tokio_postgres::SimpleQueryMessage;

/// Compares every time, count and value.
pub(super) async fn check(rig: &Rig, question: &Question, token: &str) {
    let answer = rig.get(&question.paths[0], token).await;
    let answer: Value = answer.json().await.unwrap();
    let ours = of_answer(&answer);
    assert!(!ours.is_empty(), "{answer}");
    let theirs = of_sql(rig, question).await;
    assert_eq!(ours.len(), theirs.len(), "{}", question.name);
    for (one, other) in ours.iter().zip(&theirs) {
        assert_eq!(one, other, "{}", question.name);
    }
}

/// What of an answer has to be the same: for each bucket, or reading, its time and its numbers.
fn of_answer(answer: &Value) -> Vec<Vec<String>> {
    let list = |value: &Value, name| value.get(name).and_then(Value::as_array).cloned();
    let data = list(answer, "data").unwrap_or_default();
    let items = data
        .into_iter()
        .flat_map(|item| list(&item, "buckets").unwrap_or(vec![item]));
    let row = |item: Value| {
        let names = [
            "start",
            "recorded_at",
            "count",
            "avg",
            "min",
            "max",
            "value",
        ];
        let members = names.iter().filter_map(|name| item.get(*name));
        members
            .map(|it| plain(it.as_str().unwrap_or(&it.to_string())))
            .collect()
    };
    sorted(items.map(row))
}

async fn of_sql(rig: &Rig, question: &Question) -> Vec<Vec<String>> {
    rig.direct
        .batch_execute("set timezone = 'UTC'")
        .await
        .unwrap();
    let answers = rig.direct.simple_query(&question.sql).await.unwrap();
    let row = |answer| {
        let SimpleQueryMessage::Row(row) = answer else {
            return None;
        };
        let columns = row.columns().iter().zip(0..);
        let columns = columns.filter(|(column, _)| column.name() != "series_id");
        Some(
            columns
                .map(|(_, place)| plain(row.get(place).unwrap()))
                .collect(),
        )
    };
    sorted(answers.into_iter().filter_map(row))
}

/// A number, to ten digits since it was read as a double, or a time, however it was written.
fn plain(text: &str) -> String {
    if let Ok(number) = text.parse::<f64>() {
        return format!("{number:.9e}");
    }
    let at = text.replace(' ', "T").replace("+00", "Z");
    let at = chrono::DateTime::parse_from_rfc3339(&at);
    at.unwrap_or_else(|_| panic!("neither a number nor a time: {text}"))
        .timestamp_micros()
        .to_string()
}

fn sorted(rows: impl Iterator<Item = Vec<String>>) -> Vec<Vec<String>> {
    let mut rows: Vec<_> = rows.collect();
    rows.sort_unstable();
    rows
}
