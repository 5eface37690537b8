//! The Envoy binary of the tests: one that is there, or the one that `envoy/fetch` gets.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
    sync::LazyLock,
};

use claimgate::cli::demo::envoy;

/// Says in so many words that the tests are to run without Envoy, and so not at all.
const WITHOUT: &str = "CLAIMGATE_TEST_WITHOUT_ENVOY";

static BINARY: LazyLock<Result<PathBuf, String>> =
    LazyLock::new(|| envoy::find().map_or_else(fetch, Ok));

/// The binary; none only where [`WITHOUT`] asks for it.
#[track_caller]
pub(crate) fn binary() -> Option<&'static Path> {
    if env::var_os(WITHOUT).is_some_and(|value| value == "1") {
        println!("NOT RUN for lack of Envoy: {WITHOUT}=1");
        return None;
    }
    match &*BINARY {
        Ok(path) => Some(path),
        Err(why) => panic!("no Envoy: {why}\n{WITHOUT}=1 leaves these tests out"),
    }
}

/// Runs `envoy/fetch` on the target folder that this test was built in.
fn fetch() -> Result<PathBuf, String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("envoy/fetch");
    let exe = env::current_exe().map_err(|error| error.to_string())?;
    let target = exe.ancestors().nth(3).ok_or("the test is in no target folder")?;
    let output = Command::new(&script).env("CARGO_TARGET_DIR", target).output();
    let output = output.map_err(|error| format!("{}: {error}", script.display()))?;
    if !output.status.success() {
        let log = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{} failed ({}):\n{log}", script.display(), output.status));
    }
    let path = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    if path.is_file() { Ok(path) } else { Err(format!("{} printed {path:?}", script.display())) }
}
