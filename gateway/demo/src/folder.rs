//! The demonstration's one folder: registry, configuration, store and history. A temporary one
//! is removed at the end.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use standpipe_simulator::RegistryCsv;
use tempfile::TempDir;

use super::DemoError;

/// Where all files are.
#[derive(Debug)]
pub enum Folder {
    /// Removed at the end.
    Temporary(TempDir),
    /// Given with `--data`; kept.
    Kept(PathBuf),
}

impl Folder {
    /// The folder given, made if need be; else a new one among the system's temporary files.
    pub fn open(given: Option<&Path>) -> Result<Self, DemoError> {
        match given {
            None => tempfile::Builder::new()
                .prefix("standpipe-demo-")
                .tempdir()
                .map(Self::Temporary)
                .map_err(|bad| DemoError::Folder { folder: std::env::temp_dir(), bad }),
            Some(folder) => {
                let absolute = std::path::absolute(folder);
                let made = absolute.and_then(|path| std::fs::create_dir_all(&path).map(|()| path));
                made.map(Self::Kept)
                    .map_err(|bad| DemoError::Folder { folder: folder.to_owned(), bad })
            }
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        match self {
            Self::Temporary(temporary) => temporary.path(),
            Self::Kept(path) => path,
        }
    }

    /// Writes the registry and a configuration as anybody could have written it, and says where
    /// the configuration is.
    pub fn write(
        &self,
        RegistryCsv { stations, devices }: &RegistryCsv,
        broker: SocketAddr,
        port: u16,
    ) -> Result<PathBuf, DemoError> {
        let config = format!(
            "# Written by `standpipe demo` at every start.\n\
             [mqtt]\nurl = \"mqtt://{broker}\"\n\n\
             [http]\nlisten = \"127.0.0.1:{port}\"\n\n\
             [store]\npath = \"standpipe.db\"\n\n\
             [registry]\nstations = \"stations.csv\"\ndevices = \"devices.csv\"\n"
        );
        let file = self.path().join("standpipe.toml");
        for (file, text) in [
            (self.path().join("stations.csv"), stations),
            (self.path().join("devices.csv"), devices),
            (file.clone(), &config),
        ] {
            std::fs::write(&file, text).map_err(|bad| DemoError::Folder { folder: file, bad })?;
        }
        Ok(file)
    }

    /// Removes it, unless it was given.
    pub fn close(self) {
        if let Self::Temporary(temporary) = self {
            let path = temporary.path().to_owned();
            if let Err(bad) = temporary.close() {
                tracing::warn!(%bad, "cannot remove {}: remove it yourself", path.display());
            }
        }
    }
}
