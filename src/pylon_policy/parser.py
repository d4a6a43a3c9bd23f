"""Tokens to an expression tree: recursive descent over the grammar of contract 04 §3.2.

Beyond the contract's grammar: number literals, ``< <= > >=``, and ``in [literal, ...]``, where ``in`` is a
keyword only after an operand. Chains of ``&&`` and ``||`` are loops; recursion is bounded by ``NESTING_MAX``.
"""

from pylon_policy.expression import (
    And,
    Compare,
    Comparison,
    Expression,
    Group,
    In,
    Literal,
    Not,
    Or,
    Path,
    PolicySyntaxError,
    RoleCall,
)
from pylon_policy.lexer import Token, TokenKind, position, syntax_error, tokenize

NESTING_MAX = 64
"""The top level costs 1, a pair of parentheses 2, each ``!`` 1."""

_KEYWORDS = {"true": True, "false": False, "null": None}
_COMPARISONS = frozenset(Comparison)


def parse(text: str) -> Expression:
    """The expression a policy text says; raises ``PolicySyntaxError``."""
    return _Parser(text).whole()


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = tokenize(text)
        self._next = 0

    def whole(self) -> Expression:
        if len(self._tokens) == 1:
            raise self._error(self._token, "the expression is empty")
        expression = self._or(1)
        if self._token.kind is not TokenKind.END:
            raise self._error(self._token, self._leftover())
        return expression

    def _or(self, depth: int) -> Expression:
        terms = [self._and(depth)]
        while self._accept("||"):
            terms.append(self._and(depth))
        return Or(tuple(terms)) if len(terms) > 1 else terms[0]

    def _and(self, depth: int) -> Expression:
        terms = [self._comparison(depth)]
        while self._accept("&&"):
            terms.append(self._comparison(depth))
        return And(tuple(terms)) if len(terms) > 1 else terms[0]

    def _comparison(self, depth: int) -> Expression:
        left = self._unary(depth)
        token = self._token
        if token.kind is TokenKind.MARK and token.text in _COMPARISONS:
            self._advance()
            return Compare(Comparison(token.text), left, self._atom())
        if token.kind is TokenKind.WORD and token.text == "in":
            self._advance()
            return In(left, self._literal_list())
        return left

    def _unary(self, depth: int) -> Expression:
        negations = 0
        while self._token.text == "!" and self._token.kind is TokenKind.MARK:
            negations += 1
            self._require_depth(depth + negations)
            self._advance()
        expression = self._primary(depth + negations)
        for _ in range(negations):
            expression = Not(expression)
        return expression

    def _primary(self, depth: int) -> Expression:
        token = self._token
        if self._accept("("):
            self._require_depth(depth + 2, token)
            inner = self._or(depth + 2)
            self._require(")", "to close the group")
            return Group(inner)
        operand = self._atom()
        if isinstance(operand, Path) and self._accept("("):
            return self._call(token)
        return operand

    def _atom(self) -> Literal | Path:
        token = self._token
        if token.kind is TokenKind.WORD and token.text not in _KEYWORDS:
            self._advance()
            line, column = position(self._text, token.offset)
            return Path(tuple(token.text.split(".")), line, column)
        return self._literal("a value")

    def _literal(self, wanted: str) -> Literal:
        token = self._token
        if token.kind in (TokenKind.STRING, TokenKind.NUMBER):
            self._advance()
            return Literal(token.value)
        if token.kind is TokenKind.WORD and token.text in _KEYWORDS:
            self._advance()
            return Literal(_KEYWORDS[token.text])
        raise self._error(token, f"expected {wanted}, found {_described(token)}")

    def _literal_list(self) -> tuple[Literal, ...]:
        self._require("[", "after in")
        items = [self._literal("a literal")]
        while self._accept(","):
            if self._token.text == "]" and self._token.kind is TokenKind.MARK:
                break
            items.append(self._literal("a literal"))
        self._require("]", "to close the list")
        return tuple(items)

    def _call(self, callee: Token) -> RoleCall:
        roles = self._call_arguments()
        if callee.text == "auth.hasAnyRole":
            if not roles:
                raise self._error(callee, "auth.hasAnyRole takes at least one role")
        elif callee.text != "auth.hasRole":
            raise self._error(callee, f"there is no {callee.text}(), only auth.hasRole and auth.hasAnyRole")
        elif len(roles) != 1:
            raise self._error(callee, "auth.hasRole takes exactly one role")
        return RoleCall(roles)

    def _call_arguments(self) -> tuple[str, ...]:
        roles: list[str] = []
        while not self._accept(")"):
            if roles:
                self._require(",", "between arguments")
                if self._accept(")"):
                    break
            token = self._token
            if not isinstance(token.value, str):
                raise self._error(token, f"expected a role in quotes, found {_described(token)}")
            self._advance()
            roles.append(token.value)
        return tuple(roles)

    @property
    def _token(self) -> Token:
        return self._tokens[self._next]

    def _advance(self) -> None:
        self._next += 1

    def _accept(self, mark: str) -> bool:
        if self._token.kind is TokenKind.MARK and self._token.text == mark:
            self._advance()
            return True
        return False

    def _require(self, mark: str, purpose: str) -> None:
        if not self._accept(mark):
            raise self._error(self._token, f"expected {mark} {purpose}, found {_described(self._token)}")

    def _require_depth(self, depth: int, token: Token | None = None) -> None:
        if depth > NESTING_MAX:
            raise self._error(token or self._token, "the expression nests too deep")

    def _leftover(self) -> str:
        token = self._token
        if token.kind is TokenKind.MARK and token.text in _COMPARISONS:
            return "comparisons do not chain; put the first one in parentheses"
        if token.kind is TokenKind.MARK and token.text == "(":
            return "expected && or || or the end; a call or group can only stand left of a comparison"
        return f"expected && or || or the end, found {_described(token)}"

    def _error(self, token: Token, message: str) -> PolicySyntaxError:
        return syntax_error(self._text, token.offset, message)


def _described(token: Token) -> str:
    return "the end" if token.kind is TokenKind.END else token.text
