//! Rows as a table: in columns for a terminal, and in Markdown.

use super::figures::{Row, Samples, number};
use super::programs::Peer;

const HEAD: [&str; 8] = ["work", "target", "ours", "tonic", "ratio (spread)", "met?", "h2", "grpc-go"];

/// For a terminal.
pub(super) fn text(rows: &[Row]) -> String {
    let lines: Vec<_> = [HEAD.map(str::to_owned)].into_iter().chain(rows.iter().map(cells)).collect();
    let width = |column: usize| lines.iter().map(|cells| cells[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<_> = (0..HEAD.len()).map(width).collect();
    let line = |cells: &[String; HEAD.len()]| {
        let padded = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        format!("{}\n", padded.collect::<Vec<_>>().join("  ").trim_end())
    };
    lines.iter().map(line).collect()
}

/// For a page.
pub(super) fn markdown(rows: &[Row]) -> String {
    let line = |cells: [String; HEAD.len()]| format!("| {} |\n", cells.join(" | "));
    let body: String = rows.iter().map(cells).map(line).collect();
    format!("{}{}{body}", line(HEAD.map(str::to_owned)), line(HEAD.map(|_| "---".to_owned())))
}

fn cells(row: &Row) -> [String; HEAD.len()] {
    let figure = |peer| row.of(peer).map(|samples| with_unit(samples, row.unit)).unwrap_or_default();
    let met = match row.is_met() {
        Some(true) => "yes",
        Some(false) => "no",
        None => "",
    };
    [
        row.work.clone(),
        row.target.text(),
        figure(Peer::Ours),
        figure(Peer::Tonic),
        row.ratio().map(|ratio| spread(&ratio)).unwrap_or_default(),
        met.to_owned(),
        figure(Peer::H2),
        figure(Peer::Go),
    ]
}

fn with_unit(samples: &Samples, unit: &str) -> String {
    format!("{} {unit}", spread(samples)).trim_end().to_owned()
}

/// The median, with the least and the most where they are others.
fn spread(samples: &Samples) -> String {
    let [median, least, most] = [samples.median(), samples.least(), samples.most()].map(number);
    if least == most { median } else { format!("{median} ({least}..{most})") }
}

#[cfg(test)]
mod tests {
    use super::super::figures::{Figure, Target};
    use super::*;

    #[test]
    fn a_row_has_its_figures_and_what_they_should_be() {
        let figure = |peer, samples: &[f64]| Figure { peer, samples: Samples::new(samples.to_vec()) };
        let figures = vec![figure(Peer::Ours, &[2.0, 3.0]), figure(Peer::Tonic, &[10.0, 10.0])];
        let rows = [Row::new("a call", "us", Target::RatioAtMost(0.2), figures)];
        let expected =
            "| a call | at most 0.20 of tonic's | 2.50 (2.00..3.00) us | 10.0 us | 0.25 (0.20..0.30) | no |  |  |";
        assert_eq!(markdown(&rows).lines().last(), Some(expected));
        let text = text(&rows);
        let columns: Vec<_> = text.lines().map(|line| line.find("ours").or(line.find("2.50"))).collect();
        assert_eq!(columns[0], columns[1]);
    }
}
