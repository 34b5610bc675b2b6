//! A place in a token stream: each method takes what it is named after, if that
//! comes next, and moves on behind it.

use proc_macro2::{Delimiter, TokenStream, TokenTree};

pub(crate) struct Cursor {
    tokens: Vec<TokenTree>,
    at: usize,
}

impl Cursor {
    pub(crate) fn new(stream: TokenStream) -> Self {
        Self { tokens: stream.into_iter().collect(), at: 0 }
    }

    pub(crate) fn is_done(&self) -> bool {
        self.at >= self.tokens.len()
    }

    /// The line of the next token; 0 behind the last one.
    pub(crate) fn line(&self) -> usize {
        self.next(0).map_or(0, |token| token.span().start().line)
    }

    pub(crate) fn skip(&mut self) {
        self.at += 1;
    }

    pub(crate) fn skip_past(&mut self, mark: char) {
        while !self.is_done() && !self.punct(mark) {
            self.skip();
        }
    }

    pub(crate) fn is_at(&self, word: &str) -> bool {
        matches!(self.next(0), Some(TokenTree::Ident(ident)) if ident == word)
    }

    pub(crate) fn word(&mut self) -> Option<String> {
        let Some(TokenTree::Ident(ident)) = self.next(0) else { return None };
        let word = ident.to_string();
        self.skip();
        Some(word)
    }

    /// One step of a path: a word or `*`.
    pub(crate) fn segment(&mut self) -> Option<String> {
        if self.punct('*') { Some("*".to_owned()) } else { self.word() }
    }

    pub(crate) fn punct(&mut self, mark: char) -> bool {
        let is_next = self.is_punct(0, mark);
        self.at += usize::from(is_next);
        is_next
    }

    pub(crate) fn colons(&mut self) -> bool {
        let are_next = self.is_punct(0, ':') && self.is_punct(1, ':');
        self.at += 2 * usize::from(are_next);
        are_next
    }

    /// Whether the word just read calls a macro: `!` and brackets come next.
    pub(crate) fn is_at_macro_call(&self) -> bool {
        self.is_punct(0, '!') && matches!(self.next(1), Some(TokenTree::Group(_)))
    }

    /// The inside of a pair of brackets of any kind.
    pub(crate) fn group(&mut self) -> Option<Self> {
        let Some(TokenTree::Group(group)) = self.next(0) else { return None };
        let inside = Self::new(group.stream());
        self.skip();
        Some(inside)
    }

    /// The inside of `{}`.
    pub(crate) fn braces(&mut self) -> Option<Self> {
        let is_next = matches!(
            self.next(0),
            Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace
        );
        if is_next { self.group() } else { None }
    }

    fn is_punct(&self, ahead: usize, mark: char) -> bool {
        matches!(self.next(ahead), Some(TokenTree::Punct(punct)) if punct.as_char() == mark)
    }

    fn next(&self, ahead: usize) -> Option<&TokenTree> {
        self.tokens.get(self.at + ahead)
    }
}
