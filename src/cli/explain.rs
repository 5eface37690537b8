//! `claimgate explain`: what `serve` would say of tokens, and every check that leads there.
//!
//! It decides nothing: the code that `serve` runs does, with an observer that records and goes on.

mod at;
mod detail;
mod keys;
mod near;
mod rules;
mod verdict;

use std::{
    io::{self, BufRead, Write},
    path::PathBuf,
    process::ExitCode,
    sync::Arc,
};

use clap::{Args, ValueEnum};

use self::verdict::Verdict;
use crate::{
    check::{
        self, Backing, Progress,
        decision::Decision,
        observe::{Check, Observer, Report},
        request::{CheckView, Headers, HttpView, RouteSources},
        route,
        token::Jws,
    },
    cli::explain::keys::Fetched,
    clock::{Clock, Now},
    config::load::load,
    policy::{Accepts, Policy},
    provider::Provider,
    routes::Routes,
    settings::{LogFormat, LogLevel},
    snapshot::Snapshot,
    telemetry,
};

/// Arguments of `explain`.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The config: a YAML or JSON file, or a folder of them
    #[arg(long, env = "CLAIMGATE_CONFIG", value_name = "PATH")]
    config: PathBuf,

    /// Accept tokens of this provider; may be repeated. With one, its keys check the signature
    /// even where the issuer is another's
    #[arg(long = "provider", value_name = "NAME")]
    providers: Vec<String>,

    /// Check as on a route of this policy; without it and without --provider: default_policy
    #[arg(long, value_name = "NAME")]
    policy: Option<String>,

    /// What the clock shows: Unix seconds, or RFC 3339
    #[arg(long, value_name = "TIME", value_parser = at::parse)]
    at: Option<f64>,

    /// The request's method, for rules
    #[arg(long)]
    method: Option<String>,

    /// The request's host, for rules
    #[arg(long)]
    host: Option<String>,

    /// The request's path, for rules
    #[arg(long)]
    path: Option<String>,

    /// A header of the request, for rules; may be repeated
    #[arg(long = "header", value_name = "K:V", value_parser = header)]
    headers: Vec<(String, String)>,

    /// How a verdict is written
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people, one line a token.
    Text,
    /// One JSON object a line.
    Json,
}

