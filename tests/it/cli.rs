//! The built binary: what it prints where, and how it exits.

use std::{
    io::{BufRead as _, BufReader, Read as _},
    net::TcpListener,
    process::{Child, Command, Output, Stdio},
};

use tempfile::TempDir;

const GOOD: &str = "providers: []\n";
const BAD: &str = "providers:\n- name: a b\n  issuer: 5\npolices: []\n";

fn claimgate(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_claimgate"));
    command.args(arguments).stdin(Stdio::null());
    command
}

fn run(arguments: &[&str]) -> Output {
    claimgate(arguments).output().unwrap()
}

fn stdout(output: &Output) -> &str {
    str::from_utf8(&output.stdout).unwrap()
}

fn stderr(output: &Output) -> &str {
    str::from_utf8(&output.stderr).unwrap()
}

/// A folder with this `c.yaml`, and the file's path.
fn config(text: &str) -> (TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("c.yaml");
    std::fs::write(&file, text).unwrap();
    (folder, file.display().to_string())
}

/// A server on ports of the system's choice, once it logs that it is ready.
fn serve(file: &str) -> (Child, BufReader<std::process::ChildStderr>) {
    let ports = ["--grpc-listen", "127.0.0.1:0", "--http-listen", "127.0.0.1:0"];
    let mut child = claimgate(&["serve", "--config", file, "--drain-settle", "0s"])
        .args(ports)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("ready") {
        line.clear();
        assert_ne!(log.read_line(&mut line).unwrap(), 0, "it ended before it was ready");
    }
    (child, log)
}

#[test]
fn validate_prints_the_hash_of_a_good_config() {
    let (_folder, file) = config(GOOD);
    let output = run(&["validate", "--config", &file]);
    assert_eq!(output.status.code(), Some(0));
    let hash = stdout(&output).strip_prefix("config_hash: ").unwrap().trim_end();
    assert!(hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_hexdigit()), "{hash}");
}

#[test]
fn validate_prints_every_problem_with_its_place() {
    let (_folder, file) = config(BAD);
    let output = run(&["validate", "--config", &file]);
    assert_eq!(output.status.code(), Some(1));
    let places = [
        "2:3: providers[0]",
        "2:9: providers[0].name",
        "3:11: providers[0].issuer",
        "4:1: polices",
    ];
    for place in places {
        let line = format!("{file}:{place}");
        assert!(
            stdout(&output).lines().any(|l| l.starts_with(&line)),
            "{place}: {}",
            stdout(&output)
        );
    }
}

#[test]
fn validate_and_serve_call_the_same_config_bad() {
    let (_folder, file) = config(BAD);
    let (validated, served) =
        (run(&["validate", "--config", &file]), run(&["serve", "--config", &file]));
    assert_eq!(served.status.code(), Some(1));
    assert_eq!(stderr(&served).trim_end(), stdout(&validated).trim_end());
    assert!(served.stdout.is_empty());
}

#[test]
fn serve_exits_1_where_a_port_is_taken() {
    let (_folder, file) = config(GOOD);
    let taken = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().to_string();
    let holder = TcpListener::bind(&taken).unwrap();
    for flag in ["--grpc-listen", "--http-listen"] {
        let other = if flag == "--grpc-listen" { "--http-listen" } else { "--grpc-listen" };
        let output = run(&["serve", "--config", &file, flag, &taken, other, "127.0.0.1:0"]);
        assert_eq!(output.status.code(), Some(1));
        let expected = format!("cannot listen on {taken}");
        assert!(stderr(&output).contains(&expected), "{}", stderr(&output));
    }
    let both = ["--grpc-listen", &taken, "--http-listen", &taken];
    let output = claimgate(&["serve", "--config", &file]).args(both).output().unwrap();
    assert_eq!(stderr(&output).matches("cannot listen on").count(), 2, "{}", stderr(&output));
    drop(holder);
}

#[test]
fn serve_exits_0_after_sigterm_and_keeps_stdout_clean() {
    let (_folder, file) = config(GOOD);
    let (mut child, mut log) = serve(&file);
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let (mut rest, mut out) = (String::new(), String::new());
    log.read_to_string(&mut rest).unwrap();
    child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    assert!(rest.contains("draining"), "{rest}");
    assert_eq!(out, "");
}

#[test]
fn a_wrong_command_line_exits_2() {
    let (_folder, file) = config(GOOD);
    let settle = ["serve", "--config", &file, "--drain-settle", "6s", "--drain-timeout", "15s"];
    for arguments in [
        &["serve"][..],
        &["no-such-command"],
        &["validate", "--no-such-flag"],
        &["serve", "--config", &file, "--grpc-listen", "nowhere"],
        &["serve", "--config", &file, "--ready-timeout", "5"],
        &settle,
    ] {
        assert_eq!(run(arguments).status.code(), Some(2), "{arguments:?}");
    }
}

#[test]
fn the_help_of_each_command_shows_an_example() {
    for command in ["serve", "validate", "explain", "demo"] {
        let output = run(&[command, "--help"]);
        let example = format!("Example:\n  claimgate {command}");
        assert!(stdout(&output).contains(&example), "{command}");
    }
}

#[test]
fn settings_have_environment_twins() {
    let (_folder, file) = config(GOOD);
    let output = claimgate(&["serve"])
        .env("CLAIMGATE_CONFIG", &file)
        .env("CLAIMGATE_HTTP_LISTEN", "x")
        .output();
    let output = output.unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("--http-listen"), "{}", stderr(&output));
}

#[test]
fn the_demo_checks_itself_without_an_envoy() {
    let output = claimgate(&["demo", "--check"]).env("ENVOY_BIN", "/nowhere").output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stdout(&output));
    assert!(!stdout(&output).contains("DIFFERS"));
    let ok = stdout(&output).lines().filter(|line| line.ends_with("  ok")).count();
    assert!(ok >= 10, "{}", stdout(&output));
}
