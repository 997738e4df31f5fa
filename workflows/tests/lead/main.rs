//! One lead's life: stories, laws for every life, all interleavings of a dial, and the
//! judge and the explanation over them.

mod explain;
mod judge;
mod life;
mod million;
mod model;
mod properties;
mod stories;
mod telling;
