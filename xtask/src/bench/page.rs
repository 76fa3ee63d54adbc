//! The page: tables of medians and ranges, ratios to the anchors, bars.

use super::bars::{BarResult, Limit};
use super::samples::{Samples, Spread};
use super::{Block, Measured, Table};
use std::fmt::Write as _;

/// The whole of `BENCHMARKS.md`.
pub(super) fn whole(machine: &str, sections: &[String], verdicts: &[BarResult]) -> String {
    format!(
        "# Benchmarks\n\nWritten by `cargo xtask bench`; do not edit. Each figure stands beside its \
         anchors, measured in the same run and in turn, and each ratio is taken round by round: \
         `median (least-greatest)`. Compare ratios, not times: times depend on the machine and on \
         what else it does.\n\n\
         {machine}\n\n\
         To repeat: `cargo xtask bench`, or some blocks of it: `cargo xtask bench token hot`. The \
         first build takes several minutes. `gh` is installed from Debian's packages when the run \
         may do so; system calls are counted when `strace` is there.\n\n\
         {}\n{}",
        bars(verdicts),
        sections.join("\n")
    )
}

/// What became of the bars.
pub(super) fn bars(verdicts: &[BarResult]) -> String {
    let mut text =
        String::from("## Bars\n\n| block | case | figure | at most | measured | met |\n");
    text.push_str("| --- | --- | --- | --- | --- | --- |\n");
    for verdict in verdicts {
        let (block, bar) = (verdict.block, verdict.bar);
        let most = number(bar.limit.most());
        let figure = match bar.limit {
            Limit::Ratio(anchor, _) => format!("{}, ratio to {anchor}, median", bar.figure),
            Limit::Typical(_) => format!("{}, median", bar.figure),
            Limit::Worst(_) => format!("{}, worst round", bar.figure),
        };
        let measured = verdict.measured.map_or("not measured".into(), number);
        let met = match (verdict.is_met(), verdict.is_missed()) {
            (true, _) => "yes",
            (false, true) => "**no**",
            (false, false) => "not here",
        };
        let case = in_table(bar.case, bar.table);
        // Writing to a String cannot fail.
        let _ = writeln!(text, "| {block} | {case} | {figure} | {most} | {measured} | {met} |");
    }
    text
}

/// A block with its tables and the notes of this run.
pub(super) fn section(block: &Block, measured: &Measured) -> String {
    let mut text = format!("## {}\n\n{}\n", block.title, block.about);
    for table in block.tables {
        if measured.samples.of(table.name).next().is_some() {
            text.push('\n');
            if !table.title.is_empty() {
                let _ = writeln!(text, "### {}\n", table.title);
            }
            text.push_str(&rows(table, &measured.samples));
        }
    }
    for note in &measured.notes {
        let _ = write!(text, "\n{note}\n");
    }
    text
}

/// Cases down, figures and ratios across.
fn rows(table: &Table, samples: &Samples) -> String {
    let (mut cases, mut figures) = (Vec::new(), Vec::new());
    for series in samples.of(table.name) {
        if !cases.contains(&&series.case) {
            cases.push(&series.case);
        }
        if !figures.contains(&&series.figure) {
            figures.push(&series.figure);
        }
    }
    let mut head: Vec<String> = vec!["case".into()];
    head.extend(figures.iter().map(|figure| figure.to_string()));
    head.extend(table.anchors.iter().map(|(_, anchor)| format!("ratio to {anchor}")));
    let mut text = line(&head) + &line(&vec!["---".into(); head.len()]);
    for case in cases {
        let spread = |figure: &&String| samples.find(table.name, case, figure)?.spread();
        let ratio = |(figure, anchor): &(&str, &str)| {
            let anchor = samples.find(table.name, anchor, figure)?;
            samples.find(table.name, case, figure)?.ratio_to(anchor)
        };
        let mut cells = vec![case.clone()];
        cells.extend(figures.iter().map(|figure| cell(spread(figure))));
        cells.extend(table.anchors.iter().map(|anchor| cell(ratio(anchor))));
        text.push_str(&line(&cells));
    }
    text
}

fn line(cells: &[String]) -> String {
    format!("| {} |\n", cells.join(" | "))
}

fn cell(spread: Option<Spread>) -> String {
    match spread {
        None => String::new(),
        Some(Spread { median, min, max }) if min == max => number(median),
        Some(Spread { median, min, max }) => {
            format!("{} ({}-{})", number(median), number(min), number(max))
        }
    }
}

/// About three digits, none behind the point of a whole number.
fn number(number: f64) -> String {
    match number {
        whole if whole.fract() == 0.0 => format!("{whole:.0}"),
        large if large >= 100.0 => format!("{large:.0}"),
        medium if medium >= 10.0 => format!("{medium:.1}"),
        small => format!("{small:.2}"),
    }
}

/// Cases of one name stand in several tables; some tables say which by their own name.
fn in_table(case: &str, table: &str) -> String {
    match table.strip_prefix("hot-") {
        Some("1") => format!("{case}, 1 thread"),
        Some(threads) => format!("{case}, {threads} threads"),
        None => case.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_a_column_for_each_figure_and_each_anchor() {
        let mut samples = Samples::default();
        samples.take("t\tfloor\tms\t1\t2\nt\tfloor\tlost\t0\t0\nt\tmine\tms\t2\t2\n").unwrap();
        let table = Table { name: "t", title: "", anchors: &[("ms", "floor")] };
        assert_eq!(
            rows(&table, &samples),
            "| case | ms | lost | ratio to floor |\n| --- | --- | --- | --- |\n\
             | floor | 1.50 (1-2) | 0 | 1 |\n| mine | 2 |  | 1.50 (1-2) |\n"
        );
    }
}
