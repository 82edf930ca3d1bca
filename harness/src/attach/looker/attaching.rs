//! The beginning: whether the process may be looked at, what it is recognised by, who it is.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;

use nix::unistd::getuid;

use super::Looker;
use crate::attach::error::AttachError;
use crate::attach::identity::{homes, packages, people};
use crate::attach::marks::{Marks, cookies, data_folders};
use crate::attach::mask::{Mask, file_name};
use crate::attach::report::{Folder, Host, Watching};
use crate::attach::watch::Facts;
use crate::clock::Clock;
use crate::platform::portable::system_name;
use crate::platform::{self, Pids, Watched};
use crate::process::ProcessState;

impl Looker {
    /// Attaches to the process that has this pid now. Relatives are looked for in these data folders, or in those that are found.
    pub fn attach(pid: u32, data: &[PathBuf]) -> Result<Self, AttachError> {
        let failed = |cause| AttachError::System {
            doing: "read the process table",
            cause,
        };
        if pid == std::process::id() {
            return Err(AttachError::Itself { pid });
        }
        // Whose it is comes first: a process of somebody else may refuse everything after that, and a thread cannot be held open.
        let owner = platform::owner_of(pid)
            .map_err(failed)?
            .ok_or(AttachError::NoSuchProcess { pid })?;
        if owner.thread_group != pid {
            return Err(AttachError::Thread {
                pid,
                of: owner.thread_group,
            });
        }
        let own_uid = getuid();
        if owner.uid != own_uid.as_raw() && !own_uid.is_root() {
            return Err(AttachError::SomebodyElses {
                pid,
                uid: owner.uid,
                own: own_uid.as_raw(),
            });
        }
        let (daemon, stat) = Watched::open(pid)
            .map_err(failed)?
            .ok_or(AttachError::NoSuchProcess { pid })?;
        if stat.state == ProcessState::Zombie {
            return Err(AttachError::HasEnded {
                pid,
                parent: stat.ppid,
            });
        }
        let given = data
            .iter()
            .map(|path| {
                path.canonicalize().map_err(|cause| AttachError::NoFolder {
                    path: path.display().to_string(),
                    cause,
                })
            })
            .collect::<Result<Vec<_>, _>>()?;

        let mut unseen = Vec::new();
        let mut seen = |what: Option<_>, name: &str| {
            what.unwrap_or_else(|| {
                unseen.push(format!("{name} of the daemon may not be read"));
                Vec::new()
            })
        };
        let environment: Vec<String> = seen(platform::environment(pid), "the environment");
        let files = match platform::open_files(pid) {
            Some(files) => files,
            None => {
                unseen.push("the open files of other processes cannot be read here".to_owned());
                Vec::new()
            }
        };
        let others = [
            Some(std::process::id()),
            Some(stat.ppid).filter(|parent| *parent > 1),
        ]
        .into_iter()
        .flatten()
        .filter_map(platform::environment)
        .collect::<Vec<_>>();
        let homes = homes(owner.uid, &environment);
        let mask = Mask::new(people(owner.uid, &environment, &homes));
        let marks = Marks {
            cookies: cookies(&environment, &others),
            folders: data_folders(&given, &environment, &files, &homes),
            signatures: BTreeSet::new(),
        };
        let own = platform::stat_of(std::process::id())
            .map_err(failed)?
            .ok_or_else(|| failed(io::ErrorKind::NotFound.into()))?;
        if !platform::KEEPS_ORPHANS {
            unseen.push(
                "PSS, open files and threads are not told by this system, and start times only to the second"
                    .to_owned(),
            );
        }
        Ok(Self {
            clock: Clock::start(),
            daemon,
            uid: owner.uid,
            table: Pids::open().map_err(failed)?,
            pids: Vec::new(),
            rows: Vec::new(),
            ancestors: Vec::new(),
            marks,
            mask,
            known: BTreeMap::new(),
            strangers: BTreeMap::new(),
            own,
            page_size: platform::page_size(),
            start_units: platform::start_time_units(),
            unseen,
            ended: None,
        })
    }

    /// Who the daemon is and how it is watched, for the report.
    pub fn facts(&self, watching: Watching, harness_version: &str) -> Facts {
        let process = self.daemon.process();
        let stat = self.daemon.stat().ok().flatten();
        let name = stat.map(|stat| stat.name).unwrap_or_default();
        let name = String::from_utf8_lossy(name.as_bytes()).into_owned();
        let arguments = platform::arguments(process.pid).unwrap_or_default();
        // Not every system tells short names.
        let name = match name.as_str() {
            "" => file_name(arguments.first().map_or("", String::as_str)).to_owned(),
            _ => name,
        };
        let executable = platform::executable(process.pid);
        let packages = packages(process.pid, &arguments, executable.as_deref());
        let show = |text: &str| self.mask.text(text);
        let described = self.describe(arguments, &name);
        Facts {
            host: Host {
                system: system_name(),
                memory_bytes: platform::memory_bytes(),
                available_memory_bytes: None,
            },
            watching: Watching {
                command: show(&watching.command),
                cookies: self
                    .marks
                    .cookies
                    .iter()
                    .filter_map(|cookie| Some(cookie.split_once('=')?.0.to_owned()))
                    .collect(),
                data_folders: self
                    .marks
                    .folders
                    .iter()
                    .map(|folder| Folder {
                        path: self.mask.path(&folder.path),
                        origin: folder.origin,
                    })
                    .collect(),
                ..watching
            },
            process,
            name: show(&name),
            command: described.command,
            signature: described.signature,
            executable: executable.as_deref().map(|path| self.mask.path(path)),
            packages: packages.iter().map(|package| package.shown(show)).collect(),
            unseen: self.unseen.clone(),
            harness_version: harness_version.to_owned(),
        }
    }
}
