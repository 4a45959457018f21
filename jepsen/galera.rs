//! MariaDB with Galera as the system under test: the control that shows that the checks see what they look for.

use std::ffi::OsString;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

const PROVIDER: &str = "/usr/lib/galera/libgalera_smm.so";

/// The first start of a data directory makes the system tables.
pub fn prepare(directory: &Path) -> Result<(), String> {
    let data = directory.join("data");
    if data.join("mysql").is_dir() {
        return Ok(());
    }
    if !Path::new(PROVIDER).exists() {
        return Err(format!("there is no {PROVIDER}: ci/bench.sh --install gets MariaDB with Galera"));
    }
    let user = nix::unistd::User::from_uid(nix::unistd::geteuid()).ok().flatten().map_or("root".into(), |u| u.name);
    let output = Command::new("mariadb-install-db")
        .args(["--no-defaults", "--skip-test-db", "--auth-root-authentication-method=normal"])
        .arg(format!("--user={user}"))
        .arg(format!("--datadir={}", data.display()))
        .output()
        .map_err(|e| format!("mariadb-install-db: {e}"))?;
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}

/// The server's command; its configuration is written beside the data, because the scripts that copy a node's state read it.
pub fn command(directory: &Path, node: usize, ip: Ipv4Addr, mysql: u16, peers: Vec<(Ipv4Addr, u16)>) -> Vec<OsString> {
    let port = peers[node].1;
    let data = directory.join("data");
    let user = nix::unistd::User::from_uid(nix::unistd::geteuid()).ok().flatten().map_or("root".into(), |u| u.name);
    let file = format!(
        "[mysqld]\nuser={user}\ndatadir={data}\nport={mysql}\nbind-address={ip}\nsocket={directory}/s\npid-file={directory}/pid\n\
         skip-name-resolve\nperformance-schema=OFF\nbinlog-format=ROW\ndefault-storage-engine=InnoDB\ninnodb-autoinc-lock-mode=2\n\
         innodb-buffer-pool-size=64M\ninnodb-log-file-size=32M\nwsrep-on=ON\nwsrep-provider={PROVIDER}\n\
         wsrep-provider-options=\"gmcast.listen_addr=tcp://{ip}:{port};ist.recv_addr={ip}:{ist};gcache.size=32M\"\n\
         wsrep-cluster-name=jepsen\nwsrep-node-name=n{node}\nwsrep-node-address={ip}\nwsrep-sst-method=mariabackup\n\
         wsrep-sst-auth=root:\nwsrep-sst-receive-address={ip}:{sst}\n[sst]\nsst-syslog=-1\n",
        data = data.display(),
        directory = directory.display(),
        ist = port + 20,
        sst = port + 40,
    );
    let path = directory.join("my.cnf");
    // A configuration that cannot be written is missed by the server, whose log says so.
    let _ = std::fs::write(&path, file);
    let all: Vec<String> = peers.iter().map(|(ip, port)| format!("{ip}:{port}")).collect();
    let others = if node == 0 { String::new() } else { all.join(",") };
    vec![
        "mariadbd".into(),
        format!("--defaults-file={}", path.display()).into(),
        format!("--wsrep-cluster-address=gcomm://{others}").into(),
    ]
}

/// Makes the account that the harness uses, as soon as the server listens.
pub fn let_clients_in(directory: &Path, limit: Duration) -> Result<(), String> {
    let sql = "CREATE USER IF NOT EXISTS root@'%'; GRANT ALL PRIVILEGES ON *.* TO root@'%' WITH GRANT OPTION";
    let since = Instant::now();
    loop {
        let mut client = Command::new("mariadb");
        client.args(["--no-defaults", "-u", "root", "-S"]).arg(directory.join("s")).args(["-e", sql]);
        let output = client.output().map_err(|e| format!("mariadb: {e}"))?;
        if output.status.success() {
            return Ok(());
        }
        if since.elapsed() > limit {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned());
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}
