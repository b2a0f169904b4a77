//! How deeply a source file is nested, by its tokens and before it is parsed.
//!
//! A parser goes one call deeper for each bracket, for each operator of an expression, and for each block;
//! the tree that it builds is as deep, and so is the recursion that drops it. Each of these begins with a
//! token of its own, and the lexer does not recurse, so counting tokens limits all three.

use ruff_python_ast::token::TokenKind;
use ruff_python_parser::{Mode, lexer};

/// The most brackets around a token: CPython's own parser allows 200 (`MAXSTACK` in `Parser/tokenizer.h`,
/// `MAXLEVEL`).
const MAX_BRACKETS: usize = 200;

/// The most blocks around a token, as in CPython (`MAXINDENT`).
const MAX_BLOCKS: usize = 100;

/// The most operators and keywords in one expression and in those around it.
const MAX_OPERATORS: usize = 1000;

/// Is no part of a text nested more deeply than code that people write?
pub(super) fn is_bounded(text: &str) -> bool {
    let mut lexer = lexer::lex(text, Mode::Module);
    let mut depth = Depth::default();
    loop {
        match lexer.next_token() {
            TokenKind::EndOfFile => return true,
            token => depth.take(token),
        }
        if !depth.is_bounded() {
            return false;
        }
    }
}

/// The greatest depth of a parser at a token.
#[derive(Debug, Default)]
struct Depth {
    blocks: usize,
    /// The operators of each expression that has an open bracket.
    around: Vec<usize>,
    /// Operators of the innermost expression.
    own: usize,
    /// Operators of all expressions in `around`.
    sum: usize,
    /// Keywords of the line that continue after a comma, as in `lambda a, b: lambda c, d: …`.
    lasting: usize,
}

impl Depth {
    fn is_bounded(&self) -> bool {
        self.blocks <= MAX_BLOCKS
            && self.around.len() <= MAX_BRACKETS
            && self.sum + self.own + self.lasting <= MAX_OPERATORS
    }

    fn take(&mut self, token: TokenKind) {
        use TokenKind as T;
        match token {
            T::Lpar | T::Lsqb | T::Lbrace | T::FStringStart | T::TStringStart => {
                self.around.push(self.own);
                self.sum += self.own;
                self.own = 0;
            }
            T::Rpar | T::Rsqb | T::Rbrace | T::FStringEnd | T::TStringEnd => {
                // A call and a subscript are one level of the enclosing expression.
                self.own = self.around.pop().unwrap_or(self.own) + 1;
                self.sum = self.around.iter().sum();
            }
            T::Newline => *self = Self { blocks: self.blocks, ..Self::default() },
            T::Comma => self.own = 0,
            T::Indent => self.blocks += 1,
            T::Dedent => self.blocks = self.blocks.saturating_sub(1),
            T::Lambda | T::Yield | T::Await | T::Def | T::Class | T::Async => self.lasting += 1,
            T::Name | T::Int | T::Float | T::Complex | T::String | T::FStringMiddle => {}
            T::TStringMiddle | T::Comment | T::NonLogicalNewline => {}
            _ => self.own += 1,
        }
    }
}
