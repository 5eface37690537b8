//! The programs that others wrote: where they are, and how they are run.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::LazyLock,
};

/// Where `tests/interop/fetch` has put them.
static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
    let fetch = here().join("fetch");
    let output = Command::new(fetch).stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success(), "the peers cannot be fetched");
    PathBuf::from(String::from_utf8(output.stdout).unwrap().trim_end())
});

fn here() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop")
}

/// A command that runs this script of ours with what it imports in reach.
pub(crate) fn script(name: &str) -> Command {
    let runs = if name.ends_with(".py") { "python3" } else { "node" };
    let mut command = Command::new(runs);
    command.arg(here().join(name)).env("INTEROP", &*FOLDER);
    command.env("PYTHONPATH", FOLDER.join("python")).env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

/// What the script prints, line by line.
pub(crate) fn lines(name: &str, arguments: &[&str]) -> Vec<String> {
    let output = script(name).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}
