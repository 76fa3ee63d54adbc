//! Each figure beside its anchor, measured in the same run, into `BENCHMARKS.md`.
//!
//! The programs that measure live in `bench/`, a workspace of its own, and print raw samples. A
//! block runs some of them and says how their samples become tables; a bar says how far a figure
//! may go.

mod bars;
mod blocks;
mod growth;
mod keyring;
mod machine;
mod page;
mod programs;
mod samples;
mod session;
mod warm;

use crate::Outcome;
use crate::run::{Failure, root};
use blocks::BLOCKS;
use machine::Machine;
use programs::Programs;

/// The blocks named in `args`, or all of them. Only all of them together write the page.
pub(crate) fn run(args: &[String]) -> Outcome {
    if let Some(unknown) = args.iter().find(|arg| BLOCKS.iter().all(|block| block.name != **arg)) {
        let known: Vec<_> = BLOCKS.iter().map(|block| block.name).collect();
        return Err(format!("no block {unknown}; there are: {}", known.join(", ")).into());
    }
    let programs = Programs::build()?;
    let machine = Machine::before();
    let (mut sections, mut verdicts) = (Vec::new(), Vec::new());
    for block in BLOCKS.iter().filter(|block| args.is_empty() || args.contains(&block.name.into()))
    {
        println!("bench: {} …", block.name);
        let measured = (block.measure)(&programs)?;
        let section = page::section(block, &measured);
        println!("\n{section}");
        sections.push(section);
        let is_excused = measured.is_lacking && !is_all_required();
        let judge = |bar: &'static bars::Bar| bar.judge(block.title, &measured.samples, is_excused);
        verdicts.extend(block.bars.iter().map(judge));
    }
    println!("{}", page::bars(&verdicts));
    if args.is_empty() {
        let path = root().join("BENCHMARKS.md");
        std::fs::write(&path, page::whole(&machine.described(), &sections, &verdicts))?;
        println!("bench: wrote {}", path.display());
    } else {
        println!("bench: BENCHMARKS.md is written only by a run of all blocks");
    }
    match verdicts.iter().filter(|verdict| verdict.is_missed()).count() {
        0 => Ok(()),
        missed => Err(format!("{missed} of {} bars missed", verdicts.len()).into()),
    }
}

/// What a block has measured.
#[derive(Default)]
struct Measured {
    samples: samples::Samples,
    /// Sentences about this run: what could not be measured, and why.
    notes: Vec<String>,
    /// Whether a program that the block is about is missing here.
    is_lacking: bool,
}

/// Whether what is missing is a failure.
fn is_all_required() -> bool {
    std::env::var_os("U2M_REQUIRE_ALL").is_some_and(|value| value == "1")
}

/// A group of measurements that belong together.
struct Block {
    name: &'static str,
    title: &'static str,
    /// What is done, in a few sentences.
    about: &'static str,
    tables: &'static [Table],
    bars: &'static [bars::Bar],
    measure: fn(&Programs) -> Result<Measured, Failure>,
}

/// How the samples of one name become a table.
struct Table {
    name: &'static str,
    title: &'static str,
    /// The figure that ratios are taken of, and the cases that they are ratios to.
    anchors: &'static [(&'static str, &'static str)],
}
