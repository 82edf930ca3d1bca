//! Where this process finds itself: how it was called, in which role, and who listens.

use std::env;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::control::{Role, SOCKET_FILE, SOCKET_VARIABLE};
use crate::os;

/// The variable by which a fake tells a process that it leaves behind, or wraps, what it is.
const ROLE_VARIABLE: &str = "FAKE_CLAUDE_ROLE";
/// The variable by which it tells it the session.
const SESSION_VARIABLE: &str = "FAKE_CLAUDE_SESSION";

/// How this process was called, in which role, and who listens.
#[derive(Debug)]
pub struct Surroundings {
    /// The program, by the path by which it was called.
    pub program: PathBuf,
    /// What this process is.
    pub role: Role,
    /// The session, where it was inherited.
    pub session: Option<String>,
    /// The control socket, if there is a harness.
    pub socket: Option<PathBuf>,
}

/// Why the surroundings cannot be made out.
#[derive(Debug)]
pub enum SurroundingsError {
    /// The system does not tell how the program was called.
    Call(io::Error),
    /// The file that names the control socket cannot be read.
    SocketFile {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
}

impl fmt::Display for SurroundingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Call(cause) => write!(f, "the path of this program is unknown: {cause}"),
            Self::SocketFile { path, cause } => write!(
                f,
                "{}, which names the control socket, cannot be read: {cause}",
                path.display()
            ),
        }
    }
}

impl std::error::Error for SurroundingsError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Call(cause) | Self::SocketFile { cause, .. } => Some(cause),
        }
    }
}

impl Surroundings {
    /// Looks around.
    pub fn look() -> Result<Self, SurroundingsError> {
        let program = os::called_path().map_err(SurroundingsError::Call)?;
        let role = match env::var(ROLE_VARIABLE).as_deref() {
            Ok("payload") => Role::Payload,
            Ok("grandchild") => Role::Grandchild,
            _ => Role::Primary,
        };
        let socket = socket(&program)?;
        Ok(Self {
            program,
            role,
            session: env::var(SESSION_VARIABLE).ok().filter(|it| !it.is_empty()),
            socket,
        })
    }

    /// The folder in which the program lies, as it was called.
    pub fn folder(&self) -> &Path {
        folder(&self.program)
    }
}

/// The environment by which a process that is started learns its role and its session.
pub fn environment(role: Role, session: Option<&str>) -> [(&'static str, &str); 2] {
    let role = match role {
        Role::Payload => "payload",
        Role::Grandchild => "grandchild",
        // Nobody starts these but a worker.
        Role::Primary | Role::Helper | Role::Probe => "primary",
    };
    [
        (ROLE_VARIABLE, role),
        (SESSION_VARIABLE, session.unwrap_or_default()),
    ]
}

fn folder(program: &Path) -> &Path {
    program.parent().unwrap_or(Path::new("."))
}

/// The control socket: named by the file beside the program, since workers strip environments; else by the variable.
fn socket(program: &Path) -> Result<Option<PathBuf>, SurroundingsError> {
    let path = folder(program).join(SOCKET_FILE);
    match fs::read_to_string(&path) {
        // A relative path is meant from where the file lies.
        Ok(text) => Ok(Some(folder(program).join(text.trim_end_matches('\n')))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(env::var_os(SOCKET_VARIABLE)
            .filter(|path| !path.is_empty())
            .map(PathBuf::from)),
        Err(cause) => Err(SurroundingsError::SocketFile { path, cause }),
    }
}
