//! docs/benchmarks.md and its plots.

use std::{fmt::Write as _, fs, path::Path, process::Command};

use crate::{
    Size,
    in_process::{InProcess, New},
    latency::{Latency, Point},
    plot,
    runs::{Results, beside, median, ratios},
};

pub(crate) fn write(folder: &Path, size: &Size, results: &Results) {
    let plots = folder.join("benchmarks");
    fs::create_dir_all(&plots).unwrap();
    fs::write(plots.join("cpu.svg"), cpu_plot(results)).unwrap();
    fs::write(plots.join("latency.svg"), latency_plot(results)).unwrap();
    let mut text = head(size);
    in_process(&mut text, &results.in_process, size);
    cpu(&mut text, results);
    envoy(&mut text, size, results);
    latency(&mut text, &results.latency);
    scale(&mut text, size, results);
    fs::write(folder.join("benchmarks.md"), text).unwrap();
}

fn head(size: &Size) -> String {
    format!(
        "# Benchmarks\n\n\
         Written by `cargo bench --bench end_to_end -- full`. The floor is a tonic server with the same settings that\n\
         decodes each CheckRequest with envoy-types and always allows: what any ext_authz service in Rust pays. It and\n\
         claimgate run in turns, {} pairs and {} of new tokens, on the same machine at the same time as the load; medians\n\
         are shown, and the ratios count, not the absolute numbers.\n\n\
         - Machine: {}\n- Kernel: {}\n- Rust: {}\n- Envoy: {}\n- claimgate {}, {} tokens in rotation, a CheckRequest of about 1.5 KiB\n\n",
        size.pairs,
        size.rounds,
        machine(),
        said("uname", &["-sr"]),
        said("rustc", &["--version"]),
        envoy_version(),
        env!("CARGO_PKG_VERSION"),
        size.tokens,
    )
}

fn machine() -> String {
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let count = cpus.lines().filter(|line| line.starts_with("processor")).count();
    format!("{count} × {}", model.map_or("unknown", |(_, model)| model))
}

fn envoy_version() -> String {
    claimgate::cli::demo::envoy::find()
        .map_or_else(|| "none".to_owned(), |path| said(&path.to_string_lossy(), &["--version"]))
        .rsplit("version: ")
        .next()
        .unwrap_or_default()
        .to_owned()
}

fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    output.map_or_else(|_| "unknown".into(), |o| String::from_utf8_lossy(&o.stdout).trim().into())
}

fn in_process(text: &mut String, seen: &InProcess, size: &Size) {
    let (hot, crowd) = (median(&seen.hot), median(&seen.crowd));
    let yardstick = seen.new.iter().find(|new| new.alg == "RS256");
    let yardstick = yardstick.map_or(f64::NAN, |new| median(&new.verify));
    write!(
        text,
        "## In process\n\nCheckRequest bytes in to CheckResponse bytes out, without a network. Each request comes fresh, as from its\n\
         socket; a new token is one that was never seen, with the cache on. Since a microsecond is not the same on\n\
         any two machines, each time stands beside a bare RS256 verify of the same run as well. The bounds are\n\
         1.5, 2.5 and 4 µs where that takes 15.4 µs: 0.097, 0.162 and 0.260 of it.\n\n\
         | ES256 | a check | of a bare RS256 verify |\n|---|---|---|\n\
         | one token, seen before | {hot:.2} µs | {:.3} |\n\
         | {} tokens, seen within a minute before, in no order | {crowd:.2} µs | {:.3} |\n\n\
         Two threads make {:.2} times the checks of one.\n\n\
         | new token | a check | bare verify | over it | of a bare RS256 verify |\n|---|---|---|---|---|\n",
        hot / yardstick,
        size.cached,
        crowd / yardstick,
        median(&seen.two_threads),
    )
    .unwrap();
    for New { alg, check, verify } in &seen.new {
        let over: Vec<f64> = check.iter().zip(verify).map(|(c, v)| c - v).collect();
        let (check, verify, over) = (median(check), median(verify), median(&over));
        let beside = over / yardstick;
        writeln!(text, "| {alg} | {check:.1} µs | {verify:.1} µs | {over:+.1} µs | {beside:.3} |")
            .unwrap();
    }
    text.push('\n');
}

fn cpu(text: &mut String, results: &Results) {
    text.push_str(
        "## CPU per check\n\nStraight to the gRPC port, 4 connections of 16 streams, from the threads' `schedstat`. A new token is one\n\
         that this process has never seen, with the cache on. The floor that verifies is the floor that verifies a bare\n\
         signature, each time another, for each check as well: floor + bare verify, under the same load.\n\n\
         | path | floor | floor that verifies | claimgate | beside floor | over floor that verifies | checks/s floor | claimgate |\n\
         |---|---|---|---|---|---|---|---|\n",
    );
    for pairs in &results.paths {
        let (floor, ours) = (median(&pairs.floor), median(&pairs.ours));
        writeln!(
            text,
            "| {} | {floor:.1} µs | {} | {ours:.1} µs | {:.2} | {} | {:.0} | {:.0} |",
            pairs.name,
            known(median(&pairs.verifying), |verifying| format!("{verifying:.1} µs")),
            pairs.ratio(),
            known(pairs.over(), |over| format!("{over:+.1} µs")),
            median(&pairs.floor_rate),
            median(&pairs.our_rate)
        )
        .unwrap();
    }
    text.push_str("\n![CPU per check by path](benchmarks/cpu.svg)\n\n");
}

