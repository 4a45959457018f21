//! The switch: a packet that leaves one device arrives at the one of its destination, as the rule between them says.

use rand::{RngExt, SeedableRng, rngs::StdRng};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{Read, Write};
use std::sync::{Arc, Condvar, Mutex, RwLock};
use std::time::{Duration, Instant};

/// What happens to packets of one link in one direction. The default passes them on at once.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rule {
    /// Nothing passes, and nobody is told.
    pub cut: bool,
    /// Of a hundred packets so many are lost, so many arrive twice.
    pub lost_percent: f64,
    pub twice_percent: f64,
    /// Each is late by this much, and by a random part of `jitter` more: they overtake each other.
    pub delay: Duration,
    pub jitter: Duration,
}

impl Rule {
    pub const CUT: Rule =
        Rule { cut: true, lost_percent: 0.0, twice_percent: 0.0, delay: Duration::ZERO, jitter: Duration::ZERO };
}

type Late = Reverse<(Instant, u64, usize, Vec<u8>)>;

/// The links among all hosts, each direction with a rule of its own.
pub struct Links {
    rules: RwLock<Vec<Vec<Rule>>>,
    devices: Vec<File>,
    late: Mutex<(u64, BinaryHeap<Late>)>,
    wake: Condvar,
}

impl Links {
    /// Begins to pass packets on; host `i` has device `i`.
    pub fn start(devices: Vec<File>) -> Arc<Links> {
        let hosts = devices.len();
        let rules = RwLock::new(vec![vec![Rule::default(); hosts]; hosts]);
        let links = Arc::new(Links { rules, devices, late: Mutex::default(), wake: Condvar::new() });
        for host in 0..hosts {
            let links = links.clone();
            std::thread::spawn(move || links.read(host));
        }
        let delayed = links.clone();
        std::thread::spawn(move || delayed.deliver_late());
        links
    }

    pub fn set(&self, from: usize, to: usize, rule: Rule) {
        self.rules.write().expect("nobody panics with it")[from][to] = rule;
    }

    /// All links whole again. What is under way late still arrives late.
    pub fn heal(&self) {
        let mut rules = self.rules.write().expect("nobody panics with it");
        rules.iter_mut().flatten().for_each(|rule| *rule = Rule::default());
    }

    fn read(&self, from: usize) {
        let mut dice = StdRng::seed_from_u64(from as u64);
        let mut packet = vec![0; 65536];
        loop {
            match (&self.devices[from]).read(&mut packet) {
                Ok(size) => self.pass_on(from, &packet[..size], &mut dice),
                // A device that is not up yet.
                Err(_) => std::thread::sleep(Duration::from_millis(20)),
            }
        }
    }

    fn pass_on(&self, from: usize, packet: &[u8], dice: &mut StdRng) {
        let Some(to) = destination(packet, self.devices.len()) else { return };
        let rule = self.rules.read().expect("nobody panics with it")[from][to];
        if rule.cut || rule.lost_percent > 0.0 && dice.random_range(0.0..100.0) < rule.lost_percent {
            return;
        }
        let copies = if rule.twice_percent > 0.0 && dice.random_range(0.0..100.0) < rule.twice_percent { 2 } else { 1 };
        for _ in 0..copies {
            if rule.delay.is_zero() && rule.jitter.is_zero() {
                self.deliver(to, packet);
            } else {
                let at = Instant::now() + rule.delay + rule.jitter.mul_f64(dice.random_range(0.0..1.0));
                let mut late = self.late.lock().expect("nobody panics with it");
                late.0 += 1;
                let number = late.0;
                late.1.push(Reverse((at, number, to, packet.to_vec())));
                self.wake.notify_one();
            }
        }
    }

    /// A packet that its host does not take is lost, as on a wire.
    fn deliver(&self, to: usize, packet: &[u8]) {
        let _ = (&self.devices[to]).write(packet);
    }

    fn deliver_late(&self) {
        let mut late = self.late.lock().expect("nobody panics with it");
        loop {
            let now = Instant::now();
            match late.1.peek() {
                Some(Reverse((at, ..))) if *at <= now => {
                    if let Some(Reverse((_, _, to, packet))) = late.1.pop() {
                        drop(late);
                        self.deliver(to, &packet);
                        late = self.late.lock().expect("nobody panics with it");
                    }
                }
                Some(Reverse((at, ..))) => {
                    let wait = *at - now;
                    late = self.wake.wait_timeout(late, wait).expect("nobody panics with it").0;
                }
                None => late = self.wake.wait(late).expect("nobody panics with it"),
            }
        }
    }
}

/// The host an IPv4 packet is for.
fn destination(packet: &[u8], hosts: usize) -> Option<usize> {
    if packet.len() < 20 || packet[0] >> 4 != 4 || packet[16..19] != [10, 77, 0] {
        return None;
    }
    match packet[19] {
        254 => Some(0),
        host if (1..hosts).contains(&(host as usize)) => Some(host as usize),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_are_told_apart_by_their_destination() {
        let mut packet = [0; 20];
        packet[0] = 0x45;
        packet[16..].copy_from_slice(&[10, 77, 0, 3]);
        assert_eq!(destination(&packet, 6), Some(3));
        assert_eq!(destination(&packet, 3), None);
        packet[19] = 254;
        assert_eq!(destination(&packet, 6), Some(0));
        packet[0] = 0x60;
        assert_eq!(destination(&packet, 6), None, "IPv6 goes nowhere");
    }
}
