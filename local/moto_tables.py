"""moto's transactions, quicker: it copies a table, and all that its stream ever held, for each item they write to.

The copy is what a transaction that fails is undone with; one for each transaction does the same.
"""

import copy
import threading
from typing import Any

from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.table import StreamRecord, Table

_transact_write_items = DynamoDBBackend.transact_write_items
_transaction = threading.local()


def copy_once() -> None:
    """Have moto copy each table once for a transaction, in this process and for good."""
    DynamoDBBackend.transact_write_items = _one_transaction  # type: ignore[method-assign, assignment]
    Table.__deepcopy__ = _copied  # type: ignore[attr-defined]
    StreamRecord.__deepcopy__ = lambda record, _: record  # type: ignore[attr-defined] # it never changes


def _one_transaction(backend: DynamoDBBackend, transact_items: list[dict[str, Any]]) -> None:
    _transaction.copies = {}
    try:
        _transact_write_items(backend, transact_items)
    finally:
        del _transaction.copies


def _copied(table: Table, memo: dict[int, Any]) -> Table:
    """Return a copy of a table; within one transaction the one that was made first, before anything was written."""
    copies: dict[int, Table] = getattr(_transaction, "copies", {})
    if id(table) not in copies:
        made = copies[id(table)] = memo[id(table)] = object.__new__(type(table))
        vars(made).update((name, copy.deepcopy(value, memo)) for name, value in vars(table).items())
    return copies[id(table)]
