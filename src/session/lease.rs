//! Ranges of AUTO_INCREMENT ids, handed out in order.

/// Consecutive ids `next..end` that belong to nobody else in the cluster.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lease {
    next: i64,
    end: i64,
}

impl Lease {
    pub fn new(first: i64, count: u64) -> Lease {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        Lease { next: first, end: first.saturating_add(count) }
    }

    pub fn left(&self) -> u64 {
        u64::try_from(self.end - self.next).unwrap_or(0)
    }

    /// Both ranges as one, if `next` begins where this one ends; otherwise `next` alone.
    pub fn followed_by(self, next: Lease) -> Lease {
        if self.end == next.next { Lease { next: self.next, end: next.end } } else { next }
    }

    /// The first of `count` consecutive ids, or nothing if there are not so many.
    pub fn take(&mut self, count: u64) -> Option<i64> {
        if self.left() < count {
            return None;
        }
        let first = self.next;
        // `count` is at most `left`, which fits.
        self.next += i64::try_from(count).unwrap_or(0);
        Some(first)
    }

    /// Gives back the last `count` ids of a range that ended just before `end`; false if others were taken since.
    pub fn give_back(&mut self, end: i64, count: u64) -> bool {
        let fits = self.next == end;
        if fits {
            self.next -= i64::try_from(count).unwrap_or(0);
        }
        fits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_taken_in_order_and_only_the_last_come_back() {
        let mut lease = Lease::new(10, 5);
        assert_eq!(lease.take(2), Some(10));
        assert_eq!(lease.take(4), None);
        assert_eq!(lease.take(3), Some(12));
        assert!(!lease.give_back(12, 1), "others follow");
        assert!(lease.give_back(15, 2));
        assert_eq!((lease.left(), lease.take(1)), (2, Some(13)));
        assert_eq!(lease.followed_by(Lease::new(15, 5)), Lease::new(14, 6));
        assert_eq!(lease.followed_by(Lease::new(16, 5)), Lease::new(16, 5));
    }
}
