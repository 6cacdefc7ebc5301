//! Rows that have a target as a chart: how far each is from its own.

use std::fmt::Write as _;

use super::figures::{Row, Target, number};

const WIDTH: f64 = 1120.0;
const LINE: f64 = 26.0;
const BAR: f64 = 14.0;
const TOP: f64 = 64.0;
/// Where the bars start, and where the target is.
const START: f64 = 490.0;
const TARGET: f64 = 690.0;
/// Where the longest bars end; they say by their number how far they would go.
const END: f64 = 890.0;
const MET: &str = "#2e7d32";
const MISSED: &str = "#c62828";

/// An SVG of the rows that have a target and a figure.
pub(super) fn svg(rows: &[Row], title: &str) -> String {
    let bars: Vec<_> = rows.iter().filter_map(|row| Some((row, row.compared()?))).collect();
    let height = TOP + LINE * bars.len() as f64 + 40.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" viewBox=\"0 0 {WIDTH} {height}\" \
         font-family=\"sans-serif\" font-size=\"12\" fill=\"#222\">\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n"
    );
    line(
        &mut svg,
        format_args!("<text x=\"16\" y=\"26\" font-size=\"16\" font-weight=\"bold\">{}</text>", escaped(title)),
    );
    line(&mut svg, format_args!("<text x=\"{TARGET}\" y=\"52\" text-anchor=\"middle\">target</text>"));
    let bottom = TOP + LINE * bars.len() as f64;
    let at = |index: usize| TOP + LINE * index as f64;
    for (index, (row, compared)) in bars.iter().enumerate() {
        bar(&mut svg, row, compared.median(), at(index));
    }
    line(
        &mut svg,
        format_args!("<path d=\"M{TARGET} 58V{bottom}\" stroke=\"#222\" stroke-dasharray=\"4 3\" fill=\"none\"/>"),
    );
    // Behind the line, which they may lie across.
    for (index, (row, compared)) in bars.iter().enumerate() {
        label(&mut svg, row, compared.median(), at(index));
    }
    let note = "A bar that ends before the line meets its target. Bars end at twice the target.";
    line(&mut svg, format_args!("<text x=\"16\" y=\"{}\">{note}</text>", bottom + 24.0));
    svg + "</svg>\n"
}

fn bar(svg: &mut String, row: &Row, figure: f64, y: f64) {
    let (length, top) = (length(row.target, figure), y + (LINE - BAR) / 2.0);
    let colour = if length <= TARGET - START { MET } else { MISSED };
    line(
        svg,
        format_args!("<rect x=\"{START}\" y=\"{top}\" width=\"{length:.1}\" height=\"{BAR}\" fill=\"{colour}\"/>"),
    );
}

fn label(svg: &mut String, row: &Row, figure: f64, y: f64) {
    let figure_text = match row.target {
        Target::RatioAtMost(bound) => format!("{} of tonic's (at most {bound})", number(figure)),
        Target::RatioAtLeast(bound) => format!("{} x tonic's (at least {bound})", number(figure)),
        Target::AtMost(bound) => format!("{} (at most {bound})", number(figure)),
        Target::AtLeast(bound) => format!("{} (at least {bound})", number(figure)),
        Target::None => return,
    };
    let (work, middle) = (escaped(&row.work), y + LINE / 2.0 + 4.0);
    line(svg, format_args!("<text x=\"{}\" y=\"{middle}\" text-anchor=\"end\">{work}</text>", START - 10.0));
    let after = START + length(row.target, figure) + 8.0;
    line(
        svg,
        format_args!(
            "<text x=\"{after:.1}\" y=\"{middle}\" stroke=\"#fff\" stroke-width=\"4\" paint-order=\"stroke\">{}</text>",
            escaped(&figure_text)
        ),
    );
}

/// How long a bar is: up to the line where the figure is just as it should be.
fn length(target: Target, figure: f64) -> f64 {
    let share = target.share(figure).filter(|share| share.is_finite()).unwrap_or(f64::MAX);
    ((TARGET - START) * share.max(0.0)).min(END - START)
}

fn line(svg: &mut String, text: std::fmt::Arguments<'_>) {
    // A String takes all that is written to it.
    let _ = writeln!(svg, "{text}");
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::super::figures::{Figure, Samples};
    use super::super::programs::Peer;
    use super::*;

    #[test]
    fn a_bar_is_as_long_as_its_share_of_the_target() {
        let row = |target| {
            let figures = vec![Figure { peer: Peer::Ours, samples: Samples::one(3.0) }];
            Row::new("a < b", "", target, figures)
        };
        let chart = svg(&[row(Target::AtMost(6.0)), row(Target::AtMost(0.1)), row(Target::None)], "all");
        assert!(chart.contains("width=\"100.0\"") && chart.contains(MET), "{chart}");
        assert!(chart.contains(&format!("width=\"{:.1}\"", END - START)) && chart.contains(MISSED), "{chart}");
        assert_eq!(chart.matches("a &lt; b").count(), 2);
    }
}
