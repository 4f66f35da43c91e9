//! Messages of an edge, made from what it found out.

use bytes::Bytes;
use tidegate_proto::sync::v1::{Credit, EdgeMessage, NackItem, Refuse, edge_message};
use tidegate_view::VerifiedView;

use super::{
    Alarm, Position,
    exchange::{Effect, PreparedObjectRefusal},
};
use crate::{
    limits::{NACK_ITEMS_MAX, shorten},
    wire::position_to_wire,
};

pub(super) fn nack_items(
    view: &VerifiedView,
    refusals: Vec<PreparedObjectRefusal>,
) -> Vec<NackItem> {
    let items = refusals.into_iter().take(NACK_ITEMS_MAX);
    items
        .filter_map(|refusal| nack_item(view, refusal))
        .collect()
}

/// An object that is not in the view cannot be refused.
fn nack_item(view: &VerifiedView, refusal: PreparedObjectRefusal) -> Option<NackItem> {
    let leaf = view.tree().get(&refusal.kind, &refusal.id)?;
    Some(NackItem {
        object_hash: Bytes::copy_from_slice(&leaf.object_hash),
        kind: refusal.kind,
        id: refusal.id,
        code: shorten(&refusal.code),
        path: shorten(&refusal.path),
        message: shorten(&refusal.message),
    })
}

pub(super) fn refusal(alarm: &Alarm, position: Option<&Position>) -> Effect {
    send(edge_message::Kind::Refuse(Refuse {
        position: position.map(position_to_wire),
        code: alarm.code.as_str().to_owned(),
        detail: shorten(&alarm.detail),
    }))
}

pub(super) fn credit(bytes: usize, effects: &mut Vec<Effect>) {
    let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
    effects.push(send(edge_message::Kind::Credit(Credit { bytes })));
}

pub(super) fn send(kind: edge_message::Kind) -> Effect {
    Effect::Send(EdgeMessage { kind: Some(kind) })
}
