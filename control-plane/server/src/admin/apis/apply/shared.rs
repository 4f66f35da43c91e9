//! Documents of what APIs share, and the groups that APIs of the same request may name.

use serde_json::Value;
use tidegate_model::{Api, ApiObject, Violation, document::AssetDocument};

use super::Batch;
use crate::admin::{
    Fault,
    assets::{self, Groups},
    mint,
};

impl Batch<'_> {
    pub(super) fn add_asset(
        &mut self,
        index: usize,
        source: &str,
        asset: &AssetDocument,
        seed: &str,
    ) -> Result<(), Fault> {
        let request = assets::ApplyAssets {
            state: self.state,
            environment: &self.parsed.environment,
            remarks: &self.parsed.remarks,
            deploys: self.parsed.deploy,
            is_dry_run: self.parsed.dry_run,
        };
        let new_id = mint::resource_id("asset", seed);
        match assets::apply(request, &mut self.decision, asset, &new_id)? {
            Ok(applied) if !self.assets.insert((asset.kind, applied.result.id.clone())) => {
                let expected = "an asset that no other document of the request describes";
                let violation = Violation::new("name", &asset.name, expected);
                self.violations.push(violation);
            }
            Ok(applied) => {
                self.groups.extend(applied.group);
                self.bytes += applied.bytes;
                self.push((index, source), applied.result, applied.deploys);
                if let Some(last) = self.applied.last_mut() {
                    last.asset = Some(asset.kind);
                }
            }
            Err(violations) => self.violations.extend(violations),
        }
        Ok(())
    }

    /// The groups that are stored, and those of this request.
    pub(super) fn groups(&self) -> Groups<'_> {
        Groups {
            state: self.state,
            environment: &self.parsed.environment,
            new: &self.groups,
        }
    }

    /// True if what steps call a group still leads to the group that is deployed.
    pub(super) fn runs_same_groups(
        &self,
        definition: &Value,
        live: Option<&ApiObject>,
    ) -> Result<bool, Fault> {
        let Ok(api) = Api::from_canonical(definition) else {
            return Ok(false);
        };
        let references = self.groups().of_deployment(&api)?;
        Ok(references.ok().as_ref() == live.map(|live| &live.groups))
    }
}
