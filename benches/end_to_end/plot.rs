//! Two small plots as SVG: bars, and lines over a rate.

use std::fmt::Write as _;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 360.0;
const LEFT: f64 = 60.0;
const BOTTOM: f64 = 310.0;
const TOP: f64 = 40.0;
const COLOURS: [&str; 3] = ["#9aa5b1", "#2563eb", "#d97706"];

fn open(title: &str, unit: &str, top: f64, names: &[&str]) -> String {
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"white\"/>\n\
         <text x=\"{LEFT}\" y=\"20\" font-size=\"14\">{title}</text>\n"
    );
    for step in 0..=4 {
        let value = top * f64::from(step) / 4.0;
        let y = BOTTOM - (BOTTOM - TOP) * f64::from(step) / 4.0;
        let right = WIDTH - 10.0;
        writeln!(
            svg,
            "<line x1=\"{LEFT}\" y1=\"{y}\" x2=\"{right}\" y2=\"{y}\" stroke=\"#e5e7eb\"/>\
             <text x=\"{}\" y=\"{}\" text-anchor=\"end\">{value:.1}{unit}</text>",
            LEFT - 5.0,
            y + 4.0
        )
        .unwrap();
    }
    for (index, name) in names.iter().enumerate() {
        let x = 420.0 + 100.0 * index as f64;
        writeln!(
            svg,
            "<rect x=\"{x}\" y=\"10\" width=\"10\" height=\"10\" fill=\"{}\"/><text x=\"{}\" y=\"20\">{name}</text>",
            COLOURS[index % 3],
            x + 14.0
        )
        .unwrap();
    }
    svg
}

/// Groups of bars, one of each series.
pub(crate) fn bars(
    title: &str,
    unit: &str,
    series: &[&str],
    groups: &[(String, Vec<f64>)],
) -> String {
    let top = groups.iter().flat_map(|(_, values)| values).copied().fold(1.0, f64::max) * 1.1;
    let mut svg = open(title, unit, top, series);
    let room = (WIDTH - LEFT - 20.0) / groups.len() as f64;
    let width = room * 0.7 / series.len() as f64;
    for (place, (name, values)) in groups.iter().enumerate() {
        let left = LEFT + 10.0 + room * place as f64;
        for (index, value) in values.iter().enumerate() {
            let height = (BOTTOM - TOP) * value / top;
            let (x, y) = (left + width * index as f64, BOTTOM - height);
            writeln!(
                svg,
                "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{height:.1}\" fill=\"{}\"/>\
                 <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\" font-size=\"10\">{value:.1}</text>",
                width - 2.0,
                COLOURS[index % 3],
                x + width / 2.0,
                y - 3.0
            )
            .unwrap();
        }
        writeln!(
            svg,
            "<text x=\"{left:.1}\" y=\"{}\" font-size=\"11\">{name}</text>",
            BOTTOM + 18.0
        )
        .unwrap();
    }
    svg + "</svg>\n"
}

/// One line for each series over the rate.
pub(crate) fn lines(title: &str, unit: &str, series: &[(&str, Vec<(f64, f64)>)]) -> String {
    let points = || series.iter().flat_map(|(_, points)| points);
    let top = points().map(|(_, y)| *y).fold(0.1, f64::max) * 1.1;
    let right = points().map(|(x, _)| *x).fold(1.0, f64::max);
    let names: Vec<&str> = series.iter().map(|(name, _)| *name).collect();
    let mut svg = open(title, unit, top, &names);
    for (index, (_, points)) in series.iter().enumerate() {
        let at = |(x, y): &(f64, f64)| {
            let x = LEFT + (WIDTH - LEFT - 20.0) * x / right;
            format!("{x:.1},{:.1}", BOTTOM - (BOTTOM - TOP) * y / top)
        };
        let path: Vec<String> = points.iter().map(at).collect();
        writeln!(
            svg,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"2\"/>",
            path.join(" "),
            COLOURS[index % 3]
        )
        .unwrap();
    }
    for part in 1..=4 {
        let rate = right * f64::from(part) / 4.0;
        let x = LEFT + (WIDTH - LEFT - 20.0) * f64::from(part) / 4.0;
        writeln!(
            svg,
            "<text x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">{rate:.0}/s</text>",
            BOTTOM + 18.0
        )
        .unwrap();
    }
    svg + "</svg>\n"
}
