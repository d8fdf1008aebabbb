//! Readings: how they come in, one by one, many at once and from everywhere, and how they are read.

mod batch;
mod bounds;
mod bulk;
mod digits;
mod encodings;
mod formats;
mod list;
mod parallel;
mod single;
