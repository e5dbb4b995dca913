"""Small faults in Python source: one flipped comparison, one dropped `not`, one limit that is off by one."""

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass

COMPARISON = "comparison"
NEIGHBOURS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {ast.Add: ast.Sub, ast.Sub: ast.Add}
EXTREMES = {"min": "max", "max": "min"}


@dataclass(frozen=True, slots=True)
class Mutant:
    """A fault at a place.

    Attributes:
        line: from 1 on.
        kind: of the fault.
        before: the source there.
        after: what it becomes.
        source: the whole file with it.
    """

    line: int
    kind: str
    before: str
    after: str
    source: str


def mutants(source: str) -> Iterator[Mutant]:
    """Yield all faults of a file, from its top to its end."""
    tree = ast.parse(source)
    lines = [0]
    for line in source.encode().splitlines(keepends=True):
        lines.append(lines[-1] + len(line))
    nodes = [node for node in _walk(tree) if hasattr(node, "lineno")]
    for node in sorted(nodes, key=lambda it: (it.lineno, it.col_offset)):
        for kind, changed in _faults(node):
            start = lines[node.lineno - 1] + node.col_offset
            end = lines[node.end_lineno - 1] + node.end_col_offset
            raw, after = source.encode(), ast.unparse(changed)
            whole = raw[:start] + b"(" + after.encode() + b")" + raw[end:]
            yield Mutant(node.lineno, kind, raw[start:end].decode(), after, whole.decode())


def _walk(node: ast.AST) -> Iterator[ast.AST]:
    """Yield what is executed: no annotations; nor texts with values, whose places Python does not know."""
    if isinstance(node, ast.JoinedStr):
        return
    yield node
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield from _walk(child)


def _faults(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    match node:
        case ast.Compare():
            for index, operator in enumerate(node.ops):
                for other in NEIGHBOURS[type(operator)]:
                    changed = copy.deepcopy(node)
                    changed.ops[index] = other()
                    yield COMPARISON, changed
            yield from _other_limits(node)
        case ast.BoolOp(op=operator, values=values):
            yield "and, or", ast.BoolOp(ast.Or() if isinstance(operator, ast.And) else ast.And(), values)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield "not", operand
        case ast.BinOp(op=ast.Add() | ast.Sub()):
            yield "sign", ast.BinOp(node.left, ARITHMETIC[type(node.op)](), node.right)
        case ast.Call(func=ast.Name(id="min" | "max" as name), args=args, keywords=keywords):
            yield "min, max", ast.Call(ast.Name(EXTREMES[name]), args, keywords)
        case ast.IfExp(test=test, body=body, orelse=orelse):
            yield "choice", ast.IfExp(ast.UnaryOp(ast.Not(), test), body, orelse)


def _other_limits(node: ast.Compare) -> Iterator[tuple[str, ast.AST]]:
    for index, operand in enumerate(node.comparators):
        if isinstance(operand, ast.Constant) and type(operand.value) in (int, float):
            changed = copy.deepcopy(node)
            changed.comparators[index] = ast.Constant(operand.value + 1)
            yield "limit", changed
