"""Text from anywhere, made fit to be stored."""


def storable(text: str) -> str:
    """NUL and lone surrogates spelled out: PostgreSQL stores neither, and errors quote anything."""
    return text.encode("utf-8", "backslashreplace").decode().replace("\x00", "\\x00")
