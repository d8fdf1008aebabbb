//! The leanest way to take readings one INSERT each: actix-web and tokio-postgres, one prepared
//! statement on each of ten connections, nothing looked up.
//!
//! Requests are dealt out over the connections and pipelined on each. It runs in a process of its own.

use crate::plain::{NewReading, POOL};
use actix_web::error::ErrorInternalServerError;
use actix_web::{HttpResponse, web};
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio_postgres::{Client, NoTls, Statement};
use uuid::Uuid;

const INSERT: &str = "insert into sensor_readings_plain (id, device_id, metric, value, recorded_at) \
                      values ($1, $2, $3, $4::text::numeric, $5)";

struct Pool {
    connections: Vec<(Client, Statement)>,
    next: AtomicUsize,
    device: Uuid,
}

async fn create(
    body: web::Json<NewReading>,
    pool: web::Data<Pool>,
) -> actix_web::Result<HttpResponse> {
    let turn = pool.next.fetch_add(1, Ordering::Relaxed);
    let (client, insert) = &pool.connections[turn % pool.connections.len()];
    let id = Uuid::now_v7();
    let value = body.value.to_string();
    client
        .execute(
            insert,
            &[&id, &pool.device, &body.metric, &value, &body.recorded_at],
        )
        .await
        .map_err(ErrorInternalServerError)?;
    Ok(HttpResponse::Created().json(serde_json::json!({"id": id})))
}

/// Serves until it is killed.
pub(crate) async fn serve(url: &str, device: Uuid) {
    let mut connections = Vec::new();
    for _ in 0..POOL {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
        tokio::spawn(connection);
        let statement = client.prepare(INSERT).await.unwrap();
        connections.push((client, statement));
    }
    let pool = web::Data::new(Pool {
        connections,
        next: AtomicUsize::new(0),
        device,
    });
    let route = move |config: &mut web::ServiceConfig| {
        config.app_data(pool.clone());
        config.route("/api/v1/readings", web::post().to(create));
    };
    crate::baseline::serve(route).await;
}
