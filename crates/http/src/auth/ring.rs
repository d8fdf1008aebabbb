//! A set of keys, opened, as it was at one time.

use super::SigningKeysError;
use domain::{
    Timestamp,
    seal::Sealer,
    session::ACCESS_LIFETIME,
    signing_key::{PrivateKey, SigningKey, SigningKeyId, SigningKeyStatus},
};
use jsonwebtoken::{DecodingKey, EncodingKey};

/// A set of keys, opened, in the order in which they sign.
#[derive(Debug, Default)]
pub(crate) struct Ring(Vec<KnownKey>);

/// A key that is ready for use.
#[derive(Debug, Clone)]
pub(crate) struct KnownKey {
    pub(crate) key: SigningKey,
    pub(crate) verifying: DecodingKey,
    /// None where it signs no more, or was sealed under a secret that is not ours.
    pub(crate) signing: Option<EncodingKey>,
}

/// A private key that the previous secret opened.
#[derive(Debug)]
pub(crate) struct Stale {
    pub(crate) id: SigningKeyId,
    pub(crate) stored: Vec<u8>,
    pub(crate) key: PrivateKey,
}

impl Ring {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The set that was read after this one, with what is to be sealed again.
    pub(crate) fn next(
        &self,
        keys: Vec<SigningKey>,
        sealer: &Sealer,
        now: Timestamp,
    ) -> Result<(Self, Vec<Stale>), SigningKeysError> {
        let mut stale = Vec::new();
        let known = keys.into_iter().map(|mut key| {
            let signing = match key.sealed.take() {
                Some(stored) => self.open(&key, stored, sealer, now, &mut stale)?,
                None => None,
            };
            let verifying = DecodingKey::from_ed_der(key.public.as_bytes());
            Ok(KnownKey {
                key,
                verifying,
                signing,
            })
        });
        let known = known.collect::<Result<_, SigningKeysError>>()?;
        Ok((Self(known), stale))
    }

    fn open(
        &self,
        key: &SigningKey,
        stored: Vec<u8>,
        sealer: &Sealer,
        now: Timestamp,
        stale: &mut Vec<Stale>,
    ) -> Result<Option<EncodingKey>, SigningKeysError> {
        // Opened before: it may have been sealed under a secret since that this instance is yet to be told.
        if let Some(signing) = self.find(&key.id).and_then(|known| known.signing.clone()) {
            return Ok(Some(signing));
        }
        match PrivateKey::open(sealer, &key.id, &stored) {
            Ok((private, is_stale)) => {
                let signing = EncodingKey::from_ed_der(&private.to_pkcs8());
                if is_stale {
                    let id = key.id.clone();
                    let key = private;
                    stale.push(Stale { id, stored, key });
                }
                Ok(Some(signing))
            }
            Err(_) if self.is_empty() && is_needed(key, now) => {
                Err(SigningKeysError::Sealed(key.id.clone()))
            }
            Err(error) => {
                tracing::warn!(key = %key.id, %error, "signing key not opened");
                Ok(None)
            }
        }
    }

    fn find(&self, id: &SigningKeyId) -> Option<&KnownKey> {
        self.0.iter().find(|known| known.key.id == *id)
    }

    /// The key to sign with: the one whose turn it is; or where that cannot be opened here, the one
    /// before it, as long as it will be known until the token expires.
    pub(crate) fn signing(&self, now: Timestamp) -> Option<(&SigningKeyId, &EncodingKey)> {
        let outlives = |known: &&KnownKey| match known.key.retirement {
            Some(end) => end.verifies_until >= now + ACCESS_LIFETIME,
            None => true,
        };
        let in_turn = self.0.iter().rev();
        let mut begun = in_turn.filter(|known| known.key.signs_from <= now);
        begun.find_map(|known| {
            let signing = known.signing.as_ref().filter(|_| outlives(&known))?;
            Some((&known.key.id, signing))
        })
    }

    /// The key of this name, if anything that it signed may still be valid.
    pub(crate) fn verifying(&self, id: &SigningKeyId, now: Timestamp) -> Option<&DecodingKey> {
        let known = self.find(id)?;
        (known.key.status(now) != SigningKeyStatus::Expired).then_some(&known.verifying)
    }

