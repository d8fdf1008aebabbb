//! Numbers by chance.

/// Small, and the same again from the same seed.
#[derive(Debug)]
pub(crate) struct Random(pub(crate) u128);

impl Random {
    pub(crate) fn below(&mut self, limit: i64) -> i64 {
        self.0 = self.0.wrapping_mul(0xda94_2042_e4dd_58b5).wrapping_add(1);
        let limit = u128::try_from(limit).unwrap();
        i64::try_from((self.0 >> 64) % limit).unwrap()
    }
}
