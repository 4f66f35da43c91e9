//! A slot: one full view, then the deltas that followed it.

use std::{
    fs::File,
    io::{self, BufReader},
    path::Path,
};

use tidegate_sync::edge::{Alarm, AlarmCode};
use tidegate_view::{StagedView, TrustedKeyset, VerifiedView, VerifyError};

use super::{
    record::{RecordError, RecordHeader, read_record},
    seal::Sealer,
};

/// Why a slot, or its tail, is not used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SlotError {
    /// Its bytes are damaged.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// Its bytes are intact, but are no view that may be trusted.
    #[error(transparent)]
    Verify(#[from] VerifyError),
    /// A record does not continue the one before.
    #[error("a cache record is out of order")]
    OutOfOrder,
}

/// What a slot gave.
#[derive(Debug)]
pub(crate) struct LoadedSlot {
    /// The newest view that verifies.
    pub(crate) view: VerifiedView,
    /// Identity of the slot file.
    pub(crate) slot_id: Vec<u8>,
    /// Records that verify.
    pub(crate) records: u64,
    /// Why what follows the last good record was left out.
    pub(crate) tail: Option<SlotError>,
}

/// Reads a slot up to the last record that verifies; `None` when there is no such file.
///
/// # Errors
/// Fails when not even the first record verifies.
pub(crate) fn load_slot(
    path: &Path,
    sealer: &Sealer,
    trust: &TrustedKeyset,
    level: u32,
) -> Result<Option<LoadedSlot>, SlotError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(RecordError::Io(error).into()),
    };
    let mut file = BufReader::with_capacity(64 * 1024, file);
    let mut loaded: Option<LoadedSlot> = None;
    loop {
        match next_view(&mut file, sealer, trust, level, loaded.as_ref()) {
            Ok(None) => return Ok(loaded),
            Ok(Some((view, header))) => {
                let records = header.number + 1;
                loaded = Some(LoadedSlot {
                    view,
                    slot_id: header.slot_id,
                    records,
                    tail: None,
                });
            }
            Err(error) => {
                let Some(mut good) = loaded else {
                    return Err(error);
                };
                good.tail = Some(error);
                return Ok(Some(good));
            }
        }
    }
}

/// Applies one record to the view before it, through the same verification as on a stream.
fn next_view(
    file: &mut BufReader<File>,
    sealer: &Sealer,
    trust: &TrustedKeyset,
    level: u32,
    before: Option<&LoadedSlot>,
) -> Result<Option<(VerifiedView, RecordHeader)>, SlotError> {
    let mut staged = match before {
        Some(before) => StagedView::from(&before.view),
        None => StagedView::empty(),
    };
    let record = read_record::<SlotError>(file, sealer, |header, change| {
        follows(header, before)?;
        Ok(staged.apply(&change.kind, &change.id, change.object)?)
    })?;
    let Some((header, signed)) = record else {
        return Ok(None);
    };
    follows(&header, before)?;
    let floor = before.map(|before| before.view.manifest().position());
    let manifest = trust.verify(&signed, &header.view_id, floor.as_ref(), level)?;
    let view = staged.finish(manifest)?;
    Ok(Some((view, header)))
}

fn follows(header: &RecordHeader, before: Option<&LoadedSlot>) -> Result<(), SlotError> {
    let fits = match before {
        None => header.number == 0,
        Some(before) => header.slot_id == before.slot_id && header.number == before.records,
    };
    if fits {
        Ok(())
    } else {
        Err(SlotError::OutOfOrder)
    }
}

/// A cut-off tail is what a crash leaves; anything else is damage.
pub(crate) fn alarm_of(error: &SlotError, name: &str) -> Option<Alarm> {
    match error {
        SlotError::Record(RecordError::Torn) => None,
        other => Some(Alarm::new(
            AlarmCode::Cache,
            format!("cache slot {name}: {other}"),
        )),
    }
}