/// Prints a verdict for each token on stdin.
pub(super) fn run(arguments: &Arguments) -> ExitCode {
    let loaded = match load(&arguments.config) {
        Ok(loaded) => loaded,
        Err(problems) => {
            eprintln!("{problems}");
            return ExitCode::FAILURE;
        }
    };
    for warning in &loaded.compiled.warnings {
        eprintln!("warning: {warning}");
    }
    telemetry::init(LogFormat::Text, LogLevel::Warn);
    let ended = tokio::runtime::Runtime::new().map_err(|error| error.to_string()).and_then(|rt| {
        // The clock follows the runtime's.
        let (clock, snapshot) = rt.block_on(async {
            let clock = Clock::start();
            (clock, loaded.into_snapshot(1, clock.wall()))
        });
        let (mut lines, mut out) = (io::stdin().lock(), io::stdout().lock());
        let session = rt.block_on(Session::start(arguments, snapshot, clock))?;
        session.explain(&mut lines, arguments.format, &mut out).map_err(|error| error.to_string())
    });
    match ended {
        Ok(Ended::AllAllowed) => ExitCode::SUCCESS,
        Ok(Ended::NotAllAllowed) => ExitCode::FAILURE,
        Ok(Ended::NoToken) => {
            eprintln!("no token on stdin; accepted is one a line");
            ExitCode::FAILURE
        }
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}

/// How the tokens fared together.
enum Ended {
    AllAllowed,
    NotAllAllowed,
    NoToken,
}

/// What all the tokens are checked against.
struct Session {
    snapshot: Snapshot,
    /// `claimgate.*` of the route that is played: what chooses the policy.
    route: Vec<(&'static str, String)>,
    /// The request that is played.
    request: Request,
    /// The rules that cannot be run.
    left_out: Vec<rules::LeftOut>,
    /// The one provider that was named.
    named: Option<Arc<Provider>>,
    keys: Fetched,
    now: Now,
}

/// What is known of the request.
struct Request {
    method: String,
    host: String,
    path: String,
    headers: Vec<(String, String)>,
}

impl Request {
    fn view(&self) -> HttpView<'_> {
        let headers = self.headers.iter().map(|(name, value)| (&**name, value.as_bytes()));
        HttpView {
            method: &self.method,
            scheme: "",
            host: &self.host,
            path: &self.path,
            headers: Headers(headers.collect()),
        }
    }
}

impl Session {
    async fn start(
        arguments: &Arguments,
        mut snapshot: Snapshot,
        clock: Clock,
    ) -> Result<Self, String> {
        let route = route_of(arguments, &mut snapshot);
        let left_out = rules::leave_out(arguments, &mut snapshot);
        let named = match &*arguments.providers {
            [one] => snapshot.provider(one).filter(|provider| provider.enabled).cloned(),
            _ => None,
        };
        // Host and path are for rules; the arguments alone choose the policy.
        snapshot.routes = Routes::default();
        let view = CheckView { http: HttpView::default(), route: sources(&route) };
        let policy = route::resolve(&view, &snapshot).policy.ok();
        let accepted = policy.iter().flat_map(|policy| policy.accepts.members());
        let accepted: Vec<_> =
            accepted.chain(named.iter().map(|named| &named.name)).cloned().collect();
        let keys = Fetched::of(&mut snapshot, &accepted, clock).await?;
        let read = clock.now();
        let now = Now { unix: arguments.at.unwrap_or(read.unix), mono: read.mono };
        let request = Request {
            method: arguments.method.clone().unwrap_or_default(),
            host: arguments.host.clone().unwrap_or_default(),
            path: arguments.path.clone().unwrap_or_default(),
            headers: arguments.headers.clone(),
        };
        Ok(Self { snapshot, route, request, left_out, named, keys, now })
    }

    fn explain(
        &self,
        lines: &mut impl BufRead,
        format: Format,
        out: &mut impl Write,
    ) -> io::Result<Ended> {
        let (mut line, mut ended) = (Vec::new(), Ended::NoToken);
        loop {
            line.clear();
            if lines.read_until(b'\n', &mut line)? == 0 {
                return Ok(ended);
            }
            let text = String::from_utf8_lossy(&line);
            let token = text.trim();
            if token.is_empty() {
                continue;
            }
            let verdict = self.verdict(token);
            ended = match ended {
                Ended::AllAllowed | Ended::NoToken if verdict.is_allowed() => Ended::AllAllowed,
                Ended::AllAllowed | Ended::NoToken | Ended::NotAllAllowed => Ended::NotAllAllowed,
            };
            match format {
                Format::Text => writeln!(out, "{verdict}")?,
                Format::Json => writeln!(out, "{}", verdict.json())?,
            }
        }
    }

    /// Runs the check that `serve` would run, and goes on where it would stop.
    fn verdict(&self, token: &str) -> Verdict {
        let view = CheckView { http: self.request.view(), route: sources(&self.route) };
        let policy = route::resolve(&view, &self.snapshot).policy.ok();
        let assumed = self.named.clone().or_else(|| self.only_one(policy.as_deref(), token));
        let mut report = Report::assuming(assumed.clone());
        let mut backing = Backing::default();
        let (keys, to) = (&self.keys, (&mut backing, &mut report));
        let decision = match check::explain(token, &view, &self.snapshot, keys, self.now, to) {
            Progress::Done(decision, _) => decision,
            Progress::Wait(never) => match never {},
        };
        if policy.is_none() {
            // Without a policy only this can be said of it.
            let structure = Jws::parse(token).map(|_| ()).map_err(Into::into);
            let _ = report.observe(Check::Structure, structure);
        }
        let checks = detail::Details {
            token,
            policy: policy.as_deref(),
            assumed: assumed.as_deref(),
            snapshot: &self.snapshot,
            keys: &self.keys,
            now: self.now,
            report: &report,
            left_out: policy.as_deref().map(|policy| rules::of(&self.left_out, policy)),
            rule: decision.identity().and_then(|identity| identity.rule.as_deref()),
        };
        Verdict::new(token, &decision, checks.all(fault(&decision)))
    }

    /// A payload that is no JSON object names no issuer: then the policy's only provider's keys
    /// are those that could have signed it.
    fn only_one(&self, policy: Option<&Policy>, token: &str) -> Option<Arc<Provider>> {
        match policy?.accepts.members() {
            [only] if Jws::parse(token).is_err() => {
                self.snapshot.provider(only.as_str()).filter(|provider| provider.enabled).cloned()
            }
            _ => None,
        }
    }
}

/// The route that asks for what the arguments name. Where they name a policy and providers, the
/// policy is narrowed to those.
fn route_of(arguments: &Arguments, snapshot: &mut Snapshot) -> Vec<(&'static str, String)> {
    let policy = match (&arguments.policy, &snapshot.default_policy) {
        (Some(policy), _) => policy.clone(),
        (None, _) if !arguments.providers.is_empty() => {
            return vec![("providers", arguments.providers.join(","))];
        }
        (None, Some(default)) => match &default.name {
            Some(name) => name.to_string(),
            None => return Vec::new(),
        },
        (None, None) => return Vec::new(),
    };
    if !arguments.providers.is_empty()
        && let Some(found) = snapshot.policies.get_mut(&policy.to_ascii_lowercase())
    {
        let named = |name: &str| arguments.providers.iter().any(|p| p.eq_ignore_ascii_case(name));
        let providers = &snapshot.providers;
        let members = found.accepts.members().iter().filter(|name| named(name.as_str()));
        let members: Vec<_> =
            members.filter_map(|name| providers.get(&name.key())).cloned().collect();
        // They share no issuer, since the policy's own do not.
        let accepts = Accepts::new(&members, Vec::new()).unwrap_or_default();
        *found = Arc::new(Policy { accepts, ..Policy::clone(found) });
    }
    vec![("policy", policy)]
}

fn sources<'a>(route: &'a [(&'static str, String)]) -> RouteSources<'a> {
    let extensions = route.iter().map(|(name, value)| (*name, value.as_str())).collect();
    RouteSources { extensions, ..RouteSources::default() }
}

/// The label of a fault that was found before the token was looked at.
fn fault(decision: &Decision<'_>) -> Option<&'static str> {
    match decision.policy() {
        Some(_) => None,
        None => decision.reason().map(|reason| reason.row().label),
    }
}

/// `NAME:VALUE`.
fn header(text: &str) -> Result<(String, String), String> {
    let wrong = || "not a header; accepted is NAME:VALUE".to_owned();
    let (name, value) = text.split_once(':').ok_or_else(wrong)?;
    let is_name = !name.is_empty() && name.bytes().all(crate::header::is_token_byte);
    if is_name { Ok((name.to_ascii_lowercase(), value.trim().to_owned())) } else { Err(wrong()) }
}
