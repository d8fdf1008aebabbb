//! The plain way to take readings: actix-web and SeaORM as they come, on a pool of ten connections.
//!
//! Each request looks up its device by the hash of the key and inserts one row, with SeaORM's and
//! sqlx's defaults (among them a ping before each use of a pooled connection). It runs in a process of
//! its own.

use actix_web::error::{ErrorInternalServerError, ErrorUnauthorized};
use actix_web::{HttpRequest, HttpResponse, web};
use sea_orm::ActiveValue::Set;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectOptions, Database, DatabaseConnection, EntityTrait,
    QueryFilter,
};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::fmt::Write;
use uuid::Uuid;

/// The table that it and the lean one insert into.
pub(crate) const TABLE: &str = "create table sensor_readings_plain (
    id uuid primary key,
    device_id uuid not null references devices (id),
    metric text not null,
    value numeric not null,
    recorded_at timestamptz not null
);
create index sensor_readings_plain_device_id on sensor_readings_plain (device_id);
create index sensor_readings_plain_series on sensor_readings_plain (device_id, metric, recorded_at);";

/// Connections to PostgreSQL, without a pooler between.
pub(crate) const POOL: u32 = 10;

/// A reading as it is posted.
#[derive(Debug, Deserialize)]
pub(crate) struct NewReading {
    pub(crate) metric: String,
    pub(crate) value: serde_json::Number,
    pub(crate) recorded_at: chrono::DateTime<chrono::Utc>,
}

pub(crate) mod device {
    //! Rows of `devices`, as far as they are needed.
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "devices")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) id: Uuid,
        pub(crate) device_key: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

pub(crate) mod reading {
    //! Rows of the plain table.
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel, serde::Serialize)]
    #[sea_orm(table_name = "sensor_readings_plain")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) id: Uuid,
        pub(crate) device_id: Uuid,
        pub(crate) metric: String,
        #[sea_orm(select_as = "text", save_as = "numeric")]
        pub(crate) value: String,
        pub(crate) recorded_at: DateTimeUtc,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

async fn create(
    request: HttpRequest,
    body: web::Json<NewReading>,
    db: web::Data<DatabaseConnection>,
) -> actix_web::Result<HttpResponse> {
    let key = request.headers().get("x-device-key");
    let key = key.ok_or_else(|| ErrorUnauthorized("no key"))?;
    let device = device::Entity::find()
        .filter(device::Column::DeviceKey.eq(hash(key.as_bytes())))
        .one(db.get_ref())
        .await
        .map_err(ErrorInternalServerError)?
        .ok_or_else(|| ErrorUnauthorized("an unknown key"))?;
    let NewReading {
        metric,
        value,
        recorded_at,
    } = body.into_inner();
    let row = reading::ActiveModel {
        id: Set(Uuid::now_v7()),
        device_id: Set(device.id),
        metric: Set(metric),
        value: Set(value.to_string()),
        recorded_at: Set(recorded_at),
    };
    let row = row
        .insert(db.get_ref())
        .await
        .map_err(ErrorInternalServerError)?;
    Ok(HttpResponse::Created().json(row))
}

fn hash(key: &[u8]) -> String {
    let digest = Sha256::digest(key);
    let mut hex = String::with_capacity(64);
    for byte in digest {
        write!(hex, "{byte:02x}").unwrap();
    }
    hex
}

/// Serves until it is killed.
pub(crate) async fn serve(url: &str) {
    let mut options = ConnectOptions::new(url);
    options.max_connections(POOL).min_connections(POOL);
    options.sqlx_logging(false);
    let db = web::Data::new(Database::connect(options).await.unwrap());
    let route = move |config: &mut web::ServiceConfig| {
        config.app_data(db.clone());
        config.route("/api/v1/readings", web::post().to(create));
    };
    crate::baseline::serve(route).await;
}