    /// The keys that are published.
    pub(crate) fn published(&self, now: Timestamp) -> impl Iterator<Item = &SigningKey> {
        let keys = self.0.iter().map(|known| &known.key);
        keys.filter(move |key| key.status(now) != SigningKeyStatus::Expired)
    }
}

/// Whether the key signs, or will.
fn is_needed(key: &SigningKey, now: Timestamp) -> bool {
    match key.status(now) {
        SigningKeyStatus::Published | SigningKeyStatus::Signing => true,
        SigningKeyStatus::Verifying | SigningKeyStatus::Expired => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;
    use domain::{
        seal::NONCE,
        signing_key::{NewSigningKey, Retirement},
    };

    fn at(minute: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + TimeDelta::minutes(minute)
    }

    fn key(seed: u8, sealer: &Sealer, signs_from: i64, until: Option<i64>) -> SigningKey {
        let new = NewSigningKey::new(sealer, [seed; 32], [0; NONCE]).unwrap();
        SigningKey {
            id: new.public.id(),
            public: new.public,
            sealed: Some(new.sealed),
            created_at: at(0),
            signs_from: at(signs_from),
            retirement: until.map(|minute| Retirement::at(at(minute))),
        }
    }

    #[test]
    fn keys_sign_in_turn_and_verify_until_their_last_token_has_expired() {
        let sealer = Sealer::new(&[1; 32], None);
        let keys = vec![key(1, &sealer, 0, Some(100)), key(2, &sealer, 100, None)];
        let ids = [keys[0].id.clone(), keys[1].id.clone()];
        let (ring, stale) = Ring::default().next(keys, &sealer, at(0)).unwrap();
        assert!(stale.is_empty());
        let signing = |minute| ring.signing(at(minute)).map(|(id, _)| id.clone());
        assert_eq!(signing(99), Some(ids[0].clone()));
        assert_eq!(signing(100), Some(ids[1].clone()));
        assert!(ring.verifying(&ids[1], at(0)).is_some());
        assert!(ring.verifying(&ids[0], at(119)).is_some());
        assert!(ring.verifying(&ids[0], at(120)).is_none());
        assert_eq!(ring.published(at(119)).count(), 2);
        assert_eq!(ring.published(at(120)).count(), 1);
    }

    #[test]
    fn a_secret_that_opens_nothing_is_told_the_first_time_alone() {
        let ours = Sealer::new(&[1; 32], None);
        let theirs = Sealer::new(&[2; 32], None);
        let (old, new) = (key(1, &ours, 0, Some(100)), key(2, &theirs, 100, None));
        let refused = Ring::default().next(vec![old.clone(), new.clone()], &ours, at(0));
        assert!(matches!(refused, Err(SigningKeysError::Sealed(id)) if id == new.id));
        let (ring, _) = Ring::default()
            .next(vec![old.clone()], &ours, at(0))
            .unwrap();
        // Sealed again by an instance that has another secret already.
        let resealed = key(1, &theirs, 0, Some(100));
        let (ring, _) = ring.next(vec![resealed, new], &ours, at(0)).unwrap();
        for minute in [0, 99, 104] {
            assert_eq!(ring.signing(at(minute)).unwrap().0, &old.id, "{minute}");
        }
        assert!(ring.signing(at(106)).is_none());
    }

    #[test]
    fn what_the_previous_secret_opens_is_to_be_sealed_again() {
        let old = Sealer::new(&[1; 32], None);
        let new = Sealer::new(&[2; 32], Some(&[1; 32]));
        let key = key(1, &old, 0, None);
        let (ring, stale) = Ring::default()
            .next(vec![key.clone()], &new, at(0))
            .unwrap();
        assert_eq!(ring.signing(at(0)).unwrap().0, &key.id);
        assert_eq!(stale.len(), 1);
        assert_eq!(stale[0].stored, key.sealed.unwrap());
        assert_eq!(stale[0].key.public().id(), key.id);
    }
}
