//! Who may use a node.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use subtle::{Choice, ConstantTimeEq};

/// Names and passwords. Clones are the same users, also when these are renewed.
#[derive(Clone)]
pub struct Users(Arc<RwLock<Vec<User>>>);

/// Why a file of users is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UsersError {
    /// It has none.
    Empty,
    /// This line, counted from one, has no colon between a name and a password.
    Line(usize),
}

/// A name and its password.
type User = (Box<[u8]>, Box<[u8]>);

impl Users {
    /// Reads lines of `name:password`. Empty lines are passed over.
    ///
    /// # Errors
    /// Refuses a line without a colon, and a file without users.
    pub fn parse(text: &[u8]) -> Result<Self, UsersError> {
        Ok(Self(Arc::new(RwLock::new(parse(text)?))))
    }

    /// Knows these from now on, and no others.
    ///
    /// # Errors
    /// As [`Users::parse`]; then it knows whom it knew.
    pub fn renew(&self, text: &[u8]) -> Result<(), UsersError> {
        let fresh = parse(text)?;
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = fresh;
        Ok(())
    }

    /// Whether this is one of them. How long it takes tells nothing but lengths.
    #[must_use]
    pub fn know(&self, name: &[u8], password: &[u8]) -> bool {
        let users = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let known = users.iter().map(|(user, secret)| user.ct_eq(name) & secret.ct_eq(password));
        known.fold(Choice::from(0), |any, this| any | this).into()
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.read().unwrap_or_else(PoisonError::into_inner).len()
    }
}

fn parse(text: &[u8]) -> Result<Vec<User>, UsersError> {
    let mut users = Vec::new();
    for (number, line) in (1..).zip(text.split(|&byte| byte == b'\n')) {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            continue;
        }
        let colon = line.iter().position(|&byte| byte == b':');
        let (name, password) = line.split_at(colon.ok_or(UsersError::Line(number))?);
        users.push((name.into(), password[1..].into()));
    }
    match users.is_empty() {
        true => Err(UsersError::Empty),
        false => Ok(users),
    }
}

impl fmt::Debug for Users {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Users({})", self.count())
    }
}

impl fmt::Display for UsersError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => write!(f, "no users"),
            Self::Line(number) => write!(f, "line {number}: no name:password"),
        }
    }
}

impl std::error::Error for UsersError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_users_are_known() {
        let users = Users::parse(b"ann:one\r\n\nbob:two:three\n").unwrap();
        assert!(users.know(b"ann", b"one"));
        assert!(users.know(b"bob", b"two:three"));
        assert!(!users.know(b"ann", b"two:three"));
        assert!(!users.know(b"ann", b""));
        assert!(!users.know(b"", b""));
        assert_eq!(format!("{users:?}"), "Users(2)", "no secret is shown");
    }

    #[test]
    fn users_are_renewed_for_all_or_not_at_all() {
        let users = Users::parse(b"ann:one\n").unwrap();
        let clone = users.clone();
        assert_eq!(users.renew(b"bob:two\nsecret\n"), Err(UsersError::Line(2)));
        assert!(clone.know(b"ann", b"one") && !clone.know(b"bob", b"two"));
        users.renew(b"bob:two\n").unwrap();
        assert!(clone.know(b"bob", b"two") && !clone.know(b"ann", b"one"));
    }

    #[test]
    fn broken_files_are_refused() {
        assert_eq!(Users::parse(b"\n").unwrap_err(), UsersError::Empty);
        assert_eq!(Users::parse(b"a:b\nsecret\n").unwrap_err(), UsersError::Line(2));
    }
}
