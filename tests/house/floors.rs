//! The rooms of `src/`, lowest first: an arrow only ever points down.

/// What a room may touch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Nature {
    /// Values in, values out: no clock, randomness, async, locks or I/O, and of
    /// the crates from outside only these.
    Pure(&'static [&'static str]),
    /// Whatever it needs.
    Worldly,
}

/// One room: a folder of `src/`, or a single file of it.
#[derive(Debug)]
pub(crate) struct Room {
    pub(crate) name: &'static str,
    pub(crate) nature: Nature,
}

const fn pure(name: &'static str, crates: &'static [&'static str]) -> Room {
    Room { name, nature: Nature::Pure(crates) }
}

const fn worldly(name: &'static str) -> Room {
    Room { name, nature: Nature::Worldly }
}

/// A room uses only the rooms before it. A room named here may be yet to come;
/// a room that is not named here may not be built.
const FLOORS: [Room; 13] = [
    pure("limits", &["xxhash_rust"]),
    pure("ring", &["xxhash_rust"]),
    pure("item", &["xxhash_rust", "bytes"]),
    pure("memcache", &["base64", "bytes", "memchr", "xxhash_rust"]),
    pure("cluster", &["xxhash_rust"]),
    pure("wire", &["xxhash_rust", "bytes", "bincode"]),
    worldly("store"),
    worldly("net"),
    worldly("node"),
    worldly("admin"),
    worldly("client"),
    worldly("lab"),
    worldly("cli"),
];

/// The room of that name, and how many rooms lie below it.
pub(crate) fn find(name: &str) -> Option<(usize, &'static Room)> {
    FLOORS.iter().enumerate().find(|(_, room)| room.name == name)
}

/// The outside crates that some pure room may use.
pub(crate) fn allowed_anywhere() -> impl Iterator<Item = &'static str> {
    let lists = FLOORS.iter().filter_map(|room| match room.nature {
        Nature::Pure(crates) => Some(crates),
        Nature::Worldly => None,
    });
    lists.flatten().copied()
}
