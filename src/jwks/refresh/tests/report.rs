//! What the log says while keys come and go.

use std::io;

use tracing_subscriber::fmt::MakeWriter;

use super::*;

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

impl Log {
    /// Hears everything of this thread until the guards are dropped.
    fn listen(&self) -> (tracing::subscriber::DefaultGuard, tracing::Dispatch) {
        let subscriber = || {
            let log = tracing_subscriber::fmt().with_writer(self.clone()).with_ansi(false);
            tracing::Dispatch::new(log.without_time().with_target(false).finish())
        };
        // While there is but one, tracing asks the thread that comes first to a line whether
        // anybody listens, and that may be one of another test. The second one hears nothing.
        let second = subscriber();
        (tracing::dispatcher::set_default(&subscriber()), second)
    }

    /// The lines since the last time.
    fn lines(&self) -> Vec<String> {
        let bytes = std::mem::take(&mut *self.0.lock().unwrap());
        let lines = String::from_utf8(bytes).unwrap();
        lines.lines().map(|line| line.trim().to_owned()).collect()
    }
}

const URL: &str = "uri: 'https://one/keys?secret=hush', refresh_interval: 100s, max_stale: 300s";

#[tokio::test(start_paused = true)]
async fn each_change_of_state_is_one_line() {
    let log = Log::default();
    let _guard = log.listen();
    let fixture = Fixture::new();
    let check = async |seconds: u64, expected: &[&str]| {
        pass(seconds).await;
        assert_eq!(log.lines(), expected);
    };
    fixture.refresher.follow(&snapshot(&[URL]));
    check(201, &[r#"INFO JWKS fetched providers="p0" state="ready" keys=1"#]).await;
    fixture.answer(Err(FetchError::Status(500)));
    let failed = |state, error| {
        format!(
            r#"WARN JWKS fetch failed providers="p0" state="{state}" url="https://one/keys" error={error}"#
        )
    };
    check(150, &[&failed("stale", "HTTP status 500")]).await;
    fixture.answer(Err(FetchError::Timeout));
    check(60, &[&failed("stale", "timed out")]).await;
    check(160, &[&failed("unavailable", "timed out")]).await;
    check(1000, &[]).await;
    fixture.answer(set("k"));
    check(60, &[r#"INFO JWKS fetched providers="p0" state="ready" keys=1"#]).await;
    fixture.answer(set("new"));
    check(100, &[r#"INFO JWKS fetched providers="p0" state="ready" keys=1"#]).await;
    check(1000, &[]).await;
}

/// A set of one key that can be used and, before it, those of `others`.
fn with(others: &[&str]) -> Result<Vec<u8>, FetchError> {
    let one = String::from_utf8(set("k").unwrap()).unwrap();
    Ok(one.replace("[", &format!("[{},", others.join(","))).into_bytes())
}

#[tokio::test(start_paused = true)]
async fn keys_that_are_skipped_are_told_once() {
    const UNKNOWN: &str = r#"{"kty":"new"}"#;
    const SECRET: &str = r#"{"kty":"oct","k":"aHVzaA"}"#;
    let log = Log::default();
    let _guard = log.listen();
    let fixture = Fixture::new();
    let skipped = async |seconds: u64, expected: &[&str]| {
        pass(seconds).await;
        let lines = log.lines().into_iter().filter(|line| line.contains("skipped"));
        let lines: Vec<_> =
            lines.map(|line| line.replace(r#"WARN key skipped providers="p0" "#, "")).collect();
        assert_eq!(lines, expected);
    };
    let unknown = |index| format!("index={index} error=unsupported key type or curve");
    let secret = |index| format!("index={index} error=symmetric key from the network");
    fixture.answer(with(&[UNKNOWN, SECRET]));
    fixture.refresher.follow(&snapshot(&[URL]));
    skipped(1, &[&unknown(0), &secret(1)]).await;
    skipped(300, &[]).await;
    fixture.answer(Err(FetchError::Timeout));
    skipped(100, &[]).await;
    fixture.answer(with(&[SECRET, UNKNOWN]));
    skipped(100, &[]).await;
    fixture.answer(with(&[SECRET]));
    skipped(100, &[&secret(0)]).await;
    fixture.answer(set("k"));
    skipped(100, &[]).await;
    fixture.answer(with(&[SECRET]));
    skipped(100, &[&secret(0)]).await;
}
