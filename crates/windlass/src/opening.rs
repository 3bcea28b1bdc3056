//! How the engine of this home is opened by this program. Never: opening it.

use windlass_core::event::Role;
use windlass_engine::engine::Options;
use windlass_worker::Owners;

use crate::config::Config;
use crate::desk::Desk;
use crate::{nested, socket};

/// The name of the variable that holds the marks of the runs around a process.
pub(crate) const OWNERS: &str = "WINDLASS_OWNERS";

/// The options for an engine of the desk's home.
pub(crate) fn options(desk: &mut Desk, config: &Config, role: Role, slots: u32) -> Options {
    let socket = match role {
        Role::Command => None,
        Role::Engine => match socket::path_for(&desk.place.home, &desk.surroundings) {
            Ok(path) => Some(path),
            Err(error) => {
                desk.warn(&format!("other terminals can't steer this run: {error}"), None);
                None
            }
        },
    };
    Options {
        home: desk.place.home.clone(),
        home_settings: config.home,
        slots,
        role,
        socket,
        owners: desk.surroundings.text(OWNERS).map(|marks| Owners {
            marks: marks.to_owned(),
            levels: nested::levels_elsewhere(&desk.surroundings).unwrap_or(0),
        }),
        keeper: None,
        subreaper: true,
    }
}

/// How many attempts may be in flight where nobody says so: twice the cores, and at least 4.
pub(crate) fn default_slots() -> u32 {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    u32::try_from(cores * 2).unwrap_or(u32::MAX).max(4)
}
