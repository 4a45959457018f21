//! The MySQL client/server protocol, server side: a pure codec. Bytes in and out, no sockets, no clock, no tokio.

mod cell;
mod column;
mod error;
mod handler;
mod inbound;
mod number;
mod outbound;
mod packet;
mod parameter;
mod recording;
mod result;
mod temporal;

pub use cell::Cell;
pub use column::{Column, ColumnFlags, ColumnType, collation};
pub use error::*;
pub use handler::{Handler, Login, Prepared, StatementId, StatusFlags};
pub use inbound::{Broken, Inbound};
pub use mysql_common::constants::CapabilityFlags;
pub use outbound::Outbound;
pub use packet::{FRAME_PAYLOAD_MAX, Malformed};
pub use parameter::Parameter;
pub use recording::{Keep, Recorded, Recording};
pub use result::{Completion, Drain, ResultWriter, RowFormat};
