//! The kinds of messages, for marks, muffling and crashes at a chosen point of the protocol.

use marmot::core::message::Message;

macro_rules! kinds {
    ($($name:ident => $pattern:pat),+ $(,)?) => {
        /// A message's variant.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub enum Kind { $($name),+ }

        impl Kind {
            pub const ALL: &'static [Kind] = &[$(Kind::$name),+];

            pub fn name(self) -> &'static str {
                match self { $(Kind::$name => stringify!($name)),+ }
            }

            pub fn of(message: &Message) -> Kind {
                match message { $($pattern => Kind::$name),+ }
            }
        }
    };
}

kinds! {
    Swim => Message::Swim(..),
    Prepare => Message::Prepare { .. },
    Prepared => Message::Prepared { .. },
    Rejected => Message::Rejected { .. },
    Accept => Message::Accept { .. },
    Accepted => Message::Accepted { .. },
    Refused => Message::Refused { .. },
    Recover => Message::Recover { .. },
    Promise => Message::Promise { .. },
    Decided => Message::Decided { .. },
    Inquire => Message::Inquire { .. },
    Working => Message::Working { .. },
    Report => Message::Report(..),
    SyncRequest => Message::SyncRequest { .. },
    SyncRecords => Message::SyncRecords { .. },
    SyncTooOld => Message::SyncTooOld { .. },
    Barrier => Message::Barrier { .. },
    BarrierState => Message::BarrierState { .. },
    Join => Message::Join { .. },
    Welcome => Message::Welcome { .. },
    AdmitMe => Message::AdmitMe { .. },
    Leaving => Message::Leaving,
    Outdated => Message::Outdated { .. },
    RemoveMe => Message::RemoveMe { .. },
}
