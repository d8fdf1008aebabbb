//! Compares the ledger with what is stored.

use crate::client::Device;
use crate::reading::Span;
use futures_util::SinkExt;
use std::fmt::Write;
use std::io::Cursor;
use std::pin::pin;
use tokio_postgres::Client;

/// Bytes that are handed to COPY at a time.
const CHUNK: usize = 64 * 1024;

/// Every reading that is in the ledger or stored, beside the other. Values must be the same to the
/// last digit, zeros at the end included.
const COMPARE: &str = "
select count(*) filter (where stored.count is null),
       count(*) filter (where stored.least <> expected.value or stored.most <> expected.value),
       count(*) filter (where stored.count > 1),
       count(*) filter (where expected.value is null),
       coalesce(sum(stored.count), 0)::bigint,
       (select count(*) from samples)
from expected
full join (
    select device_id, metric, recorded_at,
           count(*), min(value::text) as least, max(value::text) as most
    from sensor_readings
    group by device_id, metric, recorded_at
) as stored using (device_id, metric, recorded_at)";

/// What was found, in readings.
#[derive(Debug)]
pub(crate) struct Findings {
    pub(crate) missing: i64,
    pub(crate) different: i64,
    pub(crate) repeated: i64,
    pub(crate) unsent: i64,
    /// As users see it, and as it is kept.
    pub(crate) stored: i64,
    pub(crate) samples: i64,
}

/// Compares what is acknowledged with what is stored.
pub(crate) async fn compare(client: &Client, devices: &[Device], ledger: &[Span]) -> Findings {
    let table = "create temporary table expected (device_id uuid, metric text, recorded_at timestamptz, value text, \
                 primary key (device_id, metric, recorded_at))";
    client.batch_execute(table).await.unwrap();
    let sink = client.copy_in("copy expected from stdin").await.unwrap();
    let mut sink = pin!(sink);
    let mut lines = String::new();
    for reading in ledger.iter().flat_map(|span| span.readings()) {
        let (id, metric) = (&devices[reading.device].id, reading.metric());
        let (recorded_at, value) = (reading.recorded_at(), reading.value());
        writeln!(lines, "{id}\t{metric}\t{recorded_at}\t{value}").unwrap();
        if lines.len() > CHUNK {
            let chunk = Cursor::new(std::mem::take(&mut lines));
            sink.feed(chunk).await.unwrap();
        }
    }
    sink.feed(Cursor::new(lines)).await.unwrap();
    sink.finish().await.unwrap();
    client.batch_execute("analyze expected").await.unwrap();
    let row = client.query_one(COMPARE, &[]).await.unwrap();
    Findings {
        missing: row.get(0),
        different: row.get(1),
        repeated: row.get(2),
        unsent: row.get(3),
        stored: row.get(4),
        samples: row.get(5),
    }
}
