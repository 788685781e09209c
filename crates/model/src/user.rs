//! A user: who may log in.

use time::OffsetDateTime;

/// The longest username, in characters.
pub const MAX_USERNAME_LENGTH: usize = 30;

/// The longest email address, in characters.
pub const MAX_EMAIL_LENGTH: usize = 254;

/// A user as stored, without the password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// A number, unique.
    pub id: i64,
    /// Login name.
    pub username: String,
    /// May be empty.
    pub email: String,
    /// May be empty.
    pub first_name: String,
    /// May be empty.
    pub last_name: String,
    /// Whether the user is an administrator.
    pub is_admin: bool,
    /// Whether the user may log in.
    pub is_active: bool,
    /// When the user last logged in.
    pub last_login: OffsetDateTime,
    /// When the user registered.
    pub joined: OffsetDateTime,
}

/// Which rule a text breaks that was to be a username. The messages are part of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UsernameError {
    /// Empty.
    #[error("This field may not be blank.")]
    Blank,
    /// Over 30 characters.
    #[error("Ensure this field has no more than 30 characters.")]
    TooLong,
    /// A character that no username may hold.
    #[error("Enter a valid username. This value may contain only letters, numbers and @/./+/-/_ characters.")]
    Character,
}

/// A text that is not an email address. The message is part of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Enter a valid email address.")]
pub struct EmailError;

/// Checks a new username: 1–30 letters, digits and `@.+-_`.
///
/// `.` and `..` are refused: clients resolve such path segments away, so nothing could address the user.
pub fn check_username(text: &str) -> Result<(), UsernameError> {
    if text.is_empty() {
        return Err(UsernameError::Blank);
    }
    if text.chars().count() > MAX_USERNAME_LENGTH {
        return Err(UsernameError::TooLong);
    }
    let fits = |c: char| c.is_alphanumeric() || "@.+-_".contains(c);
    match text.chars().all(fits) && text != "." && text != ".." {
        true => Ok(()),
        false => Err(UsernameError::Character),
    }
}

/// Checks an email address: empty, or `local@host` without blanks and with a dot in the host.
pub fn check_email(text: &str) -> Result<(), EmailError> {
    if text.is_empty() {
        return Ok(());
    }
    let (local, host) = text.rsplit_once('@').ok_or(EmailError)?;
    let printable = |part: &str| part.chars().all(|c| !c.is_whitespace() && !c.is_control());
    let host_fits =
        host == "localhost" || (host.contains('.') && host.split('.').all(|label| !label.is_empty()));
    let fits = !local.is_empty() && printable(local) && printable(host) && host_fits;
    match fits && text.len() <= MAX_EMAIL_LENGTH {
        true => Ok(()),
        false => Err(EmailError),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<(), UsernameError>) {
        assert_eq!(check_username(text), expected, "{text:?}");
    }

    #[test]
    fn usernames_hold_letters_digits_and_a_few_signs() {
        check("ann", Ok(()));
        check("ann.b+c@example-1_x", Ok(()));
        check("", Err(UsernameError::Blank));
        check("a b", Err(UsernameError::Character));
        check("a/b", Err(UsernameError::Character));
        check("..", Err(UsernameError::Character));
        check(&"a".repeat(31), Err(UsernameError::TooLong));
    }

    #[test]
    fn an_email_address_is_optional_but_must_look_like_one() {
        for good in ["", "ann@example.com", "a+b@localhost"] {
            assert!(check_email(good).is_ok(), "{good}");
        }
        for bad in ["ann", "@example.com", "ann@", "ann@host", "a b@example.com", "ann@example..com"] {
            assert!(check_email(bad).is_err(), "{bad}");
        }
    }
}
