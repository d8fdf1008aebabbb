//! Memory for the bodies of requests, shared so that nobody can hold all of it.

use super::{Identity, IngestError};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use uuid::Uuid;

/// Most bytes that the bodies of one device may hold at a time.
const MOST_OF_DEVICE: usize = 4 * 1024 * 1024;

/// What part of all bytes the bodies of one owner's devices may hold at a time.
const SHARE_OF_OWNER: usize = 2;

/// The memory that bodies may take, from their first byte until the answer is written.
///
/// Apart from the queue, so that bodies which are slow to come keep nobody from the writers.
#[derive(Debug)]
pub(super) struct Bodies {
    most: usize,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    total: usize,
    /// By the identifier of a device or an owner; none that holds nothing.
    shares: HashMap<Uuid, usize>,
}

impl Bodies {
    pub(super) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self {
            most,
            held: Mutex::default(),
        })
    }

    /// Bytes that nobody holds.
    pub(super) fn left(&self) -> usize {
        self.most - self.held().total
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Memory that is set aside for one request, until it is dropped.
#[derive(Debug)]
pub struct Room {
    bodies: Arc<Bodies>,
    device: Uuid,
    owner: Uuid,
    taken: usize,
}

impl Room {
    pub(super) fn new(bodies: Arc<Bodies>, who: Identity) -> Self {
        Self {
            bodies,
            device: who.device.0,
            owner: who.owner.0,
            taken: 0,
        }
    }

    /// Takes so many bytes more, or fails with [`IngestError::Overloaded`] at once.
    pub fn take(&mut self, bytes: usize) -> Result<(), IngestError> {
        let mut held = self.bodies.held();
        let share = |id| held.shares.get(&id).copied().unwrap_or_default();
        let fits = held.total + bytes <= self.bodies.most
            && share(self.device) + bytes <= MOST_OF_DEVICE
            && share(self.owner) + bytes <= self.bodies.most / SHARE_OF_OWNER;
        if !fits {
            return Err(IngestError::Overloaded);
        }
        held.total += bytes;
        for id in [self.device, self.owner] {
            *held.shares.entry(id).or_default() += bytes;
        }
        self.taken += bytes;
        Ok(())
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        if self.taken == 0 {
            return;
        }
        let mut held = self.bodies.held();
        held.total -= self.taken;
        for id in [self.device, self.owner] {
            if let Some(share) = held.shares.get_mut(&id) {
                *share -= self.taken;
                if *share == 0 {
                    held.shares.remove(&id);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{device::DeviceId, user::UserId};

    fn room(bodies: &Arc<Bodies>, device: u128, owner: u128) -> Room {
        let who = Identity {
            device: DeviceId(Uuid::from_u128(device)),
            owner: UserId(Uuid::from_u128(owner)),
        };
        Room::new(Arc::clone(bodies), who)
    }

    #[test]
    fn nobody_holds_all_and_everything_is_given_back() {
        let mib = 1024 * 1024;
        let bodies = Bodies::new(12 * mib);
        let mut of_device = room(&bodies, 1, 100);
        of_device.take(4 * mib).unwrap();
        assert!(room(&bodies, 1, 100).take(1).is_err(), "its device has all");
        let mut of_owner = room(&bodies, 2, 100);
        of_owner.take(2 * mib).unwrap();
        assert!(room(&bodies, 3, 100).take(1).is_err(), "its owner has half");
        let mut of_other = room(&bodies, 4, 101);
        of_other.take(4 * mib).unwrap();
        assert!(
            room(&bodies, 5, 102).take(3 * mib).is_err(),
            "no more than there is"
        );
        drop((of_device, of_owner, of_other));
        let held = bodies.held();
        assert!(held.total == 0 && held.shares.is_empty());
    }
}