/// A dash where there is no such number.
fn known(number: f64, written: impl Fn(f64) -> String) -> String {
    if number.is_nan() { "-".to_owned() } else { written(number) }
}

fn envoy(text: &mut String, size: &Size, results: &Results) {
    write!(
        text,
        "## Through Envoy\n\nOne worker, 16 connections, a direct response, {} runs of each in turns. `jwt_authn` runs without its\n\
         token cache. To set headers and keep metadata costs Envoy itself time: the second row is the floor with\n\
         the answer that claimgate gives, which it copies and encodes each time. The floor that verifies reads no\n\
         token: it verifies a bare signature for each request.\n\n\
         | what decides | requests/s | beside the floor |\n|---|---|---|\n",
        size.envoy_rounds
    )
    .unwrap();
    let floor = results.envoy.first().map(|(_, rates)| rates.as_slice()).unwrap_or_default();
    for (name, rates) in &results.envoy {
        let (rate, beside) = (median(rates), beside(rates, floor));
        writeln!(text, "| {name} | {rate:.0} | {beside:.2} |").unwrap();
    }
    text.push('\n');
}

fn latency(text: &mut String, seen: &Latency) {
    writeln!(
        text,
        "## Latency\n\nEach server has one core, the load the others, both a real-time priority; {} pairs. An open schedule of {:.0} checks/s, half of what saturates\n\
         the floor, in ticks of 1 ms; latency is counted from the time when a check was due, whether the load was late or\n\
         the server.\n\n\
         | | floor | claimgate | ratio |\n|---|---|---|---|",
        seen.ours.len(),
        seen.rate
    )
    .unwrap();
    compared(text, &seen.floor, &seen.ours);
    text.push_str("\n![p99 against load](benchmarks/latency.svg)\n\n");
}

/// Lines of p50, p99 and p99.9: medians of both, and of the ratios of pairs.
fn compared(text: &mut String, base: &[[f64; 3]], other: &[[f64; 3]]) {
    let ratios = ratios(other, base);
    for (at, name) in ["p50", "p99", "p99.9"].iter().enumerate() {
        let column =
            |runs: &[[f64; 3]]| median(&runs.iter().map(|run| run[at]).collect::<Vec<_>>());
        let (base, other, ratio) = (column(base), column(other), ratios[at]);
        writeln!(text, "| {name} | {base:.3} ms | {other:.3} ms | {ratio:.2} |").unwrap();
    }
}

fn scale(text: &mut String, size: &Size, results: &Results) {
    let scale = &results.scale;
    write!(
        text,
        "## Scale\n\n{} providers over 100 key sets, {} cached tokens.\n\n\
         | | measured |\n|---|---|\n\
         | resident memory, one provider, idle | {:.0} MiB |\n\
         | resident memory, all providers and tokens | {:.0} MiB |\n\
         | from the start of the process to its first connection, 1,000 providers | {:.0} ms |\n\
         | the same, all providers | {:.0} ms |\n\
         | from the change of the file to the new config, all providers | {:.0} ms |\n\n\
         An open schedule of {:.0} checks/s, {} pairs in turns:\n\n\
         | | one provider, one token | all | ratio |\n|---|---|---|---|\n",
        size.providers,
        size.cached,
        scale.idle_memory,
        scale.full_memory,
        scale.start_of_a_thousand,
        scale.start_of_all,
        median(&scale.reload),
        scale.rate,
        scale.one.len(),
    )
    .unwrap();
    compared(text, &scale.one, &scale.all);
    let seconds = size.seconds.max(4);
    write!(
        text,
        "\n{seconds} seconds of all in which nothing changes, and {seconds} seconds with a reload of all, {} pairs:\n\n\
         | | nothing changes | reload | ratio |\n|---|---|---|---|\n",
        scale.reloading.len()
    )
    .unwrap();
    compared(text, &scale.steady, &scale.reloading);
}

fn cpu_plot(results: &Results) -> String {
    let groups: Vec<(String, Vec<f64>)> = results
        .paths
        .iter()
        .map(|p| {
            let bars = [&p.floor, &p.ours, &p.verifying].map(|values| median(values));
            (p.name.clone(), bars.into_iter().filter(|value| !value.is_nan()).collect())
        })
        .collect();
    plot::bars("CPU per check", " µs", &["floor", "claimgate", "floor + verify"], &groups)
}

fn latency_plot(results: &Results) -> String {
    let p99 =
        |of: fn(&Point) -> f64| results.latency.curve.iter().map(|p| (p.rate, of(p))).collect();
    let series =
        [("floor", p99(|point| point.floor[1])), ("claimgate", p99(|point| point.ours[1]))];
    plot::lines("p99 against load", " ms", &series)
}
