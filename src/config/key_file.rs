//! The key file of the private Postgres.

use std::path::Path;

use outdial_jobs::seal::SealKey;

/// Reads the key file, or makes it: readable by its owner only, and never half written.
pub(super) fn key_file(path: &Path) -> Result<SealKey, String> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let text = |error: std::io::Error| error.to_string();
    if let Some(dir) = path.parent() {
        std::fs::create_dir_all(dir).map_err(text)?;
    }
    let made = SealKey::generate();
    let draft = path.with_extension(format!("draft-{}", std::process::id()));
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&draft)
        .map_err(text)?;
    file.write_all(made.as_bytes()).and_then(|()| file.sync_all()).map_err(text)?;
    // Two processes may come here at once: the first link stands, and both read it.
    let linked = std::fs::hard_link(&draft, path);
    let _ = std::fs::remove_file(&draft);
    match linked {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(text(error)),
    }
    let stored = std::fs::read_to_string(path).map_err(text)?;
    SealKey::parse(&stored).map_err(|error| error.to_string())
}
