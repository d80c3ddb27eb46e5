"""DocType: a record as a typed class."""

from __future__ import annotations

import inspect
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from collections.abc import Mapping

NAME_LENGTH = 255


class DocStatus(StrEnum):
    """Where a document of a submittable DocType stands; others stay drafts for ever."""

    DRAFT = "draft"
    SUBMITTED = "submitted"
    CANCELLED = "cancelled"


def _kept(description: str, **constraints: Any) -> Any:
    """A field that the repository fills."""
    return Field(None, description=description, json_schema_extra={"readOnly": True}, **constraints)


class DocType(BaseModel):
    """A record: subclass it, and the class is the table, the validation and the JSON Schema.

        class Invoice(DocType):
            customer: Link[Customer]
            total: Decimal = Field(ge=0, max_digits=12, decimal_places=2)

            class Meta:
                naming = "INV-.YYYY.-.#####"
                unique = ["number"]

    What `Meta` may hold is in `framework_m.core.doctypes.meta`. Assignments are validated, and
    everything once more when it is saved.
    """

    model_config = ConfigDict(
        extra="forbid",
        validate_assignment=True,
        # Neither database keeps NaN and infinity in a way that compares, and JSON has none.
        allow_inf_nan=False,
        ser_json_bytes="base64",
        val_json_bytes="base64",
    )
    # What the database holds, as the repository last saw it. No field: it is neither compared,
    # copied nor shown.
    __slots__ = ("_stored",)

    name: str = Field(
        "", max_length=NAME_LENGTH, description="The key; see Meta.naming. Never changes."
    )
    owner: str | None = _kept("Who created it.", max_length=NAME_LENGTH)
    creation: datetime | None = _kept("When it was created.")
    modified: datetime | None = _kept("When it was last saved.")
    modified_by: str | None = _kept("Who saved it last.", max_length=NAME_LENGTH)
    version: int = Field(
        0, ge=0, description="Counts saves; 0 is new.", json_schema_extra={"readOnly": True}
    )
    docstatus: DocStatus = Field(DocStatus.DRAFT, json_schema_extra={"readOnly": True})


BASE_FIELDS = frozenset(DocType.model_fields)


def stored_values(document: DocType) -> Mapping[str, Any] | None:
    """What the database held when the document was loaded or saved; None if it was neither."""
    found: Mapping[str, Any] | None = getattr(document, "_stored", None)
    return found


def remember_stored(document: DocType, values: Mapping[str, Any] | None) -> None:
    """Only for repositories."""
    object.__setattr__(document, "_stored", values)


def place_of(declared: type) -> str:
    """Where a class is defined, for people."""
    try:
        line = f" (line {inspect.getsourcelines(declared)[1]})"
    except (OSError, TypeError):  # made at run time
        line = ""
    return f"{declared.__module__}:{declared.__qualname__}{line}"
