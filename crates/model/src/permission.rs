//! Who may do what: one function, which denies unless a rule allows.

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Actor<'a> {
    /// Login name.
    pub username: &'a str,
    /// Whether the user is an administrator.
    pub is_admin: bool,
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action<'a> {
    /// See an app and what belongs to it.
    View,
    /// Build, configure, scale, run, restart, roll back, add domains.
    Change,
    /// Delete the app or anything of it.
    Delete,
    /// Give the app to another owner.
    Transfer,
    /// Let another user work on the app.
    Grant,
    /// Take that back from `user`.
    Revoke {
        /// Who loses access.
        user: &'a str,
    },
    /// Change or delete an account, or see or delete a key or a certificate.
    Manage,
    /// See all users, name administrators, replace the tokens of others.
    Administer,
}

/// What it is asked of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Object<'a> {
    /// An app.
    App {
        /// Its owner.
        owner: &'a str,
        /// Whether the actor was granted access.
        shared: bool,
    },
    /// A user's account.
    Account {
        /// Whose.
        username: &'a str,
    },
    /// A key: nobody else's business, not even an administrator's.
    Key {
        /// Whose.
        owner: &'a str,
    },
    /// A certificate: likewise.
    Certificate {
        /// Whose.
        owner: &'a str,
    },
    /// The platform.
    Platform,
}

/// Whether `actor` may do `action` to `object`.
pub fn may(actor: Actor<'_>, action: Action<'_>, object: Object<'_>) -> bool {
    match (object, action) {
        (Object::App { owner, .. }, _) if actor.is_admin || actor.username == owner => is_app_action(action),
        (Object::App { shared, .. }, Action::View | Action::Change) => shared,
        (Object::App { .. }, Action::Revoke { user }) => user == actor.username,
        (Object::Account { username }, Action::Manage) => actor.is_admin || actor.username == username,
        (Object::Key { owner } | Object::Certificate { owner }, Action::Manage) => actor.username == owner,
        (Object::Platform, Action::Administer) => actor.is_admin,
        _ => false,
    }
}

fn is_app_action(action: Action<'_>) -> bool {
    !matches!(action, Action::Manage | Action::Administer)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWNER: Actor<'_> = Actor { username: "owner", is_admin: false };
    const FRIEND: Actor<'_> = Actor { username: "friend", is_admin: false };
    const ADMIN: Actor<'_> = Actor { username: "admin", is_admin: true };
    const OTHER: Actor<'_> = Actor { username: "other", is_admin: false };

    /// `expected` is about the owner, a collaborator, an administrator and another user.
    fn check(action: Action<'_>, expected: [bool; 4]) {
        let found = [OWNER, FRIEND, ADMIN, OTHER]
            .map(|actor| may(actor, action, Object::App { owner: "owner", shared: actor == FRIEND }));
        assert_eq!(found, expected, "{action:?}");
    }

    #[test]
    fn apps_obey_the_matrix() {
        check(Action::View, [true, true, true, false]);
        check(Action::Change, [true, true, true, false]);
        check(Action::Delete, [true, false, true, false]);
        check(Action::Transfer, [true, false, true, false]);
        check(Action::Grant, [true, false, true, false]);
        check(Action::Revoke { user: "friend" }, [true, true, true, false]);
        check(Action::Revoke { user: "stranger" }, [true, false, true, false]);
        check(Action::Manage, [false; 4]);
        check(Action::Administer, [false; 4]);
    }

    #[test]
    fn accounts_belong_to_their_user_and_administrators() {
        let account = Object::Account { username: "owner" };
        let allowed = [OWNER, FRIEND, ADMIN, OTHER].map(|actor| may(actor, Action::Manage, account));
        assert_eq!(allowed, [true, false, true, false]);
    }

    #[test]
    fn keys_and_certificates_belong_to_their_owner_alone() {
        for object in [Object::Key { owner: "owner" }, Object::Certificate { owner: "owner" }] {
            let allowed = [OWNER, FRIEND, ADMIN, OTHER].map(|actor| may(actor, Action::Manage, object));
            assert_eq!(allowed, [true, false, false, false], "{object:?}");
        }
    }

    #[test]
    fn only_administrators_administer() {
        let allowed =
            [OWNER, FRIEND, ADMIN, OTHER].map(|actor| may(actor, Action::Administer, Object::Platform));
        assert_eq!(allowed, [false, false, true, false]);
        assert!(!may(ADMIN, Action::View, Object::Platform), "no rule, no permission");
    }
}
