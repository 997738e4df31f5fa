//! Files on their way to a server.

use std::fs::File;
use std::io::{self, Seek};
use std::path::Path;

use anyhow::Context;
use futures_util::{Stream, stream};
use indicatif::ProgressBar;
use outdial_jobs::import::ImportError;
use reqwest::Body;
use tokio::io::AsyncReadExt;

use crate::client::ClientError;

/// So much is read and sent at once.
const PIECE: usize = 64 * 1024;

/// A file that can be read twice: what comes in through a pipe, or by `-` as standard input, is kept in one that
/// nobody else sees.
pub(in crate::cli) fn opened(path: &Path) -> anyhow::Result<File> {
    let piped = path == Path::new("-");
    let opened = || {
        let mut file = if piped { File::open("/dev/stdin")? } else { File::open(path)? };
        if !piped && file.metadata()?.is_file() {
            return Ok(file);
        }
        let mut kept = tempfile::tempfile()?;
        io::copy(&mut file, &mut kept)?;
        kept.rewind()?;
        Ok(kept)
    };
    let opened: io::Result<File> = opened();
    opened.with_context(|| format!("cannot read {}", path.display()))
}

/// A file from its beginning, however often it is sent, as the body of a request.
pub(super) fn csv(file: &File, bar: ProgressBar) -> io::Result<Body> {
    let mut file = file.try_clone()?;
    file.rewind()?;
    bar.set_position(0);
    Ok(Body::wrap_stream(pieces(file, bar)))
}

/// A file, piece by piece; the bar shows how much of it is on its way.
pub(super) fn pieces(
    file: File,
    bar: ProgressBar,
) -> impl Stream<Item = io::Result<Vec<u8>>> + Send + 'static {
    stream::try_unfold((tokio::fs::File::from_std(file), bar), async |(mut file, bar)| {
        let mut piece = vec![0; PIECE];
        let read = file.read(&mut piece).await?;
        piece.truncate(read);
        bar.inc(read as u64);
        Ok((read > 0).then_some((piece, (file, bar))))
    })
}

/// What is wrong with a file that cannot be read.
pub(super) fn of(name: &str, error: ImportError) -> anyhow::Error {
    anyhow::Error::from(error).context(name.to_owned())
}

/// What is wrong with the file itself is said of it, as where the database is.
pub(super) fn told(name: &str, error: ClientError) -> anyhow::Error {
    match &error {
        ClientError::Problem(problem) if problem.errors.iter().any(|field| field.place == "file") => {
            anyhow::anyhow!("{name}: {}", problem.detail.trim_start_matches("file: "))
        }
        _ => error.into(),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use futures_util::TryStreamExt;

    use super::*;

    #[tokio::test]
    async fn the_bar_is_as_far_as_the_file_that_is_sent() {
        let mut file = tempfile::tempfile().expect("a file");
        file.write_all(&vec![b'7'; 3 * PIECE + 5]).expect("written");
        file.rewind().expect("rewound");
        let bar = ProgressBar::hidden();
        let mut pieces = std::pin::pin!(pieces(file, bar.clone()));
        let first = pieces.try_next().await.expect("read").expect("there is some");
        assert_eq!(bar.position(), first.len() as u64);
        let rest: Vec<Vec<u8>> = pieces.try_collect().await.expect("read");
        assert_eq!(first.len() + rest.concat().len(), 3 * PIECE + 5);
        assert_eq!(bar.position(), (3 * PIECE + 5) as u64);
    }
}
