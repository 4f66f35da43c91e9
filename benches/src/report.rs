//! The results as a page.

use std::{fmt::Write as _, fs, path::Path};

use anyhow::Context as _;

use crate::{
    load::Measured,
    rounds::{Comparison, median},
};

/// Prints the results and writes `results.md`.
pub(crate) fn write(
    folder: &Path,
    comparisons: &[Comparison],
    direct: &Measured,
) -> anyhow::Result<()> {
    let page = page(comparisons, direct)?;
    fs::write(folder.join("results.md"), &page)?;
    std::io::Write::write_all(&mut std::io::stdout().lock(), page.as_bytes())?;
    Ok(())
}

fn page(comparisons: &[Comparison], direct: &Measured) -> anyhow::Result<String> {
    let cpu = fs::read_to_string("/proc/cpuinfo")?;
    let model = cpu
        .lines()
        .find_map(|line| line.strip_prefix("model name\t: "))
        .unwrap_or("unknown");
    let cores = std::thread::available_parallelism()?;
    let date = time::OffsetDateTime::now_utc().date();
    let rounds = comparisons
        .first()
        .context("something was compared")?
        .rounds
        .len();
    let mut page = format!(
        "# Results\n\n\
         `make bench` on {date}: {model}, {cores} cores shared by load generator, upstream and proxy.\n\n\
         1 KiB body, keep-alive, 64 connections, one worker each, {rounds} rounds of A B B A, 3 s a run.\n\
         Trust the CPU ratio first, then throughput, then latency: the machine is shared.\n\
         The twin row compares nginx with itself and shows the noise.\n\n\
         | A against B | CPU µs per request A | B | CPU ratio A:B (range) | requests/s A | B | \
         throughput ratio | p99 ms A | B |\n\
         | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n"
    );
    for comparison in comparisons {
        let ratios = comparison.ratios(|measured| measured.cpu_us);
        writeln!(
            page,
            "| {} against {} | {:.1} | {:.1} | {:.2} ({:.2}–{:.2}) | {:.0} | {:.0} | {:.2} | {:.2} | {:.2} |",
            comparison.ours,
            comparison.peer,
            median(&comparison.ours(|measured| measured.cpu_us)),
            median(&comparison.peer(|measured| measured.cpu_us)),
            median(&ratios),
            ratios.first().copied().unwrap_or_default(),
            ratios.last().copied().unwrap_or_default(),
            median(&comparison.ours(|measured| measured.per_second)),
            median(&comparison.peer(|measured| measured.per_second)),
            median(&comparison.ratios(|measured| measured.per_second)),
            median(&comparison.ours(|measured| measured.p99_ms)),
            median(&comparison.peer(|measured| measured.p99_ms)),
        )?;
    }
    writeln!(
        page,
        "\nDirect, without a proxy: {:.0} requests/s, p99 {:.2} ms.",
        direct.per_second, direct.p99_ms
    )?;
    Ok(page)
}
