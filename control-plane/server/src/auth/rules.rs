//! Who may call what: one line per method, anything not listed is denied.

use super::Role;

/// What a method asks of its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// No token needed: says nothing about the configuration.
    Public,
    /// Any valid token.
    Anyone,
    /// Administrators and viewers.
    Read,
    /// Administrators.
    Write,
    /// Edge gateways.
    Edge,
}

impl Access {
    /// True if `role` is enough. [`Access::Public`] is decided before anybody has a role.
    pub(crate) fn allows(self, role: Role) -> bool {
        match self {
            Self::Public | Self::Anyone => true,
            Self::Read => matches!(role, Role::Admin | Role::Viewer),
            Self::Write => role == Role::Admin,
            Self::Edge => role == Role::Edge,
        }
    }
}

const RULES: &[(&str, &[(&str, Access)])] = &[
    (
        "tidegate.admin.v1.ApiService",
        &[
            ("Apply", Access::Write),
            ("GetApi", Access::Read),
            ("ListApis", Access::Read),
            ("DeleteApi", Access::Write),
            ("ExportApi", Access::Read),
            ("DeployApi", Access::Write),
            ("RollbackApi", Access::Write),
            ("StartApi", Access::Write),
            ("StopApi", Access::Write),
            ("ListDeployments", Access::Read),
            ("CompareApi", Access::Read),
            ("WatchDeployment", Access::Read),
            ("PublishPlan", Access::Write),
            ("DeprecatePlan", Access::Write),
            ("ClosePlan", Access::Write),
        ],
    ),
    (
        "tidegate.admin.v1.ApplicationService",
        &[
            ("CreateApplication", Access::Write),
            ("GetApplication", Access::Read),
            ("ListApplications", Access::Read),
            ("DeleteApplication", Access::Write),
        ],
    ),
    (
        "tidegate.admin.v1.ClusterService",
        &[
            ("GetStatus", Access::Read),
            ("TransferLeader", Access::Write),
        ],
    ),
    (
        "tidegate.admin.v1.EdgeService",
        &[
            ("ListEdges", Access::Read),
            ("GetEdge", Access::Read),
            ("ListTags", Access::Read),
        ],
    ),
    (
        "tidegate.admin.v1.SubscriptionService",
        &[
            ("CreateSubscription", Access::Write),
            ("GetSubscription", Access::Read),
            ("ListSubscriptions", Access::Read),
            ("AcceptSubscription", Access::Write),
            ("RejectSubscription", Access::Write),
            ("PauseSubscription", Access::Write),
            ("ResumeSubscription", Access::Write),
            ("CloseSubscription", Access::Write),
            ("UpdateSubscription", Access::Write),
            ("ListKeys", Access::Read),
            ("RenewKey", Access::Write),
            ("RevokeKey", Access::Write),
            ("ExpireKey", Access::Write),
        ],
    ),
    (
        "tidegate.admin.v1.TokenService",
        &[
            ("WhoAmI", Access::Anyone),
            ("CreateToken", Access::Write),
            ("ListTokens", Access::Read),
            ("RevokeToken", Access::Write),
        ],
    ),
    (
        "tidegate.admin.v1.AssetService",
        &[
            ("GetAsset", Access::Read),
            ("ListAssets", Access::Read),
            ("DeleteAsset", Access::Write),
            ("ExportAsset", Access::Read),
            ("DeployAsset", Access::Write),
            ("UndeployAsset", Access::Write),
            ("ListAssetDeployments", Access::Read),
        ],
    ),
    ("tidegate.admin.v1.WatchService", &[("Watch", Access::Read)]),
    ("tidegate.sync.v1.SyncService", &[("Stream", Access::Edge)]),
    (
        "grpc.health.v1.Health",
        &[("Check", Access::Public), ("Watch", Access::Public)],
    ),
    (
        "grpc.reflection.v1.ServerReflection",
        &[("ServerReflectionInfo", Access::Public)],
    ),
    (
        "grpc.reflection.v1alpha.ServerReflection",
        &[("ServerReflectionInfo", Access::Public)],
    ),
];

/// Finds the rule of a gRPC path (`/package.Service/Method`).
pub(crate) fn rule(path: &str) -> Option<Access> {
    let (service, method) = path.strip_prefix('/')?.split_once('/')?;
    let (_, methods) = RULES.iter().find(|(name, _)| *name == service)?;
    methods
        .iter()
        .find(|(name, _)| *name == method)
        .map(|(_, access)| *access)
}

#[cfg(test)]
mod tests {
    use prost::Message as _;

    use super::*;

    #[test]
    fn every_method_of_the_served_contracts_has_a_rule() {
        let set =
            prost_types::FileDescriptorSet::decode(tidegate_proto::FILE_DESCRIPTOR_SET).unwrap();
        let mut seen = 0;
        for file in &set.file {
            let package = file.package();
            if !["tidegate.admin.v1", "tidegate.sync.v1"].contains(&package) {
                continue;
            }
            for service in &file.service {
                for method in &service.method {
                    let path = format!("/{package}.{}/{}", service.name(), method.name());
                    assert!(rule(&path).is_some(), "{path} has no rule");
                    seen += 1;
                }
            }
        }
        let listed: usize = RULES.iter().map(|(_, methods)| methods.len()).sum();
        assert_eq!(
            seen + 4,
            listed,
            "a rule names a method that does not exist"
        );
    }

    #[test]
    fn an_unknown_method_has_no_rule() {
        for path in [
            "",
            "/",
            "/x",
            "/tidegate.admin.v1.ApiService/Nope",
            "tidegate.admin.v1.A/b",
        ] {
            assert_eq!(rule(path), None, "{path:?}");
        }
    }

    #[test]
    fn each_role_may_do_its_own_part_only() {
        let check = |access: Access, admin, viewer, edge| {
            assert_eq!(access.allows(Role::Admin), admin, "{access:?}");
            assert_eq!(access.allows(Role::Viewer), viewer, "{access:?}");
            assert_eq!(access.allows(Role::Edge), edge, "{access:?}");
        };
        check(Access::Anyone, true, true, true);
        check(Access::Read, true, true, false);
        check(Access::Write, true, false, false);
        check(Access::Edge, false, false, true);
    }
}
