//! `manifest.json`: what a backup is, and what a cluster that begins with it must know.

use crate::core::Legacy;
use crate::shell::snapshot::{FileOfSnapshot, Manifest};
use crate::types::{Epoch, Hlc, NodeId, VersionVector, Versions};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The name of the file; a folder without it is no backup.
pub const NAME: &str = "manifest.json";
/// The layout of a backup. Unknown keys are ignored, so that one may be added without a new number.
const FORMAT: u32 = 1;

/// As in the file. Numbers that may exceed 2^53 are texts, for programs that read JSON into floats.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupManifest {
    pub format: u32,
    /// The release that made it.
    pub marmot: String,
    /// What the cluster spoke (`types::Versions`), which the files are of.
    pub version: u8,
    /// The cluster's identity, in hex.
    pub cluster: String,
    /// The moment, in UTC.
    pub time: String,
    /// The same as a reading of the hybrid clock: no stamp in the files is above it.
    pub clock: String,
    /// The place in the copied node's apply order up to which the files go.
    pub position: u64,
    pub epoch: u64,
    /// Everyone who ever was a member.
    pub nodes: Vec<String>,
    pub slots_used: u8,
    /// Of each log (a node's id, or `ID/one`) the last position whose effect may be in the files.
    pub vector: BTreeMap<String, u64>,
    pub files: Vec<BackedUpFile>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackedUpFile {
    pub name: String,
    pub size: u64,
    /// In hex.
    pub sha256: String,
}

impl BackupManifest {
    pub fn new(snapshot: &Manifest, legacy: &Legacy) -> BackupManifest {
        let time = i64::try_from(legacy.clock.millis()).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
        let file = |f: &FileOfSnapshot| BackedUpFile { name: f.name.clone(), size: f.size, sha256: hex(&f.sha256) };
        BackupManifest {
            format: FORMAT,
            marmot: env!("CARGO_PKG_VERSION").to_string(),
            version: legacy.version,
            cluster: format!("{:016x}", legacy.cluster),
            time: time.map(|t| t.to_string()).unwrap_or_default(),
            clock: legacy.clock.0.to_string(),
            position: snapshot.seq,
            epoch: legacy.epoch.0,
            nodes: legacy.nodes.iter().map(|n| n.0.to_string()).collect(),
            slots_used: legacy.slots_used,
            vector: legacy.positions.origins().map(|o| (log_name(o), legacy.positions.highest(o))).collect(),
            files: snapshot.files.iter().map(file).collect(),
        }
    }

    /// Reads what somebody may have edited.
    ///
    /// # Errors
    /// A sentence: what is wrong, or which newer program made it.
    pub fn parse(json: &[u8]) -> Result<BackupManifest, String> {
        #[derive(Deserialize)]
        struct Format {
            format: u32,
        }
        let wrong = |e: serde_json::Error| format!("{NAME} is not a manifest: {e}");
        let Format { format } = serde_json::from_slice(json).map_err(wrong)?;
        if format != FORMAT {
            return Err(format!("the backup has format {format}, this program reads format {FORMAT}: use a newer one"));
        }
        let manifest: BackupManifest = serde_json::from_slice(json).map_err(wrong)?;
        if !Versions::BUILD.contains(manifest.version) {
            return Err(format!(
                "the backup is of version {} (Marmot {}), this program understands {}",
                manifest.version,
                manifest.marmot,
                Versions::BUILD
            ));
        }
        let is_plain = |name: &str| {
            (name.ends_with(".db") || name == "marmot.files")
                && name != "marmot.db"
                && !name.contains(['/', '\\', '\0'])
        };
        match manifest.files.iter().find(|f| !is_plain(&f.name)) {
            Some(file) => Err(format!("{NAME} names a file '{}', which no backup has", file.name)),
            None => Ok(manifest),
        }
    }

    /// # Errors
    /// A sentence: a number is none.
    pub fn legacy(&self) -> Result<Legacy, String> {
        let number = |text: &str| text.parse::<u64>().map_err(|_| format!("{NAME}: '{text}' is not a number"));
        let mut positions = VersionVector::new();
        for (log, position) in &self.vector {
            let origin = match log.strip_suffix("/one") {
                Some(node) => NodeId(number(node)?).one_log(),
                None => NodeId(number(log)?),
            };
            positions.insert_prefix(origin, *position);
        }
        Ok(Legacy {
            cluster: u64::from_str_radix(&self.cluster, 16).map_err(|_| format!("{NAME}: no identity of a cluster"))?,
            epoch: Epoch(self.epoch),
            version: self.version,
            nodes: self.nodes.iter().map(|n| number(n).map(NodeId)).collect::<Result<_, String>>()?,
            slots_used: self.slots_used,
            clock: Hlc(number(&self.clock)?),
            positions,
        })
    }

    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|f| f.size).sum()
    }
}

fn log_name(origin: NodeId) -> String {
    format!("{}{}", origin.node().0, if origin.is_one_log() { "/one" } else { "" })
}

/// Bytes as a manifest has them.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> (BackupManifest, Legacy) {
        let mut positions = VersionVector::new();
        positions.insert_prefix(NodeId(7), 120);
        positions.insert_prefix(NodeId(7).one_log(), 3);
        let nodes = [NodeId(7), NodeId(1 << 60)].into();
        let clock = Hlc::from_millis(1_800_000_000_123);
        let version = Versions::BUILD.newest;
        let legacy = Legacy { cluster: 0xab, epoch: Epoch(4), version, nodes, slots_used: 2, clock, positions };
        let files = vec![FileOfSnapshot { name: "shop.db".into(), size: 4096, sha256: [0xf0; 32] }];
        (BackupManifest::new(&Manifest { id: 1, seq: 99, files }, &legacy), legacy)
    }

    #[test]
    fn what_is_written_is_read() {
        let (manifest, legacy) = manifest();
        let json = serde_json::to_vec_pretty(&manifest).expect("JSON");
        let read = BackupManifest::parse(&json).expect("a manifest");
        assert_eq!((&read, read.legacy()), (&manifest, Ok(legacy)));
        assert!(manifest.time.starts_with("2027-01-15T08:00:00"), "{}", manifest.time);
    }

    #[test]
    fn what_is_wrong_is_said() {
        let (manifest, _) = manifest();
        let with = |change: &dyn Fn(&mut BackupManifest)| {
            let mut changed = manifest.clone();
            change(&mut changed);
            let json = serde_json::to_vec(&changed).expect("JSON");
            BackupManifest::parse(&json).and_then(|m| m.legacy()).expect_err("it is wrong")
        };
        assert!(with(&|m| m.format = 2).contains("format 2"));
        assert!(with(&|m| m.version = 250).contains("of version 250"));
        assert!(with(&|m| m.files[0].name = "../shop.db".into()).contains("'../shop.db'"));
        assert!(with(&|m| m.files[0].name = "marmot.db".into()).contains("'marmot.db'"));
        assert!(with(&|m| m.nodes.push("x".into())).contains("'x' is not a number"));
        assert!(BackupManifest::parse(b"{").expect_err("no JSON").contains("is not a manifest"));
    }
}
