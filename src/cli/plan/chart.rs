//! A plan as a picture: what becomes of pools of fewer numbers, in any viewer, light or dark.

use std::fmt::Write as _;

use super::Plan;

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 320.0;
/// Room for the words at the left and below.
const LEFT: f64 = 64.0;
const BELOW: f64 = 48.0;
const ABOVE: f64 = 40.0;
const RIGHT: f64 = 16.0;

/// A round figure that is not less than `most`: 1, 2 or 5 and noughts.
fn ceiling(most: f64) -> f64 {
    let mut step = 0.01;
    loop {
        for times in [1.0, 2.0, 5.0] {
            if step * times >= most {
                return step * times;
            }
        }
        step *= 10.0;
    }
}

/// The share of sessions that is refused over the numbers of a pool.
pub(super) fn svg(plan: &Plan) -> String {
    let most = plan.shares.iter().map(|(_, _, one)| one.refusal() * 100.0).fold(0.0, f64::max);
    let top = ceiling(most.max(0.01));
    let least = plan.shares.iter().map(|(share, _, _)| *share).fold(1.0, f64::min);
    let x = |share: f64| {
        LEFT + (share - least) / (1.0 - least).max(f64::EPSILON) * (WIDTH - LEFT - RIGHT)
    };
    let y = |percent: f64| HEIGHT - BELOW - percent / top * (HEIGHT - BELOW - ABOVE);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" \
         aria-labelledby=\"title\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <title id=\"title\">Sessions refused, by the size of the pool</title>\n\
         <style>:root{{color:#1b1f24}}@media(prefers-color-scheme:dark){{:root{{color:#e6edf3}}}}\
         text{{fill:currentColor}}.grid{{stroke:currentColor;opacity:.2}}\
         .line{{fill:none;stroke:#2f81f7;stroke-width:2}}.dot{{fill:#2f81f7}}</style>\n\
         <text x=\"{LEFT}\" y=\"20\" font-weight=\"bold\">Sessions refused (%), by numbers in the pool</text>\n"
    );
    for part in 0..=4 {
        let line = y(top * f64::from(part) / 4.0);
        // Without the digits that only arithmetic has brought along.
        let percent = (top * f64::from(part) / 4.0 * 1e6).round() / 1e6;
        let _ = writeln!(
            out,
            "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{:.0}\" y1=\"{line:.1}\" y2=\"{line:.1}\"/>\
             <text x=\"{:.0}\" y=\"{:.1}\" text-anchor=\"end\">{percent}</text>",
            WIDTH - RIGHT,
            LEFT - 8.0,
            line + 4.0,
        );
    }
    let mut points = String::new();
    for (share, numbers, one) in &plan.shares {
        let (across, up) = (x(*share), y(one.refusal() * 100.0));
        let _ = write!(points, "{across:.1},{up:.1} ");
        let _ = writeln!(
            out,
            "<circle class=\"dot\" cx=\"{across:.1}\" cy=\"{up:.1}\" r=\"3\"><title>{numbers} numbers: {:.3} % \
             refused</title></circle>\
             <text x=\"{across:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{numbers}</text>",
            one.refusal() * 100.0,
            HEIGHT - BELOW + 20.0,
        );
    }
    let _ = writeln!(out, "<polyline class=\"line\" points=\"{}\"/>", points.trim_end());
    let _ = writeln!(
        out,
        "<text x=\"{:.0}\" y=\"{:.0}\" text-anchor=\"middle\">numbers in the pool; {} are needed in all</text>\n</svg>",
        f64::midpoint(LEFT, WIDTH - RIGHT),
        HEIGHT - 8.0,
        plan.total(),
    );
    out
}
