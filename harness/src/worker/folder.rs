//! The folder of a run: everything that a worker and its claudes may write.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use fake_claude::control::SOCKET_FILE;

use super::error::WorkerError;
use super::template::Variables;

/// How much of the log's end is looked at for an error message.
const LOG_END_BYTES: u64 = 16_384;

/// The folder of a run.
///
/// ```text
/// home/                  HOME, and the XDG folders in it
/// data/                  the model's data
/// tmp/                   TMPDIR
/// cwd/<session>/         the folder that a session's user works in
/// bin/claude             the fake claude; beside it the file that names the control socket
/// worker.log             what the worker wrote to stdout and stderr
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunFolder {
    root: PathBuf,
}

impl RunFolder {
    /// Makes the folder of a run: `fake_claude` becomes its `claude` by a hard link where that is possible, else by a copy, because
    /// workers find and judge it by its name, and /proc/self/exe would follow a symbolic link.
    ///
    /// # Errors
    ///
    /// A file or folder cannot be made.
    pub fn prepare(
        root: &Path,
        fake_claude: &Path,
        control_socket: &Path,
    ) -> Result<Self, WorkerError> {
        let folder = Self {
            root: root.to_owned(),
        };
        for part in [
            folder.root.clone(),
            folder.home(),
            folder.data(),
            folder.tmp(),
            folder.cwd(),
            folder.bin(),
        ] {
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(&part)
                .map_err(|cause| files("make the folder", &part, cause))?;
        }
        let claude = folder.claude();
        link_or_copy(fake_claude, &claude)
            .map_err(|cause| files("put the fake claude at", &claude, cause))?;
        let named = folder.bin().join(SOCKET_FILE);
        fs::write(&named, control_socket.as_os_str().as_encoded_bytes())
            .map_err(|cause| files("write", &named, cause))?;
        Ok(folder)
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Its folders, as adapters name them.
    pub fn variables(&self) -> Variables {
        let mut variables = Variables::default();
        for (name, path) in [
            ("home", self.home()),
            ("data", self.data()),
            ("tmp", self.tmp()),
            ("cwd", self.cwd()),
        ] {
            variables.set(name, path.to_string_lossy().into_owned());
        }
        variables
    }

    /// The worker's HOME.
    pub fn home(&self) -> PathBuf {
        self.root.join("home")
    }

    /// The model's data.
    pub fn data(&self) -> PathBuf {
        self.root.join("data")
    }

    /// The worker's TMPDIR.
    pub fn tmp(&self) -> PathBuf {
        self.root.join("tmp")
    }

    /// The folder of the sessions' folders.
    pub fn cwd(&self) -> PathBuf {
        self.root.join("cwd")
    }

    /// The folder of the fake claude.
    pub fn bin(&self) -> PathBuf {
        self.root.join("bin")
    }

    /// The fake claude.
    pub fn claude(&self) -> PathBuf {
        self.bin().join("claude")
    }

    /// What the worker writes to stdout and stderr.
    pub fn log(&self) -> PathBuf {
        self.root.join("worker.log")
    }

    /// The log, opened so that a second start of the worker goes on where the first one stopped.
    pub(super) fn open_log(&self) -> Result<File, WorkerError> {
        let path = self.log();
        OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .map_err(|cause| files("open", &path, cause))
    }

    /// The last lines of the log.
    pub fn log_end(&self, lines: usize) -> String {
        let read = || -> io::Result<String> {
            let mut file = File::open(self.log())?;
            let length = file.metadata()?.len();
            file.seek(SeekFrom::Start(length.saturating_sub(LOG_END_BYTES)))?;
            let mut bytes = Vec::new();
            file.take(LOG_END_BYTES).read_to_end(&mut bytes)?;
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        };
        // A log that cannot be read must not hide the error that it was to explain.
        let text = read().unwrap_or_else(|cause| format!("(its log cannot be read: {cause})"));
        let all: Vec<_> = text.trim_end().lines().collect();
        all[all.len().saturating_sub(lines)..].join("\n")
    }
}

fn link_or_copy(from: &Path, to: &Path) -> io::Result<()> {
    match fs::remove_file(to) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    // Another file system, or a rule against hard links to files of others: a copy does as well.
    fs::hard_link(from, to).or_else(|_| fs::copy(from, to).map(drop))
}

pub(super) fn files(doing: &'static str, path: &Path, cause: io::Error) -> WorkerError {
    WorkerError::Files {
        doing,
        path: path.to_owned(),
        cause,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::worker::programs::is_executable;

    #[test]
    fn a_prepared_folder_holds_an_executable_named_claude_and_the_socket_file() {
        let temp = tempfile::tempdir().unwrap();
        let program = temp.path().join("fake-claude");
        fs::write(&program, "program").unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let root = temp.path().join("run");
        for _ in 0..2 {
            let folder =
                RunFolder::prepare(&root, &program, Path::new("/somewhere/control")).unwrap();
            assert!(is_executable(&folder.claude()));
            assert_eq!(
                fs::read_to_string(folder.bin().join("fake-claude.socket")).unwrap(),
                "/somewhere/control"
            );
        }
        assert_eq!(
            fs::metadata(&root).unwrap().permissions().mode() & 0o777,
            0o700
        );
    }

    #[test]
    fn the_end_of_the_log_is_its_last_lines() {
        let temp = tempfile::tempdir().unwrap();
        let folder = RunFolder {
            root: temp.path().to_owned(),
        };
        fs::write(
            folder.log(),
            (0..5_000)
                .map(|line| format!("line {line}\n"))
                .collect::<String>(),
        )
        .unwrap();
        assert_eq!(folder.log_end(2), "line 4998\nline 4999");
    }
}
