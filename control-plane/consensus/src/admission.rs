//! What may enter the log. A replica that does not understand an entry stops, so every way into the log passes here.

use tidegate_state::{Op, TXN_BYTES_MAX, Txn, level};

use crate::error::ProposeError;

/// Checks that every replica of this release can apply `txn`, which is `bytes` long when encoded.
///
/// # Errors
/// [`ProposeError::TooLarge`] and [`ProposeError::LevelTooNew`]; nothing was proposed.
pub(crate) fn admit(txn: &Txn, bytes: usize) -> Result<(), ProposeError> {
    if bytes > TXN_BYTES_MAX {
        return Err(ProposeError::TooLarge {
            bytes,
            limit: TXN_BYTES_MAX,
        });
    }
    let needed = txn.ops.iter().map(needed_by).fold(txn.min_level, u32::max);
    if needed > level::SUPPORTED {
        return Err(ProposeError::LevelTooNew {
            needed,
            supported: level::SUPPORTED,
        });
    }
    Ok(())
}

/// The feature level without which applying `op` is fatal.
fn needed_by(op: &Op) -> u32 {
    match op {
        Op::SetFeatureLevel(set) => set.level,
        other => level::required(other),
    }
}

#[cfg(test)]
mod tests {
    use tidegate_state::op::SetFeatureLevel;

    use super::*;

    #[test]
    fn only_what_this_release_can_apply_is_admitted() {
        let newer = level::SUPPORTED + 1;
        let sets = |level| Txn {
            ops: vec![SetFeatureLevel { level }.into()],
            ..Txn::default()
        };
        let demands = |min_level| Txn {
            min_level,
            ..Txn::default()
        };
        for (txn, bytes, admitted) in [
            (demands(0), 0, true),
            (demands(level::SUPPORTED), TXN_BYTES_MAX, true),
            (demands(0), TXN_BYTES_MAX + 1, false),
            (demands(newer), 0, false),
            (demands(u32::MAX), 0, false),
            (sets(level::SUPPORTED), 0, true),
            (sets(newer), 0, false),
        ] {
            assert_eq!(
                admit(&txn, bytes).is_ok(),
                admitted,
                "{txn:?} of {bytes} bytes"
            );
        }
    }
}
