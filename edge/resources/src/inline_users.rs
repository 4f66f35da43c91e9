//! `auth-provider-inline-resource`: users in the definition.

use std::collections::BTreeMap;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest;
use tidegate_expression::Value;
use tidegate_policies::resources::InlineUsersConfig;
use tidegate_policy::{AuthenticationProvider, BoxFuture, Identity, ResourceError, Services};

/// Users with the digests of their passwords.
#[derive(Debug)]
pub(crate) struct InlineUsers(BTreeMap<String, User>);

#[derive(Debug)]
struct User {
    password: Digest,
    attributes: BTreeMap<String, Value>,
}

/// Digests have one length, so comparing them tells nothing of a password's.
type Digest = [u8; 32];

impl InlineUsers {
    pub(crate) fn new(config: &InlineUsersConfig) -> Self {
        let users = config.users.iter().map(|user| {
            let roles = Value::list(user.roles.iter().map(|role| Value::from(role.as_str())));
            let more = user.more.iter();
            let mut attributes: BTreeMap<String, Value> = more
                .map(|(name, value)| (name.clone(), Value::from(value)))
                .collect();
            attributes.insert("roles".to_owned(), roles);
            let known = User {
                password: digest_of(user.password.expose()),
                attributes,
            };
            (user.username.clone(), known)
        });
        Self(users.collect())
    }

    fn find(&self, user: &str, password: &str) -> Option<Identity> {
        let shown = digest_of(password);
        let known = self.0.get(user);
        // Compared for unknown users too: how long it takes does not tell who exists.
        let expected = known.map_or([0; 32], |known| known.password);
        let fits = verify_slices_are_equal(&shown, &expected).is_ok();
        let known = known.filter(|_| fits)?;
        Some(Identity {
            user: user.to_owned(),
            attributes: known.attributes.clone(),
        })
    }
}

fn digest_of(password: &str) -> Digest {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest::digest(&digest::SHA256, password.as_bytes()).as_ref());
    hash
}

impl AuthenticationProvider for InlineUsers {
    fn authenticate<'a>(
        &'a self,
        user: &'a str,
        password: &'a str,
        _services: &'a Services,
    ) -> BoxFuture<'a, Result<Option<Identity>, ResourceError>> {
        Box::pin(std::future::ready(Ok(self.find(user, password))))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_name_and_password_together_fit() {
        let config = json!({"users": [
            {"username": "ann", "password": "p1", "roles": ["admin"], "mail": "ann@x"},
            {"username": "bob", "password": "p2"},
        ]});
        let users = InlineUsers::new(&serde_json::from_value(config).unwrap());
        for (user, password, is_known) in [
            ("ann", "p1", true),
            ("ann", "p2", false),
            ("bob", "p2", true),
            ("bob", "", false),
            ("eve", "p1", false),
            ("", "", false),
        ] {
            let found = users.find(user, password);
            assert_eq!(found.is_some(), is_known, "{user} {password}");
        }
        let ann = users.find("ann", "p1").unwrap();
        assert_eq!(ann.attributes["roles"].to_text().as_deref(), Some("admin"));
        assert_eq!(ann.attributes["mail"].as_text(), Some("ann@x"));
    }
}
