//! What the judge reads.
