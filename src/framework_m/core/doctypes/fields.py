"""Field types of documents beyond Python's own: Link and Secret.

Everything else is a plain annotation with pydantic's constraints:

    str                         text of any length; `Field(max_length=140)` bounds the column
    int                         64 bits
    float                       finite
    Decimal                     exact; `Field(max_digits=12, decimal_places=2)` fixes the scale
    bool date time UUID         themselves; a time of day has no zone
    datetime                    aware; comes back in UTC
    Enum, Literal               their values
    dict, list, models, …       JSON text: kept, not searched
    T | None                    the column may be empty
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import Field, GetCoreSchemaHandler, SecretStr
from pydantic_core import CoreSchema, core_schema

from framework_m.core.doctypes.base import NAME_LENGTH, DocType

T = TypeVar("T", bound=DocType)

_MASK = "**********"


@dataclass(frozen=True, slots=True)
class LinkTo:
    """In a field's metadata: its value is the name of a document of that DocType."""

    target: type[DocType] | str

    @property
    def doctype(self) -> str:
        """The DocType's name."""
        return self.target if isinstance(self.target, str) else self.target.__name__

    def __get_pydantic_json_schema__(self, schema: Any, handler: Any) -> dict[str, Any]:
        return {**handler(schema), "x-link": self.doctype}


if TYPE_CHECKING:
    from typing_extensions import TypeAliasType

    Link = TypeAliasType("Link", str, type_params=(T,))
    """`Link[Customer]`: the name of a Customer, a plain `str`; that it exists is checked."""
else:

    class Link:
        """`Link[Customer]`: the name of a Customer, a plain `str`; that it exists is checked.

        The database checks it with the save, and refuses to delete what is linked to
        (LinkError). `Link["Customer"]` names a DocType that is defined further down.
        """

        def __class_getitem__(cls, target: type[DocType] | str) -> Any:
            from typing import Annotated, ForwardRef  # noqa: PLC0415 - beside the one use

            if isinstance(target, ForwardRef):
                target = target.__forward_arg__
            length = Field(min_length=1, max_length=NAME_LENGTH)
            return Annotated[str, length, LinkTo(target)]


class Secret(SecretStr):
    """A text that is encrypted at rest and masked everywhere else: in JSON, logs and `repr`.

    `get_secret_value()` returns it. A key derived from SECRET_KEY encrypts it. What the mask
    looks like is refused as a value, so that a record that was read and written back does not
    lose its secret.
    """

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: type[Any], handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        schema = super().__get_pydantic_core_schema__(source, handler)
        return core_schema.no_info_after_validator_function(_not_the_mask, schema)


def _not_the_mask(secret: Secret) -> Secret:
    if secret.get_secret_value() == _MASK:
        raise ValueError("is the mask of a secret, not a secret: leave the field out to keep it")
    return secret
