//! Finding Postgres's programs, or fetching them.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use super::PostgresError;

/// The oldest major version we run on.
const OLDEST: u32 = 14;

/// How long a download may take.
const DOWNLOAD_WAIT: Duration = Duration::from_secs(300);

/// Where to look for Postgres's programs. Nothing is read from the environment here.
#[derive(Clone, Debug, Default)]
pub struct Search {
    /// Look here and nowhere else (`OUTDIAL_PG_BIN`).
    pub bin: Option<PathBuf>,
    /// The value of `PATH`.
    pub path: Option<OsString>,
    /// Where to download to when none is found; with `None`, nothing is downloaded.
    pub downloads: Option<PathBuf>,
}

/// A directory with `postgres` and `initdb` in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installation {
    /// The directory.
    pub bin: PathBuf,
    /// The major version, 14 or more.
    pub major: u32,
}

impl Installation {
    /// The installation in `bin`, if it is complete, runs, and is not too old.
    fn at(bin: PathBuf) -> Option<Self> {
        if !bin.join("initdb").is_file() {
            return None;
        }
        let printed = printed_by(Command::new(bin.join("postgres")).arg("--version"))?;
        let major = major_of(&printed).filter(|major| *major >= OLDEST)?;
        Some(Self { bin, major })
    }

    pub(super) fn program(&self, name: &str) -> PathBuf {
        self.bin.join(name)
    }
}

/// Finds an installed Postgres: the one named, else in `PATH`, else where `pg_config`
/// says, else where packages put it, the newest first.
///
/// With `wanted` only that major version will do, since data is bound to the one that wrote it.
pub fn find_installation(search: &Search, wanted: Option<u32>) -> Result<Installation, PostgresError> {
    find(search, wanted).map_err(|_| match &search.bin {
        Some(bin) => PostgresError::NotUsable { bin: bin.clone() },
        None => PostgresError::NotInstalled { source: None },
    })
}

/// As [`find_installation`], else downloads. `data` is what the programs are for, and
/// decides the version if there already is some.
pub(super) async fn obtain(search: &Search, data: &Path) -> Result<Installation, PostgresError> {
    let wanted = fs::read_to_string(data.join("PG_VERSION")).ok().and_then(|text| text.trim().parse().ok());
    match (find(search, wanted), &search.downloads) {
        (Ok(installation), _) => Ok(installation),
        (Err(_), Some(into)) if search.bin.is_none() => download(into, wanted).await,
        (Err(found), _) => Err(match (wanted, found.is_empty()) {
            (Some(wanted), false) => PostgresError::OtherVersion { data: data.to_owned(), wanted, found },
            _ => return find_installation(search, wanted),
        }),
    }
}

/// The first that will do, or the versions of those that will not.
fn find(search: &Search, wanted: Option<u32>) -> Result<Installation, Vec<u32>> {
    let mut others = Vec::new();
    for installation in candidates(search).into_iter().filter_map(Installation::at) {
        if wanted.is_none_or(|wanted| wanted == installation.major) {
            return Ok(installation);
        }
        others.push(installation.major);
    }
    others.sort_unstable();
    others.dedup();
    Err(others)
}

fn candidates(search: &Search) -> Vec<PathBuf> {
    if let Some(bin) = &search.bin {
        return vec![bin.clone()];
    }
    let path: Vec<PathBuf> = search.path.iter().flat_map(std::env::split_paths).collect();
    let told = path
        .iter()
        .map(|dir| dir.join("pg_config"))
        .find(|program| program.is_file())
        .and_then(|program| printed_by(Command::new(program).arg("--bindir")))
        .map(|bindir| PathBuf::from(bindir.trim()));
    let with_server = path.into_iter().filter(|dir| dir.join("postgres").is_file());
    with_server.chain(told).chain(packaged()).collect()
}

/// Where Debian, Red Hat and Homebrew keep every version beside the others.
fn packaged() -> Vec<PathBuf> {
    let places = [
        ("/usr/lib/postgresql", ""),
        ("/usr", "pgsql-"),
        ("/opt/homebrew/opt", "postgresql@"),
        ("/usr/local/opt", "postgresql@"),
    ];
    let mut found: Vec<(u32, PathBuf)> = Vec::new();
    for (place, prefix) in places {
        for entry in fs::read_dir(place).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let version = name.to_str().and_then(|name| name.strip_prefix(prefix)?.parse().ok());
            found.extend(version.map(|version| (version, entry.path().join("bin"))));
        }
    }
    found.sort_by(|one, other| other.cmp(one));
    found.into_iter().map(|(_, bin)| bin).collect()
}

fn printed_by(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).output().ok().filter(|output| output.status.success())?;
    String::from_utf8(output.stdout).ok()
}

/// The major version in `postgres (PostgreSQL) 15.13 (Debian 15.13-0)`, or in `… 18beta1`.
fn major_of(printed: &str) -> Option<u32> {
    let version = printed.split_whitespace().nth(2)?;
    let digits = version.find(|c: char| !c.is_ascii_digit()).unwrap_or(version.len());
    version[..digits].parse().ok()
}

/// Fetches Postgres into `into`, where the next run finds it again.
async fn download(into: &Path, wanted: Option<u32>) -> Result<Installation, PostgresError> {
    // `setup` installs and then runs initdb, which refuses to be root; a data directory
    // that looks initialised makes it stop after the first. The crate removes it later.
    let decoy = into.join("no-data");
    fs::create_dir_all(&decoy).map_err(PostgresError::file("create", &decoy))?;
    fs::write(decoy.join("postgresql.conf"), "").map_err(PostgresError::file("write to", &decoy))?;
    let mut settings = postgresql_embedded::Settings::default();
    // The defaults are two directories that were just made, and that nobody would remove.
    let _ = fs::remove_dir(&settings.data_dir);
    let _ = settings.password_file.parent().map(fs::remove_dir);
    settings.password_file = decoy.join("no-password");
    settings.data_dir = decoy;
    settings.installation_dir = into.to_owned();
    if let Some(wanted) = wanted {
        let version = format!("={wanted}");
        settings.version =
            postgresql_embedded::VersionReq::parse(&version).map_err(|error| failed(error.into()))?;
    }
    tracing::info!(into = %into.display(), "no installed Postgres was found, downloading one");
    let mut fetched = postgresql_embedded::PostgreSQL::new(settings);
    match tokio::time::timeout(DOWNLOAD_WAIT, fetched.setup()).await {
        Ok(Ok(())) => Installation::at(fetched.settings().binary_dir())
            .ok_or_else(|| PostgresError::NotUsable { bin: fetched.settings().binary_dir() }),
        Ok(Err(error)) => Err(failed(error.into())),
        Err(elapsed) => Err(failed(elapsed.into())),
    }
}

fn failed(source: Box<dyn std::error::Error + Send + Sync>) -> PostgresError {
    PostgresError::NotInstalled { source: Some(source) }
}

#[cfg(test)]
mod tests {
    use super::major_of;

    #[test]
    fn the_major_version_is_read_from_what_postgres_prints() {
        assert_eq!(major_of("postgres (PostgreSQL) 15.13 (Debian 15.13-0+deb12u1)\n"), Some(15));
        assert_eq!(major_of("postgres (PostgreSQL) 18beta1\n"), Some(18));
        assert_eq!(major_of("sh: not found"), None);
    }
}
