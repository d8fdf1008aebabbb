//! Real servers in temporary folders, ended in all the ways in which servers and programs end.

#[cfg(test)]
mod rig;

#[cfg(test)]
mod links;
#[cfg(test)]
mod pgbouncer;
#[cfg(test)]
mod postgres;
