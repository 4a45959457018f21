//! `cargo test --features sim`: the whole daemon inside the madsim simulator.
//!
//! Built without `--cfg madsim`, which is what a plain `cargo test` does, this program only builds itself again with
//! the flag, into `target/sim`, and becomes that program (`proxy`). Built with it, it is the simulator:
//!
//! ```text
//!  seed ─▶ options ─▶ run:  machine × 3 or 5     disk (SQLite VFS), clock, the daemon's own shell
//!                           workload × 9         MySQL clients over simulated sockets, who write down what they hear
//!                           nemesis              kills, power losses, disk errors, partitions, clocks
//!                           settle               heal, restart, wait until all nodes agree, then the workloads' checks
//! ```
//!
//! A run is one seed run once, in a process of its own; two go on at a time on two cores. Each seed is run twice, and
//! the two must agree in every reply and every byte on the disks. What a failing seed prints includes the command that
//! repeats it.
//!
//! Nobody copies another's files here, as newcomers and members that lag behind every log do. A snapshot is made by a thread of
//! its own, and received into plain files that are renamed in the end; the disk here is beneath SQLite and sees neither, so
//! that a loss of power could not strike them. Logs are kept for longer than a run, therefore. The pure loop renews members
//! (`sim/pure/snapshot.rs`), and `tests/daemon_binary` does it with processes (`damage`, `retention`).
//!
//! Over all seeds, every fault must have struck and every repair must have run (`marks`); and each planted bug of the
//! shell, the SQLite layer or a disk (`planted`) must be noticed within its budget of seeds. Environment:
//!
//! | variable | meaning | default |
//! |---|---|---|
//! | `SIM_SEED`, `SIM_COMMIT` | the first seed, as a number or as a commit's hash | 1 |
//! | `SIM_SEEDS` | how many | 100 |
//! | `SIM_SECS` | simulated seconds with troubles on | 20 |
//! | `SIM_TRACE` | set: print every event of every run | |
//! | `SIM_LOG` | print the daemons' logs, at this level | |

#[cfg_attr(madsim, allow(dead_code))]
mod proxy;

#[cfg(madsim)]
mod client;
#[cfg(madsim)]
mod customer;
#[cfg(madsim)]
mod dice;
#[cfg(madsim)]
mod disk;
#[cfg(madsim)]
mod logging;
#[cfg(madsim)]
mod machine;
#[cfg(madsim)]
mod marks;
#[cfg(madsim)]
mod nemesis;
#[cfg(madsim)]
mod options;
#[cfg(madsim)]
mod planted;
#[cfg(madsim)]
mod post;
#[cfg(madsim)]
mod prepared;
#[cfg(madsim)]
mod process;
#[cfg(madsim)]
mod run;
#[cfg(madsim)]
mod settle;
#[cfg(madsim)]
mod trace;
#[cfg(madsim)]
mod trials;
#[cfg(madsim)]
mod workload;

#[cfg(not(madsim))]
fn main() {
    std::process::exit(proxy::run());
}

#[cfg(madsim)]
fn main() {
    logging::start();
    if process::is_child() {
        return;
    }
    let arguments = libtest_mimic::Arguments::from_args();
    match trials::all() {
        Ok(trials) => {
            let conclusion = libtest_mimic::run(&arguments, trials);
            process::report();
            conclusion.exit()
        }
        Err(why) => {
            eprintln!("{why}");
            std::process::exit(2);
        }
    }
}
