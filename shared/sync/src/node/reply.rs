//! Messages of a node, and reports made of what an edge said.

use tidegate_proto::sync::v1::{Activate, NodeMessage, node_message};
use tidegate_view::Hash;

use super::session::{CloseReason, Effect, RefusedObject, Report};
use crate::{
    edge::Position,
    limits::{NACK_ITEMS_MAX, shorten},
    wire::position_from_wire,
};

pub(super) fn nacked(
    nack: tidegate_proto::sync::v1::Nack,
    effects: &mut Vec<Effect>,
) -> Result<(), CloseReason> {
    let Some(position) = nack.position.as_ref().and_then(position_from_wire) else {
        return Err(CloseReason::Protocol("Nack without a position"));
    };
    if nack.items.len() > NACK_ITEMS_MAX {
        return Err(CloseReason::Protocol("too many items in Nack"));
    }
    let objects = nack
        .items
        .into_iter()
        .filter_map(|item| {
            Some(RefusedObject {
                object_hash: Hash::try_from(item.object_hash.as_ref()).ok()?,
                kind: shorten(&item.kind),
                id: shorten(&item.id),
                code: shorten(&item.code),
                path: shorten(&item.path),
                message: shorten(&item.message),
            })
        })
        .collect();
    effects.push(Effect::Report(Report::Nacked { position, objects }));
    Ok(())
}

pub(super) fn activate(position: &Position) -> Effect {
    send(node_message::Kind::Activate(Activate {
        root: bytes::Bytes::copy_from_slice(&position.root),
        revision: position.revision,
    }))
}

pub(super) fn send(kind: node_message::Kind) -> Effect {
    Effect::Send(NodeMessage { kind: Some(kind) })
}
