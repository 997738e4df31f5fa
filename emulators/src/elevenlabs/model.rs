//! The models that speak (§5).

/// What is asked for when nothing is.
pub(super) const DEFAULT: &str = "eleven_multilingual_v2";

/// A model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Model {
    pub(super) id: &'static str,
    /// Characters of one request, at most.
    pub(super) characters_max: usize,
    /// Whether sockets have it.
    pub(super) sockets: bool,
}

const fn model(id: &'static str, characters_max: usize) -> Model {
    Model { id, characters_max, sockets: true }
}

const MODELS: [Model; 6] = [
    model("eleven_flash_v2_5", 40_000),
    model("eleven_flash_v2", 30_000),
    model("eleven_turbo_v2_5", 40_000),
    model("eleven_turbo_v2", 30_000),
    model(DEFAULT, 10_000),
    Model { id: "eleven_v3", characters_max: 3000, sockets: false },
];

/// The model of this name.
pub(super) fn find(id: &str) -> Option<Model> {
    MODELS.into_iter().find(|model| model.id == id)
}
