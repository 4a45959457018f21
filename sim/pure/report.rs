//! The folder a failure leaves: everything needed to understand it, and the one command that shows it again.

use super::options::Options;
use super::run::Verdict;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Writes `verdict` below `folder` and returns where.
pub fn write_failure(folder: &Path, options: &Options, verdict: &Verdict, command: &str) -> io::Result<PathBuf> {
    let place = folder.join(format!("seed-{}", verdict.seed));
    fs::create_dir_all(&place)?;
    let mut summary = fs::File::create(place.join("summary.txt"))?;
    writeln!(summary, "seed     {}", verdict.seed)?;
    writeln!(summary, "commit   {}", commit())?;
    if let Some(violation) = &verdict.violation {
        writeln!(summary, "verdict  {violation}")?;
    }
    writeln!(summary, "hash     {:016x}\nagain    {command}\n", verdict.hash)?;
    verdict.statuses.iter().try_for_each(|line| writeln!(summary, "{line}"))?;
    fs::write(place.join("options.txt"), format!("{options}\n"))?;
    fs::write(place.join("marks.txt"), format!("{}\n", verdict.marks))?;
    let mut trace = io::BufWriter::new(fs::File::create(place.join("trace.txt"))?);
    verdict.trace.iter().try_for_each(|line| writeln!(trace, "{line}"))?;
    trace.flush()?;
    Ok(place)
}

/// The commit of the working tree, if it is one.
pub fn commit() -> String {
    let output = std::process::Command::new("git").args(["rev-parse", "--short=12", "HEAD"]).output();
    let text =
        output.ok().filter(|o| o.status.success()).map(|o| String::from_utf8_lossy(&o.stdout).trim().to_string());
    text.unwrap_or_else(|| "unknown".to_string())
}
