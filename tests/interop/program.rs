//! A program of another language that does what each line of its input says and answers with one.

use std::{process::Stdio, time::Duration};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
    time::timeout,
};

use crate::peers;

/// The program. Dropping it ends it.
pub(crate) struct Program {
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
    _child: Child,
}

/// For one answer, on a machine that does much else.
const PATIENCE: Duration = Duration::from_secs(60);

impl Program {
    /// This script of ours, running.
    pub(crate) fn start(script: &str) -> Self {
        let mut command = Command::from(peers::script(script));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.kill_on_drop(true).spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { input: child.stdin.take().unwrap(), output, _child: child }
    }

    /// The next line of its output.
    pub(crate) async fn line(&mut self) -> String {
        let line = timeout(PATIENCE, self.output.next_line()).await.expect("an answer in a minute");
        line.unwrap().expect("a program that still runs")
    }

    /// Says this line and waits for the answer.
    pub(crate) async fn ask(&mut self, line: &str) -> String {
        self.input.write_all(format!("{line}\n").as_bytes()).await.unwrap();
        self.line().await
    }
}
