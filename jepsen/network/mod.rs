//! Hosts that are network namespaces, and the switch between them that loses, cuts and delays.
//!
//! Each host `mjN` has one TUN device, 10.77.0.N, whose other end is held by this process: it passes each packet on, or not,
//! as the rule of that link and direction says ([`switch`]). The clients are a host of their own, number 0, in the namespace
//! of this process; their links stay whole. A kernel needs no more for this than TUN; `sch_netem`, which many lack, is not
//! needed. The devices end with this process, the namespaces when it ends in good order, or else at the next start.

mod switch;

pub use switch::{Links, Rule};

use nix::fcntl::{Flock, FlockArg};
use std::fs::File;
use std::net::Ipv4Addr;
use std::os::fd::AsRawFd;
use std::process::Command;
use std::sync::Arc;

/// No more hosts than this, numbered from 1.
pub const MOST_HOSTS: usize = 5;

/// Large packets: each costs a pass through this process.
const MTU: &str = "8960";

/// The namespaces and the switch; dropped, the namespaces go.
pub struct Network {
    pub links: Arc<Links>,
    /// Two harnesses would share the names.
    _lock: Flock<File>,
}

/// The address of a host; 0 is that of the clients.
pub fn address(host: usize) -> Ipv4Addr {
    Ipv4Addr::new(10, 77, 0, if host == 0 { 254 } else { host as u8 })
}

/// The name of a host's namespace.
pub fn namespace(host: usize) -> String {
    format!("mj{host}")
}

fn run(command: &str) -> Result<String, String> {
    let words: Vec<&str> = command.split_whitespace().collect();
    let output = Command::new(words[0]).args(&words[1..]).output().map_err(|e| format!("{}: {e}", words[0]))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(format!("{command}: {}", String::from_utf8_lossy(&output.stderr).trim()))
    }
}

impl Network {
    /// Whether this process may have one.
    pub fn is_possible() -> bool {
        nix::unistd::geteuid().is_root() && std::path::Path::new("/dev/net/tun").exists()
    }

    /// Makes the namespaces of all hosts, after removing what a harness that was killed left.
    pub fn create() -> Result<Network, String> {
        let lock = File::create("/run/marmot-jepsen.lock").map_err(|e| format!("/run/marmot-jepsen.lock: {e}"))?;
        let lock = Flock::lock(lock, FlockArg::LockExclusiveNonblock).map_err(|_| "another harness is running here")?;
        remove_namespaces();
        let mut devices = vec![device("mj0")?];
        run(&format!("ip addr add {}/24 dev mj0", address(0)))?;
        run(&format!("ip link set mj0 mtu {MTU} up"))?;
        for host in 1..=MOST_HOSTS {
            let (name, device_name) = (namespace(host), format!("mjt{host}"));
            run(&format!("ip netns add {name}"))?;
            devices.push(device(&device_name)?);
            run(&format!("ip link set {device_name} netns {name}"))?;
            run(&format!("ip -n {name} link set lo up"))?;
            run(&format!("ip -n {name} addr add {}/24 dev {device_name}", address(host)))?;
            run(&format!("ip -n {name} link set {device_name} mtu {MTU} up"))?;
        }
        Ok(Network { links: Links::start(devices), _lock: lock })
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        remove_namespaces();
    }
}

/// Ends what still runs in them and removes them.
pub fn remove_namespaces() {
    for name in (1..=MOST_HOSTS).map(namespace) {
        let Ok(pids) = run(&format!("ip netns pids {name}")) else { continue };
        for pid in pids.split_whitespace().filter_map(|pid| pid.parse().ok()) {
            let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL);
        }
        if let Err(why) = run(&format!("ip netns del {name}")) {
            eprintln!("{why}");
        }
    }
}

nix::ioctl_write_int!(set_interface, b'T', 202);

/// A TUN device: each read of the file gives a packet that left it, each write makes one arrive.
fn device(name: &str) -> Result<File, String> {
    const IFF_TUN: u16 = 0x0001;
    const IFF_NO_PI: u16 = 0x1000;
    let failed = |e: &dyn std::fmt::Display| format!("/dev/net/tun: {name}: {e}");
    let file = File::options().read(true).write(true).open("/dev/net/tun").map_err(|e| failed(&e))?;
    // struct ifreq: the name, then the flags.
    let mut request = [0u8; 40];
    request[..name.len()].copy_from_slice(name.as_bytes());
    request[16..18].copy_from_slice(&(IFF_TUN | IFF_NO_PI).to_ne_bytes());
    // SAFETY: the request is as large as struct ifreq, outlives the call and is not written to by others.
    unsafe { set_interface(file.as_raw_fd(), request.as_ptr() as u64) }.map_err(|e| failed(&e))?;
    Ok(file)
}
