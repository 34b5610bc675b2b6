//! What a node asks of the operating system for its process: who it is, how many
//! files it may have open, and the files that tell others of it.

use crate::cli::CliError;
use crate::limits::ADMIN_CONNECTIONS_MAX;
use rustix::process::{Resource, Rlimit, getrlimit, getuid, setrlimit};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, process};

/// Descriptors beside those of clients: operators, listeners, runtimes, a log.
const DESCRIPTORS_OWN: u64 = 64 + ADMIN_CONNECTIONS_MAX as u64;

/// Goes on as another user, if root asks for that. It starts the program anew:
/// that way every thread and every group of root's is gone.
pub(super) fn become_user(name: &str) -> Result<(), CliError> {
    let wrong = |why: String| CliError::Usage(format!("-u {name}: {why}"));
    if !getuid().is_root() {
        // As with memcached: who is not root stays who he is.
        return Ok(());
    }
    let users = fs::read_to_string("/etc/passwd").map_err(|why| wrong(why.to_string()))?;
    let (user, group) = ids(&users, name).ok_or_else(|| wrong("no such user".to_owned()))?;
    if user == 0 {
        return Ok(());
    }
    let program = env::current_exe().map_err(|why| wrong(why.to_string()))?;
    let why = Command::new(program).args(env::args_os().skip(1)).uid(user).gid(group).exec();
    Err(CliError::Failed(format!("-u {name}: cannot start as that user: {why}")))
}

/// The user's and the group's number, from the lines of `/etc/passwd`.
fn ids(users: &str, name: &str) -> Option<(u32, u32)> {
    let mut lines = users.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let line = lines.find(|fields| fields.first() == Some(&name))?;
    Some((line.get(2)?.parse().ok()?, line.get(3)?.parse().ok()?))
}

/// Lets the process have as many connections as it is to have; or says how many
/// it may have.
pub(super) fn allow_connections(connections: usize) -> Result<(), String> {
    let wanted = connections as u64 + DESCRIPTORS_OWN;
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= wanted) {
        return Ok(());
    }
    let maximum = limit.maximum.map(|maximum| maximum.max(wanted));
    // Beyond the maximum only root may go; up to it everybody.
    let raised = Rlimit { current: Some(wanted), maximum };
    if setrlimit(Resource::Nofile, raised).is_ok() {
        return Ok(());
    }
    let reached = limit.maximum.unwrap_or(wanted).min(wanted);
    let most = Rlimit { current: Some(reached), maximum: limit.maximum };
    let allowed = match setrlimit(Resource::Nofile, most) {
        Ok(()) => reached,
        Err(_) => limit.current.unwrap_or(reached),
    };
    Err(format!(
        "warning: the system allows {allowed} open files, and {connections} connections need \
         {wanted}: raise `ulimit -n`, or lower -c"
    ))
}

/// Lets a crash leave a core file as large as the system allows.
pub(super) fn allow_core_files() -> Result<(), String> {
    let limit = getrlimit(Resource::Core);
    setrlimit(Resource::Core, Rlimit { current: limit.maximum, ..limit })
        .map_err(|why| format!("warning: -r: {why}"))
}

/// A file that is to tell others of this process, made ready before there is anything to
/// tell: where it cannot be written is not to be found out after the node has started.
#[derive(Debug)]
pub(super) struct Draft<'a> {
    path: &'a Path,
    draft: PathBuf,
}

/// A file that tells others of this process; goes with it.
#[derive(Debug)]
pub(super) struct Notice<'a>(&'a Path);

/// Takes away what says that a node serves, where that node was killed: whoever waits for this
/// one is not to take it for the news. That of a node that lives stays.
pub(super) fn clear_ready(path: &Path) {
    let text = fs::read(path).unwrap_or_default();
    let said = serde_json::from_slice::<serde_json::Value>(&text).unwrap_or_default();
    let lives = |pid: u64| Path::new("/proc").join(pid.to_string()).exists();
    if said["pid"].as_u64().is_some_and(|pid| !lives(pid)) {
        // Where that fails the new one cannot be written either, and that is told.
        let _ = fs::remove_file(path);
    }
}

impl<'a> Draft<'a> {
    /// Makes an empty one beside its place.
    pub(super) fn open(path: &'a Path) -> Result<Self, CliError> {
        if path.is_dir() {
            return Err(refused(path, &io::ErrorKind::IsADirectory.into()));
        }
        let mut draft = path.as_os_str().to_owned();
        draft.push(format!(".{}.new", process::id()));
        let this = Self { path, draft: draft.into() };
        fs::write(&this.draft, "").map_err(|why| refused(path, &why))?;
        Ok(this)
    }

    /// Writes it, whole or not at all.
    pub(super) fn tell(self, text: &str) -> Result<Notice<'a>, CliError> {
        let written =
            fs::write(&self.draft, text).and_then(|()| fs::rename(&self.draft, self.path));
        written.map_err(|why| refused(self.path, &why))?;
        Ok(Notice(self.path))
    }
}

impl Drop for Draft<'_> {
    fn drop(&mut self) {
        // Perhaps it was never there, or is the file itself by now.
        let _ = fs::remove_file(&self.draft);
    }
}

impl Drop for Notice<'_> {
    fn drop(&mut self) {
        // Somebody may have cleaned up already.
        let _ = fs::remove_file(self.0);
    }
}

fn refused(path: &Path, why: &io::Error) -> CliError {
    CliError::Failed(format!("cannot write {}: {why}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_found_by_name() {
        let users = "root:x:0:0:root:/root:/bin/sh\nmemcache:x:104:105:Memcached:/:/bin/false\nx\n";
        assert_eq!(ids(users, "memcache"), Some((104, 105)));
        assert_eq!(ids(users, "root"), Some((0, 0)));
        assert_eq!(ids(users, "memcach"), None);
        assert_eq!(ids(users, "x"), None);
    }
}
