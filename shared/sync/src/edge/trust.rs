//! The keysets an edge trusts, from the pinned root on.

use tidegate_view::{RootPin, SignedKeyset, TrustedKeyset};

use super::{Alarm, AlarmCode, Floors, exchange::Effect};
use crate::limits::KEYSET_CHAIN_MAX;

/// The chain of keysets and the trust it gives.
#[derive(Debug)]
pub(super) struct Trust {
    pin: RootPin,
    keyset: Option<TrustedKeyset>,
    chain: Vec<SignedKeyset>,
}

impl Trust {
    pub(super) fn new(pin: RootPin, known: Option<(TrustedKeyset, Vec<SignedKeyset>)>) -> Self {
        let (keyset, chain) =
            known.map_or((None, Vec::new()), |(keyset, chain)| (Some(keyset), chain));
        Self { pin, keyset, chain }
    }

    pub(super) fn keyset(&self) -> Option<&TrustedKeyset> {
        self.keyset.as_ref()
    }

    /// 0 for none.
    pub(super) fn version(&self) -> u64 {
        self.keyset.as_ref().map_or(0, TrustedKeyset::version)
    }

    /// Follows a chain of keysets; one that does not follow changes nothing but raises an alarm.
    pub(super) fn follow(
        &mut self,
        keysets: Vec<SignedKeyset>,
        floors: &mut Floors,
        effects: &mut Vec<Effect>,
    ) {
        if keysets.is_empty() {
            return;
        }
        if self.chain.len() + keysets.len() > KEYSET_CHAIN_MAX {
            effects.push(Effect::Alarm(Alarm::new(
                AlarmCode::Keyset,
                "the chain is too long",
            )));
            return;
        }
        let followed = match &self.keyset {
            Some(keyset) => keyset.advance(&keysets),
            None => TrustedKeyset::establish(&self.pin, &keysets),
        };
        match followed {
            Ok(keyset) if keyset.version() < floors.keyset_version() => {
                let alarm = Alarm::new(AlarmCode::Keyset, "older than a keyset trusted before");
                effects.push(Effect::Alarm(alarm));
            }
            // Nothing new: the chain must not grow by repetition.
            Ok(keyset) if keyset.version() == self.version() => {}
            Ok(keyset) => {
                floors.raise_keyset(keyset.version());
                self.keyset = Some(keyset);
                self.chain.extend(keysets);
                effects.push(Effect::KeepKeysets(self.chain.clone()));
            }
            Err(error) => effects.push(Effect::Alarm(error.into())),
        }
    }
}
