//! Rejections on their way into the database: several instances, devices that are gone, failures.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../pooling/rig.rs"]
mod rig;

use domain::{
    Timestamp,
    device::{Device, DeviceKey},
    mail::{MailId, NewMail},
    session::{Client, RefreshToken},
    user::Email,
    version::Expected,
};
use persistence::{
    Db, DbSettings, device,
    idempotency::Once,
    rejection::{self, Refused, Rejections},
    session::{self, OwnerId},
    user,
};
use rig::Rig;
use serde_json::json;
use uuid::Uuid;

fn at(second: i64) -> Timestamp {
    Timestamp::from_timestamp(1_750_000_000 + second, 0).unwrap()
}

async fn owner(db: &Db, number: u8) -> OwnerId {
    let email = Email::parse(&format!("user{number}@example.com")).unwrap();
    let sign_up = user::SignUp {
        mail: NewMail::password_changed(MailId(Uuid::now_v7()), email.clone()),
        email,
        name: None,
        password_hash: "hash".to_owned(),
    };
    let token = RefreshToken::new([number; 32]);
    let client = Client {
        user_agent: None,
        ip: None,
    };
    let (person, session) = user::insert(db, &sign_up, &token, &client, at(0))
        .await
        .unwrap();
    let owner = session::authenticate(db, session.id, person.id, at(0)).await;
    owner.unwrap().unwrap()
}

async fn device(db: &Db, owner: OwnerId, number: u8) -> Device {
    let new = serde_json::from_value(json!({"name": "Boiler"})).unwrap();
    let new = (&new, &DeviceKey::new([number; 32]));
    let made = device::insert(db, owner, new, &Once::freely(), at(0)).await;
    made.unwrap().done().unwrap()
}

fn note(rejections: &Rejections, device: &Device, code: &'static str, second: i64) {
    let detail = &format!("{code} of second {second}");
    let refused = Refused {
        code,
        detail,
        sample: Some("\0rdk_0123"),
        count: 2,
    };
    rejections.note(device.id, refused, at(second));
}

#[tokio::test]
async fn instances_add_up_without_deadlocks_and_the_latest_words_stay() {
    let rig = Rig::start(2).await;
    let settings = DbSettings::parse(&rig.pooled_url()).unwrap();
    let dbs = [Db::new(&settings), Db::new(&settings)];
    let [db, _] = &dbs;
    let owner = owner(db, 1).await;
    let mut devices = Vec::new();
    for number in 0..10 {
        devices.push(device(db, owner, number).await);
    }
    let instance = async |db: &Db, from: i64| {
        let rejections = Rejections::default();
        for second in (from..80).step_by(2) {
            for device in &devices {
                note(&rejections, device, "invalid_value", second);
                note(&rejections, device, "conflict", second + 100);
            }
            rejections.flush(db).await.unwrap();
        }
    };
    let [one, other] = &dbs;
    tokio::join!(instance(one, 0), instance(other, 1));
    for device in &devices {
        let listed = rejection::list(db, owner, device.id).await.unwrap();
        let [newest, older] = &listed.unwrap()[..] else {
            panic!("two codes")
        };
        assert_eq!((newest.code.as_str(), newest.count), ("conflict", 160));
        assert_eq!(newest.detail, "conflict of second 179");
        assert_eq!((older.code.as_str(), older.count), ("invalid_value", 160));
        assert_eq!((older.first_seen_at, older.last_seen_at), (at(0), at(79)));
        assert_eq!(older.sample.as_deref(), Some(" rdk_…"));
    }
    rig.stop().await;
}

#[tokio::test]
async fn what_cannot_be_written_is_kept_and_what_is_gone_is_not() {
    let rig = Rig::start(2).await;
    let db = Db::new(&DbSettings::parse(&rig.pooled_url()).unwrap());
    let (owner, stranger) = (owner(&db, 1).await, owner(&db, 2).await);
    let (stays, goes) = (device(&db, owner, 1).await, device(&db, owner, 2).await);
    let rejections = Rejections::default();
    for device in [&stays, &goes] {
        note(&rejections, device, "conflict", 5);
    }
    let unknown = Device {
        id: Uuid::now_v7().into(),
        ..stays.clone()
    };
    note(&rejections, &unknown, "conflict", 5);

    let away = "alter table rejections rename to elsewhere";
    rig.postgres.psql("readout", away).await.unwrap();
    assert!(rejections.flush(&db).await.is_err());
    note(&rejections, &stays, "conflict", 3);
    let back = "alter table elsewhere rename to rejections";
    rig.postgres.psql("readout", back).await.unwrap();
    let deleted = device::delete(&db, owner, goes.id, &Expected::Any, at(9)).await;
    assert_eq!(deleted.unwrap(), Some(Ok(())));
    rejections.flush(&db).await.unwrap();
    rejections.flush(&db).await.unwrap();

    let listed = rejection::list(&db, owner, stays.id).await.unwrap();
    let [only] = &listed.unwrap()[..] else {
        panic!("one code")
    };
    assert_eq!((only.count, only.first_seen_at), (4, at(3)));
    assert_eq!(only.detail, "conflict of second 5");
    for (owner, id) in [(owner, goes.id), (owner, unknown.id), (stranger, stays.id)] {
        assert_eq!(rejection::list(&db, owner, id).await.unwrap(), None);
    }
    let rows = "select count(*) from rejections";
    assert_eq!(
        rig.postgres.psql("readout", rows).await.unwrap().trim(),
        "1"
    );
    rig.stop().await;
}
