//! Two instances on one database, with everything that a story does to them.

use crate::{
    answer::Answer,
    plain::Plain,
    question::Question,
    rig::Rig,
    story::{Act, DEVICES, METRICS, Post, Step, Story},
};
use chrono::TimeDelta;
use domain::{
    Timestamp,
    alert_rule::{NewAlertRule, Target},
    device::{DeviceId, DeviceKey},
    mail::{MailId, NewMail},
    session::{Client, RefreshToken},
    user::Email,
    version::Expected,
};
use futures_util::future::join_all;
use persistence::{
    Db, DbSettings, StoreError, alert_rule, device,
    idempotency::Once,
    ingest::{Ingest, IngestError, IngestSettings, Mode, Submission},
    rollup,
    session::{self, OwnerId},
    user,
};
use serde_json::json;
use std::{collections::BTreeSet, time::Duration};

/// What was seen, so that it can be told whether anything was proved.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Tally {
    pub(crate) answers: u64,
    /// Answers to a question that was asked while something else was going on.
    pub(crate) disturbed: u64,
    /// Answers to a question about hours that were kept, and about some of which some had a mark.
    pub(crate) with_kept_hours: u64,
    pub(crate) with_marks: u64,
    /// Hours that were summed up.
    pub(crate) summed_up: u64,
}

pub(crate) struct Life {
    rig: Rig,
    instances: Vec<(Db, Ingest)>,
    plain: Plain,
    owner: OwnerId,
    devices: Vec<(DeviceId, DeviceKey)>,
    deleted: Option<DeviceId>,
    keys: u64,
    begin: Timestamp,
    now: Timestamp,
    pub(crate) tally: Tally,
}

/// What an act came to.
enum Came {
    Nothing,
    Hours(u64),
    Answer(Answer),
}

impl Life {
    pub(crate) async fn start() -> Self {
        let rig = Rig::start(6).await;
        let instance = || {
            let db = Db::new(&DbSettings::parse(&rig.pooled_url()).unwrap());
            let (ingest, writers) = Ingest::new(&db, IngestSettings::default());
            tokio::task::spawn_local(writers);
            (db, ingest)
        };
        let instances = vec![instance(), instance()];
        let plain = Plain::new(&rig);
        let now = "2026-01-01T00:00:00Z".parse().unwrap();
        let email = || Email::parse("ada@example.com").unwrap();
        let sign_up = user::SignUp {
            email: email(),
            name: None,
            password_hash: "hash".to_owned(),
            mail: NewMail::password_changed(MailId(uuid::Uuid::nil()), email()),
        };
        let client = Client {
            user_agent: None,
            ip: None,
        };
        let token = RefreshToken::new([1; 32]);
        let inserted = user::insert(&plain.0, &sign_up, &token, &client, now).await;
        let (person, session) = inserted.unwrap();
        let owner = session::authenticate(&plain.0, session.id, person.id, now).await;
        Self {
            rig,
            instances,
            plain,
            owner: owner.unwrap().unwrap(),
            devices: Vec::new(),
            deleted: None,
            keys: 0,
            begin: now,
            now,
            tally: Tally::default(),
        }
    }

    pub(crate) async fn stop(self) {
        drop(self.instances);
        self.plain.0.close().await;
        self.rig.stop().await;
    }

    /// Lives a story from an empty database on, and says what went wrong.
    pub(crate) async fn live(&mut self, story: &Story) -> Result<(), String> {
        self.begin = story.begin.parse().unwrap();
        self.now = self.begin;
        let hour = self.begin.timestamp().div_euclid(3_600);
        self.plain.empty(hour).await;
        self.devices.clear();
        self.deleted = None;
        for place in 0..DEVICES {
            let device = self.provision(place).await;
            self.devices.push(device);
        }
        for (number, step) in story.steps.iter().enumerate() {
            let taken = self.take(step).await;
            taken.map_err(|error| format!("step {number}: {error}"))?;
        }
        self.plain.audit().await
    }

    /// Makes a device for a place; that of the last one has an armed rule.
    async fn provision(&mut self, place: usize) -> (DeviceId, DeviceKey) {
        self.keys += 1;
        let mut bits = [7; 32];
        bits[..8].copy_from_slice(&self.keys.to_be_bytes());
        let key = DeviceKey::new(bits);
        let new = serde_json::from_value(json!({"name": "Boiler"})).unwrap();
        let (db, now) = (&self.plain.0, self.now);
        let made = device::insert(db, self.owner, (&new, &key), &Once::freely(), now).await;
        let id = made.unwrap().done().unwrap().id;
        if place == DEVICES - 1 {
            let new: NewAlertRule = serde_json::from_value(
                json!({"metric": METRICS[0], "comparator": "gt", "threshold": 5}),
            )
            .unwrap();
            let rule = {
                let (target, new) = (Target::Device(id), (&new, new.condition().unwrap()));
                alert_rule::insert(db, self.owner, &target, new, &Once::freely(), now).await
            };
            rule.unwrap().done().unwrap().unwrap().unwrap();
        }
        (id, key)
    }

