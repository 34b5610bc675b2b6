//! What operators show a node, so that it does what they ask.

use crate::net::Secret;
use std::fmt;
use subtle::ConstantTimeEq;

/// Bytes of one as it is written: 32, in hexadecimal.
const TEXT_BYTES: usize = 64;

/// What operators show a node: made of the cluster's secret, so that whoever has that has
/// this, and nothing more has to be handed around.
///
/// Without a secret it is made of the cluster's name, which is no secret. A node then only
/// listens to its own machine, whose users may join the cluster anyway. It guards against web
/// pages: no browser sends it to another place than the page came from, unless the node
/// allows that, and it does not.
#[derive(Clone)]
pub struct Token(Box<str>);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(not shown)")
    }
}

impl Token {
    /// That of all clusters with this secret.
    #[must_use]
    pub fn of_secret(secret: &Secret) -> Self {
        Self::written(secret.admin_token(""))
    }

    /// That of a cluster of this machine, by its name.
    #[must_use]
    pub fn of_name(cluster: &str) -> Self {
        Self::written(Secret::of_machine().admin_token(cluster))
    }

    fn written(bytes: [u8; TEXT_BYTES / 2]) -> Self {
        let digit = |digit: u8| char::from(b"0123456789abcdef"[usize::from(digit)]);
        let text: String =
            bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect();
        Self(text.into())
    }

    /// As it is sent.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0
    }

    /// Whether this is it; the time that takes tells nothing of it.
    pub(super) fn is(&self, shown: &[u8]) -> bool {
        self.0.as_bytes().ct_eq(shown).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clusters_without_a_secret_have_tokens_by_their_names() {
        let (one, other) = (Token::of_name("one"), Token::of_name("other"));
        assert!(one.is(one.text().as_bytes()) && one.text().len() == TEXT_BYTES);
        assert!(!one.is(other.text().as_bytes()));
        assert!(!one.is(b"") && !one.is(&one.text().as_bytes()[1..]));
        assert_eq!(format!("{one:?}"), "Token(not shown)");
    }

    #[test]
    fn whoever_has_the_secret_needs_nothing_else() {
        let secret = Secret::new("correct horse").unwrap();
        assert!(Token::of_secret(&secret).is(Token::of_secret(&secret).text().as_bytes()));
        assert_ne!(Token::of_secret(&secret).text(), Token::of_name("").text());
    }
}
