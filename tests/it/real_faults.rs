//! Real servers, real sockets and real signals: Redis fails as it fails, agents notice nothing, and everything that
//! they were told is synced in the end.

mod killed;
mod measures;
mod scene;
mod schedules;
mod servers;
mod taken_back;
mod two_hosts;
mod wires;
