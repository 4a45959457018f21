//! Reading a TOML file into a configuration, with the line of everything that is wrong.

use super::keys::{Item, KEYS, Key, RETIRED};
use super::load::{Origin, Origins};
use super::problem::{Problem, nearest};
use super::settings::Config;
use toml::de::{DeTable, DeValue};

/// Reads `text` (the content of the file called `name`) over `config`. Where a key came from goes into `origins`; the
/// result is everything that is wrong.
pub(super) fn read(name: &str, text: &str, config: &mut Config, origins: &mut Origins) -> Vec<Problem> {
    let lines = Lines { name, text };
    let document = match DeTable::parse(text) {
        Ok(document) => document,
        Err(error) => {
            let place = error.span().map_or_else(|| name.to_string(), |span| lines.place(span.start));
            return vec![Problem::new(place, format!("not valid TOML: {}", error.message()))];
        }
    };
    let mut reader = Reader { lines, config, origins, problems: Vec::new() };
    reader.table("", document.get_ref());
    reader.two_names();
    reader.problems
}

/// Turns byte offsets into places a person can go to.
struct Lines<'a> {
    name: &'a str,
    text: &'a str,
}

impl Lines<'_> {
    fn number(&self, offset: usize) -> usize {
        self.text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
    }

    fn place(&self, offset: usize) -> String {
        format!("{}:{}", self.name, self.number(offset))
    }
}

struct Reader<'a> {
    lines: Lines<'a>,
    config: &'a mut Config,
    origins: &'a mut Origins,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    /// `section` is empty at the top of the file.
    fn table(&mut self, section: &str, table: &DeTable<'_>) {
        for (name, value) in table {
            let path =
                if section.is_empty() { name.get_ref().to_string() } else { format!("{section}.{}", name.get_ref()) };
            let place = self.lines.place(name.span().start);
            if let Some(key) = KEYS.iter().find(|key| key.path == path) {
                let line = self.lines.number(name.span().start);
                self.value(key, line, &place, value.get_ref());
            } else if let (true, Some(table)) = (is_section(&path), value.get_ref().as_table()) {
                self.table(&path, table);
            } else if is_section(&path) {
                self.problems.push(Problem::new(place, format!("'{path}' is a section: write [{path}]")));
            } else {
                self.problems.push(Problem::new(place, unknown(section, &path)));
            }
        }
    }

    fn value(&mut self, key: &'static Key, line: usize, place: &str, value: &DeValue<'_>) {
        match (key.read)(self.config, Item(value)) {
            Ok(()) => {
                self.origins.set(key.path, Origin::File { file: self.lines.name.to_string(), line });
            }
            Err(message) => self.problems.push(Problem::new(place, format!("{}: {message}", key.path))),
        }
    }

    /// The same setting under both of its names is a mistake, whichever would win.
    fn two_names(&mut self) {
        for (one, other) in [
            ("cluster.listen_address", "cluster.grpc_bind_address"),
            ("cluster.listen_address", "cluster.grpc_port"),
            ("cluster.advertise_address", "cluster.grpc_advertise_address"),
        ] {
            if let (Some(_), Some(origin)) = (self.origins.get(one), self.origins.get(other)) {
                let message = format!("{one} and {other} say the same thing: keep one of them");
                self.problems.push(Problem::new(origin.to_string(), message));
            }
        }
    }
}

fn sections() -> impl Iterator<Item = &'static str> {
    let mut sections: Vec<&str> = KEYS.iter().filter_map(|key| key.path.split_once('.')).map(|(s, _)| s).collect();
    sections.dedup();
    sections.into_iter()
}

fn is_section(path: &str) -> bool {
    sections().any(|section| section == path)
}

