"""How names of the API description become names of Python."""

from __future__ import annotations

import keyword
import re
from typing import Final

_WORDS: Final = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|[0-9]+")
# attributes of pydantic's BaseModel, and the types that annotations are made of: a field of that name would hide them
_TAKEN: Final = frozenset(
    {"schema", "json", "copy", "dict", "validate", "construct", "str", "int", "float", "bool", "list", "from_wire"}
)


def words(text: str) -> list[str]:
    """Split *text* into its words, lower case: camel case, snake case, dots and dashes all separate."""
    return [word.lower() for word in _WORDS.findall(text)]


def pascal(text: str) -> str:
    """Return *text* as a class name; words that are already capitalised keep their capitals."""
    parts = re.split(r"[^A-Za-z0-9]+", text)
    return "".join(part[:1].upper() + part[1:] for part in parts)


def snake(text: str) -> str:
    """Return *text* as a function or module name."""
    return "_".join(words(text))


def attribute(name: str) -> str:
    """Return the Python name of the property *name*: the same where possible, else as near as possible."""
    plain = re.sub(r"[^A-Za-z0-9]+", "_", name.removesuffix("[]")).strip("_")
    if plain[:1].isdigit():
        plain = f"n{plain}"
    return f"{plain}_" if keyword.iskeyword(plain) or plain in _TAKEN else plain


def singular(text: str) -> str:
    """Return the name of one of *text*, an English plural; a word that is none stays as it is."""
    for plural, one in (("ies", "y"), ("sses", "ss"), ("shes", "sh"), ("ches", "ch"), ("xes", "x")):
        if text.endswith(plural):
            return text.removesuffix(plural) + one
    return text[:-1] if text.endswith("s") and not text.endswith("ss") else text
