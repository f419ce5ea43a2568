from __future__ import annotations

from codegen.schema import Definition, Document, Enumeration, Nullable, OneOf, Property, Ref, Scalar
from codegen.unions import tagged, variants


def thing(name: str, tag: str, *values: str, required: bool = True) -> Definition:
    """An object with one property that is a constant, or one of a few strings."""
    return Definition(name, name, name, (Property(tag, Enumeration(values), required),))


def document(*definitions: Definition) -> Document:
    """A document with these definitions."""
    return Document({item.name: item for item in definitions})


def test_a_property_that_is_a_constant_everywhere_tells_variants_apart() -> None:
    """Also without the description's word for it, and through unions inside."""
    inner = Definition("Inner", "Inner", "Inner", alias=OneOf((Ref("B"), Nullable(Ref("C")))))
    found = variants(
        document(thing("A", "type", "a"), thing("B", "type", "b"), thing("C", "type", "c", "d"), inner),
        OneOf((Scalar("str"), Ref("A"), Ref("Inner"))),
    )
    assert found.tag == "type"
    assert found.by_tag == {"a": ("A",), "b": ("B",), "c": ("C",), "d": ("C",)}
    assert found.others == (Scalar("str"),)
    assert found.untagged == ()


def test_variants_with_the_same_constant_stay_together() -> None:
    """They are told apart by what they hold."""
    things = (thing("A", "type", "m"), thing("B", "type", "m", required=False), thing("C", "type", "c"))
    found = variants(document(*things), OneOf((Ref("A"), Ref("B"), Ref("C"))))
    assert found.by_tag == {"m": ("A", "B"), "c": ("C",)}
    assert found.untagged == ("B",)


def test_without_a_telling_property_nothing_is_guessed() -> None:
    """One constant for all, or a variant without one, tells nothing."""
    same = document(thing("A", "type", "a"), thing("B", "type", "a"))
    assert variants(same, OneOf((Ref("A"), Ref("B")))).tag is None
    missing = document(thing("A", "type", "a"), thing("B", "kind", "b"))
    assert variants(missing, OneOf((Ref("A"), Ref("B")))).tag is None


def test_the_description_s_own_tag_comes_first() -> None:
    """Where there are several that would do."""
    both = [
        Definition(
            name,
            name,
            name,
            (Property("type", Enumeration((name,)), True), Property("kind", Enumeration((name,)), True)),
        )
        for name in ("a", "b")
    ]
    assert variants(document(*both), OneOf((Ref("a"), Ref("b")), "kind")).tag == "kind"
    assert variants(document(*both), OneOf((Ref("a"), Ref("b")))).tag == "type"


def test_every_variant_of_every_union_is_found_at_any_depth() -> None:
    """Lists, mappings and nulls are looked through."""
    holder = Definition(
        "Holder", "Holder", "Holder", (Property("p", Nullable(OneOf((Ref("A"), Ref("B")))), required=False),)
    )
    assert tagged(document(thing("A", "type", "a"), thing("B", "type", "b"), holder)) == {"A": {"type"}, "B": {"type"}}