/// The message for a key or section that does not exist: what it may have been meant to be, and what there is.
fn unknown(section: &str, path: &str) -> String {
    if let Some((_, instead)) = RETIRED.iter().find(|(retired, _)| *retired == path) {
        return format!("'{path}' is a setting of the Go program that does not exist here: {instead}");
    }
    let name = path.rsplit('.').next().unwrap_or(path);
    let leaf = |path: &'static str| path.rsplit('.').next().unwrap_or(path);
    let suggestion = nearest(path, KEYS.iter().map(|key| key.path))
        .or_else(|| KEYS.iter().map(|key| key.path).find(|path| leaf(path) == name))
        .or_else(|| nearest(path, sections()));
    let meant = suggestion.map_or_else(|| "; valid".to_string(), |key| format!("; did you mean '{key}'? Valid"));
    let known: Vec<&str> = if section.is_empty() {
        let top = KEYS.iter().map(|key| key.path).filter(|path| !path.contains('.'));
        top.chain(sections()).collect()
    } else {
        let inside = |key: &&Key| !key.alias && key.path.split_once('.').is_some_and(|(s, _)| s == section);
        KEYS.iter().filter(inside).map(|key| leaf(key.path)).collect()
    };
    let place = if section.is_empty() { "at the top of the file".to_string() } else { format!("in [{section}]") };
    format!("unknown key '{path}'{meant} {place}: {}", known.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(text: &str) -> Vec<String> {
        let found = read("m.toml", text, &mut Config::default(), &mut Origins::default());
        found.iter().map(Problem::to_string).collect()
    }

    #[test]
    fn an_unknown_key_names_line_suggestion_and_valid_keys() {
        let found = problems("node_id = 1\n\n[cluster]\nseed_node = []\n");
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with("m.toml:4: unknown key 'cluster.seed_node'"), "{}", found[0]);
        assert!(found[0].contains("did you mean 'cluster.seed_nodes'?"), "{}", found[0]);
        assert!(found[0].contains("gossip_interval_ms"), "{}", found[0]);
        assert!(!found[0].contains("grpc_port"), "aliases are understood, not advertised: {}", found[0]);
    }

    #[test]
    fn a_key_in_the_wrong_section_is_found_again() {
        let found = problems("write_timeout_ms = 1000\n");
        assert!(found[0].contains("did you mean 'replication.write_timeout_ms'?"), "{}", found[0]);
        let found = problems("[clusters]\nseed_nodes = []\n");
        assert!(found[0].starts_with("m.toml:1:") && found[0].contains("did you mean 'cluster'?"), "{}", found[0]);
    }

    #[test]
    fn bad_values_name_the_line_and_what_is_valid() {
        for (text, expected) in [
            ("\nnode_id = -1", "m.toml:2: node_id: must be a whole number from 0 to 9223372036854775807, not -1"),
            ("[mysql]\nport = 70000", "m.toml:2: mysql.port: must be a whole number from 0 to 65535, not 70000"),
            ("[mysql]\nport = \"x\"", "m.toml:2: mysql.port: must be a whole number from 0 to 65535, not \"x\""),
            ("[mysql]\nrequire_tls = 1", "m.toml:2: mysql.require_tls: must be true or false, not 1"),
            ("[cluster]\ngrpc_port = 0", "m.toml:2: cluster.grpc_port: must be a whole number from 1 to 65535, not 0"),
            (
                "[replication]\ndefault_write_consistency = 'TWO'",
                "m.toml:2: replication.default_write_consistency: 'TWO' is not one of ONE, QUORUM, ALL",
            ),
            (
                "[mysql]\nauto_id_mode = 'random'",
                "m.toml:2: mysql.auto_id_mode: 'random' is not one of compact, extended, sequential",
            ),
            (
                "[logging]\nlevel = 'loud'",
                "m.toml:2: logging.level: 'loud' is not one of error, warn, info, debug, trace",
            ),
            (
                "[cluster]\nseed_nodes = 'a:1'",
                "m.toml:2: cluster.seed_nodes: must be a list of \"HOST:PORT\", not \"a:1\"",
            ),
            ("mysql = 3", "m.toml:1: 'mysql' is a section: write [mysql]"),
        ] {
            assert_eq!(problems(text), [expected], "{text}");
        }
    }

    #[test]
    fn all_problems_are_told_at_once() {
        assert_eq!(problems("node_id = 'x'\ncolour = 1\n[mysql]\nport = -5\n").len(), 3);
    }

    #[test]
    fn a_wrong_secret_is_not_repeated() {
        let found = problems("[cluster]\ncluster_secret = 987654321\n");
        assert!(
            found[0].starts_with("m.toml:2: cluster.cluster_secret") && !found[0].contains("98765"),
            "{}",
            found[0]
        );
    }

    #[test]
    fn broken_toml_names_the_line() {
        let found = problems("node_id = 1\n[cluster\n");
        assert!(found[0].starts_with("m.toml:2: not valid TOML"), "{}", found[0]);
        assert!(problems("node_id = 1\nnode_id = 2\n")[0].starts_with("m.toml:2: not valid TOML"));
    }

    #[test]
    fn keys_of_the_go_program_are_explained() {
        let found = problems("[logging]\nverbose = true\n[connection_pool]\npool_size = 4\n");
        assert!(found.iter().any(|p| p.starts_with("m.toml:2:") && p.contains("logging.level")), "{found:?}");
        assert!(found.iter().any(|p| p.starts_with("m.toml:3:") && p.contains("no pool")), "{found:?}");
    }

    #[test]
    fn both_names_of_a_setting_are_refused() {
        let found = problems("[cluster]\nlisten_address = '127.0.0.1:1'\ngrpc_port = 2\n");
        assert_eq!(
            found,
            ["m.toml:3: cluster.listen_address and cluster.grpc_port say the same thing: keep one of them"]
        );
    }

    #[test]
    fn the_go_spelling_of_the_cluster_address_works() {
        let mut config = Config::default();
        let text = "[cluster]\ngrpc_bind_address = '0.0.0.0'\ngrpc_port = 9000\ngrpc_advertise_address = 'n1:9000'\n";
        assert_eq!(read("m.toml", text, &mut config, &mut Origins::default()), []);
        assert_eq!(config.cluster.listen.to_string(), "0.0.0.0:9000");
        assert_eq!(config.advertised().to_string(), "n1:9000");
    }
}