    async fn take(&mut self, step: &Step) -> Result<(), String> {
        let acts = match step {
            Step::Clock(minutes) => {
                self.now += TimeDelta::minutes(*minutes);
                return Ok(());
            }
            Step::AtOnce(acts) => acts,
        };
        let before = self.plain_answers(acts).await;
        for (question, _) in &before {
            self.note(question, acts.len() > 1).await;
        }
        let work = acts.iter().map(async |(delay, act)| {
            if *delay > 0 {
                tokio::time::sleep(Duration::from_millis(*delay)).await;
            }
            self.act(act).await
        });
        let came = join_all(work).await;
        let after = self.plain_answers(acts).await;
        let mut answers = Vec::new();
        for came in came {
            match came? {
                Came::Answer(answer) => answers.push(answer),
                Came::Hours(hours) => self.tally.summed_up += hours,
                Came::Nothing => {}
            }
        }
        for ((answer, (question, before)), (_, after)) in answers.iter().zip(&before).zip(&after) {
            answer.check(question, (before, after), acts)?;
        }
        self.replace_deleted(acts).await;
        Ok(())
    }

    /// What each question of a step should be answered now, if all devices are there.
    async fn plain_answers<'a>(&self, acts: &'a [(u64, Act)]) -> Vec<(&'a Question, Answer)> {
        let mut answers = Vec::new();
        for (_, act) in acts {
            if let Act::Ask(question) = act {
                let devices = self.asked(question);
                let answer = if self.deleted.is_some_and(|it| devices.contains(&it)) {
                    Answer(None)
                } else {
                    self.plain.answer(question, &devices, self.begin).await
                };
                answers.push((question, answer));
            }
        }
        answers
    }

    /// The devices that a question is about.
    fn asked(&self, question: &Question) -> Vec<DeviceId> {
        let devices = question.devices.iter().map(|place| self.devices[*place].0);
        let deleted = self.deleted.filter(|_| question.deleted_too);
        devices.chain(deleted).collect()
    }

    async fn note(&mut self, question: &Question, disturbed: bool) {
        let devices = self.asked(question);
        let (kept, marked) = self.plain.kept(question, &devices, self.begin).await;
        let by_hours = question.may_use_hours();
        self.tally.answers += 1;
        self.tally.disturbed += u64::from(disturbed);
        self.tally.with_kept_hours += u64::from(by_hours && kept > 0);
        self.tally.with_marks += u64::from(by_hours && marked > 0);
    }

    async fn act(&self, act: &Act) -> Result<Came, String> {
        let done = |done: Result<Came, StoreError>| match done {
            // Others are at it, and it is tried again later.
            Err(StoreError::Contended(_)) => Ok(Came::Nothing),
            done => done.map_err(|error| format!("{act:?}: {error:?}")),
        };
        match act {
            Act::Post(post) => self.post(post).await.map(|()| Came::Nothing),
            Act::SumUp { instance, steps } => {
                let mut sum = 0;
                for _ in 0..*steps {
                    match rollup::step(
                        &self.instances[*instance].0,
                        self.now,
                        &mut rollup::Summing::default(),
                    )
                    .await
                    {
                        Ok(done) => sum += done,
                        error => return done(error.map(Came::Hours)),
                    }
                }
                Ok(Came::Hours(sum))
            }
            Act::Delete { device } => {
                let id = self.devices[*device].0;
                let (db, any) = (&self.instances[0].0, &Expected::Any);
                let gone = device::delete(db, self.owner, id, any, self.now).await;
                done(gone.map(|_| Came::Nothing))
            }
            Act::Purge { instance } => {
                let more = device::purge(&self.instances[*instance].0).await;
                done(more.map(|_| Came::Nothing))
            }
            Act::Ask(question) => {
                let query = question.query(self.begin, self.now);
                let db = &self.instances[question.instance].0;
                let answer = rollup::find(db, self.owner, &self.asked(question), &query).await;
                done(answer.map(|it| Came::Answer(Answer::given(it))))
            }
        }
    }

    async fn post(&self, post: &Post) -> Result<(), String> {
        let submission = Submission {
            key: self.devices[post.device].1.hash(),
            readings: post.readings(self.begin, self.now),
            mode: if post.atomic {
                Mode::Atomic
            } else {
                Mode::Each
            },
            received_at: self.now,
        };
        match self.instances[post.instance].1.submit(submission).await {
            // It may be deleted in the same step.
            Ok(_) | Err(IngestError::UnknownKey) => Ok(()),
            Err(error) => Err(format!("{post:?}: {error:?}")),
        }
    }

    /// Puts another device in the place of each that was deleted.
    async fn replace_deleted(&mut self, acts: &[(u64, Act)]) {
        let deleted = acts.iter().filter_map(|(_, act)| match act {
            Act::Delete { device } => Some(*device),
            Act::Post(_) | Act::SumUp { .. } | Act::Purge { .. } | Act::Ask(_) => None,
        });
        for place in deleted.collect::<BTreeSet<_>>() {
            self.deleted = Some(self.devices[place].0);
            self.devices[place] = self.provision(place).await;
        }
    }
}
